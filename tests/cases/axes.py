"""Axes that come, go and move; parts, stacks and repetitions."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case, classes

IMAGES = (2, 3, 5, 4)


def _case(name, build, twin, *inputs):
    return Case(name, build, twin, inputs)


def _joined(parts):
    """Parts as one value, each with a weight of its own."""
    return sum((number + 1) * part.sum() for number, part in enumerate(parts))


def _parts(name, build, cuts, axis, shape):
    return _case(f"{name} {shape}", lambda x: fn.cat([p * p for p in reversed(build(x))], axis),
                 lambda x: np.concatenate([p * p for p in np.split(x, cuts, axis)][::-1], axis),
                 shape)


def _tile(shape, times):
    return _case(f"tile {shape} {times}", lambda x: x.tile(times), lambda x: np.tile(x, times),
                 shape)


def _each(shape, times, dim):
    return _case(f"repeat_interleave {shape} {times} along {dim}",
                 lambda x: x.repeat_interleave(times, dim), lambda x: np.repeat(x, times, dim),
                 shape)


def _integers(name, build, twin, *shapes):
    return Case(f"{name} of integers", build, twin, tuple(classes(50, *s) for s in shapes))


CASES = [
    _case("unsqueeze", lambda x: x.unsqueeze(1).unsqueeze(-1), lambda x: x[:, None, ..., None],
          (3, 4)),
    _case("squeeze", lambda x: x.squeeze(), np.squeeze, (3, 1, 4, 1)),
    _case("squeeze some", lambda x: x.squeeze((1, 2)).squeeze(-2),
          lambda x: x[:, 0], (3, 1, 4, 1)),
    _case("squeeze of a scalar", lambda x: x.squeeze((0,)).squeeze(-1), lambda x: x, ()),
    _case("unflatten", lambda x: x.unflatten(1, (2, -1)), lambda x: x.reshape(2, 2, 3, 5),
          (2, 6, 5)),
    _case("ravel", lambda x: x.ravel(), np.ravel, IMAGES),
    _case("reshape_as, view_as", lambda x, y: x.reshape_as(y) + x.view_as(y),
          lambda x, y: 2 * x.reshape(y.shape) + 0 * y, (4, 6), IMAGES[1:2] + (8,)),
    _case("movedim", lambda x: x.movedim(0, -1).moveaxis((0, 2), (1, 0)),
          lambda x: np.moveaxis(np.moveaxis(x, 0, -1), (0, 2), (1, 0)), IMAGES),
    _case("swapaxes", lambda x: x.swapaxes(0, 1).swapdims(-1, 1),
          lambda x: x.swapaxes(0, 1).swapaxes(-1, 1), IMAGES),
    _case("T, mT", lambda x: x.T + x.t(), lambda x: 2 * x.T, (3, 5)),
    _case("mT of images", lambda x: x.mT, lambda x: x.swapaxes(-1, -2), IMAGES),
    _case("permute of axes of size 1", lambda x: x.permute(1, 2, 0) * 2,
          lambda x: 2 * x.transpose(1, 2, 0), (3, 1, 4)),
    _case("permute, a view", lambda x: x.permute(1, 0, 2).relu(),
          lambda x: np.maximum(x.transpose(1, 0, 2), 0), (3, 1, 4)),
    _case("permute of images, a view", lambda x: x.permute(1, 0, 3, 2).relu(),
          lambda x: np.maximum(x.transpose(1, 0, 3, 2), 0), (1, 1, 4, 1)),
    _case("stack", lambda x, y: fn.stack([x, y, x * y], 1),
          lambda x, y: np.stack([x, y, x * y], 1), (3, 4), (3, 4)),
    _case("stack of images", lambda x, y: fn.stack([x, y], -1),
          lambda x, y: np.stack([x, y], -1), IMAGES, IMAGES),
    _case("stack to images", lambda x, y: fn.stack([x, y]), lambda x, y: np.stack([x, y]),
          (3, 4, 5), (3, 4, 5)),
    _case("hstack, vstack, dstack, column_stack",
          lambda x, y: fn.cat([fn.hstack([x, y]), fn.vstack([x, y]).ravel(),
                               fn.dstack([x, y]).ravel(), fn.column_stack([x, y]).ravel()]),
          lambda x, y: np.concatenate([np.hstack([x, y]), np.vstack([x, y]).ravel(),
                                       np.dstack([x, y]).ravel(),
                                       np.column_stack([x, y]).ravel()]), (5,), (5,)),
    _case("cat without what is empty", lambda x: fn.cat([np.zeros(0, np.float32), x, x], -1),
          lambda x: np.concatenate([x, x], -1), (2, 3)),
    _parts("split", lambda x: x.split(2, 1), [2, 4], 1, (3, 5, 2)),
    _parts("split of images", lambda x: x.split([1, 2], dim=1), [1], 1, IMAGES),
    _parts("chunk", lambda x: x.chunk(3), [3, 6], 0, (7, 2)),
    _parts("tensor_split", lambda x: x.tensor_split(3, -1), [3, 5], 2, (2, 3, 7)),
    _parts("tensor_split at places", lambda x: x.tensor_split((1, 4)), [1, 4], 0, (6, 2)),
    _case("unbind", lambda x: _joined([p * p for p in x.unbind(1)]),
          lambda x: _joined([p * p for p in np.moveaxis(x, 1, 0)]), IMAGES),
    _case("narrow, select", lambda x: x.narrow(1, -3, 2).select(2, -2),
          lambda x: x[:, -3:-1, -2], (3, 5, 4)),
    _case("narrow to nothing", lambda x: fn.cat([x.narrow(1, 2, 0), x], 1), lambda x: x, (3, 5)),
    _tile((2, 3), (2, 1)),
    _tile((2, 3), (2, 2, 3)),
    _tile((4,), (3,)),
    _tile((), (2, 3)),
    _tile(IMAGES, (2,)),
    _tile(IMAGES, (2, 3, 1, 2)),
    _tile((2, 3, 2, 2, 3), (2, 2, 2, 2, 2)),
    _case("repeat", lambda x: fn.tile(x, 2) + x.repeat(1, 1, 1, 2),
          lambda x: 2 * np.tile(x, 2), IMAGES),
    _each((3, 4), 2, 0),
    _each((3, 4), 3, 1),
    _each((3, 4), 2, None),
    _each(IMAGES, 2, 3),
    _case("expand_as, broadcast_to", lambda x, y: x.expand_as(y) * fn.broadcast_to(x, (4, 3)) * y,
          lambda x, y: x * x * y, (1, 3), (4, 3)),
    _case("broadcast_tensors", lambda x, y: fn.cat(fn.broadcast_tensors(x, y)),
          lambda x, y: np.concatenate(np.broadcast_arrays(x, y)), (4, 1), (3,)),
    _integers("permute", lambda x: x.permute(0, 2, 3, 1), lambda x: x.transpose(0, 2, 3, 1),
              IMAGES),
    _integers("split, cat", lambda x: fn.cat(x.split(2, 2)[::-1], 1),
              lambda x: np.concatenate([x[:, :, 2:], x[:, :, :2]], 1), (2, 3, 4)),
    _integers("stack", lambda x, y: fn.stack([x, y], 1), lambda x, y: np.stack([x, y], 1),
              (2, 3), (2, 3)),
    _integers("tile", lambda x: x.tile((2, 3, 2, 2)), lambda x: np.tile(x, (2, 3, 2, 2)), IMAGES),
    _integers("repeat_interleave", lambda x: x.repeat_interleave(3, 1),
              lambda x: np.repeat(x, 3, 1), (4, 2)),
    _integers("expand", lambda x: x.unsqueeze(1).expand(-1, 3, -1),
              lambda x: np.repeat(x[:, None], 3, 1), (4, 2)),
]
