import pytest

from ninspect.errors import ModelError, NinspectError, UsageError
from ninspect.model.layout import image_layout


@pytest.mark.parametrize(
    ("shape", "layout", "size", "expected"),
    [
        ((3, 5, 4), None, None, ("NCHW", (3, 5, 4), (5, 4, 3))),
        ((1, 28, 28), None, None, ("NCHW", (1, 28, 28), (28, 28, 1))),
        ((5, 4, 3), None, None, ("NHWC", (5, 4, 3), (5, 4, 3))),
        ((5, 4, 1), None, None, ("NHWC", (5, 4, 1), (5, 4, 1))),
        ((3, 32, 3), "NHWC", None, ("NHWC", (3, 32, 3), (3, 32, 3))),
        ((3, None, None), None, (5, 4), ("NCHW", (3, 5, 4), (5, 4, 3))),
        ((3, 5, 4), None, (5, 4), ("NCHW", (3, 5, 4), (5, 4, 3))),
        ((784,), None, None, ("flat", (784,), (28, 28, 1))),
        ((3072,), None, None, ("flat", (3072,), (32, 32, 3))),
        ((28, 20), None, None, ("flat", (28, 20), (28, 20, 1))),
        ((1, 784), None, None, ("flat", (1, 784), (28, 28, 1))),
        ((1, 1, 784), None, None, ("flat", (1, 1, 784), (28, 28, 1))),
        ((1, 1, 784), "NCHW", (14, 56), ("flat", (1, 1, 784), (14, 56, 1))),
        ((3, 5, 4), "flat", (5, 4), ("flat", (3, 5, 4), (5, 4, 3))),
    ],
)
def test_the_layout_follows_from_shape_and_settings(
    shape: tuple[int | None, ...], layout: str | None, size: tuple[int, int] | None, expected: tuple[object, ...]
) -> None:
    found = image_layout(shape, layout, size)
    assert (found.name, found.input_shape, found.image_shape) == expected


@pytest.mark.parametrize(
    ("shape", "layout", "size", "error", "message"),
    [
        ((3, 32, 3), None, None, UsageError, "could be NCHW or NHWC; say which with --layout"),
        ((4, 32, 32), None, None, ModelError, "has no axis of 1 or 3 channels"),
        ((4, 5, 3), "NCHW", None, UsageError, "read as NCHW has 4 channels"),
        ((3, None, None), None, None, UsageError, "images of any size .* say which with --size"),
        ((3, 5, 4), None, (4, 5), UsageError, "takes images of 5x4 pixels, not 4x5"),
        ((785,), None, None, UsageError, "takes 785 values per image; say which with --size"),
        ((784,), None, (10, 10), UsageError, "takes 784 values per image; not 10x10 pixels"),
        ((None,), None, (10, 10), UsageError, "leaves the number of pixels open"),
    ],
)
def test_what_is_not_an_image_is_refused(
    shape: tuple[int | None, ...],
    layout: str | None,
    size: tuple[int, int] | None,
    error: type[NinspectError],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        image_layout(shape, layout, size)
