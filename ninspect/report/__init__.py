"""One result schema, and one module per output format."""

from ninspect.report.pictures import save_pictures
from ninspect.report.result import SCHEMA, Confidence, Result, Verdict
from ninspect.report.text import print_result, text_report

__all__ = ["SCHEMA", "Confidence", "Result", "Verdict", "print_result", "save_pictures", "text_report"]
