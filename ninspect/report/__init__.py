"""One result schema, and one module per output format."""

from ninspect.report.result import SCHEMA, Result, Verdict
from ninspect.report.text import print_result, text_report

__all__ = ["SCHEMA", "Result", "Verdict", "print_result", "text_report"]
