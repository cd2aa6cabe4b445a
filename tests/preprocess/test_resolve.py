import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from ninspect.errors import UsageError
from ninspect.names import Preset
from ninspect.preprocess import Preprocess, Resolved, from_model, read_preprocess, settle, specified
from ninspect.preprocess.resolve import ASSUMED
from ninspect.samples import load_samples

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# The fields that differ are those of google/vit-base-patch16-224, facebook/deit-base-distilled-patch16-224,
# microsoft/resnet-50, facebook/convnext-base-384, google/mobilenet_v2_1.0_224, apple/mobilevit-small,
# google/efficientnet-b0 and of an old feature extractor.
NORMALISED = {"do_normalize": True, "image_mean": list(MEAN), "image_std": list(STD), "do_rescale": True}
UNIT = {"rescale_factor": 0.00392156862745098}
HUGGINGFACE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"image_processor_type": "ViTImageProcessor", "size": {"height": 224, "width": 224}, "resample": 2},
        {"size": (224, 224), "resize": "bilinear"},
    ),
    (
        {
            "image_processor_type": "DeiTImageProcessor",
            "size": {"height": 256, "width": 256},
            "do_center_crop": True,
            "crop_size": {"height": 224, "width": 224},
            "resample": 3,
        },
        {"size": (224, 224), "resize_to": (256, 256), "resize": "bicubic"},
    ),
    (
        {
            "image_processor_type": "ConvNextImageProcessorFast",
            "size": {"shortest_edge": 224},
            "crop_pct": 0.875,
            "do_center_crop": None,
            "crop_size": None,
            "resample": 3,
        },
        {"size": (224, 224), "resize_to": 256, "resize": "bicubic"},
    ),
    (
        {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 384, "crop_pct": None, "resample": 3},
        {"size": (384, 384), "resize": "bicubic"},
    ),
    (
        {
            "image_processor_type": "MobileNetV2ImageProcessor",
            "size": 256,
            "do_center_crop": True,
            "crop_size": 224,
            "resample": 2,
        },
        {"size": (224, 224), "resize_to": 256, "resize": "bilinear"},
    ),
    (
        {"feature_extractor_type": "ViTFeatureExtractor", "size": 224, "resample": 0},
        {"size": (224, 224), "resize": "nearest"},
    ),
    ({"do_resize": False}, {"resize": "none"}),
]


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(("config", "expected"), HUGGINGFACE)
def test_hugging_face_settings_mean_what_transformers_does(
    tmp_path: Path, config: dict[str, Any], expected: dict[str, Any]
) -> None:
    path = written(tmp_path / "preprocessor_config.json", NORMALISED | UNIT | config)
    assert read_preprocess(path) == Preprocess(scale=1 / 255, mean=MEAN, std=STD, **expected)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"do_rescale": False, "do_normalize": False}, {"scale": 1, "mean": (0,), "std": (1,)}),
        ({"do_normalize": False}, {"scale": 1 / 255, "mean": (0,), "std": (1,)}),
        ({"do_rescale": False, "image_mean": 127, "image_std": 64}, {"scale": 1, "mean": (127,), "std": (64,)}),
        (
            {"rescale_offset": True, "rescale_factor": 1 / 127.5, "do_normalize": False},
            {"scale": 1 / 127.5, "mean": (1,), "std": (1,)},
        ),
        (
            {
                "image_processor_type": "EfficientNetImageProcessor",
                "include_top": True,
                "image_mean": 0.5,
                "image_std": 0.2,
            },
            {"scale": 1 / 255, "mean": (0.5,), "std": (0.2**2,)},
        ),
        (
            {"image_processor_type": "MobileViTImageProcessor", "do_flip_channel_order": True, "do_normalize": False},
            {"scale": 1 / 255, "mean": (0,), "std": (1,), "color": "bgr"},
        ),
    ],
)
def test_hugging_face_ranges_become_scale_mean_and_std(
    tmp_path: Path, config: dict[str, Any], expected: dict[str, Any]
) -> None:
    path = written(tmp_path / "any.json", NORMALISED | UNIT | {"do_resize": False} | config)
    assert read_preprocess(path) == Preprocess(resize="none", **expected)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"image_processor_type": "LevitImageProcessor"},
            "asks for the processor 'LevitImageProcessor', which ninspect",
        ),
        ({"do_pad": True}, "asks for do_pad, which ninspect does not do; say what the model wants in a TOML file"),
        ({"auto_map": {"AutoImageProcessor": "mine.Processor"}}, "asks for auto_map, which is a program"),
        ({"do_normalize": True, "image_mean": None}, "asks for do_normalize without image_mean and image_std"),
        ({"do_resize": True, "size": 224, "resample": 4}, "asks for resample = 4"),
        ({"do_resize": True, "size": 224}, "asks for resample = None"),
        (
            {"do_resize": True, "size": {"shortest_edge": 224}, "resample": 2},
            "asks for shortest_edge without do_center_crop, which leaves the size open",
        ),
        (
            {"do_resize": True, "size": {"longest_edge": 224}, "resample": 2},
            "size = {'longest_edge': 224} is not a value",
        ),
        ({"do_resize": True, "size": {"height": -1, "width": 2}, "resample": 2}, "size = .* is not a value that this"),
        ({"rescale_offset": True}, "asks for rescale_offset with rescale_factor = 0.00392157"),
        ({"image_std": [0.2, 0, 0.2]}, r"image_std = \[0.2, 0, 0.2\] is not a value that this field takes; correct it"),
        ({"image_mean": [0.2, float("nan"), 0.2]}, r"image_mean = \[0.2, nan, 0.2\] is not a value"),
        ({"do_rescale": "!!python/object"}, "do_rescale = '!!python/object' is not a value"),
    ],
)
def test_hugging_face_settings_that_cannot_be_followed_are_refused(
    tmp_path: Path, config: dict[str, Any], message: str
) -> None:
    path = written(tmp_path / "preprocessor_config.json", NORMALISED | UNIT | {"do_resize": False} | config)
    with pytest.raises(UsageError, match=message):
        read_preprocess(path)


