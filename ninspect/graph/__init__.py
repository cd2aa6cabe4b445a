"""ONNX graphs: written as expressions, cut, and brought into the one form that is differentiated."""
