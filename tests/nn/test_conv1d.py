"""Layers over sequences: arguments, initial values, and what does not fit."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim


def test_initial_values_and_state():
    layer = nn.Conv1d(8, 12, 5, groups=2)
    assert {name: array.shape for name, array in layer.state_dict().items()} == {
        "weight": (12, 4, 5), "bias": (12,)}
    bound = 1 / np.sqrt(4 * 5)
    for values in (layer.weight.data, layer.bias.data):
        assert 0.5 * bound < np.abs(values).max() <= bound
    assert repr(nn.Conv1d(3, 4, 3, padding="same", bias=False)) == (
        "Conv1d(3, 4, kernel_size=(3,), stride=(1,), padding=same, bias=False)")


@pytest.mark.parametrize(("layer", "shape"), [
    (nn.Conv1d(3, 5, 3, stride=(2,), padding=(1,)), (2, 5, 4)), (nn.MaxPool1d(2), (2, 3, 4)),
    (nn.MaxPool1d(3, stride=1, padding=1), (2, 3, 8)), (nn.AvgPool1d(4, 2), (2, 3, 3)),
    (nn.AdaptiveAvgPool1d(5), (2, 3, 5))], ids=lambda value: str(value)[:20])
def test_shapes(layer, shape):
    assert layer(np.ones((2, 3, 8), np.float32)).shape == shape


@pytest.mark.parametrize(("layer", "shape", "message"), [
    (nn.Conv1d(3, 5, 3), (2, 4, 8), "conv1d: input .* has 4 channels, expected 3"),
    (nn.Conv1d(3, 5, 3), (2, 3, 8, 8), r"conv1d: expected \(batch, channels, length\)"),
    (nn.Conv1d(3, 5, 9), (2, 3, 8), "window"), (nn.MaxPool1d(2), (8,), "max_pool1d: expected"),
    (nn.AvgPool1d(9), (2, 3, 8), "window"),
    (nn.AdaptiveAvgPool1d(2), (8,), "adaptive_avg_pool1d: expected")],
    ids=lambda value: str(value)[:20])
def test_what_does_not_fit(layer, shape, message):
    with pytest.raises(fn.ShapeError, match=message):
        layer(np.ones(shape, np.float32))


@pytest.mark.parametrize("arguments", [
    {"kernel_size": (3, 3)}, {"kernel_size": 0}, {"stride": (1, 1)}, {"dilation": 0},
    {"padding": (1, 1)}, {"padding": "half"}, {"padding": -1}, {"groups": 2}])
def test_arguments_that_make_no_sense(arguments):
    with pytest.raises(fn.ShapeError):
        nn.Conv1d(**{"in_channels": 3, "out_channels": 4, "kernel_size": 3, **arguments})


def test_a_net_over_sequences_learns():
    """Which of two pulses a noisy sequence has, wherever it is."""
    fn.manual_seed(0)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 256)
    x = rng.normal(0, 0.1, (256, 1, 32)).astype(np.float32)
    for row, kind, at in zip(x, y, rng.integers(0, 29, 256), strict=True):
        row[0, at:at + 3] += (1, -1, 1) if kind else (-1, 1, -1)
    model = nn.Sequential(nn.Conv1d(1, 8, 3, padding=1), nn.BatchNorm1d(8), nn.ReLU(),
                          nn.MaxPool1d(2), nn.Conv1d(8, 16, 3), nn.ReLU(),
                          nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 2))
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.01))
    assert trainer.fit((x, y), epochs=10, batch_size=32)[-1]["accuracy"] > 0.95
