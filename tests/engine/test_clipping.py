"""Clipping inside a step, and several optimizers over one model."""

import math

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from tests.fresh import in_a_fresh_process
from tests.nets import NETS, batch_for, make_step, same_state, state_of

CROSS = nn.CrossEntropyLoss()


def gradient(model, x, y):
    """All of a model's gradients, by name."""
    return fn.value_and_grad(model, CROSS)(x, y)[1]


def norm_of(grads):
    return math.sqrt(sum(float(np.sum(np.square(grad, dtype=np.float64)))
                         for grad in grads.values()))


class Plain(nn.Module):
    """Without batch norm, so that micro-batches add up to the whole."""

    def __init__(self, rows=0):
        super().__init__()
        self.table = nn.Embedding(rows, 5) if rows else None
        self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, x):
        x = x if self.table is None else self.table(x).mean(1)
        return self.second(fn.tanh(self.first(x)))


def plain(rows=0):
    fn.manual_seed(1)
    return Plain(rows)


RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((8, 5)).astype(np.float32), RNG.integers(0, 3, 8)
WORDS = RNG.integers(0, 40, (8, 4))


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("rows", [0, 500])
def test_the_formula(accumulate, maximize, rows):
    x = WORDS if rows else X
    model = plain(rows)
    before, grads = state_of(model), gradient(model, x, Y)
    norm = norm_of(grads)
    for clip in ({"clip_grad_norm": norm / 3}, {"clip_grad_value": 0.02},
                 {"clip_grad_norm": norm / 2, "clip_grad_value": 0.03},
                 {"clip_grad_norm": 2 * norm}, {"clip_grad_norm": 0.0}):
        model.load_state_dict(before)
        optimizer = optim.SGD(model.parameters(), lr=1.0)
        if maximize:
            for group in optimizer.param_groups:
                group["maximize"] = True
        step = fn.TrainStep(model, CROSS, optimizer, accumulate=accumulate, **clip)
        assert math.isnan(step.grad_norm)
        step(x, Y)
        assert step.grad_norm == pytest.approx(norm, rel=1e-5)
        scale = min(1.0, clip.get("clip_grad_norm", math.inf) / (norm + 1e-6))
        most = clip.get("clip_grad_value", math.inf)
        for name, grad in grads.items():
            change = np.clip(scale * grad, -most, most) * (-1 if maximize else 1)
            np.testing.assert_allclose(before[name] - model.get_parameter(name).data, change,
                                       rtol=1e-4, atol=1e-6)


def test_a_step_without_clipping_after_one_with_it():
    """The numbers are the optimizer's, the clipping is the step's."""
    model, other = plain(), plain()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    clipped = fn.TrainStep(model, CROSS, optimizer, clip_grad_norm=1e-3, clip_grad_value=1e-5)
    free = fn.TrainStep(model, CROSS, optimizer)
    clipped(X, Y)
    other.load_state_dict(state_of(model))
    free(X, Y)
    fn.TrainStep(other, CROSS, optim.SGD(other.parameters(), lr=0.1))(X, Y)
    assert same_state(state_of(model), state_of(other))


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, "1", True, [1.0]])
@pytest.mark.parametrize("name", ["clip_grad_norm", "clip_grad_value"])
def test_what_is_no_limit(name, wrong):
    model = plain()
    with pytest.raises((TypeError, ValueError), match=f"{name} must be a number from 0 on"):
        fn.TrainStep(model, CROSS, optim.SGD(model.parameters(), lr=0.1), **{name: wrong})


@pytest.mark.parametrize("name", NETS)
def test_any_number_of_threads(name):
    found = []
    for threads in (1, 2, 3):
        fn.set_num_threads(threads)
        model, step = make_step(name, clip_grad_norm=0.1, clip_grad_value=0.01)
        for _ in range(3):
            step(*batch_for(name))
        found.append((state_of(model), step.grad_norm))
    assert all(same_state(state, found[0][0]) and norm == found[0][1] for state, norm in found)


@in_a_fresh_process
def test_under_a_budget():
    """Under a budget below that of a plan without recomputation: the same bits."""
    results = []
    for spare in (None, 3 << 20):
        fn.manual_seed(0)
        model = nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.Tanh()) for _ in range(8)])
        x = np.random.default_rng(0).standard_normal((16384, 64)).astype(np.float32)
        step = fn.TrainStep(model, nn.MSELoss(), optim.Adam(model.parameters()),
                            clip_grad_norm=1e-3)
        step(x, x)
        if spare is not None:
            step.memory_budget = step.plan(x.shape, x.shape).min_bytes + spare
            assert step.plan(x.shape, x.shape).recomputed
        step(x, x)
        results.append(state_of(model))
    assert same_state(*results)


