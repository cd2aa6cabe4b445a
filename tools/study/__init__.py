"""Models trained to ask when the default scan is wrong. Writes docs/study.md and docs/calibration.svg."""
