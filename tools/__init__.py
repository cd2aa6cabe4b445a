"""Programs around ninspect, one folder each: see README.md. They run from the repository's root, with `python -m`."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
