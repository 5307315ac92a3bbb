"""A scan against a plain forward pass in NumPy, and what the textbook says of initial weights."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn


def test_statistics_are_those_of_numpy():
    kept = []

    def fill(weight):
        nn.init.xavier_normal_(weight)
        kept.append(weight.data.copy())

    state = str(fn.get_rng_state())
    found = fn.init.scan({"mine": fill}, depths=(4,), width=30, examples=50)["mine", 4]
    assert str(fn.get_rng_state()) == state
    again = fn.init.scan({"mine": fill}, depths=(4,), width=30, examples=50)["mine", 4]
    assert found.std.tobytes() == again.std.tobytes()
    fn.manual_seed(0)
    nn.Sequential(*(nn.Linear(30, 30) for _ in range(4)), nn.Linear(30, 10))
    from fastnn.runtime.random import generator
    for layer in range(5):
        nn.init.xavier_normal_(nn.Parameter(kept[layer]))
    x = generator().standard_normal((50, 30), np.float32)
    for layer in range(4):
        x = np.tanh(x @ kept[layer].T)
        assert found.std[layer] == pytest.approx(x.std(), rel=1e-4)
        assert found.flat[layer] == pytest.approx((1 - x**2 < 0.05).mean(), abs=1e-3)


def test_small_weights_collapse_large_ones_saturate_and_xavier_carries():
    found = fn.init.scan(depths=(10, 20))
    assert found["normal, std 0.01", 20].std[-1] < 1e-10
    assert found["normal, std 0.3", 20].flat[-1] > 0.3
    assert 0.1 < found["Xavier", 20].std[-1] < 0.6
    relu = fn.init.scan(activation=nn.ReLU, depths=(20,))
    assert relu["Xavier", 20].std[-1] < 0.01 < 0.3 < relu["He", 20].std[-1] < 3
    ratio = relu["He", 20].grad_std[0] / relu["He", 20].grad_std[-1]
    assert 0.2 < ratio < 5
    assert len(str(found).splitlines()) == 13
    large = fn.init.scan({"large": lambda weight: nn.init.normal_(weight, 0, 9)}, nn.ReLU, (50,))
    assert np.isinf(large["large", 50].std).all()  # float32 overflows


def test_a_picture_and_wrong_calls():
    found = fn.init.scan(depths=(2, 3), width=8, examples=5)
    assert len(found.plot().axes) == 4
    with pytest.raises(KeyError, match=r"no \('nothing', 2\); there are"):
        found["nothing", 2]
    with pytest.raises(ValueError, match="depths must be integers from 1 on, got 0"):
        fn.init.scan(depths=(0,))
    with pytest.raises(ValueError, match="scan needs an initialisation"):
        fn.init.scan({})
