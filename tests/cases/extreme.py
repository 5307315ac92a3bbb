"""Extremes over axes and their places, sorting, and the gradients of what they choose."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case, few

IMAGES = (2, 3, 5, 4)


def _shared(largest):
    """The gradient of amax or amin: equal values share it."""
    def gradient(dy, x, axes, keepdim=False):
        y = (np.max if largest else np.min)(x, axis=axes, keepdims=True)
        mask = x == y
        dy = dy.reshape(y.shape)
        return (mask * dy / mask.sum(axis=axes, keepdims=True),)
    return gradient


def _over(name, shape, dim, keepdim=False):
    """amax or amin; of whole numbers, so that most extremes are shared."""
    axes = dim if dim is not None and dim != () else None
    largest = name == "amax"
    return Case(f"{name} {shape} over {dim} {'keepdim' * keepdim}",
                lambda x: getattr(fn, name)(x, dim, keepdim),
                lambda x: (np.max if largest else np.min)(x, axis=axes, keepdims=keepdim),
                (few(*shape),), gradient=lambda dy, x: _shared(largest)(dy, x, axes))


def _put(dy, places, x, axis):
    dx = np.zeros_like(x)
    np.put_along_axis(dx, places, dy, axis)
    return dx


def _along(name, shape, axis, keepdim=False):
    """max or min along an axis, with its places; of whole numbers, the first takes the gradient."""
    find, best = (np.argmax, np.max) if name == "max" else (np.argmin, np.min)

    def build(x):
        values, indices = getattr(fn, name)(x, axis, keepdim)
        return values + indices.float()

    return Case(f"{name} {shape} along {axis} {'keepdim' * keepdim}", build,
                lambda x: best(x, axis, keepdims=keepdim) + find(x, axis, keepdims=keepdim),
                (few(*shape),), gradient=lambda dy, x: (_put(
                    dy if keepdim else np.expand_dims(dy, axis),
                    find(x, axis, keepdims=True), x, axis),))


def _places(name, shape, dim, keepdim=False):
    return Case(f"{name} {shape} along {dim} {'keepdim' * keepdim}",
                lambda x: getattr(fn, name)(x, dim, keepdim),
                lambda x: getattr(np, name)(x, dim, keepdims=keepdim), (few(*shape),),
                differentiable=())


def _order(x, axis, descending):
    return np.argsort(-x if descending else x, axis, kind="stable")


def _first(x, k, axis, descending):
    return np.take(_order(x, axis, descending), range(k), axis)


def _sorted(name, shape, axis, descending, k, function):
    """The first k in order, with their places."""
    def twin(x):
        places = _first(x, k, axis, descending)
        return np.take_along_axis(x, places, axis) + 2 * places

    def build(x):
        values, indices = function(x)
        return values + 2 * indices.float()

    return Case(name, build, twin, (few(*shape),), gradient=lambda dy, x: (
        _put(dy, _first(x, k, axis, descending), x, axis),))


CASES = [
    *(_over(name, shape, dim, keepdim) for name in ("amax", "amin") for shape, dim, keepdim in [
        ((5, 9), None, False), ((5, 9), (), True), ((5, 9), 0, False), ((5, 9), -1, True),
        ((3, 4, 5), (0, 2), False), ((3, 4, 5), (1,), True), (IMAGES, None, False),
        (IMAGES, (2, 3), False), (IMAGES, (0, 2, 3), True), (IMAGES, 1, False),
        (IMAGES, (1, 3), False), (IMAGES, (0, 1), True)]),
    *(_along(name, shape, axis, keepdim) for name in ("max", "min") for shape, axis, keepdim in [
        ((5, 9), 0, False), ((5, 9), -1, True), ((3, 4, 5), 1, False), (IMAGES, 1, False),
        (IMAGES, 0, True), (IMAGES, -1, False)]),
    *(_places(name, shape, dim, keepdim) for name in ("argmax", "argmin") for shape, dim, keepdim in
      [((5, 9), None, False), (IMAGES, None, True), ((5, 9), 1, True), (IMAGES, 1, False)]),
    Case("max of all", fn.max, np.max, (IMAGES,)),
    Case("min of all", fn.min, np.min, ((4, 5),)),
    Case("max and min of two", lambda a, b: fn.max(a, b) + 2 * a.min(b) + fn.max(a, other=b),
         lambda a, b: 2 * np.maximum(a, b) + 2 * np.minimum(a, b), ((4, 5), (5,))),
    *(_sorted(f"sort {shape} along {axis} {'descending' * descending}", shape, axis, descending,
              shape[axis], lambda x, axis=axis, descending=descending: fn.sort(x, axis, descending))
      for shape, axis, descending in [
          ((3, 40), -1, False), ((5, 9), 0, True), (IMAGES, 1, True), (IMAGES, 2, False),
          ((2, 3, 17), 2, True)]),
    *(_sorted(f"topk {k} of {shape} along {axis} {'least' * (not largest)}", shape, axis, largest,
              k, lambda x, k=k, axis=axis, largest=largest: fn.topk(x, k, axis, largest))
      for shape, k, axis, largest in [
          ((3, 40), 5, -1, True), ((3, 40), 40, -1, False), ((9, 4), 2, 0, True),
          (IMAGES, 1, 1, False), (IMAGES, 3, 3, True)]),
    Case("argsort", lambda x: fn.argsort(x, descending=True), lambda x: _order(x, -1, True),
         (few(4, 7),), differentiable=()),
]

TWINS = {
    "amax": lambda x, dim: np.max(x, axis=tuple(dim)),
    "max": lambda x, dim: np.max(x, axis=dim),
    "cumsum": lambda x, dim: np.cumsum(x, dim),
    "prod": lambda x, dim: np.prod(x, dim),
    "topk": lambda x, k: -np.sort(-x, -1)[..., :k],
    "sort": lambda x: np.sort(x, -1),
}
