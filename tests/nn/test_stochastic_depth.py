"""Stochastic depth as a layer; its values are among `tests/cases/random.py`."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from tests.fresh import in_a_fresh_process


def survivors(y):
    """For each example whether it is there; all of it is, or nothing."""
    alive = (y != 0).reshape(len(y), -1)
    assert (alive == alive[:, :1]).all()
    return alive[:, 0]


def test_rows_survive_by_chance_and_are_scaled():
    fn.manual_seed(0)
    layer = nn.StochasticDepth(0.25, "row")
    y = layer(np.ones((4000, 2, 1, 3), np.float32))
    alive = survivors(y)
    assert abs(alive.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 4000)
    np.testing.assert_allclose(y[alive], 1 / 0.75, rtol=1e-6)
    assert (survivors(layer(np.ones((4000, 2), np.float32))) != alive).any()  # each call draws


def test_a_batch_survives_as_a_whole():
    fn.manual_seed(0)
    layer = nn.StochasticDepth(0.5, "batch")
    counts = [survivors(layer(np.ones((8, 2), np.float32))).sum() for _ in range(32)]
    assert set(counts) == {0, 8}


def test_in_use_and_without_a_rate_nothing_is_computed():
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    for layer in (nn.StochasticDepth(0.5, "row").eval(), nn.StochasticDepth(0.0, "batch")):
        assert np.array_equal(layer(x), x)
    assert not nn.StochasticDepth(1.0, "row")(x).any()


@in_a_fresh_process
def test_training_steps_draw_the_same_at_any_budget():
    """Also where values behind it are recomputed."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8000, 64)).astype(np.float32), rng.integers(0, 64, 8000)

    def trained(budget):
        fn.manual_seed(3)
        branch = nn.Sequential(nn.Linear(64, 64), nn.StochasticDepth(0.5, "row"), nn.SiLU(),
                               nn.Linear(64, 64), nn.SiLU(), nn.StochasticDepth(0.3, "row"))
        step = fn.TrainStep(branch, nn.CrossEntropyLoss(),
                            fn.optim.SGD(branch.parameters(), lr=0.1), memory_budget=budget)
        losses = [step(x, y) for _ in range(2)]
        return step.plan(x.shape), losses, branch.state_dict()

    plan, losses, state = trained(None)
    tight, tight_losses, tight_state = trained(plan.min_bytes)
    assert tight.recomputed and tight_losses == losses
    assert all(np.array_equal(state[name], tight_state[name]) for name in state)


@pytest.mark.parametrize(("arguments", "error", "message"), [
    ((1.5, "row"), ValueError, "StochasticDepth's probability p"),
    (("0.5", "row"), TypeError, "StochasticDepth's probability p"),
    ((0.5, "rows"), ValueError, "StochasticDepth: mode must be one of"),
])
def test_arguments_that_cannot_work_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        nn.StochasticDepth(*arguments)
    with pytest.raises(error, match=message.replace("StochasticDepth", "stochastic_depth")):
        fn.stochastic_depth(np.ones((2, 3), np.float32), *arguments)


def test_a_scalar_has_no_rows():
    with pytest.raises(fn.ShapeError, match="no rows"):
        fn.stochastic_depth(np.float32(1) * np.ones((), np.float32), 0.5, "row")
