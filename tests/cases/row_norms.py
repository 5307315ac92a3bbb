"""Layer norm and RMS norm on ranks 1 to 5, with and without weight and bias."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case


def _layer_twin(x, normalized_shape, weight=1.0, bias=0.0, eps=1e-5):
    axes = tuple(range(-len(normalized_shape), 0))
    centered = x - x.mean(axes, keepdims=True)
    deviation = np.sqrt((centered**2).mean(axes, keepdims=True) + eps)
    return centered / deviation * weight + bias


def _rms_twin(x, normalized_shape, weight=1.0, eps=2.0**-23):
    axes = tuple(range(-len(normalized_shape), 0))
    return x / np.sqrt((x**2).mean(axes, keepdims=True) + eps) * weight


def _layer(shape, axes, vectors=2, **arguments):
    sizes = shape[-axes:]
    return Case(f"layer_norm {shape} over {axes}, {vectors} parameters",
                lambda x, *rest: fn.layer_norm(x, sizes, *rest, **arguments),
                lambda x, *rest: _layer_twin(x, sizes, *rest, **arguments),
                (shape, *[sizes] * vectors))


def _rms(shape, axes, vectors=1, **arguments):
    sizes = shape[-axes:]
    return Case(f"rms_norm {shape} over {axes}, {vectors} parameters",
                lambda x, *rest: fn.rms_norm(x, sizes, *rest, **arguments),
                lambda x, *rest: _rms_twin(x, sizes, *rest, **arguments),
                (shape, *[sizes] * vectors))


def _of_channels(norm, twin, back):
    """A norm over the channels of images that lie last, as in ConvNeXt."""
    def build(x, w):
        y = norm(x.permute(0, 2, 3, 1), (5,), w)
        return y.permute(0, 3, 1, 2) if back else y

    def reference(x, w):
        y = twin(x.transpose(0, 2, 3, 1), (5,), w)
        return y.transpose(0, 3, 1, 2) if back else y

    return Case(f"{norm.__name__} of channels{' of images' * back}", build, reference,
                ((2, 5, 3, 4), (5,)))


TWINS = {"layer_norm": _layer_twin, "rms_norm": _rms_twin}
CASES = [
    _layer((9,), 1), _layer((7, 33), 1), _layer((2, 5, 16), 1), _layer((2, 5, 16), 2),
    _layer((3, 4, 5), 3), _layer((2, 3, 4, 5), 1), _layer((2, 3, 4, 5), 2),
    _layer((2, 3, 4, 5), 3), _layer((2, 3, 4, 5), 4), _layer((2, 2, 3, 4, 5), 1),
    _layer((2, 2, 3, 4, 5), 4), _layer((2, 2, 3, 2, 2), 5), _layer((6, 20), 1, vectors=1),
    _layer((6, 20), 1, vectors=0, eps=0.5), _layer((2, 3, 4, 5), 3, vectors=0),
    Case("layer_norm without weight",
         lambda x, b: fn.layer_norm(x, 8, bias=b), lambda x, b: _layer_twin(x, (8,), 1.0, b),
         ((5, 8), (8,))),
    Case("layer_norm of a far mean", lambda x: fn.layer_norm(x + 1000.0, (64,)),
         lambda x: _layer_twin(x, (64,)), ((5, 64),),
         tolerance=3e-4, reason="x + 1000 is rounded to 6e-5"),
    _rms((9,), 1), _rms((7, 33), 1), _rms((2, 5, 16), 2), _rms((2, 3, 4, 5), 1),
    _rms((2, 3, 4, 5), 3), _rms((2, 3, 4, 5), 4), _rms((2, 2, 3, 4, 5), 4),
    _rms((6, 20), 1, vectors=0, eps=0.5),
    *(_of_channels(norm, twin, back) for norm, twin in (
        (fn.layer_norm, _layer_twin), (fn.rms_norm, _rms_twin)) for back in (False, True)),
]
