"""Layers of convolutions and products: how they print, padding modes, single examples."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn


@pytest.mark.parametrize(("layer", "text"), [
    (nn.Conv2d(3, 8, 3), "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))"),
    (nn.Conv2d(4, 8, (3, 2), 2, 1, 2, 2, False, "circular"),
     "Conv2d(4, 8, kernel_size=(3, 2), stride=(2, 2), padding=(1, 1), dilation=(2, 2), groups=2, "
     "bias=False, padding_mode=circular)"),
    (nn.Conv1d(3, 8, 3, padding=1), "Conv1d(3, 8, kernel_size=(3,), stride=(1,), padding=(1,))"),
    (nn.ConvTranspose1d(3, 8, 4, stride=2, output_padding=1),
     "ConvTranspose1d(3, 8, kernel_size=(4,), stride=(2,), output_padding=(1,))"),
    (nn.ConvTranspose2d(3, 8, 4), "ConvTranspose2d(3, 8, kernel_size=(4, 4), stride=(1, 1))"),
    (nn.Bilinear(3, 4, 5), "Bilinear(in1_features=3, in2_features=4, out_features=5, bias=True)"),
], ids=repr)
def test_print(layer, text):
    assert repr(layer) == text


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [(2, 1), "same"])
def test_padding_modes(mode, padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 6, 7)).astype(np.float32)
    layer = nn.Conv2d(3, 4, (4, 3), padding=padding, padding_mode=mode)
    sides = ((1, 2), (1, 1)) if padding == "same" else ((2, 2), (1, 1))
    wide = np.pad(x, ((0, 0), (0, 0), *sides),
                  mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])
    expected = fn.conv2d(wide, layer.weight.data, layer.bias.data)
    np.testing.assert_allclose(layer(x), expected, rtol=0, atol=1e-5)
    line = nn.Conv1d(3, 4, 3, padding=1, padding_mode=mode)
    x = x[:, :, 0]
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1)),
                  mode={"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])
    expected = fn.conv1d(wide, line.weight.data, line.bias.data)
    np.testing.assert_allclose(line(x), expected, rtol=0, atol=1e-5)


def test_padding_modes_that_are_none():
    for make in (lambda: nn.Conv2d(3, 4, 3, padding_mode="mirror"),
                 lambda: nn.ConvTranspose1d(3, 4, 3, padding_mode="circular")):
        with pytest.raises(ValueError, match="padding_mode"):
            make()


@pytest.mark.parametrize(("layer", "shape"), [
    (nn.Conv1d(3, 4, 3), (3, 9)), (nn.Conv2d(3, 4, 3), (3, 9, 8)),
    (nn.ConvTranspose1d(3, 4, 3), (3, 9)), (nn.ConvTranspose2d(3, 4, 3), (3, 9, 8))], ids=repr)
def test_a_single_example_is_one_of_a_batch(layer, shape):
    x = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
    single, batch = layer(x[1]), layer(x)
    assert single.shape == batch.shape[1:]
    np.testing.assert_allclose(single, batch[1], rtol=0, atol=2e-6)


def test_output_size_of_a_transposed_sequence():
    layer = nn.ConvTranspose1d(4, 6, 3, stride=2)
    x = fn.graph.constant(np.zeros((2, 4, 5), np.float32))
    assert layer.forward(x, 12).shape == layer.forward(x, [12]).shape == (2, 6, 12)
    assert layer.forward(x, (2, 6, 11)).shape == (2, 6, 11)
    with pytest.raises(fn.ShapeError, match="output_size"):
        layer.forward(x, 13)


def test_bilinear_starts_as_pytorchs():
    layer = nn.Bilinear(16, 5, 8)
    assert layer.weight.shape == (8, 16, 5) and layer.bias.shape == (8,)
    for values in (layer.weight.data, layer.bias.data):
        assert 0.1 < np.abs(values).max() <= 0.25
