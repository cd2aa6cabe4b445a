"""Preprocessing as Hugging Face's transformers and timm write it down, in ninspect's settings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ninspect.errors import UsageError
from ninspect.preprocess.settings import IMAGENET_MEAN, IMAGENET_STD, Finite, NonZero, Preprocess, Side

_ADVICE = "say what the model wants in a TOML file, and give it with --preprocess"
_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_SUFFIXES = ("ImageProcessorFast", "ImageProcessorPil", "ImageProcessor", "FeatureExtractor")
# Processors whose fields mean what they are called, and what they take a `size` for that is a single number.
_SQUARE = ("ViT", "DeiT", "Beit", "EfficientNet", "Siglip", "Pvt")
_SHORTEST = ("CLIP", "Bit", "MobileNetV1", "MobileNetV2", "MobileViT")
_CONVNEXT = "ConvNext"
_CONVNEXT_WARPS_FROM = 384  # pixels; smaller images are cropped

Channels = Annotated[tuple[Finite, ...], Field(min_length=1)]
NonZeroChannels = Annotated[tuple[NonZero, ...], Field(min_length=1)]


class _Sides(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    height: Side | None = None
    width: Side | None = None
    shortest_edge: Side | None = None


class _HuggingFace(BaseModel):
    """The fields of a preprocessor_config.json that change what the model sees; what is missing is its default."""

    model_config = ConfigDict(extra="ignore", strict=True)

    image_processor_type: str = ""
    feature_extractor_type: str = ""
    do_resize: bool = True
    size: Side | _Sides | None = None
    resample: int | None = None
    do_center_crop: bool = False
    crop_size: Side | _Sides | None = None
    crop_pct: float = Field(224 / 256, gt=0, le=1)
    do_rescale: bool = True
    rescale_factor: NonZero = 1 / 255
    rescale_offset: bool = False
    do_normalize: bool | None = None
    image_mean: Finite | Channels | None = None
    image_std: NonZero | NonZeroChannels | None = None
    include_top: bool = True
    do_flip_channel_order: bool = False


class _Timm(BaseModel):
    """The fields of timm's pretrained_cfg that change what the model sees; what is missing is timm's own."""

    model_config = ConfigDict(extra="ignore", strict=True)

    input_size: tuple[Literal[1, 3], Side, Side]
    mean: Channels = IMAGENET_MEAN
    std: NonZeroChannels = IMAGENET_STD
    interpolation: str = "bicubic"
    crop_pct: float = Field(0.875, gt=0, le=1)
    crop_mode: str = "center"


def is_huggingface(content: Mapping[str, Any]) -> bool:
    """Whether this is the content of a preprocessor_config.json for images."""
    return not {"image_mean", "do_rescale", "do_normalize", "do_resize"}.isdisjoint(content)


def is_timm(content: object) -> bool:
    """Whether this is the content of a config.json, which many tools write, with timm's settings."""
    return isinstance(content, dict) and isinstance(content.get("pretrained_cfg"), dict)


def huggingface_settings(content: Mapping[str, Any], where: str) -> Preprocess:
    """The settings that a preprocessor_config.json stands for.

    Args:
        content: of the file.
        where: the file, for messages.

    Raises:
        UsageError: a value is out of range, or the file asks for what ninspect cannot do.
    """
    config = _parsed(_HuggingFace, content, where)
    unknown = [key for key, value in content.items() if key.startswith("do_") and value is True]
    unknown = [key for key in unknown if key not in _HuggingFace.model_fields and key != "do_convert_rgb"]
    if unknown or "auto_map" in content:
        raise _refusal(where, unknown[0] if unknown else "auto_map, which is a program")
    family = _family(config, where)
    return Preprocess.checked(_range(config, family, where) | _geometry(config, family, where), where)


def _family(config: _HuggingFace, where: str) -> str:
    """`ViT` of `ViTImageProcessor`; empty where the file does not say."""
    name = config.image_processor_type or config.feature_extractor_type
    family = next((name.removesuffix(end) for end in _SUFFIXES if name.endswith(end)), name)
    if family not in ("", *_SQUARE, *_SHORTEST, _CONVNEXT):
        raise _refusal(where, f"the processor '{name[:60]}'")
    return family


