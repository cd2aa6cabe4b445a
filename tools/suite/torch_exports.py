"""The coverage suite's PyTorch networks through both exporters, with a fixed and a free batch."""

from __future__ import annotations

import functools
import logging
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tools.suite.catalog import ARCHITECTURES, Architecture, randomize
from tools.suite.file import EXPLAINED, Export, Reference

INPUT, OUTPUT = "image", "logits"
_STABLE = 3e-5

Network = Callable[[torch.Tensor], torch.Tensor]

torch.set_num_threads(1)
logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision


def exports() -> list[Export]:
    """Every architecture in four forms; those with a free batch first, which most people export."""
    result = []
    for batch in ("dynamic", "fixed"):
        for architecture in ARCHITECTURES:
            for exporter in ("torchscript", "dynamo"):
                stem = f"{architecture.name}__{exporter}__{batch}"
                result.append(Export(stem, partial(_write, architecture, exporter, batch)))
    return result


def _write(architecture: Architecture, exporter: str, batch: str, path: Path) -> None:
    x, logits, gradients = truth(architecture.name)
    free = batch == "dynamic"
    if not free:
        x, logits, gradients = x[:1], logits[:1], gradients[:, :1]
    model = network(architecture.name)
    export = partial(torchscript, opset=architecture.opset) if exporter == "torchscript" else dynamo
    try:
        export(model, torch.from_numpy(x), free, path)
    except Exception:
        # What people do about an exporter that cannot express PyTorch's fused attention.
        fused = [module for module in model.modules() if getattr(module, "fused_attn", False)]
        if not fused:
            raise
        for module in fused:
            module.fused_attn = False  # type: ignore[assignment]
        export(model, torch.from_numpy(x), free, path)
    reference = Reference(architecture.family, f"{exporter}, {batch}", x, np.array(EXPLAINED), logits, gradients)
    reference.save(path)


@functools.cache
def _by_name() -> dict[str, Architecture]:
    return {architecture.name: architecture for architecture in ARCHITECTURES}


def network(name: str) -> nn.Module:
    """An architecture with its weights, always the same, ready to classify."""
    seed = zlib.crc32(name.encode())
    torch.manual_seed(seed)
    model = _by_name()[name].build()
    randomize(model, seed)
    return model.eval()


def images(name: str) -> np.ndarray:
    """Two inputs of an architecture, always the same, which may be near a kink."""
    shape = (2, *_by_name()[name].shape)
    return np.random.default_rng(zlib.crc32(name.encode())).normal(0, 1, shape).astype(np.float32)


@functools.lru_cache(maxsize=2)
def truth(name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inputs `[2, C, H, W]`, logits and gradients of the explained classes, by automatic differentiation in float64."""
    shape = (2, *_by_name()[name].shape)
    model = logits_of(name)
    rounded = [logits_of(name).float(), *(_jittered(name, seed) for seed in range(3))]
    x, _ = clear_of_kinks(model, rounded, shape, zlib.crc32(name.encode()))
    return x, *differentiate(model, x)


def logits_of(name: str) -> nn.Module:
    """An architecture in float64 up to its logits, which are what is before a final activation."""
    model = network(name).double()
    return model[:-1] if isinstance(model, nn.Sequential) and isinstance(model[-1], nn.LogSoftmax) else model


def _jittered(name: str, seed: int) -> nn.Module:
    """An architecture with weights a rounding error away: what runtimes round differs from one to the next."""
    model = logits_of(name)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.mul_(1 + 1e-6 * torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype))
    return model


def clear_of_kinks(
    exact: Network, rounded: Sequence[Network], shape: tuple[int, ...], seed: int, scale: float = 1, trials: int = 20
) -> tuple[np.ndarray, bool]:
    """Inputs where the gradient survives rounding: at the kink of a ReLU or a tie in a pool, float32 has no gradient.

    Args:
        exact: a network in float64.
        rounded: the same, off by rounding errors, in float32 or float64.
        shape: of the inputs.
        seed: of the inputs.
        scale: standard deviation of the inputs.
        trials: how many to try.

    Returns:
        The best inputs found, image by image, and whether they are good.
    """
    random = np.random.default_rng(seed)
    candidates: list[tuple[float, np.ndarray]] = []
    for _ in range(trials):
        x = random.normal(0, scale, shape).astype(np.float32)
        gradient = _steepest(exact, torch.from_numpy(x).double())
        changes = np.max([_norms(_steepest(near, torch.from_numpy(x)) - gradient) for near in rounded], axis=0)
        candidates += zip(changes / _norms(gradient), x, strict=True)
        candidates = sorted(candidates, key=itemgetter(0))[: len(x)]
        if candidates[-1][0] < _STABLE:
            break
    return np.stack([image for _, image in candidates]), bool(candidates[-1][0] < _STABLE)


def _norms(gradient: np.ndarray) -> np.ndarray:
    """Of every image's."""
    norms: np.ndarray = np.linalg.norm(gradient.reshape(len(gradient), -1), axis=1)
    return norms


def _dtype(model: Network) -> torch.dtype:
    return next(model.parameters()).dtype if isinstance(model, nn.Module) else getattr(model, "dtype", torch.float64)


def _steepest(model: Network, x: torch.Tensor) -> np.ndarray:
    """Gradient of a mix of all logits, in the precision of the network."""
    leaf = x.to(_dtype(model)).requires_grad_()
    logits = model(leaf)
    weights = torch.linspace(-1, 1, logits.shape[1], dtype=logits.dtype)
    return torch.autograd.grad((logits * weights).sum(), leaf)[0].double().numpy()


def differentiate(model: Network, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logits `[N, K]` in float64 and gradients `[S, N, …]` of the explained classes."""
    leaf = torch.from_numpy(x).double().requires_grad_()
    logits = model(leaf)
    parts = [torch.autograd.grad(logits[:, c].sum(), leaf, retain_graph=True)[0].numpy() for c in EXPLAINED]
    return logits.detach().numpy(), np.stack(parts).astype(np.float32)


def torchscript(model: nn.Module, x: torch.Tensor, free: bool, path: Path, opset: int = 17) -> None:
    """Export through TorchScript."""
    axes = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}} if free else None
    torch.onnx.export(
        model, (x,), path, dynamo=False, opset_version=opset, input_names=[INPUT], output_names=[OUTPUT],
        dynamic_axes=axes,
    )  # fmt: skip


def dynamo(model: nn.Module, x: torch.Tensor, free: bool, path: Path, opset: int = 20) -> None:
    """Export through torch.export; weights go to a file of their own, as its default is."""
    shapes = ({0: torch.export.Dim("batch")},) if free else None
    torch.onnx.export(
        model, (x,), path, dynamo=True, opset_version=opset, input_names=[INPUT], output_names=[OUTPUT],
        dynamic_shapes=shapes, verbose=False,
    )  # fmt: skip


EXPORTERS: dict[str, Callable[[nn.Module, torch.Tensor, bool, Path], None]] = {
    "torchscript": torchscript,
    "dynamo": dynamo,
}
