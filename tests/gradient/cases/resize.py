"""Resize in every mode, to sizes and by scales: as PyTorch resizes, and in the ways that it does not know."""

from typing import Any

import numpy as np
from torch.nn import functional as fn

from tests.gradient.cases.convolution import attributes
from tests.gradient.support import Case, case

IMAGE = (3, 5, 4)
COORDINATES = ["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric"]
# Enlarging, shrinking, and both at once: by whole and by broken factors.
SIZES = [[10, 8], [7, 9], [3, 2], [1, 7]]
SCALES = [[2.0, 2.0], [1.6, 0.7], [0.4, 2.6]]
CROP = '<mode="linear", coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=9.0>'


def interpolation(mode: str, size: list[int], *, align: bool | None = None, antialias: int | None = None) -> Case:
    """A resize that PyTorch has too."""
    coordinates = "align_corners" if align else "asymmetric" if mode == "nearest" else "half_pixel"
    onnx_mode = {"bilinear": "linear", "trilinear": "linear", "bicubic": "cubic"}.get(mode, mode)
    text = attributes(
        mode=onnx_mode,
        coordinate_transformation_mode=coordinates,
        nearest_mode="floor" if mode == "nearest" else None,
        # Pillow's coefficient, which PyTorch takes where it imitates Pillow.
        cubic_coeff_a=(-0.5 if antialias else -0.75) if mode == "bicubic" else None,
        antialias=antialias,
        exclude_outside=antialias,
        axes=list(range(2, len(size) + 2)),
    )
    return case(
        f"Resize to {size} {text}",
        f"y = Resize {text} (x, , , sizes)",
        lambda x, **_: fn.interpolate(x, size, mode=mode, align_corners=align, antialias=bool(antialias)),
        (3, 5, 4, 3)[: len(size) + 1],
        sizes=size,
    )


def resized(inputs: str, shape: tuple[int, ...] = IMAGE, opset: int = 19, *, weights: Any, **settings: Any) -> Case:
    """A resize that it does not have, or not in this form; the weights are the inputs `roi`, `scales` and `sizes`."""
    text = attributes(**settings)
    dtypes = {"roi": np.float32, "scales": np.float32, "sizes": np.int64}
    arrays: dict[str, Any] = {key: np.asarray(value, dtypes[key]) for key, value in weights.items()}
    name = f"Resize-{opset} of {list(shape)} {weights} {text}"
    return case(name, f"y = Resize {text} ({inputs})", None, shape, opset=opset, **arrays)


