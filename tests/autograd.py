"""What PyTorch says about the networks of `tests.support`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch.nn.functional import conv2d

from tests.support import Array

torch.set_num_threads(1)


def convolutional_logits(model: onnx.ModelProto) -> Callable[[torch.Tensor], torch.Tensor]:
    """`support.convolutional_model` as a function of `[N, 3, 8, 8]`, in float64."""
    tensors = {t.name: torch.tensor(numpy_helper.to_array(t)).double() for t in model.graph.initializer}

    def logits(x: torch.Tensor) -> torch.Tensor:
        activations = torch.relu(conv2d(x, tensors["kernel"], tensors["bias"], padding=1))
        return activations.flatten(1) @ tensors["w"]

    return logits


def gradients(objectives: Callable[[torch.Tensor], torch.Tensor], x: Array, classes: Array) -> Array:
    """`[S, *x.shape]`: the gradient of column c of `objectives`, `[N, K]`, for every class c that is asked for."""
    leaf = torch.tensor(x).double().requires_grad_()
    values = objectives(leaf)
    parts = [torch.autograd.grad(values[:, int(c)].sum(), leaf, retain_graph=True)[0] for c in classes]
    return np.stack([part.numpy() for part in parts])
