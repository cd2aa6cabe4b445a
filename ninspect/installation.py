"""What an installation has to work with."""

from __future__ import annotations

import os
import platform

import onnxruntime

from ninspect.report.describe import library_versions
from ninspect.runtime import allowed_cores, cuda_device_count


def installation() -> dict[str, str]:
    """Versions and devices, each in a few words."""
    providers = onnxruntime.get_available_providers()
    facts = {name: str(number) for name, number in library_versions().items()}
    return facts | {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processors": _of(allowed_cores(), os.cpu_count() or 1),
        "providers": ", ".join(provider.removesuffix("ExecutionProvider") for provider in providers),
        "GPU": _gpu(cuda_device_count(), "CUDAExecutionProvider" in providers),
    }


def _of(some: int, all_: int) -> str:
    return str(all_) if some == all_ else f"{some} of {all_}, which this process is kept to"


def _gpu(count: int, usable: bool) -> str:
    if count == 0:
        return "none that an NVIDIA driver knows; models run on the CPU"
    how = "used by default" if usable else "not used: this ONNX Runtime has no CUDA; install onnxruntime-gpu"
    return f"{count} of NVIDIA, {how}"
