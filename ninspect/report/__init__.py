"""One result schema, and one module per output format."""

from ninspect.names import FORMATS
from ninspect.report.formats import load_result, parse_result, render
from ninspect.report.pictures import save_pictures, save_triggers
from ninspect.report.schema import SCHEMA, Confidence, IsolationInfo, Result
from ninspect.report.text import print_result, text_report

__all__ = [
    "FORMATS",
    "SCHEMA",
    "Confidence",
    "IsolationInfo",
    "Result",
    "load_result",
    "parse_result",
    "print_result",
    "render",
    "save_pictures",
    "save_triggers",
    "text_report",
]
