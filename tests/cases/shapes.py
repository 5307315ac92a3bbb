"""Concatenation, slicing, reshape, permutation, expansion, sums and means."""

import numpy as np

import fastnn as fn
from fastnn.ops.add_n import add_n
from tests.cases.case import Case


def _both(name, function, *shapes):
    """A case whose twin is the same expression on arrays."""
    return Case(name, function, function, shapes)


def _two_readers(x, function):
    return x * 2.0 + function(x)


def _slice(key, shape=(4, 5, 6)):
    return _both(f"slice {shape} {key}", lambda x: x[key], shape)


def _reduce(name, shape, dim, keepdim=False):
    axis = None if dim in ((), []) else dim  # which is all of them in PyTorch, none in NumPy
    return Case(f"{name} {shape} over {dim} {'keepdim' * keepdim}",
                lambda x: getattr(fn, name)(x, dim, keepdim),
                lambda x: getattr(np, name)(x, axis=axis, keepdims=keepdim), (shape,))


def _reshape(shape, new):
    return Case(f"reshape {shape} to {new}", lambda x: x.reshape(*new),
                lambda x: x.reshape(new), (shape,))


def _expand(shape, new):
    return Case(f"expand {shape} to {new}", lambda x: fn.expand(x, *new),
                lambda x: np.broadcast_to(x, new).copy(), (shape,))


def _cat(dim, *shapes):
    return Case(f"cat {shapes} along {dim}", lambda *x: fn.cat(x, dim),
                lambda *x: np.concatenate(x, dim), shapes)


IMAGES = (2, 3, 5, 4)
CASES = [
    _cat(0, (2, 3), (4, 3), (1, 3)),
    _cat(1, (2, 3), (2, 5)),
    _cat(-1, (2, 3, 4), (2, 3, 1)),
    _cat(1, IMAGES, (2, 17, 5, 4)),
    _cat(0, IMAGES, (1, 3, 5, 4)),
    _cat(2, IMAGES, (2, 3, 1, 4), (2, 3, 2, 4)),
    _cat(3, IMAGES, (2, 3, 5, 2)),
    Case("cat of one tensor twice", lambda x: fn.cat([x, x * 2, x], 1),
         lambda x: np.concatenate([x, x * 2, x], 1), (IMAGES,)),
    _slice(1),
    _slice(-2),
    _slice(slice(1, 3)),
    _slice(slice(None, None, 2)),
    _slice(slice(None, None, -1)),
    _slice((slice(3, 0, -2), ..., slice(1, None, 3))),
    _slice((..., 2)),
    _slice((None, 1, slice(None), None, -1)),
    _slice((Ellipsis, None, slice(-3, -1))),
    _slice((slice(None), slice(1, 3)), IMAGES),
    _slice((slice(None), slice(None), slice(None, None, 2), slice(None, None, -2)), IMAGES),
    _slice((0, 1), IMAGES),
    _slice((..., 1), IMAGES),
    _slice((1, ..., None), (3, 4, 5)),
    _reshape((6, 10), (3, 20)),
    _reshape((2, 3, 4), (6, -1)),
    _reshape(IMAGES, (2, 60)),
    _reshape((2, 60), IMAGES),
    _reshape(IMAGES, (-1,)),
    _reshape(IMAGES, (3, 2, 4, 5)),
    _reshape(IMAGES, (6, 5, 4)),
    _reshape((3, 4, 5), (1, 3, 4, 5)),
    _reshape((2, 7, 1, 1), (2, 7)),
    _reshape((1, 1), ()),
    Case("flatten(1)", lambda x: x.flatten(1), lambda x: x.reshape(2, -1), (IMAGES,)),
    Case("flatten(1, 2)", lambda x: fn.flatten(x, 1, 2), lambda x: x.reshape(2, 15, 4),
         (IMAGES,)),
    Case("flatten of two views", lambda x: x.reshape(6, 4).flatten() + x.flatten() * 2,
         lambda x: 3 * x.reshape(-1), ((2, 3, 4),)),
    *(Case(f"permute {shape} {axes}", lambda x, axes=axes: x.permute(*axes),
           lambda x, axes=axes: x.transpose(axes), (shape,))
      for shape, axes in [((4, 5), (1, 0)), ((3, 4, 5), (2, 0, 1)), (IMAGES, (0, 2, 3, 1)),
                          (IMAGES, (3, 1, 0, 2)), (IMAGES, (-1, 0, 1, 2))]),
    Case("transpose", lambda x: x.transpose(1, -1), lambda x: x.swapaxes(1, -1), ((3, 4, 5),)),
    _expand((3, 1, 5), (3, 4, 5)),
    _expand((5,), (4, 5)),
    _expand((1, 3, 1, 1), IMAGES),
    _expand((3, 1, 4), IMAGES),
    _expand((), (2, 3)),
    *(_reduce(name, shape, dim, keepdim) for name in ("sum", "mean") for shape, dim, keepdim in [
        ((5, 9), None, False), ((5, 9), 0, False), ((5, 9), 1, True), ((5, 9), -1, False),
        ((3, 4, 5), (0, 2), False), ((3, 4, 5), (1,), True), ((3, 1, 5), 1, False),
        (IMAGES, None, False), (IMAGES, (2, 3), False), (IMAGES, (2, 3), True),
        (IMAGES, (0, 2, 3), False), (IMAGES, 1, False), (IMAGES, (0, 1), True),
        (IMAGES, (1, 3), False), (IMAGES, (0, 3), False), ((2, 3, 1, 1), (2, 3), False),
        ((3, 4, 5), (), False), ((4, 3, 6), [], True), (IMAGES, [], False)]),
    Case("sum, large", fn.sum, np.sum, ((70, 1000),)),
    Case("add_n", lambda *x: add_n(x), lambda a, b, c: a + b + c, (IMAGES, IMAGES, IMAGES)),
    Case("add_n of one tensor twice", lambda a, b: add_n([a, b, a]), lambda a, b: a + b + a,
         ((5, 7), (5, 7))),
    Case("gradients that meet at a relu", lambda x: _two_readers(fn.relu(x), fn.tanh),
         lambda x: _two_readers(np.maximum(x, 0), np.tanh), (IMAGES,)),
]
