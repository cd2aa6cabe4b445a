"""The coverage suite: gradients of files as people export them, against the frameworks. Writes docs/coverage.csv."""
