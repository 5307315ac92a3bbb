"""Arguments of convolutions that contradict each other: a ShapeError that says what and where."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.graph import constant

X, W, WT = (2, 4, 6, 7), (6, 4, 3, 3), (4, 6, 3, 3)


def _zeros(shape):
    return constant(np.zeros(shape, np.float32))


@pytest.mark.parametrize(("arguments", "message"), [
    (dict(stride=0), "stride must be one or two integers of at least 1 .*, got 0"),
    (dict(stride=(1, -2)), "stride"), (dict(stride=1.5), "stride"), (dict(stride="2"), "stride"),
    (dict(stride=(1, 2, 3)), "stride"), (dict(dilation=0), "dilation"),
    (dict(padding=-1), "padding must be one or two integers of at least 0 .*, got -1"),
    (dict(padding="full"), "'same', 'valid' or integers, got 'full'"),
    (dict(padding="same", stride=2), "'same' needs stride 1, got"),
    (dict(padding=((0, 1), (0, -1))), "padding of one axis"),
    (dict(padding=((0, 1, 2), (0, 0))), "padding of one axis"),
    (dict(padding=(1, 2, 3)), "padding"), (dict(padding=None), "padding"),
    (dict(groups=0), "groups must be an integer of at least 1 and at most 2147483647, got 0"),
    (dict(groups=-2), "groups"), (dict(groups=1.5), "groups"), (dict(groups=None), "groups"),
    (dict(groups=4), "4 groups do not divide the 6 output channels"),
    (dict(groups=2), r"input \(2, 4, 6, 7\) has 4 channels, expected 8"),
    (dict(dilation=4), r"a window of \(3, 3\) spans \(9, 9\), which is larger than the input"),
])
def test_conv2d_arguments(arguments, message):
    with pytest.raises(fn.ShapeError, match=message):
        fn.conv2d(_zeros(X), _zeros(W), **arguments)


@pytest.mark.parametrize(("arguments", "message"), [
    (dict(stride=0), "stride"), (dict(padding=-1), "padding"), (dict(dilation=(1, 0)), "dilation"),
    (dict(padding="same"), "padding"), (dict(groups=0), "groups"), (dict(groups="1"), "groups"),
    (dict(output_padding=-1), "output_padding"),
    (dict(output_padding=1), "must be smaller than stride"),
    (dict(output_padding=(0, 2), stride=2), "must be smaller than stride"),
    (dict(groups=3), "3 groups do not divide the 4 input channels"),
    (dict(padding=4), "gives 0 by 1 pixels"),
])
def test_conv_transpose2d_arguments(arguments, message):
    with pytest.raises(fn.ShapeError, match=message):
        fn.conv_transpose2d(_zeros(X), _zeros(WT), **arguments)


@pytest.mark.parametrize(("function", "weight"), [(fn.conv2d, W), (fn.conv_transpose2d, WT)])
def test_shapes_of_arrays(function, weight):
    for x, w, b in ((X[:3], weight, None), (X[2:], weight, None), (X, weight[1:], None),
                    (X, weight, (5,)), (X, weight, (6, 1)), ((2, 5, 6, 7), weight, None)):
        with pytest.raises(fn.ShapeError):
            function(_zeros(x), _zeros(w), None if b is None else _zeros(b))
    with pytest.raises(fn.ShapeError, match="float32"):
        function(constant(np.zeros(X, np.int64)), _zeros(weight))
    with pytest.raises(fn.ShapeError, match="layout='NHWC'"):
        function(_zeros((2, 6, 7, 4)), _zeros(weight))


@pytest.mark.parametrize(("function", "weight"), [(fn.conv2d, W), (fn.conv_transpose2d, WT)])
def test_a_single_image(function, weight):
    """An axis less: a wrong number of channels says what else it may be."""
    assert function(_zeros(X[1:]), _zeros(weight), padding=1).shape == (6, 6, 7)
    with pytest.raises(fn.ShapeError, match=r"32 channels, expected 4.*gray images: x\[:, None"):
        function(_zeros((32, 28, 28)), _zeros(weight))
    with pytest.raises(fn.ShapeError, match=r"channels last: x.permute\(2, 0, 1\)"):
        function(_zeros((28, 28, 4)), _zeros(weight))


@pytest.mark.parametrize(("function", "weight"), [(fn.conv1d, (6, 4, 3)),
                                                  (fn.conv_transpose1d, (4, 6, 3))])
def test_a_single_sequence(function, weight):
    assert function(_zeros((4, 9)), _zeros(weight), padding=1).shape == (6, 9)
    with pytest.raises(fn.ShapeError, match=r"channels last: x.transpose\(0, 1\)"):
        function(_zeros((9, 4)), _zeros(weight))
    with pytest.raises(fn.ShapeError, match="has 5 channels, expected 4"):
        function(_zeros((5, 9)), _zeros(weight))
    with pytest.raises(fn.ShapeError, match=r"expected \(batch, channels, length\)"):
        function(_zeros((2, 4, 9, 9)), _zeros(weight))


@pytest.mark.parametrize(("arguments", "message"), [
    (dict(stride=0), "stride"), (dict(padding=(1, 1)), "padding"), (dict(groups=3), "3 groups"),
    (dict(output_padding=1), "conv_transpose1d: output_padding 1 must be smaller"),
    (dict(padding=6), "conv_transpose1d: .* gives a length of -1")])
def test_conv_transpose1d_arguments(arguments, message):
    with pytest.raises(fn.ShapeError, match=message):
        fn.conv_transpose1d(_zeros((2, 4, 9)), _zeros((4, 6, 3)), **arguments)


@pytest.mark.parametrize("layer", [nn.Conv2d(4, 6, 3), nn.ConvTranspose2d(4, 6, 3)], ids=repr)
def test_the_layer_is_named(layer):
    model = nn.Sequential(nn.ReLU(), nn.Sequential(layer))
    with pytest.raises(fn.ShapeError, match=r"^1\.0: .*has 5 channels, expected 4"):
        model(np.zeros((2, 5, 6, 7), np.float32))


@pytest.mark.parametrize("make", [nn.Conv2d, nn.ConvTranspose2d])
def test_layers_refuse_at_once(make):
    for arguments in (dict(in_channels=0), dict(out_channels=-1), dict(in_channels=2.5),
                      dict(kernel_size=0), dict(kernel_size=(1, 2, 3)), dict(stride=0),
                      dict(padding=-1), dict(padding="full"), dict(dilation=0), dict(groups=3),
                      dict(groups=0)):
        with pytest.raises(fn.ShapeError):
            make(**{"in_channels": 4, "out_channels": 6, "kernel_size": 3, **arguments})
    with pytest.raises(fn.ShapeError, match="'same' needs stride 1"):
        nn.Conv2d(4, 6, 3, stride=2, padding="same")


def test_output_sizes_out_of_reach():
    layer = nn.ConvTranspose2d(4, 6, 3, stride=2)
    assert layer.forward(_zeros(X), (14, 15)).shape == (2, 6, 14, 15)
    for size in ((12, 15), (15, 15), (13, 17), 0, "large"):
        with pytest.raises(fn.ShapeError, match="output_size"):
            layer.forward(_zeros(X), size)