def timm(**fields: Any) -> dict[str, Any]:
    return {
        "architecture": "resnet50",
        "num_classes": 5,
        "pretrained_cfg": {
            "tag": "a1_in1k",
            "custom_load": False,
            "input_size": [3, 224, 224],
            "interpolation": "bicubic",
            "crop_pct": 0.95,
            "crop_mode": "center",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.25, 0.25, 0.25],
            "pool_size": [7, 7],
            "first_conv": "conv1",
        }
        | fields,
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"resize_to": 235}),
        ({"crop_pct": None, "interpolation": "bilinear"}, {"resize_to": 256, "resize": "bilinear"}),
        ({"crop_mode": "squash", "crop_pct": 1.0}, {"resize_to": (224, 224)}),
        ({"mean": None, "std": None}, {"resize_to": 235, "mean": MEAN, "std": STD}),
        ({"input_size": [1, 224, 224], "mean": [0.5], "std": [0.5]}, {"resize_to": 235, "color": "gray", "mean": 0.5}),
    ],
)
def test_timm_settings_mean_what_timm_does(tmp_path: Path, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = read_preprocess(written(tmp_path / "config.json", timm(**fields)))
    usual = {"scale": 1 / 255, "mean": (0.5,) * 3, "std": (0.25,) * 3, "color": "rgb", "size": (224, 224)}
    wanted = usual | {"resize": "bicubic"} | expected
    if wanted["color"] == "gray":
        wanted |= {"mean": (0.5,), "std": (0.5,)}
    assert found == Preprocess(**wanted)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"input_size": [3, 0, 224]}, r"input_size = \[3, 0, 224\] is not a value"),
        ({"input_size": None}, "input_size = None is not a value"),
        ({"interpolation": "random"}, "asks for interpolation 'random'"),
        ({"crop_mode": "border"}, "asks for crop_mode 'border' for 224×224 pixels"),
        ({"crop_pct": 0}, "crop_pct = 0 is not a value"),
    ],
)
def test_timm_settings_that_cannot_be_followed_are_refused(
    tmp_path: Path, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read_preprocess(written(tmp_path / "config.json", timm(**fields)))


def test_files_that_say_nothing_of_preprocessing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="says nothing of preprocessing; give a"):
        read_preprocess(written(tmp_path / "config.json", {"id2label": {"0": "cat"}}))
    (tmp_path / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(UsageError, match=r"deep\.json is not valid JSON"):
        read_preprocess(tmp_path / "deep.json")
    (tmp_path / "large.json").write_text(" " * (16 * 2**20 + 1), encoding="utf-8")
    with pytest.raises(UsageError, match=r"large\.json is larger than 16 MiB"):
        read_preprocess(tmp_path / "large.json")


# Which source wins


def test_of_what_is_said_options_win_over_files(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    assert specified(model) == Resolved(Preprocess())
    config = written(tmp_path / "config.json", {"id2label": {}})
    assert specified(model) == Resolved(Preprocess())
    written(config, timm())
    assert specified(model).source == f"from {config}"
    huggingface = written(tmp_path / "preprocessor_config.json", NORMALISED | {"do_resize": False})
    said = specified(model)
    assert (said.preprocess.mean, said.source) == (MEAN, f"from {huggingface}")
    toml = tmp_path / "preprocess.toml"
    toml.write_text("mean = 3\n", encoding="utf-8")
    said = specified(model)
    assert (said.preprocess.mean, said.source) == (3, f"from {toml}")
    said = specified(model, huggingface, "minus1_1", std=2.0)
    assert (said.preprocess.scale, said.preprocess.mean, said.preprocess.std) == (1 / 127.5, 1, 2)
    assert said.source == f"from {huggingface} and from the options (preset minus1_1, std)"


# Of the five steps that `resolve` names, those that say something, and the preset and the source that come of it.
STEPS: list[tuple[set[str], str, str]] = [
    (
        {"option", "file", "metadata", "whole", "labels"},
        "imagenet",
        "from {file} and from the options (preset imagenet)",
    ),
    ({"option", "metadata", "whole", "labels"}, "imagenet", "from the options (preset imagenet)"),
    ({"file", "metadata", "whole", "labels"}, "unit", "from {file}"),
    ({"metadata", "whole", "labels"}, "minus1_1", "from the model's metadata (Image.NominalPixelRange)"),
    ({"whole", "labels"}, "uint8", "from the model's input, which is of whole numbers"),
    ({"labels"}, "minus1_1", "preset minus1_1, inferred"),
    (set(), "unit", "preset unit, the default, since nothing says otherwise"),
    (
        {"color", "whole"},
        "uint8",
        "from the options (color) and from the model's input, which is of whole numbers",
    ),
    ({"color", "labels"}, "minus1_1", "from the options (color) and preset minus1_1, inferred"),
    ({"color"}, "unit", "from the options (color) and preset unit, the default, since nothing says otherwise"),
]


@pytest.mark.parametrize(("steps", "preset", "source"), STEPS)
def test_each_step_wins_over_the_later_ones(tmp_path: Path, steps: set[str], preset: str, source: str) -> None:
    file = tmp_path / "preprocess.toml"
    if "file" in steps:
        file.write_text("scale = 0.00392156862745098\n", encoding="utf-8")
    color = "bgr" if "color" in steps else None
    said = specified(tmp_path / "model.onnx", preset="imagenet" if "option" in steps else None, color=color)
    metadata = {"Image.NominalPixelRange": "Normalized_1_1"} if "metadata" in steps else {}
    tried: list[Preprocess] = []

    def try_presets(settings: Preprocess) -> Resolved | None:
        tried.append(settings)
        found = Resolved(settings.with_preset("minus1_1"), "preset minus1_1, inferred", "not clearly better")
        return found if "labels" in steps else None

    settled = settle(said, metadata, np.dtype(np.uint8 if "whole" in steps else np.float32), try_presets)
    expected = Preprocess(color=color).with_preset(cast(Preset, preset))
    assert settled.preprocess.ranged
    for name in ("scale", "mean", "std", "color"):
        assert getattr(settled.preprocess, name) == getattr(expected, name)
    assert settled.source == source.format(file=file)
    known = not steps.isdisjoint({"option", "file", "metadata", "whole"})
    assert tried == ([] if known else [Preprocess(color=color) if color else Preprocess()])
    assert settled.doubt == (None if known else "not clearly better" if "labels" in steps else ASSUMED)


def test_a_preset_has_its_channels_in_the_order_of_the_model(tmp_path: Path) -> None:
    settings = specified(tmp_path / "model.onnx", preset="imagenet", color="bgr").preprocess
    assert (settings.mean, settings.std) == (MEAN[::-1], STD[::-1])


@pytest.mark.parametrize(
    ("metadata", "expected", "source"),
    [
        (
            {"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "NominalRange_0_255", "author": "me"},
            {"scale": 1, "color": "bgr"},
            "Image.BitmapPixelFormat, Image.NominalPixelRange",
        ),
        ({"image.nominalpixelrange": "NORMALIZED_0_1"}, {"scale": 1 / 255}, "Image.NominalPixelRange"),
        ({"Image.NominalPixelRange": "Normalized_1_1"}, {"scale": 1 / 127.5, "mean": 1}, "Image.NominalPixelRange"),
        (
            {"Image.NominalPixelRange": "NominalRange_16_235"},
            {"scale": 219 / 255, "mean": -16},
            "Image.NominalPixelRange",
        ),
    ],
)
def test_the_models_metadata_completes_what_was_said(
    metadata: dict[str, str], expected: dict[str, Any], source: str
) -> None:
    found = from_model(Resolved(Preprocess()), metadata, np.dtype(np.float32))
    assert found == Resolved(Preprocess(**expected), f"from the model's metadata ({source})")
    said = Resolved(Preprocess(scale=2, color="rgb"), "from x")
    assert from_model(said, metadata, np.dtype(np.float32)) == said


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (
            {"Image.NominalPixelRange": "0..1"},
            r"has Image.NominalPixelRange = '0..1', which is none of nominalrange_0_255",
        ),
        (
            {"Image.NominalPixelRange": "Normalized_0_1", "Image.ColorSpaceGamma": "Linear"},
            "has Image.ColorSpaceGamma = Linear, which ninspect cannot make of usual images",
        ),
    ],
)
def test_metadata_that_cannot_be_followed_is_refused(metadata: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        from_model(Resolved(Preprocess()), metadata, np.dtype(np.float32))


# What it does to images


def test_the_middle_is_cut_out_after_resizing(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    image = Image.fromarray(pixels)

    def read(**settings: Any) -> Any:
        return load_samples(tmp_path, image_shape=(16, 16, 3), preprocess=Preprocess(**settings)).pixels[0]

    shorter = image.resize((33, 20), Image.Resampling.BILINEAR).crop((8, 2, 24, 18))
    np.testing.assert_array_equal(read(resize_to=20), shorter)
    both = image.resize((18, 17), Image.Resampling.BICUBIC).crop((1, 0, 17, 16))
    np.testing.assert_array_equal(read(resize_to=(17, 18), resize="bicubic"), both)
    with pytest.raises(
        UsageError, match="resize_to makes images of 12×20, smaller than the 16×16 that the model wants"
    ):
        read(resize_to=12)


def test_an_image_that_resizing_would_blow_up_is_skipped(tmp_path: Path) -> None:
    for index in range(5):
        Image.new("L", (20, 20)).save(tmp_path / f"{index}.png")
    Image.new("L", (100_000, 1)).save(tmp_path / "line.png")
    samples = load_samples(tmp_path, image_shape=(16, 16, 1), preprocess=Preprocess(resize_to=50))
    assert samples.skipped == ("line.png: resized, it would be 50×5000000, too large",)
    assert len(samples) == 5


def test_a_preset_needs_no_settings_before_it() -> None:
    assert Preprocess.preset("mnist") == Preprocess().with_preset("mnist")
    with pytest.raises(UsageError, match="there is no preset 'imagnet'; give unit, imagenet"):
        Preprocess.preset("imagnet")  # type: ignore[arg-type]
