"""Benchmarks of gradients, detectors, graph building and the sandbox. Their numbers are in docs/performance.md."""
