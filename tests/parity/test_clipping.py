"""Clipping inside a step, and several optimizers over one model, against loops of PyTorch."""

import numpy as np
import pytest

import fastnn as fn

# compare first: it skips the tests where PyTorch is not installed
from tests.parity.compare import torch

pytestmark = pytest.mark.parity

STEPS = 50
CLIPS = {
    "none": {}, "norm": {"clip_grad_norm": 0.3}, "value": {"clip_grad_value": 0.01},
    "both": {"clip_grad_norm": 0.5, "clip_grad_value": 0.02}, "far": {"clip_grad_norm": 100.0},
}
RNG = np.random.default_rng(0)
BATCHES = [(RNG.standard_normal((12, 6)).astype(np.float32), RNG.integers(0, 3, 12))
           for _ in range(STEPS)]


class Ours(fn.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = fn.nn.Linear(6, 9), fn.nn.Linear(9, 3)

    def forward(self, x):
        return self.head(fn.tanh(self.body(x)))


class Theirs(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Linear(6, 9), torch.nn.Linear(9, 3)

    def forward(self, x):
        return self.head(torch.tanh(self.body(x)))


def pair():
    """A net here and there, with the same weights."""
    fn.manual_seed(0)
    ours, theirs = Ours(), Theirs()
    theirs.load_state_dict({name: torch.tensor(value.copy())
                            for name, value in ours.state_dict().items()})
    return ours, theirs


def agree(ours, theirs):
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-5, atol=1e-5,
                                   err_msg=name)


def clip(parameters, clip_grad_norm=None, clip_grad_value=None):
    """Clips as PyTorch does, and returns the norm before."""
    parameters = list(parameters)
    most = float("inf") if clip_grad_norm is None else clip_grad_norm
    norm = torch.nn.utils.clip_grad_norm_(parameters, most)
    if clip_grad_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, clip_grad_value)
    return float(norm)


@pytest.mark.parametrize("way", ["whole", "accumulate", "own loop"])
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("name", CLIPS)
def test_clipping(name, kind, way):
    ours, theirs = pair()
    options = {"lr": 0.5, "momentum": 0.9} if kind == "SGD" else {"lr": 0.01}
    own = getattr(fn.optim, kind)(ours.parameters(), **options)
    peer = getattr(torch.optim, kind)(theirs.parameters(), **options)
    loss, criterion = fn.nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()
    step = fn.TrainStep(ours, loss, own, accumulate=3 if way == "accumulate" else 1, **CLIPS[name])
    find, clipped = fn.value_and_grad(ours, loss), 0
    for x, y in BATCHES:
        if way == "own loop":
            own.step(find(x, y)[1], **CLIPS[name])
        else:
            step(x, y)
        peer.zero_grad()
        criterion(theirs(torch.tensor(x)), torch.tensor(y)).backward()
        norm = clip(theirs.parameters(), **CLIPS[name])
        clipped += norm > CLIPS[name].get("clip_grad_norm", 1e9)
        peer.step()
        if way != "own loop":
            assert step.grad_norm == pytest.approx(norm, rel=1e-4)
    agree(ours, theirs)
    assert (clipped > STEPS / 4) == (name in ("norm", "both"))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_two_optimizers_over_one_model(accumulate):
    ours, theirs = pair()
    own = [fn.optim.SGD(ours.body.parameters(), lr=0.2, momentum=0.9),
           fn.optim.AdamW(ours.head.parameters(), lr=0.01)]
    peers = [torch.optim.SGD(theirs.body.parameters(), lr=0.2, momentum=0.9),
             torch.optim.AdamW(theirs.head.parameters(), lr=0.01)]
    step = fn.TrainStep(ours, fn.nn.CrossEntropyLoss(), own, accumulate=accumulate,
                        clip_grad_norm=0.3)
    for x, y in BATCHES:
        step(x, y)
        for peer in peers:
            peer.zero_grad()
        torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y)).backward()
        clip(theirs.parameters(), 0.3)
        for peer in peers:
            peer.step()
    agree(ours, theirs)


@pytest.mark.parametrize("norm_type", [2.0, 1, 3.5, float("inf")])
def test_clipping_of_arrays(norm_type):
    arrays = {name: RNG.standard_normal(shape).astype(np.float32)
              for name, shape in (("a", (3, 4)), ("b", (7,)), ("c", (2, 3, 2, 2)))}
    parameters = [torch.nn.Parameter(torch.zeros(array.shape)) for array in arrays.values()]
    for parameter, array in zip(parameters, arrays.values(), strict=True):
        parameter.grad = torch.tensor(array.copy())
    for most in (1.0, 1e6):
        expected = torch.nn.utils.clip_grad_norm_(parameters, most, norm_type)
        total = fn.nn.utils.get_total_norm(arrays.values(), norm_type)
        assert fn.nn.utils.clip_grad_norm_(arrays, most, norm_type) == total
        assert total == pytest.approx(float(expected), rel=1e-5)
    torch.nn.utils.clip_grad_value_(parameters, 0.01)
    fn.nn.utils.clip_grad_value_(arrays, 0.01)
    for parameter, array in zip(parameters, arrays.values(), strict=True):
        np.testing.assert_allclose(array, parameter.grad.numpy(), rtol=1e-5)
