"""Scans, products, variances, norms and other reductions over axes, also of nothing."""

import numpy as np
from scipy import special

import fastnn as fn
from tests.cases.case import Case, away_from_zero, between, few

IMAGES = (2, 3, 5, 4)


def _axis(dim):
    return None if dim is None or dim == () else dim


def _cumsum(shape, axis):
    return Case(f"cumsum {shape} along {axis}", lambda x: fn.cumsum(x, axis),
                lambda x: np.cumsum(x, axis), (shape,))


def _prod(shape, dim, keepdim=False):
    return Case(f"prod {shape} over {dim} {'keepdim' * keepdim}",
                lambda x: fn.prod(x, dim, keepdim),
                lambda x: np.prod(x, axis=dim, keepdims=keepdim), (few(*shape),))


def _spread(name, shape, dim, keepdim=False, **arguments):
    ddof = arguments.get("correction", int(arguments.get("unbiased", True)))
    return Case(f"{name} {shape} over {dim} {arguments} {'keepdim' * keepdim}",
                lambda x: getattr(fn, name)(x, dim, keepdim=keepdim, **arguments),
                lambda x: getattr(np, name)(x, axis=_axis(dim), keepdims=keepdim, ddof=ddof),
                (shape,))


def _norm_twin(x, p, dim=None, keepdim=False):
    size = np.abs(x)
    axis = _axis(dim)
    if np.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=axis, keepdims=keepdim)
    if p == 0:
        return np.sum(x != 0, axis=axis, keepdims=keepdim) * 1.0
    return np.sum(size**p, axis=axis, keepdims=keepdim) ** (1 / p)


def _norm(shape, p, dim=None, keepdim=False):
    return Case(f"norm {p} of {shape} over {dim} {'keepdim' * keepdim}",
                lambda x: fn.norm(x, p, dim, keepdim), lambda x: _norm_twin(x, p, dim, keepdim),
                (away_from_zero(*shape),))


def _cosine(a, b, dim):
    a, b = np.broadcast_arrays(a, b)
    return (a * b).sum(dim) / (_norm_twin(a, 2, dim) * _norm_twin(b, 2, dim))


def _zeros_twin(dy, x):
    """The gradient of all norms of a row of which some are 0: 0 there."""
    y = np.sqrt((x**2).sum(1, keepdims=True))
    direction = np.where(y > 0, x / np.where(y > 0, y, 1), 0)
    cubes = (np.abs(x) ** 3).sum(1, keepdims=True)
    third = np.where(cubes > 0, np.sign(x) * x**2 / np.where(cubes > 0, cubes, 1) ** (2 / 3), 0)
    return (dy[:, None] * (direction + third),)


