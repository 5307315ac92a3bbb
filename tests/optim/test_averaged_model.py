"""Averages of weights: what they are of, functions of one's own, and what does not fit."""

import copy
import tracemalloc

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.optim.swa_utils import (
    AveragedModel,
    get_ema_avg_fn,
    get_ema_multi_avg_fn,
    get_swa_avg_fn,
    get_swa_multi_avg_fn,
    update_bn,
)
from tests.nets import batch, make, same_state, state_of

KINDS = {
    "mean": {}, "swa": {"multi_avg_fn": get_swa_multi_avg_fn()},
    "swa of one": {"avg_fn": get_swa_avg_fn()}, "ema": {"multi_avg_fn": get_ema_multi_avg_fn(0.8)},
    "ema of one": {"avg_fn": get_ema_avg_fn(0.8)},
    "own": {"avg_fn": lambda average, value, n: average * 0.8 + value * 0.2},
    "own of many": {"multi_avg_fn": lambda averages, values, n: [
        average.__setitem__(..., average * 0.8 + value * 0.2)
        for average, value in zip(averages, values, strict=True)]},
}


def moving(model, rng):
    """Random weights and statistics."""
    for stored in (*model.parameters(), *model.buffers()):
        stored.data = (rng.standard_normal(stored.shape) if stored.dtype == np.float32 else
                       stored.data + 3)


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_formulas(kind, use_buffers):
    model, rng = make("residual"), np.random.default_rng(0)
    averaged = AveragedModel(model, use_buffers=use_buffers, **KINDS[kind])
    seen = []
    for _ in range(5):
        moving(model, rng)
        seen.append(state_of(model))
        averaged.update_parameters(model)
    assert averaged.n_averaged.data == 5
    parameters = dict(model.named_parameters())
    for name, value in averaged.module.state_dict().items():
        values = [state[name] for state in seen]
        if name not in parameters and not use_buffers:
            assert value.tobytes() == values[-1].tobytes()
        elif value.dtype == np.float32:
            expected = values[0]
            for n, each in enumerate(values[1:], 1):
                weight = 0.2 if "swa" not in kind and kind != "mean" else 1 / (n + 1)
                expected = (1 - weight) * expected + weight * each
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)


def test_the_first_is_a_copy_and_the_model_is_not_touched():
    model = make("mlp")
    averaged = AveragedModel(model)
    before = state_of(averaged)
    moving(model, np.random.default_rng(0))
    assert same_state(before, state_of(averaged))
    averaged.update_parameters(model)
    assert same_state(state_of(averaged.module), state_of(model))
    assert list(averaged.state_dict()) == ["n_averaged", *(f"module.{name}"
                                                           for name in model.state_dict())]


def test_any_number_of_threads():
    states = []
    for threads in (1, 2, 3):
        fn.set_num_threads(threads)
        model, rng = nn.Linear(300, 400), np.random.default_rng(0)
        averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))
        for _ in range(4):
            moving(model, rng)
            averaged.update_parameters(model)
        states.append(state_of(averaged))
    assert same_state(states[0], states[1]) and same_state(states[0], states[2])


def test_a_steady_update_allocates_nothing():
    model = make("residual")
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn())
    for _ in range(3):
        averaged.update_parameters(model)
    tracemalloc.start()
    try:
        for _ in range(5):
            averaged.update_parameters(model)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        averaged.update_parameters(model)
        assert tracemalloc.get_traced_memory()[1] - before < 2000  # Python's own small objects
    finally:
        tracemalloc.stop()


def test_layers_that_are_replaced_and_copies():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    averaged.update_parameters(model)
    model[1] = nn.Linear(2, 2)
    expected = 0.5 * averaged.module[1].weight.data + 0.5 * model[1].weight.data
    twin = copy.deepcopy(averaged)
    for each in (averaged, twin):
        each.update_parameters(model)
        np.testing.assert_allclose(each.module[1].weight.data, expected, rtol=1e-6)
    x = np.ones((1, 2), np.float32)
    np.testing.assert_array_equal(averaged(x), averaged.module(x))
    fresh = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.5))
    fresh.load_state_dict(averaged.state_dict())
    for each in (averaged, fresh):
        each.update_parameters(model)
    assert same_state(state_of(averaged), state_of(fresh))


