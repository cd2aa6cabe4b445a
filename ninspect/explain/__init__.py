"""Explanations of classes: heatmaps, and pictures of them."""

from ninspect.explain.heatmap import Heatmaps, explain
from ninspect.explain.picture import save_overlay

__all__ = ["Heatmaps", "explain", "save_overlay"]
