"""ninspect audits ONNX image classifiers for trained-in backdoors."""
