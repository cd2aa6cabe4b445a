"""Where the settings come from. The first of these that says something wins:

1. options: flags, then a preset;
2. a file that is given, else one beside the model;
3. the model: its metadata, or an input of whole numbers;
4. images with labels: all presets are tried;
5. the default.

`specified` does the first two, which tell the size and layout that a model may need to be understood; `settle` does the
rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ninspect.errors import UsageError
from ninspect.files import beside, parse_json, read_text
from ninspect.names import Preset
from ninspect.preprocess.settings import PRESETS, Preprocess
from ninspect.preprocess.vendor_configs import huggingface_settings, is_huggingface, is_timm, timm_settings

TOML, HUGGINGFACE, CONFIG = "preprocess.toml", "preprocessor_config.json", "config.json"
_WANTED = f"a {TOML}, a Hugging Face {HUGGINGFACE} or a timm {CONFIG}"

# The values that https://onnx.ai/onnx/repo-docs/MetadataProps.html lists; keys and values ignore case.
_COLORS = {"gray8": "gray", "rgb8": "rgb", "rgba8": "rgb", "bgr8": "bgr", "bgra8": "bgr"}
_RANGES: dict[str, dict[str, float | tuple[float, ...]]] = {
    "nominalrange_0_255": PRESETS["uint8"],
    "normalized_0_1": PRESETS["unit"],
    "normalized_1_1": PRESETS["minus1_1"],
    "nominalrange_16_235": {"scale": 219 / 255, "mean": -16.0, "std": 1.0},
}

DEFAULT = "preset unit, the default, since nothing says otherwise"
ASSUMED = (
    "nothing says what range of values the model expects, and there are no labels to tell, so pixel / 255 was assumed; "
    "say it with --preset"
)


@dataclass(frozen=True)
class Resolved:
    """Settings, as far as they are known, and where they come from.

    Attributes:
        preprocess: the settings; only what was said or found out is set.
        source: for the report, such as "from the options (color) and from the model's metadata (…)"; empty where
            nothing was said.
        doubt: why the settings may be wrong, or None.
    """

    preprocess: Preprocess
    source: str = ""
    doubt: str | None = None

    def then(self, preprocess: Preprocess, source: str, doubt: str | None = None) -> Resolved:
        """With the settings that another source completed."""
        return Resolved(preprocess, f"{self.source} and {source}" if self.source else source, doubt)


def read_preprocess(path: Path) -> Preprocess:
    """The settings in a file of any kind that ninspect knows: TOML, Hugging Face's, timm's.

    Raises:
        UsageError: the file is missing or broken, or asks for what ninspect cannot do.
    """
    text = read_text(path, _WANTED)
    if path.suffix.lower() != ".json" and not text.lstrip().startswith("{"):
        return Preprocess.from_toml(path)
    content = parse_json(text, path)
    if is_timm(content):
        return timm_settings(content["pretrained_cfg"], str(path))
    if isinstance(content, dict) and is_huggingface(content):
        return huggingface_settings(content, str(path))
    raise UsageError(f"{path} says nothing of preprocessing; give {_WANTED}")


def specified(model: Path, file: Path | None = None, preset: Preset | None = None, **flags: object) -> Resolved:
    """What was said of the preprocessing: flags over a preset over the file that is given or lies beside the model.

    Args:
        model: path of the ONNX file.
        file: as for `read_preprocess`; None: `preprocess.toml`, `preprocessor_config.json` or timm's `config.json`
            beside the model (see `beside`), the first that there is.
        preset: a name in `PRESETS`.
        flags: fields of `Preprocess`; those that are None were not given.

    Raises:
        UsageError: a file or a value is wrong.
    """
    chosen = file or _beside(model)
    known = Resolved(read_preprocess(chosen), f"from {chosen}") if chosen else Resolved(Preprocess())
    given = [f"preset {preset}"] if preset else []
    given += [name for name, value in flags.items() if value is not None]
    if not given:
        return known
    settings = known.preprocess.override(color=flags.get("color"))
    settings = (settings.with_preset(preset) if preset else settings).override(**flags)
    return known.then(settings, f"from the options ({', '.join(given)})")


def settle(
    known: Resolved,
    metadata: Mapping[str, str],
    dtype: np.dtype[Any],
    try_presets: Callable[[Preprocess], Resolved | None],
) -> Resolved:
    """The settings, completed by the model, else by the images, else by the default.

    Args:
        known: what was said, which wins.
        metadata: the model's metadata properties.
        dtype: element type of the model's input.
        try_presets: given the settings without a range of values, those with the best preset; None: there are no
            images with labels. Called only where nothing else tells the range.

    Raises:
        UsageError: the metadata has values that are not in the standard, or wants linear light.
    """
    known = from_model(known, metadata, dtype)
    if known.preprocess.ranged:
        return known
    found = try_presets(known.preprocess) or Resolved(known.preprocess.with_preset("unit"), DEFAULT, ASSUMED)
    return known.then(found.preprocess, found.source, found.doubt)


def _beside(model: Path) -> Path | None:
    for name in (TOML, HUGGINGFACE, CONFIG):
        path = beside(model, name)
        if path is not None and (name != CONFIG or _holds_timm(path)):
            return path
    return None


def _holds_timm(path: Path) -> bool:
    try:
        return is_timm(parse_json(read_text(path, _WANTED), path))
    except UsageError:
        return False


def from_model(known: Resolved, metadata: Mapping[str, str], dtype: np.dtype[Any]) -> Resolved:
    """The settings, completed by what the model says itself: ONNX's keys `Image.*`, or an input of whole numbers.

    See `settle`.
    """
    settings = known.preprocess
    said = {key.lower(): (key, value) for key, value in metadata.items()}
    found: dict[str, object] = {}
    used = []
    if settings.color is None and "image.bitmappixelformat" in said:
        found["color"] = _standard(said["image.bitmappixelformat"], _COLORS)
        used.append("Image.BitmapPixelFormat")
    if not settings.ranged and "image.nominalpixelrange" in said:
        found |= _standard(said["image.nominalpixelrange"], _RANGES)
        used.append("Image.NominalPixelRange")
        if said.get("image.colorspacegamma", ("", ""))[1].lower() == "linear":
            raise UsageError(
                "the model's metadata has Image.ColorSpaceGamma = Linear, which ninspect cannot make of usual images; "
                "export the model with sRGB input, or give --preset or --preprocess to disregard it"
            )
    if used:
        known = known.then(settings.override(**found), f"from the model's metadata ({', '.join(used)})")
    if dtype.kind in "iu" and not known.preprocess.ranged:
        settings = known.preprocess.with_preset("uint8")
        settings = settings.override(mean=128.0) if dtype == np.int8 else settings
        known = known.then(settings, "from the model's input, which is of whole numbers")
    return known


Value = TypeVar("Value")


def _standard(entry: tuple[str, str], values: Mapping[str, Value]) -> Value:
    key, value = entry
    if value.lower() not in values:
        raise UsageError(
            f"the model's metadata has {key} = '{value[:40]}', which is none of {', '.join(values)}; "
            "say with --preset and --color, or --preprocess, what it wants"
        )
    return values[value.lower()]