def test_a_frozen_model_has_no_norm():
    model = plain().requires_grad_(False)
    step = fn.TrainStep(model, CROSS, optim.SGD(model.parameters(), lr=0.1), clip_grad_norm=1.0)
    step(X, Y)
    assert math.isnan(step.grad_norm)


# ---- several optimizers over one model ----

@pytest.mark.parametrize("accumulate", [1, 4])
@pytest.mark.parametrize("clip", [{}, {"clip_grad_norm": 0.05}])
def test_two_optimizers_of_the_same_kind_are_one(accumulate, clip):
    one, other = plain(), plain()
    whole = fn.TrainStep(one, CROSS, optim.Adam(one.parameters()), accumulate=accumulate, **clip)
    halves = [optim.Adam(other.first.parameters()), optim.Adam(other.second.parameters())]
    parts = fn.TrainStep(other, CROSS, halves, accumulate=accumulate, **clip)
    for _ in range(3):
        assert whole(X, Y) == parts(X, Y)
    assert same_state(state_of(one), state_of(other)) and whole.grad_norm == parts.grad_norm
    assert [optimizer.steps for optimizer in halves] == [3, 3]


def test_optimizers_that_overlap():
    model = plain()
    with pytest.raises(ValueError, match=r"optimizers 0 and 1 both hold second\.weight"):
        fn.TrainStep(model, CROSS, [optim.SGD(model.parameters(), lr=0.1),
                                    optim.Adam(model.second.parameters())])
    with pytest.raises(ValueError, match="list of optimizers is empty"):
        fn.TrainStep(model, CROSS, [])
    with pytest.raises(ValueError, match=r"4 of the optimizer's 8 .* are not of this model"):
        fn.TrainStep(model, CROSS, [optim.SGD(model.parameters(), lr=0.1),
                                    optim.Adam(plain().parameters())])(X, Y)


def test_nothing_changes_unless_all_can():
    model = plain()
    first = optim.SGD(model.first.parameters(), lr=0.1)
    second = optim.SGD(model.second.parameters(), lr=0.1)
    step = fn.TrainStep(model, CROSS, [first, second])
    step(X, Y)
    before = state_of(model)
    second.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match="lr"):
        step(X, Y)
    assert same_state(before, state_of(model)) and first.steps == second.steps == 1


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_group_that_is_added_to_one_of_two(accumulate):
    model = plain()
    optimizers = [optim.SGD([model.first.weight], lr=0.1), optim.Adam(model.second.parameters())]
    step = fn.TrainStep(model, CROSS, optimizers, accumulate=accumulate, clip_grad_norm=0.1)
    step(X, Y)
    before = model.first.bias.data.copy()
    step(X, Y)
    assert (before == model.first.bias.data).all()
    optimizers[0].add_param_group({"params": [model.first.bias], "lr": 0.5})
    step(X, Y)
    assert (before != model.first.bias.data).any()
    assert optimizers[0].state_dict()["steps"] == [3, 1]


def test_two_players():
    """A generator and a critic: two steps, each with an optimizer of its own."""
    fn.manual_seed(0)
    generator, critic = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))

    class Fooled(nn.Module):
        def forward(self, output, target):
            return fn.softplus(-critic(output)).mean() + 0.0 * target.sum()

    def told_apart(output, target):
        return fn.binary_cross_entropy_with_logits(output, target)

    of_generator = optim.Adam(generator.parameters(), lr=0.05)
    of_critic = optim.Adam(critic.parameters(), lr=0.05)
    play = fn.TrainStep(generator, Fooled(), of_generator, clip_grad_norm=1.0)
    judge = fn.TrainStep(critic, told_apart, of_critic, clip_grad_norm=1.0)
    rng = np.random.default_rng(0)
    labels = np.repeat([[1.0], [0.0]], 64, 0).astype(np.float32)
    start = state_of(critic)
    for _ in range(100):
        real = (rng.standard_normal((64, 2)) * 0.1 + [2.0, -1.0]).astype(np.float32)
        noise = rng.standard_normal((64, 2)).astype(np.float32)
        judge(np.concatenate([real, generator(noise)]), labels)
        before = state_of(critic)
        play(noise, noise)
        assert same_state(before, state_of(critic))
    assert not same_state(start, state_of(critic))
    assert of_generator.steps == of_critic.steps == 100
    assert np.linalg.norm(generator(noise).mean(0) - [2.0, -1.0]) < 1.0
