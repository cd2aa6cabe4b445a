"""The command line: parse, call one function, print."""

from ninspect.cli.app import main

__all__ = ["main"]
