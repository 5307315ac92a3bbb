"""Every optimizer with every set of options of PyTorch's own tests, over 100 steps."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

# compare first: it skips the tests where PyTorch is not installed
from tests.parity.compare import torch

pytestmark = pytest.mark.parity

common = pytest.importorskip("torch.testing._internal.common_optimizers")

STEPS = 100
SHAPES = {"a": (5, 7), "b": (9, 4)}  # matrices, so that Muon takes part
# Not here: second-order methods are fn.minimize's, the others are not of this library.
LEFT_OUT = {"LBFGS", "Adafactor", "SparseAdam"}
MORE = {
    "Adam": [{"amsgrad": True, "decoupled_weight_decay": True, "weight_decay": 0.1}],
    "RMSprop": [{"momentum": 0.9}, {"centered": True}],
    "Adadelta": [{"lr": 0.5, "rho": 1.0}],
    "ASGD": [{"t0": 20, "lambd": 0.05, "alpha": 0.5, "weight_decay": 0.01}],
    "SGD": [{"momentum": 0.9, "nesterov": True, "maximize": True}],
    "RAdam": [{"betas": (0.9, 0.5)}, {"betas": (0.0, 0.99)}],
    "NAdam": [{"betas": (0.0, 0.99)}, {"lr": 0.01, "momentum_decay": 0.0}],
    "Muon": [{"nesterov": False}, {"adjust_lr_fn": "match_rms_adamw"}, {"ns_steps": 0},
             {"adjust_lr_fn": "original", "momentum": 0.0}],
}


def option_sets():
    """(name, options) of PyTorch's tests, without those whose rate is a tensor, and ours."""
    for entry in common.optim_db:
        name = entry.optim_cls.__name__
        if name in LEFT_OUT:
            continue
        known = [inputs.kwargs for inputs in entry.optim_inputs_func(device="cpu")]
        for options in known + MORE.get(name, []):
            if not isinstance(options.get("lr"), torch.Tensor):
                yield name, options


class Slopes(nn.Module):
    """A model whose gradients are the arrays that it is called with."""

    def __init__(self, values):
        super().__init__()
        for name, value in values.items():
            setattr(self, name, nn.Parameter(value))

    def forward(self, *slopes):
        return sum((getattr(self, name) * slope).sum()
                   for name, slope in zip(SHAPES, slopes, strict=True))


def slopes(step):
    rng = np.random.default_rng(1000 + step)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}


def compare(name, options, steps=STEPS, tolerance=1e-5):
    """Both over some steps, with a schedule of the rate; two groups, of which one has its own."""
    rng = np.random.default_rng(0)
    start = {key: rng.standard_normal(shape).astype(np.float32) for key, shape in SHAPES.items()}
    model = Slopes(start)
    theirs = {key: torch.nn.Parameter(torch.tensor(value)) for key, value in start.items()}
    ours = getattr(optim, name)([{"params": [model.a]}, {"params": [model.b], "lr": 0.004}],
                                **options)
    peer = getattr(torch.optim, name)([{"params": [theirs["a"]]},
                                       {"params": [theirs["b"]], "lr": 0.004}], **options)
    train = fn.TrainStep(model, lambda output, target: output + 0.0 * target.sum(), ours)
    for step in range(steps):
        for group in (*ours.param_groups, *peer.param_groups):
            group["lr"] *= 0.99
        gradients = slopes(step)
        train(tuple(gradients.values()), np.zeros(1, np.float32))
        for key, parameter in theirs.items():
            parameter.grad = torch.tensor(gradients[key])
        peer.step()
        for key, parameter in theirs.items():
            expected = parameter.detach().numpy()
            np.testing.assert_allclose(getattr(model, key).data, expected, rtol=0,
                                       atol=tolerance * np.abs(expected).max(),
                                       err_msg=f"{key} after {step + 1} steps")
    return ours, peer, model, theirs


@pytest.mark.parametrize(("name", "options"), [
    pytest.param(name, options, id=f"{name}-{options}") for name, options in option_sets()
    if name != "Muon"])
def test_option_sets(name, options):
    ours, peer, model, theirs = compare(name, options)
    for key, parameter in theirs.items():
        own, state = ours.state[id(getattr(model, key))], peer.state[parameter]
        for what, array in own.items():
            expected = np.asarray(state[what])
            np.testing.assert_allclose(array, expected, rtol=0,
                                       atol=1e-4 * max(np.abs(expected).max(), 1e-30))


MUON = [pytest.param(options, id=str(options)) for name, options in option_sets()
        if name == "Muon"]


@pytest.mark.parametrize("options", MUON)
def test_muon_without_rounding(options, monkeypatch):
    """PyTorch's steps with its bfloat16 left out."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.clone)
    compare("Muon", options, tolerance=2e-5)


@pytest.mark.parametrize("options", MUON)
def test_muon(options):
    """Its bfloat16 has 8 bits, and moves what is made orthogonal by some hundredths."""
    compare("Muon", options, steps=20, tolerance=0.02)
