"""ONNX's operators by name, as functions of a `Call` that return tensors; by families."""

from fastnn.onnx.operators.layers import LAYERS
from fastnn.onnx.operators.pointwise import POINTWISE
from fastnn.onnx.operators.reductions import REDUCTIONS
from fastnn.onnx.operators.shapes import SHAPES

OPERATORS = {**POINTWISE, **SHAPES, **REDUCTIONS, **LAYERS}

__all__ = ["OPERATORS"]
