import numpy as np
import pytest
from numpy.typing import NDArray

from ninspect.errors import UsageError
from ninspect.model.layout import image_layout
from ninspect.preprocess import InputMap, Preprocess

RGB = Preprocess(mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, -2.0))

MAPS = {
    "NCHW": InputMap.of(RGB, image_layout((3, 5, 4), None, None)),
    "NHWC": InputMap.of(RGB, image_layout((5, 4, 3), None, None)),
    "BGR": InputMap.of(RGB.override(color="bgr"), image_layout((3, 5, 4), None, None)),
    "flat": InputMap.of(RGB, image_layout((60,), None, (5, 4))),
    "flat_chw": InputMap.of(RGB, image_layout((60,), "flat_chw", (5, 4))),
    "flat bgr": InputMap.of(RGB.override(color="bgr"), image_layout((2, 30), None, (5, 4))),
    "grey": InputMap.of(Preprocess(scale=2.0, mean=7.0, std=3.0), image_layout((1, 5, 4), None, None)),
    "rows": InputMap.of(Preprocess(scale=-1 / 255, mean=-1.0), image_layout((5, 4), None, None)),
}


def random(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize("name", MAPS)
def test_to_pixels_is_the_adjoint_of_the_linear_part_of_to_model(name: str) -> None:
    """<A x, y> = <x, Aᵀ y> with A x = to_model(x) − to_model(0), for every leading index of y."""
    input_map = MAPS[name]
    x = random(2, *input_map.image_shape)
    y = random(7, 3, 2, *input_map.layout.input_shape) - 0.5
    linear = input_map.to_model(x).astype(np.float64) - input_map.to_model(np.zeros_like(x))
    gradient = input_map.to_pixels(y)
    assert gradient.shape == (7, 3, *x.shape)
    assert gradient.dtype == np.float32
    left = (linear * y).reshape(7, 3, -1).sum(axis=-1)
    right = (x.astype(np.float64) * gradient).reshape(7, 3, -1).sum(axis=-1)
    np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-5 * np.abs(linear).sum())


def test_to_model_is_the_formula() -> None:
    pixels = random(2, 5, 4, 3)
    expected = (pixels * 255 * RGB.scale - np.array(RGB.mean)) / np.array(RGB.std)
    np.testing.assert_allclose(MAPS["NHWC"].to_model(pixels), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(MAPS["NCHW"].to_model(pixels), expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(MAPS["flat"].to_model(pixels), expected.reshape(2, 60), rtol=1e-5, atol=1e-6)
    first = expected.transpose(0, 3, 1, 2).reshape(2, 60)
    np.testing.assert_allclose(MAPS["flat_chw"].to_model(pixels), first, rtol=1e-5, atol=1e-6)


def test_bgr_reverses_the_channels_and_reads_mean_and_std_in_the_order_of_the_model() -> None:
    """Caffe's models: x = BGR pixels − (103.939, 116.779, 123.68)."""
    caffe = Preprocess(scale=1, mean=(103.939, 116.779, 123.68), color="bgr")
    pixels = random(2, 5, 4, 3)
    expected = pixels[..., ::-1] * 255 - np.array(caffe.mean)
    np.testing.assert_allclose(
        InputMap.of(caffe, image_layout((5, 4, 3), None, None)).to_model(pixels), expected, rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_to_model_gives_a_contiguous_array_of_the_models_type(dtype: type[np.floating]) -> None:
    x = InputMap.of(Preprocess(), image_layout((3, 5, 4), None, None), dtype).to_model(random(2, 5, 4, 3))
    assert x.dtype == dtype
    assert x.shape == (2, 3, 5, 4)
    assert x.flags.c_contiguous


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        (Preprocess(mean=(1, 2)), (3, 5, 4), "mean has 2 numbers, but the model's input has 3 channels"),
        (Preprocess(std=(1, 2, 3)), (1, 5, 4), "std has 3 numbers, but the model's input has 1 channel;"),
        (Preprocess(color="gray"), (3, 5, 4), "color is gray, but the model's input has 3 channels"),
        (Preprocess(color="bgr"), (1, 5, 4), "color is bgr, but the model's input has 1 channel;"),
    ],
)
def test_settings_that_do_not_fit_the_model_are_refused(
    settings: Preprocess, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        InputMap.of(settings, image_layout(shape, None, None))
