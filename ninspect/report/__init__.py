"""One result schema, and one module per output format."""

from ninspect.report.result import SCHEMA, Result
from ninspect.report.text import print_result, text_report

__all__ = ["SCHEMA", "Result", "print_result", "text_report"]
