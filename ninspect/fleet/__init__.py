"""Many models: found, scanned side by side, and kept by content, so that none is scanned twice."""
