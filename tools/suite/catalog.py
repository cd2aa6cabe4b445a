"""The PyTorch architectures of the coverage suite."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from tools.suite import torch_models as own

CLASSES = 10


@dataclass(frozen=True)
class Architecture:
    """One network of the suite.

    Attributes:
        family: what people call it.
        name: of its files.
        build: makes the network with fresh weights.
        shape: of one image, channels first.
        opset: that TorchScript must export it to.
    """

    family: str
    name: str
    build: Callable[[], nn.Module]
    shape: tuple[int, int, int]
    opset: int = 17


def _own(family: str, build: Callable[[], nn.Module], size: int, channels: int = 3, **options: Any) -> Architecture:
    return Architecture(family, f"tv_{build.__name__}", build, (channels, size, size), **options)


def _timm(family: str, name: str, size: int = 64, **arguments: Any) -> Architecture:
    return Architecture(family, name, partial(_create, name, arguments), (3, size, size))


def _create(name: str, arguments: dict[str, Any]) -> nn.Module:
    with _pretended_torchvision():
        import timm
    model: nn.Module = timm.create_model(name, pretrained=False, num_classes=CLASSES, **arguments)
    return model


def _timm_class(path: str, arguments: dict[str, Any]) -> nn.Module:
    """A network of timm that none of its registered names makes small."""
    with _pretended_torchvision():
        module, _, name = path.partition(".")
        network = getattr(importlib.import_module(f"timm.models.{module}"), name)
    model: nn.Module = network(num_classes=CLASSES, **arguments)
    return model


class _Names(type):
    """Classes whose unknown attributes are their own names: what timm reads of torchvision's enumerations."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return f"{cls.__name__}.{name}"


class _Module(types.ModuleType):
    """A module that has every name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        setattr(self, name, _Names(name, (), {}))
        return getattr(self, name)  # type: ignore[no-any-return]


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] != "torchvision":
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass


@contextmanager
def _pretended_torchvision() -> Iterator[None]:
    """timm imports torchvision for its data pipeline; its networks do not need it."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]


