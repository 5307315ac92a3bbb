"""Operations that move elements: reshape, permute, slice, concatenate, repeat."""

from __future__ import annotations

from fastnn.graph import Node, Op
from fastnn.onnx.export.builder import Builder
from fastnn.onnx.export.errors import of_batch
from fastnn.onnx.export.table import translates
from fastnn.ops.alias import Alias
from fastnn.ops.boundary import FromRowMajor
from fastnn.ops.concat import Concat
from fastnn.ops.detach import Detach
from fastnn.ops.expand import Expand
from fastnn.ops.loss_part import LossPart
from fastnn.ops.permute import Permute
from fastnn.ops.pixel_shuffle import PixelShuffle
from fastnn.ops.reshape import Reshape
from fastnn.ops.slice import Slice
from fastnn.ops.tile import Tile

MOST = 2**31 - 1  # an end beyond every axis


@translates(Alias, Detach, LossPart, FromRowMajor, varying=("shape",))
def same(build: Builder, node: Node, op: Op) -> str:
    """The same value: an input's array already has its shape in ONNX."""
    return build.name_of(node.inputs[0])


@translates(Reshape, varying=("shape",))
def reshape(build: Builder, node: Node, op: Reshape) -> str:
    """One Reshape for a chain; the batch is a 0 where it keeps its place, else the -1."""
    source = node.inputs[0]
    while isinstance(source.node.op, Reshape):
        (source,) = source.node.inputs
    y, x = build.traced.shapes(node.outputs[0]), build.traced.shapes(source)
    if y == x:
        return build.name_of(source)
    sizes: list[int] = list(y[0])
    for axis, pair in enumerate(zip(*y, strict=True)):
        if pair[0] != pair[1]:
            kept = axis < len(x[0]) and (x[0][axis], x[1][axis]) == pair
            sizes[axis] = 0 if kept else -1
    if sizes.count(-1) > 1 or 0 in y[0]:
        target = build.sizes(node.outputs[0])
        return build.emit("Reshape", [build.name_of(source), target], allowzero=1)
    return build.emit("Reshape", [build.name_of(source), build.numbers(sizes)])


@translates(Permute)
def permute(build: Builder, node: Node, op: Permute) -> str:
    """Transpose; two that undo each other are none."""
    (x,), axes = node.inputs, op.axes
    if isinstance(x.node.op, Permute):
        before = x.node.op.axes
        (x,) = x.node.inputs
        axes = tuple(before[axis] for axis in axes)
    if axes == tuple(range(x.ndim)):
        return build.name_of(x)
    return build.emit("Transpose", [build.name_of(x)], perm=list(axes))


@translates(Expand, varying=("shape",))
def expand(build: Builder, node: Node, op: Expand) -> str:
    """Expand; a 1 in its shape keeps a size that is there."""
    (x,), (y,) = node.inputs, node.outputs
    ahead = y.ndim - x.ndim
    keep = [axis for axis in range(y.ndim) if axis >= ahead
            and [shape[axis - ahead] for shape in build.traced.shapes(x)]
            == [shape[axis] for shape in build.traced.shapes(y)]]
    return build.emit("Expand", [build.name_of(x), build.sizes(y, keep)])


@translates(Concat)
def concat(build: Builder, node: Node, op: Concat) -> str:
    """Concat, of one tensor or more."""
    return build.emit("Concat", build.inputs_of(node), axis=op.axis)


@translates(Slice, varying=("sizes",))
def slice_(build: Builder, node: Node, op: Slice) -> str:
    """Slice of the axes that are not taken whole."""
    (x,) = node.inputs
    axes, before, after = [], build.traced.shapes(x), build.traced.shapes(node.outputs[0])
    for axis, start, step, size in zip(range(x.ndim), op.starts, op.steps, op.sizes, strict=True):
        sizes = [shape[axis] for shape in after]
        if (start, step) == (0, 1) and sizes == [shape[axis] for shape in before]:
            continue
        if sizes[0] != sizes[1]:
            raise of_batch(node, f"how much of axis {axis} it takes")
        axes.append((axis, start, _end(start, step, size), step))
    if not axes:
        return build.name_of(x)
    places, starts, ends, steps = (build.numbers(values) for values in zip(*axes, strict=True))
    return build.emit("Slice", [build.name_of(x), starts, ends, places, steps])


def _end(start: int, step: int, size: int) -> int:
    """Where a slice ends; a number from the end in ONNX's way if that is before the first place."""
    if not size:
        return start
    last = start + (size - 1) * step
    if step > 0:
        return last + 1
    return last - 1 if last > 0 else -MOST


@translates(Tile)
def tile(build: Builder, node: Node, op: Tile) -> str:
    """Tile, and Gather for elements that are each repeated."""
    (x,) = node.inputs
    name = build.name_of(x)
    for axis, each in enumerate(op.each):
        if each != 1:
            build.traced.check_fixed(node, (axis,))
            places = [place for place in range(x.shape[axis]) for _ in range(each)]
            name = build.emit("Gather", [name, build.numbers(places)], axis=axis)
    if any(times != 1 for times in op.times):
        name = build.emit("Tile", [name, build.numbers(op.times)])
    return name


@translates(PixelShuffle)
def pixel_shuffle(build: Builder, node: Node, op: PixelShuffle) -> str:
    """DepthToSpace; back it is a reshape around a transpose, as SpaceToDepth has another order."""
    (x,), r = node.inputs, op.factor
    name = build.name_of(x)
    if op.up:
        return build.emit("DepthToSpace", [name], blocksize=r, mode="CRD")
    build.traced.check_fixed(node, (1, 2, 3))
    _, c, h, w = x.shape
    cut = build.emit("Reshape", [name, build.numbers([-1, c, h // r, r, w // r, r])])
    turned = build.emit("Transpose", [cut], perm=[0, 1, 3, 5, 2, 4])
    return build.emit("Reshape", [turned, build.numbers([-1, c * r * r, h // r, w // r])])
