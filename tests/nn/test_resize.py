"""Layers of padding and of other sizes: their functions, arguments, and what does not fit."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

X = np.random.default_rng(0).standard_normal((2, 8, 4, 6)).astype(np.float32)
LINE = X[:, :, 0]
LAYERS = [
    (nn.ZeroPad2d(1), X, lambda x: fn.pad(x, (1, 1, 1, 1)), "ZeroPad2d((1, 1, 1, 1))"),
    (nn.ZeroPad1d((2, 0)), LINE, lambda x: fn.pad(x, (2, 0)), "ZeroPad1d((2, 0))"),
    (nn.ConstantPad1d(2, 1.5), LINE, lambda x: fn.pad(x, (2, 2), value=1.5),
     "ConstantPad1d(padding=(2, 2), value=1.5)"),
    (nn.ConstantPad2d((1, 0, 2, 0), -1.0), X, lambda x: fn.pad(x, (1, 0, 2, 0), value=-1),
     "ConstantPad2d(padding=(1, 0, 2, 0), value=-1.0)"),
    (nn.ReflectionPad1d(2), LINE, lambda x: fn.pad(x, (2, 2), "reflect"),
     "ReflectionPad1d((2, 2))"),
    (nn.ReflectionPad2d(2), X, lambda x: fn.pad(x, (2, 2, 2, 2), "reflect"),
     "ReflectionPad2d((2, 2, 2, 2))"),
    (nn.ReplicationPad1d(3), LINE, lambda x: fn.pad(x, (3, 3), "replicate"),
     "ReplicationPad1d((3, 3))"),
    (nn.ReplicationPad2d(3), X, lambda x: fn.pad(x, (3, 3, 3, 3), "replicate"),
     "ReplicationPad2d((3, 3, 3, 3))"),
    (nn.CircularPad1d((1, 2)), LINE, lambda x: fn.pad(x, (1, 2), "circular"),
     "CircularPad1d((1, 2))"),
    (nn.CircularPad2d(1), X, lambda x: fn.pad(x, (1, 1, 1, 1), "circular"),
     "CircularPad2d((1, 1, 1, 1))"),
    (nn.Upsample(scale_factor=2, mode="bilinear"), X,
     lambda x: fn.interpolate(x, None, 2, "bilinear"), "Upsample(scale_factor=2, mode='bilinear')"),
    (nn.Upsample(7, mode="linear", align_corners=True), LINE,
     lambda x: fn.interpolate(x, 7, None, "linear", True), "Upsample(size=7, mode='linear')"),
    (nn.UpsamplingNearest2d(scale_factor=2), X, lambda x: fn.upsample_nearest(x, None, 2),
     "UpsamplingNearest2d(scale_factor=2, mode='nearest')"),
    (nn.UpsamplingBilinear2d((5, 7)), X, lambda x: fn.upsample_bilinear(x, (5, 7)),
     "UpsamplingBilinear2d(size=(5, 7), mode='bilinear')"),
    (nn.PixelShuffle(2), X, lambda x: fn.pixel_shuffle(x, 2), "PixelShuffle(upscale_factor=2)"),
    (nn.PixelUnshuffle(2), X, lambda x: fn.pixel_unshuffle(x, 2),
     "PixelUnshuffle(downscale_factor=2)"),
    (nn.ChannelShuffle(4), X, lambda x: fn.channel_shuffle(x, 4), "ChannelShuffle(groups=4)"),
    (nn.Unfold((2, 3), padding=1), X, lambda x: fn.unfold(x, (2, 3), 1, 1, 1),
     "Unfold(kernel_size=(2, 3), dilation=1, padding=1, stride=1)"),
    (nn.Fold((4, 2), 2), X.reshape(2, 64, 3), lambda x: fn.fold(x, (4, 2), 2),
     "Fold(output_size=(4, 2), kernel_size=2, dilation=1, padding=0, stride=1)"),
]


class _Net(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(("layer", "x", "function", "text"), LAYERS, ids=[row[3] for row in LAYERS])
def test_layers_are_their_functions(layer, x, function, text):
    np.testing.assert_array_equal(layer(x), _Net(function)(x))
    assert repr(layer) == text and not layer.state_dict()


@pytest.mark.parametrize(("build", "message"), [
    (lambda: nn.ZeroPad2d((1, 2)), "padding must be one integer or 4"),
    (lambda: nn.ReflectionPad1d(6)(LINE), "'reflect' adds at most 5"),
    (lambda: nn.CircularPad2d(5)(X), "'circular' adds at most 4"),
    (lambda: nn.ZeroPad2d(-2)(X), None),
    (lambda: nn.ReplicationPad1d(-3)(LINE), "leaves nothing of axis 2"),
    (lambda: nn.PixelShuffle(3)(X), "not divisible"), (lambda: nn.PixelShuffle(0), "integer"),
    (lambda: nn.PixelUnshuffle(4)(X), "not divisible"),
    (lambda: nn.ChannelShuffle(3)(X), "divisible by groups 3"),
    (lambda: nn.Unfold(7)(X), "larger than the input"),
    (lambda: nn.Fold((4, 4), 2)(X.reshape(2, 64, 3)), "fold: expected"),
    (lambda: nn.Upsample()(X), "one of size and scale_factor"),
    (lambda: nn.Upsample(2, 2)(X), "one of size and scale_factor"),
    (lambda: nn.Upsample(scale_factor=0)(X), "above 0"),
    (lambda: nn.Upsample(scale_factor=0.1)(X), "leaves nothing"),
    (lambda: nn.Upsample(scale_factor=(1, 2, 3))(X), "does not fit the 2 axes"),
    (lambda: nn.Upsample(0)(X), "size must be"), (lambda: nn.Upsample(2, mode="cubic")(X), "mode"),
    (lambda: nn.Upsample(2, mode="linear")(X), "takes inputs of rank 3"),
    (lambda: nn.Upsample(2, align_corners=True)(X), "takes no align_corners"),
    (lambda: nn.Upsample(2, recompute_scale_factor=True)(X), "needs a scale_factor"),
])
def test_what_does_not_fit(build, message):
    if message is None:
        assert build().shape == (2, 8, 0, 2)
        return
    with pytest.raises(ValueError, match=message):
        build()


def test_antialias_is_refused():
    with pytest.raises(ValueError, match="antialias is not supported"):
        _Net(lambda x: fn.interpolate(x, 2, mode="bilinear", antialias=True))(X)
