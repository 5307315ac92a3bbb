"""Taking elements by their places: selection, gather, embedding, keys with lists, masks."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case, classes

IMAGES = (2, 3, 5, 4)
SHAPE = (4, 5, 6)
MASK = np.arange(20).reshape(4, 5) % 3 == 0


def _key(key, shape=SHAPE):
    text = " ".join(str(key).split())
    return Case(f"key {shape} {text}", lambda x: x[key] * 1.0, lambda x: x[key], (shape,))


def _places(name, key, *inputs, shape=SHAPE):
    """A key made of symbolic integers."""
    return Case(f"symbolic key {name} of {shape}", lambda x, *i: x[key(*i)] * 1.0,
                lambda x, *i: x[key(*i)], (shape, *inputs))


def _signed(count, *shape):
    """Places of both signs."""
    return lambda rng: rng.integers(-count, count, shape)


def _select(shape, dim, index):
    return Case(f"index_select {shape} {dim} {index}",
                lambda x: fn.index_select(x, dim, np.array(index)),
                lambda x: np.take(x, index, dim), (shape,))


def _take_along(shape, index, dim):
    count = shape[dim]
    return Case(f"take_along_dim {shape} {index} {dim}",
                lambda x, i: fn.take_along_dim(x, i, dim),
                lambda x, i: np.take_along_axis(*_broadcast(x, i, dim), dim),
                (shape, _signed(count, *index)))


def _broadcast(x, index, dim):
    """Both with one shape along axes other than dim."""
    x, index = np.moveaxis(x, dim, -1), np.moveaxis(index, dim, -1)
    rest = np.broadcast_shapes(x.shape[:-1], index.shape[:-1])
    return [np.moveaxis(np.broadcast_to(array, (*rest, array.shape[-1])), -1, dim)
            for array in (x, index)]


def _gather(x, index, dim):
    part = x[tuple(slice(None) if axis == dim else slice(size)
                   for axis, size in enumerate(index.shape))]
    return np.take_along_axis(part, index, dim)


def _scatter_add(x, index, source, dim):
    y = x.copy()
    for place in np.ndindex(index.shape):
        target = list(place)
        target[dim] = index[place]
        y[tuple(target)] += source[place]
    return y


def _index_add(x, index, source, dim, alpha=1.0):
    y = np.moveaxis(x.copy(), dim, 0)
    np.add.at(y, index, alpha * np.moveaxis(source, dim, 0))
    return np.moveaxis(y, 0, dim)


def _one_hot(y, count):
    return np.eye(count)[y]


def _embedding(index, weight, **_):
    return weight[index]


def _padded_gradient(dy, index, weight, skip):
    """Of weights alone: sums, but nothing for the row `skip`."""
    dw = np.zeros(weight.shape)
    np.add.at(dw, index, dy)
    dw[skip] = 0
    return (dw,)


def _by_frequency(dy, index, weight):
    dw = np.zeros(weight.shape)
    np.add.at(dw, index, dy)
    return (dw / np.bincount(index.ravel(), minlength=len(weight)).clip(1)[:, None],)


def _lookup(name, shape, gradient=None, **options):
    return Case(f"embedding {name}", lambda i, w: fn.embedding(i, w, **options), _embedding,
                (classes(7, *shape), (7, 5)), differentiable=(1,), gradient=gradient)


CASES = [
    _key([1, 0, -1]), _key(([0, 2], [1, -1])), _key(([[0], [2]], [1, -1, 1])),
    _key((slice(None), [4, 0, 0])), _key((slice(None), [3, 1], slice(1, 3))),
    _key(([0, 3], slice(None), [1, 5])), _key((2, [0, 1], slice(None))),
    _key(([0, 1], 2)), _key((..., [0, -6])), _key((None, [0, 3], ..., None)),
    _key(([0, 3], None, [1, 2])), _key((slice(None), [[0, 1], [2, 3]])),
    _key((slice(1, 3), [0, 1], [2, 2])), _key(MASK), _key((MASK[:, 0],)),
    _key((slice(None), MASK[0], 1)), _key((MASK, [0])), _key(np.array([2, 2])),
    _key((slice(None), [2, 0, 1]), IMAGES), _key((0, [2, 0]), IMAGES),
    _key((..., [3, 0], [1, 1]), IMAGES), _key(([1, 0, 1],), IMAGES),
    _key((slice(None), slice(None), [0, 4], slice(None)), IMAGES),
    _key(([0] * 40,), (30, 3)), _key((slice(None), [0] * 300), (2, 40)),
    _places("i", lambda i: i, _signed(4, 7)),
    _places("i of rank 2", lambda i: i, _signed(4, 2, 3)),
    _places(":, i", lambda i: (slice(None), i), _signed(5, 3)),
    _places("i, j", lambda i, j: (i, j), _signed(4, 6), _signed(5, 6)),
    _places("i, :, j", lambda i, j: (i, slice(None), j), _signed(4, 6), _signed(6, 6)),
    _places("i, j, broadcast", lambda i, j: (i, j), _signed(4, 2, 1), _signed(5, 3)),
    _places("i and a list", lambda i: (i, np.array([0, -1, 2])), _signed(4, 3)),
    _places("i and a number", lambda i: (slice(None), i, 2), _signed(5, 3)),
    _places("i", lambda i: i, _signed(2, 5), shape=IMAGES),
    _places(":, i", lambda i: (slice(None), i), _signed(3, 5), shape=IMAGES),
    _places("i of rank 4", lambda i: i, _signed(3, 2, 2, 3, 1), shape=(3, 2)),
    _select((4, 6), 0, [1, 3, 3]), _select((4, 6), -1, [5, 0]), _select(IMAGES, 1, [2, 2, 0]),
    _select(IMAGES, 2, [4, 0]), _select(IMAGES, 3, [0, 3, 1, 1]), _select((3, 4, 5), 1, [3]),
    Case("index_select, symbolic", lambda x, i: fn.index_select(x, 1, i),
         lambda x, i: x[:, i], ((3, 5, 4), classes(5, 7))),
    Case("index_select of integers", lambda x, i: fn.index_select(x, 0, i).float(),
         lambda x, i: x[i] * 1.0, (classes(9, 5, 3), classes(5, 4))),
    *(Case(f"gather {shape} {index} {dim}", lambda x, i, dim=dim: fn.gather(x, dim, i),
           lambda x, i, dim=dim: _gather(x, i, dim), (shape, classes(shape[dim], *index)))
      for shape, index, dim in [
          ((4, 5), (4, 7), 1), ((4, 5), (2, 3), 1), ((4, 5), (3, 5), 0), ((6,), (9,), 0),
          (IMAGES, (2, 3, 2, 4), 2), (IMAGES, (2, 2, 5, 4), 1), (IMAGES, (1, 3, 5, 6), 3)]),
    Case("gather of integers", lambda x, i: fn.gather(x, 1, i).float(),
         lambda x, i: np.take_along_axis(x, i, 1) * 1.0, (classes(9, 3, 5), classes(5, 3, 2))),
    _take_along((4, 5), (4, 2), 1), _take_along((4, 5), (1, 2), 1), _take_along((1, 5), (3, 2), 1),
    _take_along((2, 3, 4), (2, 1, 1), 2), _take_along(IMAGES, (2, 1, 1, 4), 1),
    Case("take_along_dim, flattened", fn.take_along_dim, lambda x, i: x.reshape(-1)[i.reshape(-1)],
         ((2, 3), classes(6, 2, 2))),
    Case("scatter_add", lambda x, i, s: fn.scatter_add(x, 1, i, s),
         lambda x, i, s: _scatter_add(x, i, s, 1), ((4, 5), classes(5, 3, 6), (4, 7))),
    Case("scatter_add of images", lambda x, i, s: fn.scatter_add(x, 2, i, s),
         lambda x, i, s: _scatter_add(x, i, s, 2), (IMAGES, classes(5, 2, 3, 2, 4), IMAGES)),
    Case("index_add", lambda x, i, s: fn.index_add(x, 1, i, s, alpha=0.5),
         lambda x, i, s: _index_add(x, i, s, 1, 0.5), ((4, 5), classes(5, 6), (4, 6))),
    Case("index_add of images", lambda x, i, s: fn.index_add(x, 1, i, s),
         lambda x, i, s: _index_add(x, i, s, 1), (IMAGES, classes(3, 4), (2, 4, 5, 4))),
    Case("one_hot", lambda y: fn.one_hot(y, 5).float(), lambda y: _one_hot(y, 5),
         (classes(5, 3, 4),)),
    Case("one_hot, rank 3", lambda y: fn.one_hot(y, 4).float(), lambda y: _one_hot(y, 4),
         (classes(4, 2, 3, 2),)),
    _lookup("of rank 1", (4,)), _lookup("of rank 2", (3, 4)), _lookup("of rank 4", (2, 1, 2, 3)),
    _lookup("of one index", ()),
    _lookup("with padding_idx", (30,), lambda dy, i, w: _padded_gradient(dy, i, w, 5),
            padding_idx=-2),
    _lookup("by frequency", (3, 9), _by_frequency, scale_grad_by_freq=True),
    Case("embedding of constants", lambda w: fn.embedding(np.array([[0, 3], [3, 3]]), w),
         lambda w: w[np.array([[0, 3], [3, 3]])], ((4, 3),)),
]

TWINS = {"embedding": _embedding}
