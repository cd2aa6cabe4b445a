"""Quantise models of the study: integers instead of floats, which has no usable gradient.

What the attack and the network are worth afterwards is measured again; the card says it.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer
from numpy.typing import NDArray
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process

from tools.models.data import Dataset
from tools.study.plan import all_models
from tools.study.train import dataset, describe

_CALIBRATION = 128  # test images that the ranges of activations are taken from


class _Batches(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, inputs: NDArray[np.float32]) -> None:
        self._name = name
        self._batches: Iterator[NDArray[np.float32]] = iter(np.array_split(inputs, 4))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """The next batch."""
        batch = next(self._batches, None)
        return None if batch is None else {self._name: batch}


def quantized(path: Path, data: Dataset) -> bytes:
    """What ONNX Runtime's static quantisation, at its defaults (QDQ, 8 bits), makes of a model."""
    name = onnx.load(path, load_external_data=False).graph.input[0].name
    with tempfile.TemporaryDirectory() as folder:
        prepared, result = Path(folder) / "prepared.onnx", Path(folder) / "quantized.onnx"
        quant_pre_process(path, prepared)
        inputs = np.moveaxis(data.inputs(data.test_images[:_CALIBRATION]), -1, 1)  # all models of the study are NCHW
        quantization.quantize_static(prepared, result, _Batches(name, inputs))
        return result.read_bytes()


def main(
    models: Annotated[Path, typer.Argument(help="What tools.study.train wrote.")],
    datasets: Annotated[Path, typer.Argument(help="Folder with mnist/ and gtsrb32_*.npz.")],
    only: Annotated[str, typer.Option(metavar="PATTERN", help="Names of models, such as 'mnist-*'.")] = "*",
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path(".cache/quantized"),
) -> None:
    """Write the quantised form of every model of the study that is there, with its card.

    Example: python -m tools.study.quantize .cache/study ../shared/datasets --only 'mnist-fill-*'
    """
    out.mkdir(parents=True, exist_ok=True)
    plan = {model.name: model for model in all_models()}
    for path in sorted(models.glob(f"{only}.onnx")):
        if (out / f"{path.stem}.json").exists():
            continue
        model = plan[path.stem]
        data = dataset(model.dataset, datasets)
        content = quantized(path, data)
        images = os.path.relpath(models / f"{model.dataset}.npz", out)
        card = describe(model, data, content) | {"images": images, "quantized": True}
        (out / path.name).write_bytes(content)
        (out / f"{path.stem}.json").write_text(json.dumps(card, indent=1))
        print(f"{path.stem}: accuracy {card['clean_acc']}, success {card.get('asr')}", flush=True)


if __name__ == "__main__":
    typer.run(main)
