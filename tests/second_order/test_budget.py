"""A memory budget through `minimize`: the process's peak, in processes of their own."""

import numpy as np

import fastnn as fn
from fastnn import nn
from fastnn.runtime.process_memory import peak_bytes, resident_bytes
from tests.fresh import in_a_fresh_process


def holds(method: str) -> None:
    """A batch that does not fit streams through a budget, to the same losses."""
    def found(budget):
        fn.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.Tanh(), nn.AvgPool2d(4),
                            nn.Flatten(), nn.Linear(8 * 25, 5))
        return fn.minimize(net, nn.CrossEntropyLoss(), (x, y), method, max_iter=2,
                           memory_budget=budget)

    x = np.random.default_rng(0).normal(size=(1200, 1, 20, 20)).astype(np.float32)
    y = np.arange(1200) % 5
    fn.minimize(nn.Linear(2, 2), nn.MSELoss(), (np.eye(2), np.eye(2)), method)  # SciPy's code
    budget = resident_bytes() + (16 << 20)
    within = found(budget)
    assert peak_bytes() <= budget
    np.testing.assert_allclose(within.history, found(None).history, rtol=1e-5)
    assert peak_bytes() > budget  # the whole batch takes more


@in_a_fresh_process
def test_lbfgs() -> None:
    holds("L-BFGS")


@in_a_fresh_process
def test_newton_cg() -> None:
    holds("Newton-CG")