def _range(config: _HuggingFace, family: str, where: str) -> dict[str, object]:
    """Scale, mean, std and color."""
    scale = config.rescale_factor if config.do_rescale else 1.0
    mean, std = _channels(0.0), _channels(1.0)
    if config.do_normalize if config.do_normalize is not None else config.image_mean is not None:
        if config.image_mean is None or config.image_std is None:
            raise _refusal(where, "do_normalize without image_mean and image_std")
        mean, std = _channels(config.image_mean), _channels(config.image_std)
    if config.rescale_offset and config.do_rescale:
        # Versions of transformers disagree about other factors.
        if not math.isclose(scale, 1 / 127.5, rel_tol=1e-3):
            raise _refusal(where, f"rescale_offset with rescale_factor = {scale:g}, not 1/127.5")
        mean = tuple(value + 1 for value in mean)
    if family == "EfficientNet" and config.include_top:
        std = tuple(value**2 for value in std)  # it divides twice
    values: dict[str, object] = {"scale": scale, "mean": mean, "std": std}
    if config.do_flip_channel_order:
        values |= {"mean": mean[::-1], "std": std[::-1], "color": "bgr"}
    return values


def _channels(value: float | tuple[float, ...]) -> tuple[float, ...]:
    """As a tuple."""
    return value if isinstance(value, tuple) else (value,)


def _geometry(config: _HuggingFace, family: str, where: str) -> dict[str, object]:
    """Size, resize and resize_to."""
    if not config.do_resize:
        if config.do_center_crop:
            raise _refusal(where, "do_center_crop without do_resize")
        return {"resize": "none"}
    if config.resample not in _FILTERS:
        raise _refusal(where, f"resample = {config.resample}")
    values: dict[str, object] = {"resize": _FILTERS[config.resample]}
    target = _sides(config.size, family, bool(config.do_center_crop), where)
    if family == _CONVNEXT:
        if isinstance(target, tuple):
            raise _refusal(where, "a size without shortest_edge")
        values["size"] = (target, target)
        if target < _CONVNEXT_WARPS_FROM:
            values["resize_to"] = int(target / config.crop_pct)
    elif config.do_center_crop:
        crop = _sides(config.crop_size, "ViT", False, where)
        values |= {"size": (crop, crop) if isinstance(crop, int) else crop, "resize_to": target}
    elif isinstance(target, int):
        raise _refusal(where, "shortest_edge without do_center_crop, which leaves the size open")
    else:
        values["size"] = target
    return values


def _sides(size: int | _Sides | None, family: str, cropped: bool, where: str) -> int | tuple[int, int]:
    """(height, width), or the length of the shorter side."""
    if isinstance(size, int):
        if not family and cropped:
            raise _refusal(where, "a size that is one number, without the type of the processor that would explain it")
        return size if family in (*_SHORTEST, _CONVNEXT) else (size, size)
    match size:
        case _Sides(height=int(height), width=int(width), shortest_edge=None):
            return height, width
        case _Sides(height=None, width=None, shortest_edge=int(shortest)):
            return shortest
    raise _refusal(where, "a size, or crop_size, that is neither height and width nor shortest_edge")


def timm_settings(content: Mapping[str, Any], where: str) -> Preprocess:
    """The settings that the `pretrained_cfg` of a timm config.json stands for.

    Args:
        content: of that entry.
        where: the file, for messages.

    Raises:
        UsageError: a value is out of range, or the file asks for what ninspect cannot do.
    """
    config = _parsed(_Timm, content, where)
    channels, height, width = config.input_size
    if config.interpolation not in _FILTERS.values():
        raise _refusal(where, f"interpolation '{config.interpolation[:40]}'")
    target = math.floor(height / config.crop_pct), math.floor(width / config.crop_pct)
    if config.crop_mode not in ("center", "squash") or (config.crop_mode == "center" and height != width):
        raise _refusal(where, f"crop_mode '{config.crop_mode[:40]}' for {height}×{width} pixels")
    return Preprocess.checked(
        {
            "scale": 1 / 255,
            "mean": config.mean,
            "std": config.std,
            "color": "gray" if channels == 1 else "rgb",
            "size": (height, width),
            "resize": config.interpolation,
            "resize_to": target[0] if config.crop_mode == "center" else target,
        },
        where,
    )


Config = TypeVar("Config", bound=BaseModel)


def _parsed(kind: type[Config], content: Mapping[str, Any], where: str) -> Config:
    """The content, checked; null stands for what is not said."""
    said = {key: value for key, value in content.items() if value is not None}
    try:
        return kind.model_validate_json(json.dumps(said))
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        shown = repr(said.get(name))[:60]
        raise UsageError(f"{where}: {name} = {shown} is not a value that this field takes; correct it") from error


def _refusal(where: str, what: str) -> UsageError:
    return UsageError(f"{where} asks for {what}, which ninspect does not do; {_ADVICE}")
