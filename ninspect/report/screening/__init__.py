"""Pictures that were looked at for a trigger: the schema, and one module per output format."""

from ninspect.report.screening.render import render_screening
from ninspect.report.screening.schema import SHOWN, ChunkInfo, HeadInfo, ScreenedInfo, Screening, ShownInfo, SuspectInfo
from ninspect.report.screening.text import print_screening

__all__ = [
    "SHOWN",
    "ChunkInfo",
    "HeadInfo",
    "ScreenedInfo",
    "Screening",
    "ShownInfo",
    "SuspectInfo",
    "print_screening",
    "render_screening",
]
