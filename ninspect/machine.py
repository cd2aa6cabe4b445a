"""The machine and what is installed on it: cores, memory, GPUs, versions. Imports nothing heavy by itself."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version

import psutil

from ninspect.errors import UsageError
from ninspect.names import THREADS

_LIBRARIES = ("ninspect", "onnx", "onnx-ir", "numpy", "scipy")


_FOR_GPUS = ("CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider")
SCAN_BYTES = 2 * 1024**3  # that a scan should have, of images of 224 pixels
_RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


def check_runtime() -> None:
    """Find out whether ONNX Runtime can be used at all: its two packages install into the same folder.

    Raises:
        UsageError: it is broken, or missing.
    """
    try:
        from onnxruntime import InferenceSession, get_available_providers  # noqa: F401
    except ImportError as error:
        raise UsageError(f"ONNX Runtime is broken or missing; {_REPAIR}") from error


_REPAIR = (
    "uninstall onnxruntime and onnxruntime-gpu, which overwrite each other's files, and install one of them again: "
    "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install onnxruntime"
)


def runtimes() -> list[str]:
    """The packages of ONNX Runtime that are installed; more than one is one too many."""
    return [f"{found.metadata['Name']} {found.version}" for found in map(_distribution, _RUNTIMES) if found is not None]


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def installation() -> dict[str, str]:
    """Versions and devices, each in a few words."""
    import onnxruntime

    check_runtime()
    gpus = cuda_device_count()
    built = onnxruntime.get_available_providers()
    providers = [name for name in built if gpus or name not in _FOR_GPUS]
    facts = {name: str(number) for name, number in library_versions().items()}
    if len(both := runtimes()) > 1:
        facts["clash"] = f"{' and '.join(both)} are installed; {_REPAIR}"
    return facts | {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "processors": _of(allowed_cores(), os.cpu_count() or 1),
        "providers": ", ".join(provider.removesuffix("ExecutionProvider") for provider in providers),
        "GPU": _gpu(gpus, "CUDAExecutionProvider" in built),
    }


def _of(some: int, all_: int) -> str:
    return str(all_) if some == all_ else f"{some} of {all_}, which this process is kept to"


def _gpu(count: int, usable: bool) -> str:
    if count == 0:
        return "none that an NVIDIA driver knows; models run on the CPU"
    how = "used by default" if usable else "not used: this ONNX Runtime has no CUDA; install onnxruntime-gpu"
    return f"{count} of NVIDIA, {how}"


def library_versions() -> dict[str, str]:
    """Versions of everything that the numbers depend on."""
    import onnxruntime

    versions = {name: version(name) for name in _LIBRARIES}
    return versions | {"onnxruntime": onnxruntime.__version__, "python": platform.python_version()}


def allowed_cores() -> int:
    """How many cores this process may use at a time."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(own, int(os.environ.get(THREADS, own)))


def cuda_device_count() -> int:
    """Number of NVIDIA GPUs, asked of the driver itself; 0 where there is no driver."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    count = ctypes.c_int(0)
    try:
        driver = ctypes.CDLL(library)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value


def spare_memory(jobs: int = 1) -> int:
    """A limit for each of some processes that suffices for every usual model, and that this machine can bear."""
    return min(8 * 1024**3, psutil.virtual_memory().total * 3 // 4 // jobs)


def fair_jobs() -> int:
    """How many scans this machine can bear at a time: one for each core, as long as each has some memory."""
    return max(1, min(allowed_cores(), psutil.virtual_memory().total * 3 // 4 // SCAN_BYTES))
