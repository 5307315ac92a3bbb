"""Sums, extremes, products, running sums and sorting."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fastnn.graph import Node
from fastnn.onnx.export.builder import Builder
from fastnn.onnx.export.errors import of_batch
from fastnn.onnx.export.table import translates
from fastnn.ops.cumsum import Cumsum
from fastnn.ops.extreme import Extreme, ExtremeAndPlace
from fastnn.ops.prod import Prod
from fastnn.ops.reduce import Sum
from fastnn.ops.sort import Sort
from fastnn.spec import Shape, storage_axes


@translates(Sum, varying=("scale",))
def sum_(build: Builder, node: Node, op: Sum) -> str:
    """ReduceSum, or ReduceMean where the scale says so."""
    twin, name = build.traced.twin(node), build.name_of(node.inputs[0])
    assert isinstance(twin.op, Sum)
    counts = [_count(x.inputs[0].shape, op.axes) for x in (node, twin)]
    if counts[0] > 1 and all(math.isclose(scale * count, 1.0) for scale, count in zip(
            (op.scale, twin.op.scale), counts, strict=True)):
        return build.reduce("ReduceMean", name, op.axes)
    if op.scale != twin.op.scale:
        raise of_batch(node, "the mean over axes that are not neighbours in memory")
    y = build.reduce("ReduceSum", name, op.axes)
    return y if op.scale == 1 else build.emit("Mul", [y, build.number(op.scale)])


def _count(shape: Shape, axes: Sequence[int]) -> int:
    return math.prod(shape[axis] for axis in axes)


@translates(Extreme)
def extreme(build: Builder, node: Node, op: Extreme) -> str:
    """ReduceMax or ReduceMin."""
    kind = "ReduceMax" if op.largest else "ReduceMin"
    return build.reduce(kind, build.name_of(node.inputs[0]), op.axes)


@translates(ExtremeAndPlace)
def extreme_and_place(build: Builder, node: Node, op: ExtremeAndPlace) -> list[str]:
    """The extreme, and the place of the first one."""
    word, name = "Max" if op.largest else "Min", build.name_of(node.inputs[0])
    return [build.reduce(f"Reduce{word}", name, (op.axis,)),
            build.emit(f"Arg{word}", [name], axis=op.axis, keepdims=1)]


@translates(Prod)
def prod(build: Builder, node: Node, op: Prod) -> str:
    """ReduceProd."""
    return build.reduce("ReduceProd", build.name_of(node.inputs[0]), op.axes)


@translates(Cumsum)
def cumsum(build: Builder, node: Node, op: Cumsum) -> str:
    """CumSum, from either end."""
    axis = build.constant(op.axis, "int64")
    return build.emit("CumSum", [build.name_of(node.inputs[0]), axis],
                      reverse=int(op.reverse))


@translates(Sort)
def sort(build: Builder, node: Node, op: Sort) -> list[str]:
    """TopK, sorted; equal values come in the order of their places."""
    (x,) = node.inputs
    axis = storage_axes(x.ndim)[-1]
    if build.traced.varies(node.outputs[0], axis):
        raise of_batch(node, "how many values it sorts")
    return build.emit_all("TopK", [build.name_of(x), build.numbers([op.count])], 2, axis=axis,
                          largest=int(op.descending), sorted=1)