NOTHING = np.zeros((0, 5), np.float32)
ZERO_ROWS = np.array([[0, 0, 0], [3, 0, -4], [0, 0, 1]], np.float32)
CASES = [
    *(_cumsum(shape, axis) for shape, axis in [
        ((5, 9), 0), ((5, 9), -1), ((3, 4, 5), 1), (IMAGES, 1), (IMAGES, 0), (IMAGES, 3)]),
    Case("cumsum of a scalar", lambda x: fn.cumsum(x, 0) + fn.cumsum(x, -1), lambda x: 2 * x,
         ((),)),
    *(_prod(*row) for row in [
        ((2, 3), None), ((3, 4), 0), ((3, 4), -1, True), (IMAGES, 1), (IMAGES, 2, True)]),
    Case("prod of all", fn.prod, np.prod, (away_from_zero(*IMAGES),)),
    *(_spread(name, shape, dim, keepdim, **arguments) for name in ("var", "std")
      for shape, dim, keepdim, arguments in [
          ((5, 9), None, False, {}), ((5, 9), 0, True, {"unbiased": False}),
          (IMAGES, (0, 2, 3), False, {"correction": 0}), (IMAGES, (1, 3), True, {}),
          ((3, 4, 5), (), False, {"correction": 2})]),
    Case("var, biased, of all", lambda x: fn.var(x, False) + x.std(True),
         lambda x: x.var() + x.std(ddof=1), ((4, 5),)),
    Case("var_mean and std_mean", lambda x: fn.var_mean(x, 1)[0] + 2 * fn.var_mean(x, 1)[1]
         + 3 * fn.std_mean(x, 1, correction=0)[0] + fn.std_mean(x)[1],
         lambda x: x.var(1, ddof=1) + 2 * x.mean(1) + 3 * x.std(1) + x.mean(), ((4, 5),)),
    Case("std of equal values", lambda x: fn.std(x, 1), lambda x: x.std(1, ddof=1),
         (np.full((3, 4), 1.5, np.float32),), gradient=lambda dy, x: (np.zeros_like(x),)),
    *(Case(f"logsumexp {shape} over {dim}", lambda x, dim=dim: fn.logsumexp(x, dim),
           lambda x, dim=dim: special.logsumexp(x, axis=_axis(dim)), (shape,))
      for shape, dim in [((5, 9), 1), ((5, 9), (0, 1)), (IMAGES, (1, 3)), (IMAGES, 1)]),
    Case("logsumexp of large values", lambda x: fn.logsumexp(x * 100, 1, True),
         lambda x: special.logsumexp(x * 100, axis=1, keepdims=True), (between(-9, 9, 4, 5),)),
    *(_norm(*row) for row in [
        ((4, 5), 2), ((4, 5), 1, 0), ((4, 5), 3, 1, True), (IMAGES, 2.5, (1, 3)),
        (IMAGES, np.inf, (2, 3)), ((4, 5), -np.inf, 1), ((4, 5), 0, 1), ((4, 5), 0.5, 1),
        ((4, 5), -2, 0), (IMAGES, 2, (0, 1), True)]),
    Case("norm of zeros", lambda x: fn.norm(x, dim=1) + fn.norm(x, 3, 1),
         lambda x: _norm_twin(x, 2, 1) + _norm_twin(x, 3, 1), (ZERO_ROWS,), gradient=_zeros_twin),
    Case("norm, fro", lambda x: x.norm() + fn.norm(x, "fro", (0, 1)), lambda x: 2 * _norm_twin(
        x, 2), ((4, 5),)),
    *(Case(f"normalize {p} along {dim}", lambda x, p=p, dim=dim: fn.normalize(x, p, dim),
           lambda x, p=p, dim=dim: x / _norm_twin(x, p, dim, True), (away_from_zero(*IMAGES),))
      for p, dim in [(2.0, 1), (1, 0), (3, -1)]),
    Case("normalize of small values", lambda x: fn.normalize(x, eps=10.0), lambda x: x / 10,
         (ZERO_ROWS,)),
    Case("cosine_similarity", fn.cosine_similarity, lambda a, b: _cosine(a, b, 1),
         ((4, 5), (4, 5))),
    Case("cosine_similarity of images", lambda a, b: fn.cosine_similarity(a, b, -1),
         lambda a, b: _cosine(a, b, -1), (IMAGES, (3, 1, 4))),
    *(Case(f"pairwise_distance {p}", lambda a, b, p=p: fn.pairwise_distance(a, b, p, keepdim=p > 2),
           lambda a, b, p=p: _norm_twin(a - b + 1e-6, p, -1, p > 2), ((4, 5), (5,)))
      for p in (1, 2.0, 3)),
    Case("all, any and count_nonzero", lambda x, y: fn.all(x, 1) + 2 * fn.any(x, 0).sum()
         + 4 * fn.count_nonzero(x, 1) + 8 * fn.all(y) + 16 * fn.count_nonzero(y),
         lambda x, y: x.all(1) + 2.0 * x.any(0).sum() + 4 * np.count_nonzero(x, 1) + 8 * y.all()
         + 16 * np.count_nonzero(y), (few(6, 4), np.arange(5)), differentiable=()),
    Case("sum and mean of a scalar", lambda x: fn.sum(x, 0) + fn.mean(x, -1) * x.sum(),
         lambda x: x + x * x, ((),)),
    Case("sums of nothing", lambda x: x + fn.sum(fn.softmax(fn.relu(x[:1] * NOTHING), 1), 0)
         + fn.prod(NOTHING, 0) + fn.any(NOTHING) - 2 * fn.all(NOTHING) + fn.norm(NOTHING, dim=0),
         lambda x: x - 1, ((4, 5),)),
]
