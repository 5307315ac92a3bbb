"""Other sizes: padding, flips, rolls, interpolation, windows as columns, shuffled pixels."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case

IMAGES = (2, 3, 5, 4)
MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}  # to NumPy's names


def _pad_twin(x, pad, mode="constant", value=None):
    pairs = [(0, 0)] * x.ndim
    for number in range(len(pad) // 2):
        pairs[-1 - number] = tuple(pad[2 * number:2 * number + 2])
    inner = x[tuple(slice(max(-before, 0), size - max(-after, 0))
                    for (before, after), size in zip(pairs, x.shape, strict=True))]
    more = [(max(before, 0), max(after, 0)) for before, after in pairs]
    if mode == "constant":
        return np.pad(inner, more, constant_values=value or 0)
    return np.pad(inner, more, mode=MODES[mode])


def _pad(shape, pad, **options):
    return Case(f"pad {shape} {pad} {options}", lambda x: fn.pad(x, pad, **options),
                lambda x: _pad_twin(x, pad, **options), (shape,))


def _matrix(mode, size, out, factor=None, align_corners=False):
    """y = matrix x along one axis: kernels evaluated at every place, one row after the other."""
    step = size / out if factor is None else 1 / factor
    rows = np.zeros((out, size))
    for k in range(out):
        if mode == "area":
            first, last = k * size // out, -(-(k + 1) * size // out)
            rows[k, first:last] = 1 / (last - first)
            continue
        if mode.startswith("nearest"):
            place = (k + 0.5 * (mode == "nearest-exact")) * step
            rows[k, min(int(place), size - 1)] = 1
            continue
        center = (k + 0.5) * step - 0.5
        if align_corners:
            center = k * (size - 1) / (out - 1) if out > 1 else 0
        if mode != "bicubic":
            center = min(max(center, 0), size - 1)
        for place in range(int(np.floor(center)) - 2, int(np.floor(center)) + 4):
            weight = (_keys if mode == "bicubic" else _hat)(abs(center - place))
            rows[k, min(max(place, 0), size - 1)] += weight
    return rows


def _hat(far):
    return max(0.0, 1 - far)


def _keys(far, a=-0.75):
    """The cubic convolution kernel (Keys, 1981)."""
    if far < 1:
        return (a + 2) * far**3 - (a + 3) * far**2 + 1
    return a * far**3 - 5 * a * far**2 + 8 * a * far - 4 * a if far < 2 else 0.0


def _interpolate_twin(x, size=None, scale_factor=None, mode="nearest", align_corners=None,
                      recompute_scale_factor=None):
    axes = x.ndim - 2
    factors = [None] * axes
    if size is None:
        factors = np.broadcast_to(scale_factor, (axes,))
        size = [int(n * f) for n, f in zip(x.shape[2:], factors, strict=True)]
        if recompute_scale_factor:
            factors = [None] * axes
    for axis, (out, factor) in enumerate(zip(np.broadcast_to(size, (axes,)), factors,
                                             strict=True)):
        rows = _matrix(mode, x.shape[axis + 2], int(out), factor, bool(align_corners))
        x = np.moveaxis(np.tensordot(rows, x, (1, axis + 2)), 0, axis + 2)
    return x


def _interpolate(shape, **options):
    return Case(f"interpolate {shape} {options}", lambda x: fn.interpolate(x, **options),
                lambda x: _interpolate_twin(x, **options), (shape,))


def _unfold_twin(x, kernel, dilation=(1, 1), padding=(0, 0), stride=(1, 1)):
    n, c, h, w = x.shape
    wide = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    rows, columns = ((size + 2 * pad - d * (k - 1) - 1) // s + 1 for size, pad, d, k, s in zip(
        (h, w), padding, dilation, kernel, stride, strict=True))
    y = np.zeros((n, c, *kernel, rows, columns))
    for i, j, row, column in np.ndindex(*kernel, rows, columns):
        y[:, :, i, j, row, column] = wide[:, :, row * stride[0] + i * dilation[0],
                                          column * stride[1] + j * dilation[1]]
    return y.reshape(n, c * kernel[0] * kernel[1], rows * columns)


def _fold_twin(x, size, kernel, dilation=(1, 1), padding=(0, 0), stride=(1, 1)):
    """By the matrix of unfold, transposed."""
    n, c = x.shape[0], x.shape[1] // (kernel[0] * kernel[1])
    unit = np.eye(size[0] * size[1]).reshape(-1, 1, *size)
    matrix = _unfold_twin(unit, kernel, dilation, padding, stride).reshape(len(unit), -1)
    return (x.reshape(n * c, -1) @ matrix.T).reshape(n, c, *size)


WINDOWS = [
    dict(kernel=(2, 2)), dict(kernel=(3, 2), padding=(1, 0), stride=(2, 1)),
    dict(kernel=(2, 3), dilation=(2, 1), padding=(1, 2), stride=(1, 2))]


def _unfold(kernel, dilation=(1, 1), padding=(0, 0), stride=(1, 1)):
    return Case(f"unfold {kernel} {dilation} {padding} {stride}",
                lambda x: fn.unfold(x, kernel, dilation, padding, stride),
                lambda x: _unfold_twin(x, kernel, dilation, padding, stride), (IMAGES,))


def _fold(kernel, dilation=(1, 1), padding=(0, 0), stride=(1, 1)):
    shape = _unfold_twin(np.zeros(IMAGES), kernel, dilation, padding, stride).shape
    return Case(f"fold {kernel} {dilation} {padding} {stride}",
                lambda x: fn.fold(x, IMAGES[2:], kernel, dilation, padding, stride),
                lambda x: _fold_twin(x, IMAGES[2:], kernel, dilation, padding, stride), (shape,))


def _shuffle_twin(x, r):
    *before, c, h, w = x.shape
    y = x.reshape(-1, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3)
    return y.reshape(*before, c // r**2, h * r, w * r)


def _unshuffle_twin(x, r):
    *before, c, h, w = x.shape
    y = x.reshape(-1, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4)
    return y.reshape(*before, c * r**2, h // r, w // r)


def _channel_twin(x, groups):
    return x.reshape(len(x), groups, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


CASES = [
    _pad((4,), (1, 2)), _pad((3, 4), (1, 0, 0, 2), value=-1.5), _pad((2, 3, 4), (0, 0, 2, 1)),
    _pad(IMAGES, (1, 1, 1, 1)), _pad(IMAGES, (2, 0, -1, 3), value=2.5), _pad(IMAGES, (-1, -2)),
    _pad(IMAGES, (0, 0, 0, 0, 1, 2)), _pad(IMAGES, (1, 0, 0, 1, 1, 1, 0, 1), value=0.5),
    _pad((2, 3, 2, 3, 4), (1, 2, 0, 1, 1, 0)),
    *(_pad(shape, pad, mode=mode) for mode in MODES for shape, pad in [
        ((2, 5), (2, 1)), ((2, 3, 5), (4, 3)), (IMAGES, (3, 2, 1, 4)), (IMAGES, (1, 0, 0, 2)),
        (IMAGES, (-1, 2, 0, -2)), ((1, 2, 2, 3, 4), (1, 2, 1, 1, 1, 0))]
      if not (mode == "reflect" and min(pad) < 0)),
    _pad((2, 1), (30, 20), mode="replicate"), _pad((2, 4, 1, 1), (9, 7, 3, 2), mode="replicate"),
    Case("pad of integers", lambda x: fn.pad(x, (1, 2), mode="circular").float(),
         lambda x: np.pad(x, ((0, 0), (1, 2)), mode="wrap") * 1.0,
         (lambda rng: rng.integers(0, 9, (3, 4)),)),
    *(Case(f"flip {shape} {axes}", lambda x, axes=axes: fn.flip(x, axes),
           lambda x, axes=axes: np.flip(x, axes), (shape,))
      for shape, axes in [((5,), (0,)), ((3, 4), (0, 1)), (IMAGES, (3,)), (IMAGES, (1, -2))]),
    Case("flip by numbers", lambda x: x.flip(0, -1), lambda x: np.flip(x, (0, -1)), ((3, 4),)),
    *(Case(f"roll {shape} {shifts} {dims}", lambda x, s=shifts, d=dims: fn.roll(x, s, d),
           lambda x, s=shifts, d=dims: np.roll(x, s, d), (shape,))
      for shape, shifts, dims in [
          ((5,), 2, None), ((3, 4), -5, None), ((3, 4), (1, -2), (0, 1)), ((3, 4), (1, 1), (1, 1)),
          (IMAGES, 7, 3), (IMAGES, (1, 2), (1, 2)), (IMAGES, (1, 1, -1), (2, 3, 0))]),
    *(_interpolate(IMAGES, scale_factor=2, mode=mode)
      for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")),
    *(_interpolate(IMAGES, size=size, mode=mode) for size in ((3, 7), (11, 1), (5, 9), (2, 2))
      for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area")),
    *(_interpolate(IMAGES, size=size, mode=mode, align_corners=True)
      for size in ((3, 7), (11, 1)) for mode in ("bilinear", "bicubic")),
    *(_interpolate((2, 3, 7), size=size, mode=mode) for size in (3, 13)
      for mode in ("nearest", "nearest-exact", "linear", "area")),
    _interpolate((2, 3, 7), scale_factor=1.7, mode="linear"),
    _interpolate((2, 3, 7), scale_factor=1.7, mode="linear", recompute_scale_factor=True),
    _interpolate((2, 17, 4, 3), scale_factor=(1.5, 0.6), mode="bilinear"),
    _interpolate((1, 70, 3, 3), scale_factor=2, mode="bilinear"),
    _interpolate((1, 2, 3, 4, 3), scale_factor=2, mode="trilinear"),
    _interpolate((1, 2, 3, 4, 3), size=(2, 5, 3), mode="trilinear", align_corners=True),
    _interpolate((1, 2, 3, 4, 3), size=(2, 5, 4), mode="nearest"),
    _interpolate((1, 2, 3, 4, 3), size=(2, 5, 2), mode="area"),
    Case("upsample", lambda x: fn.upsample(x, scale_factor=3, mode="bilinear"),
         lambda x: _interpolate_twin(x, scale_factor=3, mode="bilinear"), (IMAGES,)),
    Case("upsample_nearest", lambda x: fn.upsample_nearest(x, (7, 3)),
         lambda x: _interpolate_twin(x, (7, 3)), (IMAGES,)),
    Case("upsample_bilinear", lambda x: fn.upsample_bilinear(x, scale_factor=2),
         lambda x: _interpolate_twin(x, None, 2, "bilinear", True), (IMAGES,)),
    *(_unfold(**window) for window in WINDOWS), *(_fold(**window) for window in WINDOWS),
    *(Case(f"pixel_shuffle {shape} {r}", lambda x, r=r: fn.pixel_shuffle(x, r),
           lambda x, r=r: _shuffle_twin(x, r), (shape,))
      for shape, r in [((2, 8, 3, 2), 2), ((9, 2, 3), 3), ((2, 3, 4, 2, 1), 2)]),
    *(Case(f"pixel_unshuffle {shape} {r}", lambda x, r=r: fn.pixel_unshuffle(x, r),
           lambda x, r=r: _unshuffle_twin(x, r), (shape,))
      for shape, r in [((2, 3, 4, 6), 2), ((1, 3, 3), 3)]),
    *(Case(f"channel_shuffle {shape}", lambda x: fn.channel_shuffle(x, 3),
           lambda x: _channel_twin(x, 3), (shape,)) for shape in [(2, 6, 3, 4), (2, 9, 5)]),
]

TWINS = {
    "interpolate": _interpolate_twin, "pad": _pad_twin,
    "pixel_shuffle": lambda x, upscale_factor: _shuffle_twin(x, upscale_factor),
    "channel_shuffle": lambda x, groups: _channel_twin(x, groups),
}
