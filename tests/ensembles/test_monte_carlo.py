"""Dropout as an ensemble, against masks that NumPy applies."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.ensembles import mc_dropout


def test_one_dropped_logit_has_the_mean_and_spread_of_a_coin():
    # Logits (0, 2 m) with m = 2 or 0, each with probability 1/2.
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.Dropout(0.5))
    net[0].weight.data = [[0.0], [2.0]]
    found = mc_dropout(net, np.ones((200, 1), np.float32), samples=100)
    kept = 1 / (1 + np.exp(-4.0))
    chances = np.array([0.5, kept])
    assert found.probabilities[:, 1].mean() == pytest.approx(chances.mean(), abs=0.01)
    assert found.std[:, 1].mean() == pytest.approx(chances.std(), abs=0.01)
    entropies = -(chances * np.log(chances) + (1 - chances) * np.log(1 - chances))
    mean = chances.mean()
    whole = -(mean * np.log(mean) + (1 - mean) * np.log(1 - mean))
    assert found.entropy.mean() == pytest.approx(whole, abs=0.01)
    assert found.mutual_information.mean() == pytest.approx(whole - entropies.mean(), abs=0.01)


def test_the_same_seed_gives_the_same_bits_and_nothing_else_moves():
    fn.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3),
                        nn.DropConnect(nn.Linear(8, 3), 0.2))
    x = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    before, state = net.state_dict(), fn.get_rng_state()
    before = {name: array.copy() for name, array in before.items()}
    first = mc_dropout(net, x, samples=5, seed=3)
    second = mc_dropout(net, x, samples=5, seed=3, memory_budget="2GiB")
    other = mc_dropout(net, x, samples=5, seed=4)
    assert first.probabilities.tobytes() == second.probabilities.tobytes()
    assert first.probabilities.tobytes() != other.probabilities.tobytes()
    assert fn.get_rng_state() == state and all(module.training for module in net.modules())
    after = net.state_dict()
    assert all(np.array_equal(after[name], array) for name, array in before.items())


def test_many_masks_come_near_the_net_without_dropout():
    fn.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Dropout(0.1), nn.Linear(64, 3))
    x = np.random.default_rng(0).standard_normal((10, 4)).astype(np.float32)
    found = mc_dropout(net, x, samples=400)
    plain = fn.Ensemble([net]).predict_proba(x)
    np.testing.assert_allclose(found.probabilities, plain, atol=0.02)
    assert (found.mutual_information >= 0).all()


@pytest.mark.parametrize("call, message", [
    (lambda: mc_dropout(nn.Linear(2, 2), np.ones((1, 2))), "no dropout layer"),
    (lambda: mc_dropout(nn.Sequential(nn.Dropout(0.0)), np.ones((1, 2))), "no dropout layer"),
    (lambda: mc_dropout(3, np.ones((1, 2))), "model"),
    (lambda: mc_dropout(nn.Dropout(0.5), np.ones((1, 2)), samples=0), "samples"),
    (lambda: mc_dropout(nn.Dropout(0.5), np.ones((1, 1), np.float32)), "two classes or more"),
    (lambda: mc_dropout(nn.Dropout(0.5), []), "no examples"),
])
def test_bad_calls_are_refused_by_name(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
