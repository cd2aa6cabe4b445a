"""Which device ONNX Runtime runs on. The CUDA wheel must stay silent on a machine that has no GPU."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import onnx_ir as ir
from numpy.typing import NDArray

from ninspect.errors import ModelError, UsageError, first_line
from ninspect.machine import allowed_cores, cuda_device_count
from ninspect.names import Device
from ninspect.runtime.weights import detach_weights

if TYPE_CHECKING:
    import onnxruntime

_FATAL_ONLY = 4
# Quantised networks are run as ONNX defines them: fused into integers, they answer otherwise on each processor.
_AS_WRITTEN = ("session.disable_quant_qdq", "1")
# From 1.29 on it sends names and hashes of models to its maker, unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def open_model(model: ir.Model, device: Device = "auto", threads: int | None = None) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session that shares the large weights of a model, which loses them; as `open_session` else."""
    weights = {name: tensor.numpy() for name, tensor in detach_weights(model).items()}
    return open_session(ir.to_proto(model).SerializeToString(), device, weights, threads)


def uses_cuda(device: Device) -> bool:
    """Whether sessions on that device are tried on a GPU."""
    return device == "cuda" or (device == "auto" and cuda_device_count() > 0)


def open_session(
    model: bytes,
    device: Device = "auto",
    weights: Mapping[str, NDArray[Any]] | None = None,
    threads: int | None = None,
) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session for a serialised model.

    Args:
        model: the bytes of an ONNX file.
        weights: the weights that are not in it, by name.
        device: `auto` takes CUDA where a usable GPU is present, else the CPU.
        threads: that a run on the CPU is shared out among; None: one for each core.

    Raises:
        UsageError: `cuda` was asked for and is not usable.
        ModelError: ONNX Runtime refuses the model.
    """
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL_ONLY)  # its errors come back as exceptions; it need not print them
    providers = ["CPUExecutionProvider"]
    if uses_cuda(device):
        if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
            if device == "cuda":
                raise UsageError("this ONNX Runtime has no CUDA provider; install onnxruntime-gpu, or use --device cpu")
        else:
            with contextlib.redirect_stdout(io.StringIO()):  # it prints what it misses; the session will tell us
                onnxruntime.preload_dlls()
            providers.insert(0, "CUDAExecutionProvider")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = _threads() if threads is None else threads
    options.add_session_config_entry(*_AS_WRITTEN)
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in weights.values()]
        options.add_external_initializers(list(weights), values)
    try:
        session = onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # its exception types share no base class
        raise ModelError(f"ONNX Runtime does not accept the model: {first_line(error)}") from error
    if device == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise UsageError(
            "CUDA cannot be used; install onnxruntime-gpu[cuda,cudnn] and a current NVIDIA driver, or use --device cpu"
        )
    return session


def run(session: onnxruntime.InferenceSession, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> list[Any]:
    """The named outputs of a session.

    Raises:
        ModelError: ONNX Runtime cannot run the model.
    """
    try:
        return list(session.run(outputs, inputs))
    except Exception as error:  # its exception types share no base class
        raise ModelError(f"ONNX Runtime cannot run the model: {first_line(error)}") from error


def _threads() -> int:
    """How many cores this process is kept to, as by `taskset`; 0 where it may use all, which leaves the choice.

    ONNX Runtime's own choice is a thread for each core of the machine, bound to it, wherever the process may run.
    """
    allowed = allowed_cores()
    return allowed if allowed < (os.cpu_count() or 1) else 0
