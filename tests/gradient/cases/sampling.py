"""GridSample and AffineGrid, as spatial transformers use them: the image, the grid, or both depend on the input."""

import numpy as np
import torch
from torch.nn import functional as fn

from tests.gradient.support import Case, case, randn

IMAGE = (2, 5, 4)
PADDINGS = ["zeros", "border", "reflection"]
# Also outside the image; the spots are on pixels and on their borders too.
GRID = randn(1, 3, 3, 2)
SPOTS = np.array([[[[-1, -1], [0, 0], [1, 1], [-1.5, 0.5], [0.25, 1.75], [-0.2, -1]]]], np.float32)
REPEATED = "n = Shape <end=1> (x); rows = Concat <axis=0> (n, rest); g = Expand (grid, rows)"


def settings(mode: str, padding: str, align: int) -> str:
    return f'<mode="{mode}", padding_mode="{padding}", align_corners={align}>'


def of_the_image(mode: str, padding: str, align: int, opset: int, grid: np.ndarray = GRID) -> Case:
    """A fixed grid."""
    torch_mode = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    text = settings(mode, padding, align)

    def function(x: torch.Tensor, **_: torch.Tensor) -> torch.Tensor:
        return fn.grid_sample(
            x, torch.from_numpy(grid).double().expand(len(x), -1, -1, -1), torch_mode, padding, bool(align)
        )

    return case(
        f"GridSample-{opset} {text} at {grid.shape[2]} points",
        f"{REPEATED}; y = GridSample {text} (x, g)",
        function,
        IMAGE,
        opset=opset,
        grid=grid,
        rest=list(grid.shape[1:]),
    )


def of_the_grid(mode: str, padding: str, align: int) -> Case:
    """A grid, and an image too, that depend on x."""
    text = settings(mode, padding, align)
    torch_mode = {"linear": "bilinear", "cubic": "bicubic"}[mode]
    return case(
        f"GridSample {text} with a grid that depends on x",
        f"s = Sin (x); t = Transpose <perm=[0, 2, 3, 1]> (s); y = GridSample {text} (x, t)",
        lambda x: fn.grid_sample(x, x.sin().permute(0, 2, 3, 1), torch_mode, padding, bool(align)),
        IMAGE,
        opset=20,
    )


def transformer(align: int) -> Case:
    """A spatial transformer: the image chooses the frame it is seen through."""

    def function(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, **_: torch.Tensor) -> torch.Tensor:
        theta = ((x.flatten(1) @ w).tanh() * 0.3 + b).reshape(-1, 2, 3)
        grid = fn.affine_grid(theta, [len(x), 2, 6, 5], bool(align))
        return fn.grid_sample(x, grid, align_corners=bool(align))

    return case(
        f"AffineGrid align_corners={align} and GridSample",
        f"""
        f = Flatten (x); m = MatMul (f, w); h = Tanh (m); k = Mul (h, third); a = Add (k, b)
        theta = Reshape (a, frame); n = Shape <end=1> (x); size = Concat <axis=0> (n, rest)
        g = AffineGrid <align_corners={align}> (theta, size); y = GridSample <align_corners={align}> (x, g)
        """,
        function,
        IMAGE,
        opset=20,
        w=randn(40, 6) / 5,
        b=[1.0, 0.1, 0.0, -0.1, 0.9, 0.1],
        third=np.float32(0.3),
        frame=[-1, 2, 3],
        rest=[2, 6, 5],
    )


CASES = [
    *(
        of_the_image(mode, padding, align, opset)
        for mode, opset in (("nearest", 16), ("nearest", 22), ("bilinear", 16), ("linear", 20))
        for padding in PADDINGS
        for align in (0, 1)
    ),
    *(of_the_image("linear", padding, align, 20, SPOTS) for padding in PADDINGS for align in (0, 1)),
    *(of_the_image("cubic", padding, align, 20) for padding in PADDINGS for align in (0, 1)),
    of_the_image("bicubic", "zeros", 1, 16),
    *(of_the_grid("linear", padding, align) for padding in PADDINGS for align in (0, 1)),
    *(of_the_grid("cubic", padding, 0) for padding in PADDINGS),
    *(transformer(align) for align in (0, 1)),
]
