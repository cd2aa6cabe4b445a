"""Results of many models in one document: a line for each, the worst first."""

from ninspect.report.summary.pages import with_pages
from ninspect.report.summary.render import render_summary
from ninspect.report.summary.row import SOURCES, Row, counted, worst_first
from ninspect.report.summary.text import print_summary

__all__ = ["SOURCES", "Row", "counted", "print_summary", "render_summary", "with_pages", "worst_first"]
