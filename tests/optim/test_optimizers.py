"""Optimizers against their formulas in float64, with every option."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim


class _Slopes(nn.Module):
    """A model whose gradients are the arrays that it is called with."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        self.a = nn.Parameter(rng.standard_normal((5, 7)))
        self.b = nn.Parameter(rng.standard_normal((3, 2, 3, 3)))

    def forward(self, a, b):
        return (self.a * a).sum() + (self.b * b).sum()


def _first(output, target):
    return output


def _slopes(step):
    rng = np.random.default_rng(100 + step)
    return [rng.standard_normal(shape).astype(np.float32) for shape in ((5, 7), (3, 2, 3, 3))]


def _sgd(p, grads, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    v = None
    for g in grads:
        g = g + weight_decay * p
        if momentum:
            v = g if v is None else momentum * v + (1 - dampening) * g
            g = g + momentum * v if nesterov else v
        p = p - lr * g
    return p


def _adam(p, grads, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled=False):
    m = v = 0.0
    for t, g in enumerate(grads, 1):
        if decoupled:
            p = p - lr * weight_decay * p
        else:
            g = g + weight_decay * p
        m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g**2
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p


def _adamw(p, grads, weight_decay=1e-2, **options):
    return _adam(p, grads, weight_decay=weight_decay, decoupled=True, **options)


OPTIONS = [
    (optim.SGD, _sgd, {}),
    (optim.SGD, _sgd, {"lr": 0.1, "weight_decay": 0.05}),
    (optim.SGD, _sgd, {"lr": 0.1, "momentum": 0.9}),
    (optim.SGD, _sgd, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}),
    (optim.SGD, _sgd, {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    (optim.Adam, _adam, {}),
    (optim.Adam, _adam, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    (optim.AdamW, _adamw, {}),
    (optim.AdamW, _adamw, {"lr": 0.1, "weight_decay": 0.3}),
]


@pytest.mark.parametrize(("kind", "twin", "options"), OPTIONS, ids=str)
def test_steps(kind, twin, options):
    model = _Slopes()
    start = [p.data.astype(np.float64) for p in model.parameters()]
    step = fn.TrainStep(model, _first, kind(model.parameters(), **options))
    for i in range(5):
        step(tuple(_slopes(i)), np.zeros(1, np.float32))
    for k, (p, parameter) in enumerate(zip(start, model.parameters(), strict=True)):
        expected = twin(p, [_slopes(i)[k].astype(np.float64) for i in range(5)], **options)
        moved = np.abs(expected - p).max()
        np.testing.assert_allclose(parameter.data, expected, rtol=1e-6, atol=3e-5 * moved)


def test_groups_have_their_own_options_and_lr_changes_take_effect():
    model = _Slopes()
    start = [p.data.astype(np.float64) for p in model.parameters()]
    optimizer = optim.SGD([{"params": [model.a], "lr": 0.5}, {"params": [model.b]}], lr=0.1,
                          momentum=0.9)
    step = fn.TrainStep(model, _first, optimizer)
    step(tuple(_slopes(0)), np.zeros(1, np.float32))
    for k, lr in enumerate((0.5, 0.1)):
        np.testing.assert_allclose(list(model.parameters())[k].data, start[k] - lr * _slopes(0)[k],
                                   rtol=1e-5, atol=1e-6)
    optimizer.lr = 0.0
    before = model.a.data.copy()
    step(tuple(_slopes(1)), np.zeros(1, np.float32))
    np.testing.assert_array_equal(model.a.data, before)


def test_frozen_parameters_do_not_move():
    model = _Slopes()
    model.a.requires_grad = False
    before = model.a.data.copy(), model.b.data.copy()
    step = fn.TrainStep(model, _first, optim.SGD(model.parameters(), lr=0.1, weight_decay=0.5))
    step(tuple(_slopes(0)), np.zeros(1, np.float32))
    np.testing.assert_array_equal(model.a.data, before[0])
    assert not np.array_equal(model.b.data, before[1])
    model.a.requires_grad = True
    step(tuple(_slopes(1)), np.zeros(1, np.float32))
    assert not np.array_equal(model.a.data, before[0])


@pytest.mark.parametrize(("kind", "options"), [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}), (optim.Adam, {"lr": 0.1})])
def test_a_restored_state_goes_on_with_the_same_bits(kind, options):
    def train(model, optimizer, steps):
        step = fn.TrainStep(model, _first, optimizer)
        for i in steps:
            step(tuple(_slopes(i)), np.zeros(1, np.float32))

    whole = _Slopes()
    train(whole, kind(whole.parameters(), **options), range(6))
    half = _Slopes()
    optimizer = kind(half.parameters(), **options)
    train(half, optimizer, range(3))
    state = optimizer.state_dict()
    rest = _Slopes()
    rest.load_state_dict(half.state_dict())
    fresh = kind(rest.parameters(), lr=1.0, **{k: v for k, v in options.items() if k != "lr"})
    fresh.load_state_dict(state)
    train(rest, fresh, range(3, 6))
    assert rest.a.data.tobytes() == whole.a.data.tobytes()
    assert rest.b.data.tobytes() == whole.b.data.tobytes()


def test_a_state_that_does_not_fit_changes_nothing():
    model = _Slopes()
    optimizer = optim.Adam(model.parameters())
    state = optimizer.state_dict()
    other = optim.Adam([model.a])
    for wrong in (other.state_dict(), {**state, "state": [{}, {}]},
                  {**state, "groups": []}):
        with pytest.raises(ValueError, match="optimizer state"):
            optimizer.load_state_dict(wrong)
    assert optimizer.steps == 0


@pytest.mark.parametrize("bad", [
    lambda p: optim.SGD([]), lambda p: optim.SGD(p, lr=-1), lambda p: optim.SGD(p, momentum=-0.1),
    lambda p: optim.SGD(p, nesterov=True), lambda p: optim.Adam(p, betas=(1.0, 0.9)),
    lambda p: optim.Adam(p, betas=(0.9,)), lambda p: optim.Adam(p, eps=-1),
    lambda p: optim.SGD([*p, p[0]]), lambda p: optim.SGD(p, lr=float("nan")),
])
def test_bad_options(bad):
    with pytest.raises(ValueError):
        bad(list(_Slopes().parameters()))


def test_only_parameters_are_taken():
    with pytest.raises(TypeError, match="parameters"):
        optim.SGD([np.ones(3)])


def test_momentum_is_not_switched_between_steps():
    model = _Slopes()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    step = fn.TrainStep(model, _first, optimizer)
    optimizer.param_groups[0]["momentum"] = 0.9
    with pytest.raises((ValueError, KeyError)):
        step(tuple(_slopes(0)), np.zeros(1, np.float32))
