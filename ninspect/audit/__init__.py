"""One model from file to result."""