def test_what_does_not_fit():
    model = nn.Linear(2, 3)
    averaged = AveragedModel(model)
    averaged.update_parameters(model)
    before = state_of(averaged)
    with pytest.raises(fn.ShapeError, match=r"weight has shape \(3, 4\).*the average has \(3, 2\)"):
        averaged.update_parameters(nn.Linear(4, 3))
    with pytest.raises(ValueError, match="the model has 1 parameters"):
        averaged.update_parameters(nn.Linear(2, 3, bias=False))
    with pytest.raises(TypeError, match="model"):
        averaged.update_parameters(None)
    assert same_state(before, state_of(averaged))
    with pytest.raises(ValueError, match="not both"):
        AveragedModel(model, avg_fn=get_ema_avg_fn(), multi_avg_fn=get_ema_multi_avg_fn())
    with pytest.raises(ValueError, match="on the CPU"):
        AveragedModel(model, device="cuda")
    with pytest.raises(TypeError, match="avg_fn must be a function"):
        AveragedModel(model, avg_fn=0.9)
    for decay in (-0.1, 1.1, "0.9"):
        with pytest.raises((TypeError, ValueError), match="decay"):
            get_ema_multi_avg_fn(decay)


def test_update_bn_leaves_all_else_as_it_was():
    model = make("residual")
    model.eval()
    model.block.bn1.train()
    momenta = [model.block.bn1.momentum, model.block.bn2.momentum]
    weights = {name: parameter.data.copy() for name, parameter in model.named_parameters()}
    x, _ = batch(12)
    update_bn([x[:6], (x[6:], None)], model)
    assert [module.training for module in model.modules()] == [
        module is model.block.bn1 for module in model.modules()]
    assert [model.block.bn1.momentum, model.block.bn2.momentum] == momenta
    assert all((parameter.data == weights[name]).all()
               for name, parameter in model.named_parameters())
    assert model.block.bn1.num_batches_tracked.data == 4  # the block is used twice

    def fails():
        yield x
        raise KeyError

    with pytest.raises(KeyError):
        update_bn(fails(), model)
    assert model.block.bn2.momentum == momenta[1] and not model.training
    update_bn(fails(), nn.Linear(2, 2))  # nothing to do: no batch is drawn


def test_rates_by_layer():
    layers = fn.optim.layerwise_groups

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Parameter(np.zeros(3))
            self.stem, self.act = nn.Linear(3, 3), nn.ReLU()
            self.blocks = nn.ModuleList([nn.Linear(3, 3), nn.Sequential(nn.Linear(3, 3))])
            self.head = nn.Linear(3, 2)

    net = Net()
    groups = layers(net, 1.0, 0.5, weight_decay=0.1)
    assert [group["lr"] for group in groups] == [0.125, 0.25, 0.5, 1.0]
    assert groups[0]["params"] == [net.token, net.stem.weight, net.stem.bias]
    assert groups[-1]["params"] == list(net.head.parameters())
    assert all(group["weight_decay"] == 0.1 for group in groups)
    assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))
    groups = layers(net, 1.0, 0.1, layers=[[net.stem, net.blocks[0]], net.head])
    assert [(len(group["params"]), group["lr"]) for group in groups] == [(7, 0.1), (2, 1.0)]
    fn.optim.SGD(groups, lr=1.0)
    for wrong in ({"decay": 1.5}, {"lr": -1.0}, {"layers": [nn.Linear(2, 2)]}):
        with pytest.raises(ValueError):
            layers(net, **({"lr": 1.0} | wrong))
    with pytest.raises(TypeError, match="a layer"):
        layers(net, 1.0, layers=["stem"])