CASES = [
    *(interpolation("nearest", size) for size in SIZES),
    *(interpolation(mode, size) for mode in ("bilinear", "bicubic") for size in SIZES),
    *(interpolation(mode, [7, 3], align=True) for mode in ("bilinear", "bicubic")),
    *(interpolation(mode, size, antialias=1) for mode in ("bilinear", "bicubic") for size in SIZES[1:3]),
    interpolation("nearest", [9]),
    interpolation("linear", [9]),
    interpolation("nearest", [7, 3, 6]),
    interpolation("trilinear", [7, 3, 6]),
    # Every coordinate mode, to sizes and by scales.
    *(
        resized(
            "x, , , sizes", mode=mode, coordinate_transformation_mode=coordinates, axes=[2, 3], weights={"sizes": size}
        )
        for mode in ("nearest", "linear", "cubic")
        for coordinates in COORDINATES
        for size in SIZES[1:3]
    ),
    *(
        resized(
            "x, , scales", mode=mode, coordinate_transformation_mode=coordinates, weights={"scales": [1, 1, *scales]}
        )
        for mode in ("nearest", "linear", "cubic")
        for coordinates in COORDINATES
        for scales in SCALES[1:]
    ),
    *(
        resized(
            "x, roi, scales",
            mode=mode,
            coordinate_transformation_mode="tf_crop_and_resize",
            weights={"roi": [0, 0, 0.1, 0.2, 1, 1, 0.7, 1.1], "scales": [1, 1, *scales]},
        )
        for mode in ("nearest", "linear", "cubic")
        for scales in ([1.6, 0.7], [1.0, 1.0], [0.3, 1.0])
    ),
    case(
        "Resize of a crop with a value outside it",
        f"z = Mul (x, zero); a = Resize {CROP} (x, roi, s); b = Resize {CROP} (z, roi, s); y = Sub (a, b)",
        None,
        IMAGE,
        zero=0.0,
        roi=[0, 0, 0.5, 0.5, 1, 1, 1.5, 1.0],
        s=[1.0, 1.0, 2.0, 2.0],
    ),
    # Every way to round, and the settings of cubic interpolation.
    *(
        resized("x, , scales", mode="nearest", nearest_mode=rounding, weights={"scales": [1, 1, *scales]})
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
        for scales in SCALES
    ),
    resized("x, , scales", mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5, weights={"scales": [1, 1, 1.6, 0.7]}),
    resized("x, , scales", mode="linear", antialias=1, weights={"scales": [1, 1, 0.4, 0.4]}),
    resized("x, , scales", mode="cubic", antialias=1, exclude_outside=1, weights={"scales": [1, 1, 0.4, 1.6]}),
    # The scale decides where pixels lie, not the quotient of the sizes: here it enlarges nothing.
    resized(
        "x, , scales", mode="linear", coordinate_transformation_mode="asymmetric", weights={"scales": [1, 1, 2, 1.1]}
    ),
    # Other axes, and fewer of them.
    resized("x, , scales", mode="linear", axes=[-1, 2], weights={"scales": [1.5, 2]}),
    resized("x, , scales", mode="nearest", axes=[1], weights={"scales": [2]}),
    resized("x, , scales", mode="linear", weights={"scales": [1, 2.5, 1.5, 1]}),
    resized("x, , scales", (6,), mode="linear", weights={"scales": [1, 1.7]}),
    # Other operator sets. Up to 10, pixels lie where the mode `asymmetric` puts them.
    *(
        resized("x, roi, scales", opset=opset, mode="cubic", weights={"roi": [], "scales": [1, 1, *SCALES[1]]})
        for opset in (11, 13)
    ),
    *(
        resized("x, scales", opset=10, mode=mode, weights={"scales": [1, 1, *scales]})
        for mode in ("nearest", "linear")
        for scales in ([2.0, 2.0], [1.0, 2.6], [1.0, 0.7], [0.4, 0.5])
    ),
    *(
        case(f"Upsample-9 {mode}", f'y = Upsample <mode="{mode}"> (x, s)', None, IMAGE, opset=9, s=[1.0, 1.0, 2.0, 3.0])
        for mode in ("nearest", "linear")
    ),
    *(
        case(
            f"Upsample-7 {mode}", f'y = Upsample <mode="{mode}", scales=[1.0, 1.0, 2.0, 3.0]> (x)', None, IMAGE, opset=7
        )
        for mode in ("nearest", "linear")
    ),
    case(
        "Resize to computed sizes, as PyTorch exports it",
        """
        s = Shape (x); head = Slice (s, zero, two, zero); sizes = Concat <axis=0> (head, size)
        y = Resize <mode="linear", coordinate_transformation_mode="align_corners"> (x, none, none, sizes)
        """,
        lambda x, **_: fn.interpolate(x, (7, 9), mode="bilinear", align_corners=True),
        IMAGE,
        opset=13,
        zero=[0],
        two=[2],
        size=[7, 9],
        none=np.zeros(0, np.float32),
    ),
    case(
        "Resize to the size of another tensor",
        """
        p = MaxPool <kernel_shape=[2, 2], strides=[2, 2]> (x); s = Shape (x)
        u = Resize <mode="linear"> (p, , , s); y = Mul (u, x)
        """,
        lambda x: fn.interpolate(fn.max_pool2d(x, 2), (6, 8), mode="bilinear") * x,
        (3, 6, 8),
    ),
]
