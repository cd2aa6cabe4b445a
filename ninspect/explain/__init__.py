"""Explanations of classes: heatmaps, and pictures of them."""

from ninspect.explain.heatmap import Heatmaps, explain
from ninspect.explain.picture import overlay, png, save_overlay
from ninspect.explain.points import Ascent, alike, ascend, each

__all__ = ["Ascent", "Heatmaps", "alike", "ascend", "each", "explain", "overlay", "png", "save_overlay"]
