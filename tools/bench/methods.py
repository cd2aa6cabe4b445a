"""The ways to compute a class Jacobian that the benchmark compares; each imports its own library alone."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

THREADS = 2
_CHUNK = 10  # classes at a time; all 100 of ViT-tiny at once took onnx-ad beyond 23 GB
Array = np.ndarray[Any, Any]
Jacobian = Callable[[], Array]  # [S, N, C, H, W]


def images(shape: tuple[int, ...]) -> Array:
    """The benchmark's images, `[N, C, H, W]`."""
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def ninspect(free: Path, fixed: Path, x: Array, classes: int) -> Jacobian:
    """As a scan does it, from pixels to pixels."""
    network = _network(free)
    pixels = np.ascontiguousarray(x.transpose(0, 2, 3, 1))

    def jacobian() -> Array:
        result = np.empty((classes, *pixels.shape), np.float32)
        for part in network.gradients(pixels, np.arange(classes)):
            result[part.classes, part.images] = part.pixels
        return result.transpose(0, 1, 4, 2, 3)

    return jacobian


def forward(free: Path, fixed: Path, x: Array, classes: int) -> Jacobian:
    """No Jacobian: one forward pass of all images, to compare with."""
    network = _network(free)
    pixels = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    return lambda: network.logits(pixels)


def _network(path: Path) -> Any:
    from ninspect import PreprocessOptions, open_network

    return open_network(path, preprocess=PreprocessOptions(preset="unit"), device="cpu")


def torch_loop(free: Path, fixed: Path, x: Array, classes: int) -> Jacobian:
    """PyTorch: one forward pass, one backward pass a class."""
    return _by_class(_torch_network(free), x, classes)


def _by_class(network: Callable[[torch.Tensor], torch.Tensor], x: Array, classes: int) -> Jacobian:
    import torch

    torch.set_num_threads(THREADS)
    image = torch.from_numpy(x).requires_grad_()

    def jacobian() -> Array:
        summed = network(image).sum(0)
        rows = [torch.autograd.grad(summed[c], image, retain_graph=True)[0] for c in range(classes)]
        return torch.stack(rows).numpy()

    return jacobian


def torch_batched(free: Path, fixed: Path, x: Array, classes: int) -> Jacobian:
    """PyTorch: all classes in one backward pass, with `is_grads_batched`."""
    import torch

    network = _torch_network(free)
    image = torch.from_numpy(x).requires_grad_()
    seeds = torch.eye(classes)

    def jacobian() -> Array:
        summed = network(image).sum(0)
        rows = [
            torch.autograd.grad(summed, image, part, retain_graph=True, is_grads_batched=True)[0]
            for part in torch.split(seeds, _CHUNK)
        ]
        return torch.cat(rows).numpy()

    return jacobian


def torch_vmap(free: Path, fixed: Path, x: Array, classes: int) -> Jacobian:
    """PyTorch: `torch.func.vmap` of `torch.func.vjp`."""
    import torch

    network = _torch_network(free)
    image, seeds = torch.from_numpy(x), torch.eye(classes)

    def jacobian() -> Array:
        pullback = torch.func.vjp(lambda x: network(x).sum(0), image)[1]
        return np.asarray(torch.func.vmap(pullback, chunk_size=_CHUNK)(seeds)[0])

    return jacobian


def _torch_network(path: Path) -> Any:
    import torch

    from tools.bench.networks import SUBJECTS

    torch.set_num_threads(THREADS)
    return SUBJECTS[path.stem].network()


def onnx2torch(free: Path, fixed: Path, x: Array, classes: int) -> Jacobian:
    """The onnx2torch package: the file as a PyTorch module, then one backward pass a class."""
    operators = types.ModuleType("torchvision.ops")
    operators.roi_align = None  # type: ignore[attr-defined]
    # It imports torchvision for operators that none of these networks has.
    sys.modules |= {"torchvision": types.ModuleType("torchvision"), "torchvision.ops": operators}
    from onnx2torch import convert

    return _by_class(convert(fixed).eval().requires_grad_(False), x, classes)


def jax_reverse(free: Path, fixed: Path, x: Array, classes: int) -> Jacobian:
    """JAX: `jacrev` of an equal network, compiled, a few classes at a time."""
    import jax

    from ninspect.model import load_classifier
    from tools.bench.jax_network import as_function

    network = as_function(load_classifier(fixed).model)
    seeds = np.eye(classes, dtype=np.float32)

    def reverse(x: Any, seeds: Any) -> Any:
        pullback = jax.vjp(lambda x: network(x).sum(0), x)[1]
        return jax.vmap(pullback)(seeds)[0]

    rows = jax.jit(reverse)
    rows(x, seeds[:_CHUNK]).block_until_ready()  # compiled now, not in the first round
    return lambda: np.concatenate([rows(x, seeds[i : i + _CHUNK]) for i in range(0, classes, _CHUNK)])


def onnx_ad(free: Path, fixed: Path, x: Array, classes: int) -> Jacobian:
    """The onnx-ad package: a gradient graph in ONNX Runtime, its seeds on a last axis."""
    import onnx
    import onnxruntime
    from onnx_ad import reverse

    model = reverse(onnx.load(fixed), layout="onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    seeds = np.broadcast_to(np.eye(classes, dtype=np.float32), (len(x), classes, classes))

    def jacobian() -> Array:
        result = np.empty((classes, *x.shape), np.float32)
        for start in range(0, classes, _CHUNK):
            part = slice(start, start + _CHUNK)
            feeds = {"image": x, "adj_logits": np.ascontiguousarray(seeds[..., part])}
            result[part] = np.moveaxis(session.run(["adj_image"], feeds)[0], -1, 0)
        return result

    return jacobian


METHODS: dict[str, Callable[[Path, Path, Array, int], Jacobian]] = {
    "ninspect": ninspect,
    "forward": forward,
    "PyTorch, a loop": torch_loop,
    "is_grads_batched": torch_batched,
    "vmap(vjp)": torch_vmap,
    "onnx2torch": onnx2torch,
    "JAX": jax_reverse,
    "onnx-ad": onnx_ad,
}
