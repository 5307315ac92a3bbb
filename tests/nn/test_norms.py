"""Normalisation layers: arguments, initial values, state, and running statistics."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

LAYERS = [
    (lambda: nn.LayerNorm(5), (2, 3, 5), ["weight", "bias"],
     "LayerNorm((5,), eps=1e-05, elementwise_affine=True, bias=True)"),
    (lambda: nn.LayerNorm((3, 5), bias=False), (2, 3, 5), ["weight"],
     "LayerNorm((3, 5), eps=1e-05, elementwise_affine=True, bias=False)"),
    (lambda: nn.LayerNorm([5], 0.1, elementwise_affine=False), (2, 3, 5), [],
     "LayerNorm((5,), eps=0.1, elementwise_affine=False, bias=False)"),
    (lambda: nn.RMSNorm(5), (2, 3, 5), ["weight"],
     "RMSNorm((5,), eps=None, elementwise_affine=True)"),
    (lambda: nn.LocalResponseNorm(3), (2, 4, 3, 5), [],
     "LocalResponseNorm(3, alpha=0.0001, beta=0.75, k=1.0)"),
    (lambda: nn.GroupNorm(2, 4, bias=False), (2, 4, 3, 5), ["weight"],
     "GroupNorm(2, 4, eps=1e-05, affine=True, bias=False)"),
    (lambda: nn.InstanceNorm1d(4), (2, 4, 9), [],
     "InstanceNorm1d(4, eps=1e-05, momentum=0.1, affine=False, bias=False, "
     "track_running_stats=False)"),
    (lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True), (2, 4, 3, 5),
     ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"],
     "InstanceNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, "
     "track_running_stats=True)"),
    (lambda: nn.BatchNorm2d(4, bias=False), (2, 4, 3, 5),
     ["weight", "running_mean", "running_var", "num_batches_tracked"],
     "BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=False, "
     "track_running_stats=True)"),
]


@pytest.mark.parametrize(("make", "shape", "names", "text"), LAYERS)
def test_state_and_words(make, shape, names, text):
    layer = make()
    assert list(layer.state_dict()) == names and repr(layer) == text
    for name, parameter in layer.named_parameters():
        assert (parameter.data == (name == "weight")).all()
    assert layer(np.random.default_rng(0).normal(size=shape).astype(np.float32)).shape == shape


@pytest.mark.parametrize(("make", "shape"), [
    (lambda: nn.InstanceNorm1d(4), (4, 9)), (lambda: nn.InstanceNorm2d(4), (4, 3, 5))])
def test_one_example(make, shape):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(make()(x), make()(x[None])[0])


@pytest.mark.parametrize("momentum", [0.1, -0.5, None])
def test_running_statistics_of_instances(momentum):
    """They move by the means over the batch of each example's own; None: they stay."""
    rng = np.random.default_rng(0)
    layer = nn.InstanceNorm2d(3, momentum=momentum, track_running_stats=True)
    model = nn.Sequential(nn.Conv2d(3, 3, 1), layer)
    step = fn.TrainStep(model, nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.0))
    x, y = rng.normal(2, 3, (2, 4, 3, 5, 6)).astype(np.float32)
    inside = model[0](x).astype(np.float64)
    step(x, y)
    share = momentum or 0.0
    for name, start, now in (("mean", 0.0, inside.mean((2, 3)).mean(0)),
                             ("var", 1.0, inside.var((2, 3), ddof=1).mean(0))):
        running = layer.state_dict()[f"running_{name}"]
        np.testing.assert_allclose(running, share * now + (1 - share) * start, rtol=1e-5)
    model.eval()
    mean, var = (layer.state_dict()[f"running_{name}"][:, None, None] for name in ("mean", "var"))
    if momentum == 0.1:
        np.testing.assert_allclose(model(x), (inside - mean) / np.sqrt(var + 1e-5), rtol=1e-4,
                                   atol=1e-5)


@pytest.mark.parametrize(("make", "shape", "message"), [
    (lambda: nn.LayerNorm(5), (2, 3, 4), r"\(2, 3, 4\) does not end in normalized_shape \(5,\)"),
    (lambda: nn.LayerNorm((2, 3, 5)), (3, 5), "does not end in"),
    (lambda: nn.RMSNorm((0,)), (2, 3), "normalized_shape must be"),
    (lambda: nn.LayerNorm("a"), (2, 3), "normalized_shape must be"),
    (lambda: nn.InstanceNorm2d(3), (2, 3), "expected rank 4, or 3"),
    (lambda: nn.InstanceNorm2d(3, affine=True), (2, 4, 3, 3), "4 channels, expected 3"),
    (lambda: nn.InstanceNorm1d(3), (2, 3, 1), "more than one place"),
    (lambda: nn.LocalResponseNorm(3), (2, 3), "local_response_norm: expected"),
    (lambda: nn.LocalResponseNorm(0), (2, 3, 3), "size must be"),
    (lambda: nn.GroupNorm(2, 4, eps="a"), (2, 4, 3), "eps must be a number")])
def test_what_does_not_fit(make, shape, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()(np.ones(shape, np.float32))


def _operations(model, shape):
    step = fn.TrainStep(model, nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    return [step.node.op.name for step in step.plan(shape).steps]


class ChannelNorm(nn.Module):
    """LayerNorm2d of ConvNeXt."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.LayerNorm(8)

    def forward(self, x):
        return self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_a_norm_of_channels_moves_nothing():
    operations = _operations(ChannelNorm(), (2, 3, 8, 8))
    assert "layer_norm_backward" in operations and "permute" not in operations


def test_a_group_norm_between_1d_convolutions_moves_nothing():
    """It makes no more copies than batch norm in its place."""
    counts = []
    for norm in (nn.GroupNorm(2, 8), nn.BatchNorm1d(8)):
        model = nn.Sequential(nn.Conv1d(3, 8, 3), norm, nn.ReLU(), nn.Conv1d(8, 4, 3))
        counts.append(_operations(model, (2, 3, 12)).count("reshape"))
    assert counts[0] <= counts[1]


def test_permutations_cancel():
    x = fn.graph.constant(np.zeros((2, 3, 4, 5)))
    assert x.permute(0, 2, 3, 1).permute(0, 3, 1, 2) is x
    assert x.permute(0, 1, 2, 3) is x
    assert x.transpose(0, 1).permute(2, 0, 1, 3).node.inputs == (x,)


@pytest.mark.parametrize("make", [lambda: nn.LayerNorm(6), lambda: nn.RMSNorm(6),
                                  lambda: nn.GroupNorm(2, 6), lambda: nn.InstanceNorm2d(6)])
def test_batches_may_be_split(make):
    """The bits of one example alone, in use."""
    x = np.random.default_rng(0).normal(size=(5, 6, 4, 6)).astype(np.float32)
    layer = make().eval()
    whole = layer(x)
    np.testing.assert_array_equal(np.concatenate([layer(x[i:i + 1]) for i in range(5)]), whole)
