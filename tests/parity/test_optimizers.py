"""Optimizers against torch.optim while parameters are frozen, thawed and left out of the loss."""

import numpy as np
import pytest

import fastnn as fn

# compare first: it skips the tests where PyTorch is not installed
from tests.parity.compare import torch

pytestmark = pytest.mark.parity

SHAPES = {"a": (5, 7), "b": (4, 2, 3, 3), "c": (6,), "d": (5, 1)}
STEPS = 30
KINDS = {
    "sgd": ("SGD", {"lr": 0.05, "weight_decay": 0.01}),
    "momentum": ("SGD", {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01}),
    "dampening": ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.4, "weight_decay": 0.01}),
    "nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    "adamw": ("AdamW", {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    "amsgrad": ("AdamW", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    "nadam": ("NAdam", {"lr": 0.01, "momentum_decay": 0.1}),
    "radam": ("RAdam", {"lr": 0.01, "betas": (0.8, 0.95)}),
    "adagrad": ("Adagrad", {"lr": 0.05, "lr_decay": 0.1, "initial_accumulator_value": 0.1}),
    "rmsprop": ("RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.5, "centered": True}),
    "rprop": ("Rprop", {"lr": 0.01}),
    "asgd": ("ASGD", {"lr": 0.05, "lambd": 0.1, "t0": 3}),
}


class Ours(fn.nn.Module):
    """The sum of each weight times the array that it is called with; only some weights take part.

    They say so by the length of the second axis, on which a plan depends.
    """

    def __init__(self, values):
        super().__init__()
        for name, value in values.items():
            setattr(self, name, fn.nn.Parameter(value))

    def forward(self, *slopes):
        used = used_of(slopes[0].shape[1])
        return sum((getattr(self, name) * slope.sum((0, 1))).sum()
                   for name, slope in zip(SHAPES, slopes, strict=True) if name in used)


def used_of(number):
    """The weights that take part: all, or three of the four."""
    return [name for place, name in enumerate(SHAPES) if place + 2 != number]


def schedule(seed):
    """For each step: frozen weights, the number that says which take part, slopes."""
    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        frozen = {name for name in SHAPES if rng.random() < 0.3}
        number = int(rng.integers(1, 6))
        slopes = {name: rng.standard_normal((2, number, *shape)).astype(np.float32)
                  for name, shape in SHAPES.items()}
        if set(used_of(number)) - frozen:  # else PyTorch refuses, as there is nothing to train
            yield frozen, number, slopes


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", KINDS)
def test_freezing_and_leaving_out(name, seed, accumulate):
    rng = np.random.default_rng(100 + seed)
    start = {key: rng.standard_normal(shape).astype(np.float32) for key, shape in SHAPES.items()}
    kind, options = KINDS[name]
    model = Ours(start)
    theirs = {key: torch.nn.Parameter(torch.tensor(value)) for key, value in start.items()}
    halves = [["a", "b"], ["c", "d"]]  # two groups, of which one has another rate

    def grouped(of):
        return [{"params": [of(key) for key in halves[0]]},
                {"params": [of(key) for key in halves[1]], "lr": 0.02}]

    ours = getattr(fn.optim, kind)(grouped(lambda key: getattr(model, key)), **options)
    peer = getattr(torch.optim, kind)(grouped(theirs.get), **options)
    step = fn.TrainStep(model, lambda value, target: accumulate * value + 0.0 * target.sum(), ours,
                        accumulate=accumulate)
    trained = dict.fromkeys(SHAPES, 0)
    for frozen, number, slopes in schedule(seed):
        used = used_of(number)
        for key in SHAPES:
            getattr(model, key).requires_grad = theirs[key].requires_grad = key not in frozen
            trained[key] += key in used and key not in frozen
        step(tuple(slopes.values()), np.zeros(2, np.float32))
        peer.zero_grad()
        totals = {key: torch.from_numpy(slopes[key]).sum((0, 1)) for key in used}
        sum((theirs[key] * total).sum() for key, total in totals.items()).backward()
        peer.step()
        for key in SHAPES:
            np.testing.assert_allclose(getattr(model, key).data, theirs[key].detach().numpy(),
                                       rtol=2e-5, atol=2e-6, err_msg=key)
    assert ours.state_dict()["steps"] == list(trained.values())
    assert min(trained.values()) < max(trained.values()) < STEPS
