"""Numbers about numbers, in NumPy and SciPy: features of heatmaps, outliers among classes."""