def randomize(model: nn.Module, seed: int) -> None:
    """Random statistics, biases and scales: fresh ones are so often 0 or 1 that a wrong gradient could hide."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(tensor: torch.Tensor, low: float, high: float) -> None:
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    with torch.no_grad():
        for name, tensor in model.named_parameters():
            leaf = name.rpartition(".")[2]
            if "bias" in leaf and tensor.ndim == 1:
                uniform(tensor, -0.2, 0.2)
            elif tensor.ndim <= 1 or tensor.numel() == max(tensor.shape):
                uniform(tensor, 0.5, 1.5)
            elif float(tensor.std()) < 1e-3:
                uniform(tensor, -0.5, 0.5)
        for name, buffer in model.named_buffers():
            leaf = name.rpartition(".")[2]
            if leaf == "running_mean":
                uniform(buffer, -0.2, 0.2)
            elif leaf == "running_var":
                uniform(buffer, 0.5, 1.5)


_VGG = {"cfg": (16, "M", 24, "M", 32, "M", 48, "M", 64, "M"), "norm_layer": nn.BatchNorm2d}
_FOCAL = {"embed_dim": 24, "depths": (1, 1, 2, 1)}
_FOCAL_V2 = _FOCAL | {"use_post_norm": True, "use_overlap_down": True, "layerscale_value": 1e-4}

ARCHITECTURES: tuple[Architecture, ...] = (
    _own("LeNet", own.lenet, 28, 1),
    _own("AlexNet", own.alexnet, 224),
    _own("SqueezeNet", own.squeezenet, 64),
    _own("GoogLeNet", own.googlenet, 64),
    _own("ShuffleNet v2", own.shufflenet, 64),
    _own("VGG", own.vgg, 56),
    _own("ViT", own.vision_transformer, 32),
    _own("ViT", own.transformer_encoder, 32),
    _own("Spatial transformer", own.spatial_transformer, 32, opset=20),
    _own("Recurrent", own.row_lstm, 28, 1),
    _own("Recurrent", own.row_gru, 28, 1),
    _timm("ResNet", "resnet18", 64, channels=(16, 24, 32, 48)),
    _timm("ResNet", "resnet26d", 64),
    _timm("ResNet", "resnetv2_18"),
    _timm("ResNeXt", "resnext50_32x4d", layers=(1, 1, 1, 1)),
    _timm("Wide-ResNet", "wide_resnet50_2", layers=(1, 1, 1, 1)),
    _timm("SE-ResNet", "seresnet18"),
    Architecture("VGG", "vgg", partial(_timm_class, "vgg.VGG", _VGG), (3, 224, 224)),
    _timm("DenseNet", "densenet121", block_config=(2, 3, 3, 2), growth_rate=16),
    _timm("Inception v3", "inception_v3", 80),
    _timm("MobileNet v1", "mobilenetv1_100"),
    _timm("MobileNet v2", "mobilenetv2_035"),
    _timm("MobileNet v3", "mobilenetv3_small_050"),
    _timm("MobileNet v3", "mobilenetv3_large_075"),
    _timm("MobileNet v4", "mobilenetv4_conv_small_035"),
    _timm("MobileNet v4", "mobilenetv4_hybrid_medium_075"),
    _timm("MNASNet", "mnasnet_small"),
    _timm("EfficientNet", "efficientnet_b0"),
    _timm("EfficientNet", "efficientnet_lite0"),
    _timm("EfficientNet", "tf_efficientnet_b0"),
    _timm("EfficientNet v2", "tf_efficientnetv2_b0"),
    _timm("RegNet", "regnetx_002"),
    _timm("RegNet", "regnety_002"),
    _timm("RegNet", "regnetz_005"),
    _timm("ConvNeXt", "convnext_atto", depths=(1, 1, 2, 1)),
    _timm("ConvNeXt", "convnext_tiny", depths=(1, 1, 1, 1), dims=(24, 32, 48, 64)),
    _timm("ConvNeXt v2", "convnextv2_atto", depths=(1, 1, 2, 1)),
    _timm("NFNet", "test_nfnet"),
    _timm("NFNet", "eca_nfnet_l0"),
    _timm("ResMLP", "resmlp_12_224", img_size=64),
    _timm("MLP-Mixer", "mixer_s32_224", img_size=64),
    _timm("gMLP", "gmlp_ti16_224", img_size=64),
    _timm("ViT", "vit_tiny_patch16_224", img_size=64, depth=3),
    _timm("ViT", "vit_relpos_small_patch16_224", img_size=64, depth=3, embed_dim=96),
    _timm("ViT", "vit_small_patch14_dinov2", 70, img_size=70, depth=3, embed_dim=96),
    _timm("DeiT", "deit_tiny_patch16_224", img_size=64, depth=3),
    _timm("DeiT", "deit_tiny_distilled_patch16_224", img_size=64, depth=3),
    _timm("DeiT", "deit3_small_patch16_224", img_size=64, depth=3, embed_dim=96),
    _timm("BEiT", "beit_base_patch16_224", img_size=64, depth=3, embed_dim=96, num_heads=4),
    _timm("BEiT", "beitv2_base_patch16_224", img_size=64, depth=3, embed_dim=96, num_heads=4),
    _timm("CaiT", "cait_xxs24_224", img_size=64, depth=3, embed_dim=96),
    _timm("Swin v1", "swin_tiny_patch4_window7_224", img_size=64, window_size=4, embed_dim=24, depths=(2, 2, 2)),
    _timm("Swin v1", "swin_s3_tiny_224", img_size=64, window_size=(4, 4, 4, 2), embed_dim=24, depths=(2, 2, 2, 2)),
    _timm("Swin v2", "swinv2_tiny_window8_256", img_size=64, window_size=4, embed_dim=24, depths=(2, 2, 2)),
    _timm("Swin v2", "swinv2_cr_tiny_224", img_size=64, window_size=4, embed_dim=24, depths=(2, 2, 2)),
    _timm("MaxViT", "test_maxvit", img_size=64),
    _timm("MaxViT", "maxvit_tiny_tf_224", img_size=64, embed_dim=(32, 32, 64, 96), depths=(1, 1, 1, 1)),
    _timm("CoAtNet", "test_coatnet", img_size=64),
    _timm("CoAtNet", "coatnet_nano_rw_224", img_size=64, embed_dim=(32, 32, 64, 96), depths=(1, 1, 2, 1)),
    _timm("MobileViT", "mobilevit_xxs"),
    _timm("MobileViT", "mobilevitv2_050"),
    _timm("EfficientFormer", "efficientformer_l1", 224),
    _timm("EfficientFormer", "efficientformerv2_s0", 64, img_size=64),
    _timm("PoolFormer", "poolformer_s12"),
    _timm("PoolFormer", "poolformerv2_s12"),
    Architecture("FocalNet", "focalnet", partial(_timm_class, "focalnet.FocalNet", _FOCAL), (3, 64, 64)),
    Architecture("FocalNet", "focalnet_v2", partial(_timm_class, "focalnet.FocalNet", _FOCAL_V2), (3, 64, 64)),
    _timm("HRNet", "hrnet_w18_small"),
    _timm("RepVGG", "repvgg_a0"),
    _timm("GhostNet", "ghostnet_050"),
    _timm("GhostNet", "ghostnetv2_100"),
    _timm("EVA", "eva02_tiny_patch14_224", 56, img_size=56, depth=3),
    _timm("EVA", "eva_giant_patch14_224", 56, img_size=56, depth=2, embed_dim=96, num_heads=4),
    _timm("XCiT", "xcit_nano_12_p16_224", depth=3),
    _timm("LeViT", "levit_128s", 224),
    _timm("EdgeNeXt", "edgenext_xx_small"),
    _timm("FastViT", "fastvit_t8", 64),
    _timm("MetaFormer", "caformer_s18"),
)  # fmt: skip
