"""Operators that move values: shapes, slices, joins. Shapes are known when a model is traced."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from fastnn.graph import as_tensor
from fastnn.onnx.operators.call import Call, Operator
from fastnn.ops import names as fn


def _reshape(call: Call) -> Any:
    x, sizes = as_tensor(call[0]), [int(size) for size in call.known(1).ravel()]
    if not call.attribute("allowzero", 0):
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return fn.reshape(x, sizes)


def _flatten(call: Call) -> Any:
    x = as_tensor(call[0])
    axis = call.attribute("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return fn.reshape(x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


def _transpose(call: Call) -> Any:
    x = as_tensor(call[0])
    return fn.permute(x, call.attribute("perm", list(range(x.ndim))[::-1]))


def _squeeze(call: Call) -> Any:
    x = as_tensor(call[0])
    axes = call.numbers("axes", 1, 13)
    axes = [axis for axis, size in enumerate(x.shape) if size == 1] if axes is None else [
        axis % x.ndim for axis in axes]
    if any(x.shape[axis] != 1 for axis in axes):
        raise ValueError(f"onnx.load: {call.where}: axes {axes} of shape {x.shape} are not all 1")
    return fn.reshape(x, [size for axis, size in enumerate(x.shape) if axis not in axes])


def _unsqueeze(call: Call) -> Any:
    x = as_tensor(call[0])
    axes = call.numbers("axes", 1, 13)
    rank = x.ndim + len(axes)
    new, sizes = {axis % rank for axis in axes}, iter(x.shape)
    return fn.reshape(x, [1 if axis in new else next(sizes) for axis in range(rank)])


def _concat(call: Call) -> Any:
    return fn.cat([as_tensor(value) for value in call.inputs], call.attribute("axis", 1))


def _split(call: Call) -> Any:
    x, axis = as_tensor(call[0]), call.attribute("axis", 0)
    sizes = call.numbers("split", 1, 13)
    if sizes is None:
        count = call.attribute("num_outputs", call.outputs)
        each = -(-x.shape[axis] // count)
        sizes = [each] * (count - 1) + [x.shape[axis] - each * (count - 1)]
    return tuple(fn.split(x, sizes, axis))


def _slice(call: Call) -> Any:
    x = as_tensor(call[0])
    if call.opset < 10:
        starts, ends = call.attribute("starts"), call.attribute("ends")
        axes, steps = call.attribute("axes"), None
    else:
        starts, ends = ([int(value) for value in call.known(place)] for place in (1, 2))
        axes, steps = ([int(value) for value in call.known(place)] if call.get(place) is not None
                       else None for place in (3, 4))
    axes = list(range(len(starts))) if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = x.shape[axis]
        places = range(size)[slice(start, end if step > 0 or end >= -size else None, step)]
        if step == 1:
            x = fn.narrow(x, axis, places.start, len(places))
        else:
            x = fn.index_select(x, axis, np.array(places, np.int64))
    return x


def _gather(call: Call) -> Any:
    x, axis, index = as_tensor(call[0]), call.attribute("axis", 0), call[1]
    axis += x.ndim if axis < 0 else 0
    flat: Any
    if isinstance(index, np.ndarray):
        index = np.where(index < 0, index + x.shape[axis], index).astype(np.int64)
        flat = index.reshape(-1)
    else:
        flat = fn.reshape(index, (-1,))
    found = fn.index_select(x, axis, flat)
    return fn.reshape(found, (*x.shape[:axis], *index.shape, *x.shape[axis + 1:]))


def _gather_elements(call: Call) -> Any:
    x, axis, index = as_tensor(call[0]), call.attribute("axis", 0), call[1]
    if isinstance(index, np.ndarray):
        index = np.where(index < 0, index + x.shape[axis], index).astype(np.int64)
    return fn.gather(x, axis, index)


def _expand(call: Call) -> Any:
    x, shape = as_tensor(call[0]), tuple(int(size) for size in call.known(1))
    return fn.expand(x, np.broadcast_shapes(x.shape, shape))


def _pad(call: Call) -> Any:
    x, rank = as_tensor(call[0]), as_tensor(call[0]).ndim
    sides = call.numbers("pads", 1, 11)
    value = call.attribute("value", 0.0) if call.opset < 11 else (
        0.0 if call.get(2) is None or not call.known(2).size else float(call.known(2).ravel()[0]))
    axes = list(range(rank)) if call.get(3) is None else [
        int(axis) % rank for axis in call.known(3)]
    pairs = {axis: (sides[i], sides[i + len(axes)]) for i, axis in enumerate(axes)}
    mode = call.attribute("mode", "constant")
    first = min((axis for axis, pair in pairs.items() if any(pair)), default=rank)
    flat = [side for axis in range(rank - 1, first - 1, -1) for side in pairs.get(axis, (0, 0))]
    if not flat:
        return x
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    return fn.pad(x, flat, modes[mode], value if mode == "constant" else None)


def _depth_to_space(call: Call) -> Any:
    x, size = as_tensor(call[0]), call.attribute("blocksize")
    if call.attribute("mode", "DCR") == "CRD":
        return fn.pixel_shuffle(x, size)
    n, c, h, w = x.shape
    parts = fn.reshape(x, (n, size, size, c // size**2, h, w))
    return fn.reshape(fn.permute(parts, (0, 3, 4, 1, 5, 2)), (n, c // size**2, h * size, w * size))


def _space_to_depth(call: Call) -> Any:
    x, size = as_tensor(call[0]), call.attribute("blocksize")
    n, c, h, w = x.shape
    parts = fn.reshape(x, (n, c, h // size, size, w // size, size))
    axes = (0, 1, 3, 5, 2, 4) if call.attribute("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    return fn.reshape(fn.permute(parts, axes),
                      (n, c * size**2, h // size, w // size))


SHAPES: dict[str, Operator] = {
    "Shape": lambda call: np.array(as_tensor(call[0]).shape[
        call.attribute("start", 0):call.attribute("end")], np.int64),
    "Size": lambda call: np.array(prod(as_tensor(call[0]).shape), np.int64),
    "Reshape": _reshape, "Flatten": _flatten, "Transpose": _transpose, "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze, "Concat": _concat, "Split": _split, "Slice": _slice,
    "Gather": _gather, "GatherElements": _gather_elements, "Expand": _expand, "Pad": _pad,
    "Tile": lambda call: fn.tile(call[0], [int(count) for count in call.known(1)]),
    "DepthToSpace": _depth_to_space, "SpaceToDepth": _space_to_depth,
}
