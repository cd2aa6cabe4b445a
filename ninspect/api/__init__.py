"""What a program calls: models and images may be objects as well as files."""

from ninspect.api.calls import diff, gradients, open_network, scan
from ninspect.api.repairing import repair
from ninspect.api.screening import screen

__all__ = ["diff", "gradients", "open_network", "repair", "scan", "screen"]
