"""The coverage suite's Hugging Face networks, through Optimum: exported, optimised and quantised by it.

In an environment of its own: pip install 'optimum[onnxruntime]' optimum-onnx transformers pillow torch==2.13.0 typer
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from optimum.exporters.onnx import main_export
from optimum.onnxruntime import ORTModelForImageClassification, ORTOptimizer, ORTQuantizer
from optimum.onnxruntime.configuration import AutoQuantizationConfig, OptimizationConfig

from tools.suite.file import EXPLAINED, Export, Reference

_VIT: dict[str, Any] = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
# By name: the configuration, and the side of the images.
_NETWORKS: dict[str, tuple[Callable[..., Any], int]] = {
    "vit": (partial(hf.ViTConfig, **_VIT), 32),
    "deit": (partial(hf.DeiTConfig, **_VIT, architectures=["DeiTForImageClassification"]), 32),
    "resnet": (
        partial(hf.ResNetConfig, embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1], layer_type="basic"),
        32,
    ),
    "convnext": (partial(hf.ConvNextConfig, hidden_sizes=[16, 32], depths=[1, 1], num_stages=2, image_size=32), 32),
    "swin": (
        partial(hf.SwinConfig, image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 2],
                window_size=4),
        32,
    ),
    "mobilenetv2": (partial(hf.MobileNetV2Config, depth_multiplier=0.35, image_size=64), 64),
}  # fmt: skip
_OPTIMISED = ("vit",)  # the only one of them that Optimum's optimiser takes
_LEVELS = (1, 2, 99)
_MACHINES = ("avx2", "avx512_vnni", "arm64")


def exports() -> list[Export]:
    """Everything here; sizes and channels are left open, as Optimum does."""
    plain = [Export(f"optimum_{name}__plain", partial(_write_plain, name)) for name in _NETWORKS]
    optimised = [
        Export(f"optimum_{name}__level{level}", partial(_write_optimised, name, level))
        for name in _OPTIMISED
        for level in _LEVELS
    ]
    quantised = [
        Export(f"optimum_{name}__{machine}", partial(_write_quantised, name, machine))
        for name in _NETWORKS
        for machine in _MACHINES
    ]
    return [*plain, *optimised, *quantised]


@cache
def _exported(name: str) -> tempfile.TemporaryDirectory[str]:
    """A folder with `model.onnx` and its configuration; it lasts as long as the program."""
    folder = tempfile.TemporaryDirectory()
    torch.manual_seed(0)
    build, side = _NETWORKS[name]
    network = hf.AutoModelForImageClassification.from_config(build(num_labels=10)).eval()
    source = Path(folder.name) / "source"
    network.save_pretrained(source)
    hf.ViTImageProcessor(size={"height": side, "width": side}).save_pretrained(source)
    main_export(str(source), folder.name, task="image-classification")
    return folder


def _save(written: Path, path: Path, name: str, form: str) -> None:
    path.write_bytes(written.read_bytes())
    side = _NETWORKS[name][1]
    x = np.random.default_rng(0).standard_normal((2, 3, side, side)).astype(np.float32)
    Reference("Hugging Face", f"Optimum, {form}", x, np.array(EXPLAINED)).save(path)


def _write_plain(name: str, path: Path) -> None:
    _save(Path(_exported(name).name) / "model.onnx", path, name, "exported")


def _write_optimised(name: str, level: int, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        network = ORTModelForImageClassification.from_pretrained(_exported(name).name)
        settings = OptimizationConfig(optimization_level=level)
        ORTOptimizer.from_pretrained(network).optimize(save_dir=folder, optimization_config=settings)
        _save(Path(folder) / "model_optimized.onnx", path, name, "optimised")


def _write_quantised(name: str, machine: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = getattr(AutoQuantizationConfig, machine)(is_static=False, per_channel=machine != "avx2")
        quantizer = ORTQuantizer.from_pretrained(_exported(name).name)
        quantizer.quantize(save_dir=folder, quantization_config=settings)
        _save(Path(folder) / "model_quantized.onnx", path, name, "quantised")
