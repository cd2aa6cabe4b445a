"""Where the settings come from: files of several kinds, the model's own metadata, the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from ninspect.errors import UsageError
from ninspect.files import parse_json, read_text
from ninspect.preprocess.settings import PRESETS, Preprocess
from ninspect.preprocess.vendor_configs import huggingface_settings, is_huggingface, timm_settings

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


def read_preprocess(path: Path) -> Preprocess:
    """The settings in a file of any kind that ninspect knows: TOML, Hugging Face's, timm's.

    Raises:
        UsageError: the file is missing or broken, or asks for what ninspect cannot do.
    """
    text = read_text(path, _WANTED)
    if path.suffix.lower() != ".json" and not text.lstrip().startswith("{"):
        return Preprocess.from_toml(path)
    content = parse_json(text, path)
    if isinstance(content, dict) and isinstance(content.get("pretrained_cfg"), dict):
        return timm_settings(content["pretrained_cfg"], str(path))
    if isinstance(content, dict) and is_huggingface(content):
        return huggingface_settings(content, str(path))
    raise UsageError(f"{path} says nothing of preprocessing; give {_WANTED}")


def specified(
    model: Path, file: Path | None = None, preset: str | None = None, **flags: object
) -> tuple[Preprocess, str]:
    """What was said of the preprocessing, and where: flags over a preset over the file that is given or lies beside.

    Args:
        model: path of the ONNX file.
        file: as for `read_preprocess`; None: `preprocess.toml`, `preprocessor_config.json` or timm's `config.json`
            beside the model, the first that there is.
        preset: a name in `PRESETS`.
        flags: fields of `Preprocess`; those that are None were not given.

    Returns:
        The settings, in which only what was said is set, and their origin; empty where nothing was said.

    Raises:
        UsageError: a file or a value is wrong.
    """
    chosen = file or _beside(model)
    settings = read_preprocess(chosen) if chosen else Preprocess()
    given = [f"preset {preset}"] if preset else []
    given += [name for name, value in flags.items() if value is not None]
    settings = settings.override(color=flags.get("color"))
    settings = (settings.preset(preset) if preset else settings).override(**flags)
    origin = [f"from {chosen}"] if chosen else []
    origin += [f"from the command line ({', '.join(given)})"] if given else []
    return settings, " and ".join(origin)


def _beside(model: Path) -> Path | None:
    for name in (TOML, HUGGINGFACE, CONFIG):
        path = model.parent / name
        if path.is_file() and (name != CONFIG or _is_timm(path)):
            return path
    return None


def _is_timm(path: Path) -> bool:
    """Whether a `config.json`, which many tools write, is one with timm's settings."""
    try:
        content = parse_json(read_text(path, _WANTED), path)
    except UsageError:
        return False
    return isinstance(content, dict) and isinstance(content.get("pretrained_cfg"), dict)


def with_metadata(settings: Preprocess, source: str, metadata: Mapping[str, str]) -> tuple[Preprocess, str]:
    """The settings, completed by what the model's metadata says in ONNX's own keys `Image.*`.

    Args:
        settings: what was said elsewhere, which wins.
        source: where.
        metadata: the model's metadata properties.

    Raises:
        UsageError: the metadata has values that are not in the standard, or wants linear light.
    """
    said = {key.lower(): (key, value) for key, value in metadata.items()}
    known: dict[str, object] = {}
    used = []
    if settings.color is None and "image.bitmappixelformat" in said:
        known["color"] = _standard(said["image.bitmappixelformat"], _COLORS)
        used.append("Image.BitmapPixelFormat")
    if not settings.ranged and "image.nominalpixelrange" in said:
        known |= _standard(said["image.nominalpixelrange"], _RANGES)
        used.append("Image.NominalPixelRange")
        if said.get("image.colorspacegamma", ("", ""))[1].lower() == "linear":
            raise UsageError(
                "the model's metadata has Image.ColorSpaceGamma = Linear, which ninspect cannot make of usual images; "
                "export the model with sRGB input, or give --preset or --preprocess to disregard it"
            )
    if not used:
        return settings, source
    origin = f"from the model's metadata ({', '.join(used)})"
    return settings.override(**known), f"{source} and {origin}" if source else origin


Value = TypeVar("Value")


def _standard(entry: tuple[str, str], values: Mapping[str, Value]) -> Value:
    key, value = entry
    if value.lower() not in values:
        raise UsageError(
            f"the model's metadata has {key} = '{value[:40]}', which is none of {', '.join(values)}; "
            "say with --preset and --color, or --preprocess, what it wants"
        )
    return values[value.lower()]
