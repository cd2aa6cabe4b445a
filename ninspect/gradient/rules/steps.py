"""Operators without a gradient: integer or boolean results, and functions whose derivative is zero where it exists."""

from ninspect.gradient.registry import know

know("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", zero_gradient=True, elementwise=True)
know("And", "BitShift", "Not", "Or", "Xor", zero_gradient=True, elementwise=True)
know("Ceil", "Floor", "IsInf", "IsNaN", "Sign", zero_gradient=True, elementwise=True)
know("ArgMax", "ArgMin", "EyeLike", "Hardmax", "Shape", "Size", zero_gradient=True)
know("ConstantOfShape", "NonZero", "Range", zero_gradient=True, shape_from=0)
know("OneHot", zero_gradient=True, shape_from=1)
# Refused where it carries the image to the scores.
know("Compress", shape_from=0)
