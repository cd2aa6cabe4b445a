"""Models that are objects, written as ONNX. Other libraries are imported only when an object of theirs comes in."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from ninspect.errors import UsageError, first_line

# Height, width and channels of the images, where they are known.
Shape = Callable[[], tuple[int, int, int] | None]
_ACCEPTED = "the path of an ONNX file, its bytes, an onnx.ModelProto, a module of PyTorch or a model of Keras"


def save_model(model: Any, path: Path, shape: Shape) -> Path:
    """Write a model as an ONNX file.

    Args:
        model: bytes, an `onnx.ModelProto`, a module of PyTorch or a model of Keras.
        path: of the file.
        shape: called where a module needs an image to be exported with.

    Raises:
        UsageError: it is none of these, or cannot be exported.
    """
    if isinstance(model, bytes | bytearray | memoryview):
        path.write_bytes(model)
    elif _is(model, "onnx", "ModelProto"):
        path.write_bytes(_attempt(model.SerializeToString, "written as ONNX; keep its weights in other files"))
    elif _is(model, "torch", "Module"):
        _attempt(lambda: _export_torch(model, path, shape()), "exported")
    elif _is(model, "keras", "Model") or _is(model, "tensorflow", "Model"):
        _attempt(lambda: _export_keras(model, path), "exported")
    else:
        raise UsageError(f"the model is of type {type(model).__name__}; give {_ACCEPTED}")
    return path


def _is(thing: Any, library: str, name: str) -> bool:
    """Whether it is of a class of this name in that library, which is not imported to find out."""
    return any(
        kind.__name__ == name and kind.__module__.partition(".")[0].startswith(library) for kind in type(thing).__mro__
    )


def _attempt(write: Callable[[], Any], what: str) -> Any:
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):  # exporters tell more than anyone asked
            warnings.simplefilter("ignore")
            return write()
    except UsageError:
        raise
    except Exception as error:  # exporters raise almost anything
        raise UsageError(
            f"the model cannot be {what} ({type(error).__name__}: {first_line(error)}); give the path of an ONNX file"
        ) from error


def _export_torch(module: Any, path: Path, shape: tuple[int, int, int] | None) -> None:
    """Export for batches of any size, or of one image where the module does not bear that."""
    import torch

    if shape is None:
        raise UsageError("a module of PyTorch does not say how large its images are; give samples as an array, or size")
    height, width, channels = shape
    like = next(iter(module.parameters()), torch.zeros(1))
    was_training = module.training
    # The newer exporter needs a package of its own.
    newer = importlib.util.find_spec("onnxscript") is not None

    def export(batch: int, any_size: bool) -> None:
        image = torch.zeros(batch, channels, height, width, dtype=like.dtype, device=like.device)
        names: dict[str, Any] = {"input_names": ["image"], "output_names": ["logits"]}
        if newer:
            free = ({0: torch.export.Dim("N")},) if any_size else None
            torch.onnx.export(
                module, (image,), path, dynamo=True, external_data=False, verbose=False, dynamic_shapes=free, **names
            )
        else:
            axes = {"image": {0: "N"}, "logits": {0: "N"}} if any_size else None
            torch.onnx.export(module, (image,), path, dynamo=False, dynamic_axes=axes, **names)

    module.eval()
    try:
        try:
            export(2, any_size=True)
        except Exception:
            export(1, any_size=False)
    finally:
        module.train(was_training)


def _export_keras(model: Any, path: Path) -> None:
    model.export(str(path), format="onnx", verbose=False)
