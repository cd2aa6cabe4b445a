"""Detectors measured on models whose truth is known. Writes docs/results.md, docs/results.csv and docs/ablation.md."""
