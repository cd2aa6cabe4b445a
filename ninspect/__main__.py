"""`python -m ninspect`."""

from ninspect.cli import main

main()
