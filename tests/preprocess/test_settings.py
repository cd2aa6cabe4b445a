from pathlib import Path

import pytest

from ninspect.errors import UsageError
from ninspect.preprocess import Preprocess


def toml(folder: Path, text: str) -> Path:
    path = folder / "preprocess.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_defaults_map_pixels_to_the_unit_interval() -> None:
    settings = Preprocess()
    assert (settings.scale, settings.mean, settings.std) == (1 / 255, 0.0, 1.0)
    assert (settings.layout, settings.color, settings.size, settings.resize) == (None, None, None, "bilinear")


def test_from_toml_reads_every_key(tmp_path: Path) -> None:
    text = """
        scale = 1
        mean = [103.9, 116.8, 123.7]
        std = 2
        layout = "NHWC"
        color = "bgr"
        size = [48, 64]
        resize = "nearest"
    """
    assert Preprocess.from_toml(toml(tmp_path, text)) == Preprocess(
        scale=1.0, mean=(103.9, 116.8, 123.7), std=2.0, layout="NHWC", color="bgr", size=(48, 64), resize="nearest"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scale = 0", r"preprocess\.toml: scale = 0 is not a finite number other than 0; correct it"),
        ("scale = inf", "scale = inf is not a finite number"),
        ("scale = 'fast'", "scale = 'fast' is not a finite number"),
        ("mean = nan", "mean = nan is not a finite number, or a list with one per channel"),
        ("mean = []", r"mean = \[\] is not a finite number"),
        ("std = [0.2, 0.0, 0.2]", r"std = \[0.2, 0.0, 0.2\] is not a finite number other than 0, or a list"),
        ("layout = 'CHW'", "layout = 'CHW' is not NCHW, NHWC, flat or flat_chw"),
        ("color = 'cmyk'", "color = 'cmyk' is not rgb, bgr or gray"),
        ("size = [0, 8]", r"size = \[0, 8\] is not a \[height, width\] in pixels"),
        ("size = 8", r"size = 8 is not a \[height, width\] in pixels"),
        ("resize = 'box'", "resize = 'box' is not bilinear, bicubic, nearest, lanczos or none"),
        ("sclae = 1", "unknown key 'sclae'; the keys are scale, mean, std, layout, color, size, resize"),
        ("scale =", "is not valid TOML"),
        ("mean = " + 5000 * "[", "is not valid TOML"),
    ],
)
def test_from_toml_says_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Preprocess.from_toml(toml(tmp_path, text))


def test_from_toml_refuses_what_is_not_a_text_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a file"):
        Preprocess.from_toml(tmp_path / "missing.toml")
    with pytest.raises(UsageError, match="is not a file"):
        Preprocess.from_toml(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="is not valid TOML"):
        Preprocess.from_toml(tmp_path / "binary.toml")


def test_override_replaces_what_is_given() -> None:
    settings = Preprocess(mean=0.5, std=(1.0, 2.0, 3.0), layout="NHWC")
    assert settings.override(mean=None, std=None) == settings
    assert settings.override(mean=(1, 2, 3), size=[4, 5]) == Preprocess(
        mean=(1.0, 2.0, 3.0), std=(1.0, 2.0, 3.0), layout="NHWC", size=(4, 5)
    )


def test_override_checks_the_values() -> None:
    with pytest.raises(UsageError, match="the preprocessing options: std = 0 is not a finite number other than 0"):
        Preprocess().override(std=0)
    with pytest.raises(UsageError, match="the preprocessing options: unknown key 'stdev'"):
        Preprocess().override(stdev=1)
