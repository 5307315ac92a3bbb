"""Every kind of optimizer: resume, threads, parts, budgets, groups that are added, errors."""

import inspect
import json

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training.checkpoint import load_checkpoint, save_checkpoint
from tests.nets import same_state
from tests.reference import optimizer as reference

KINDS = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "dampening": 0.5}, "Adam": {"amsgrad": True},
    "AdamW": {"lr": 0.01}, "NAdam": {"momentum_decay": 0.1}, "RAdam": {"betas": (0.5, 0.95)},
    "Adamax": {}, "Adagrad": {"lr_decay": 0.1, "initial_accumulator_value": 0.5}, "Adadelta": {},
    "RMSprop": {"momentum": 0.5, "centered": True}, "Rprop": {}, "ASGD": {"t0": 2, "lambd": 0.1},
    "Lion": {"weight_decay": 0.1}, "Muon": {"lr": 0.02},
}
Y = np.arange(6) % 3


class Net(nn.Module):
    """Two matrices, of which one is tall and one wide."""

    def __init__(self):
        super().__init__()
        fn.manual_seed(3)
        self.first, self.second = nn.Linear(5, 40, bias=False), nn.Linear(40, 3, bias=False)

    def forward(self, x):
        return self.second(fn.tanh(self.first(x)))


def batch(number):
    return np.random.default_rng(number).standard_normal((6, 5)).astype(np.float32), Y


def made(kind, **more):
    """(model, optimizer, step)."""
    model = Net()
    options = {key: more.pop(key) for key in tuple(more) if key in ("lr", "params")}
    params = options.pop("params", lambda net: net.parameters())(model)
    optimizer = getattr(optim, kind)(params, **KINDS[kind] | options)
    return model, optimizer, fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer, **more)


def train(step, numbers, optimizer):
    for number in numbers:
        optimizer.lr = optimizer.lr * 0.9
        step(*batch(number))


def every_bit(model, optimizer):
    state = [array.tobytes() for arrays in optimizer.state_dict()["state"]
             for array in arrays.values()]
    return [value.tobytes() for value in model.state_dict().values()], state


@pytest.mark.parametrize("kind", KINDS)
def test_a_restored_state_goes_on_with_the_same_bits(kind):
    model, optimizer, step = made(kind)
    train(step, range(6), optimizer)
    half, its, step = made(kind)
    train(step, range(3), its)
    rest, fresh, step = made(kind, lr=1.0)
    rest.load_state_dict(half.state_dict())
    fresh.load_state_dict(json.loads(json.dumps(its.state_dict(), default=lambda a: a.tolist())))
    train(step, range(3, 6), fresh)
    assert every_bit(rest, fresh) == every_bit(model, optimizer)


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_holds_all_state(kind, tmp_path):
    model, optimizer, step = made(kind)
    train(step, range(3), optimizer)
    save_checkpoint(tmp_path / "c", {"model": model}, [optimizer], {})
    again, fresh, other = made(kind, lr=1.0)
    load_checkpoint(tmp_path / "c", {"model": again}, [fresh], [], lambda *_: None)
    assert every_bit(again, fresh) == every_bit(model, optimizer)
    assert fresh.state_dict()["steps"] == [3, 3]
    for each in ((step, optimizer), (other, fresh)):
        train(each[0], range(3, 5), each[1])
    assert every_bit(again, fresh) == every_bit(model, optimizer)


@pytest.mark.parametrize("kind", KINDS)
def test_threads_do_not_change_bits(kind):
    found = []
    for threads in (1, 2, 3):
        before = fn.get_num_threads()
        fn.set_num_threads(threads)
        model, optimizer, step = made(kind)
        train(step, range(3), optimizer)
        fn.set_num_threads(before)
        found.append(every_bit(model, optimizer))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("kind", KINDS)
def test_accumulated_parts_are_close_to_the_whole(kind):
    """Signs of a tiny sum may differ: rprop and lion then move apart by a step of that size."""
    model, optimizer, step = made(kind)
    parts, its, step_in_parts = made(kind, accumulate=3)
    train(step, range(2), optimizer)
    train(step_in_parts, range(2), its)
    for one, other in zip(model.parameters(), parts.parameters(), strict=True):
        np.testing.assert_allclose(other.data, one.data, rtol=0, atol=2e-5)
    assert its.state_dict()["steps"] == [2, 2]


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_that_is_not_finite_changes_nothing(kind, accumulate):
    class Root(Net):
        def forward(self, x):
            return super().forward(x) + fn.sqrt(fn.square(self.second.weight).sum())

    model = Root()
    optimizer = getattr(optim, kind)(model.parameters(), **KINDS[kind])
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer, accumulate=accumulate)
    step(*batch(0))
    model.second.weight.data = 0.0 * model.second.weight.data
    before = every_bit(model, optimizer)
    with pytest.raises(fn.NonFiniteError, match=r"gradient of second\.weight is not finite"):
        step(*batch(1))
    assert every_bit(model, optimizer) == before and optimizer.steps == 1


@pytest.mark.parametrize("kind", KINDS)
def test_scale_and_limit_of_a_step(kind):
    """A step whose gradients are scaled is that of a loss that is scaled."""
    model, optimizer, step = made(kind)
    halves, its, _ = made(kind)
    half = fn.TrainStep(halves, lambda x, y: 0.5 * fn.cross_entropy(x, y), its)
    advance = optimizer.advance
    optimizer.advance = lambda *_: advance(scale=0.5)
    for number in range(2):
        step(*batch(number))
        half(*batch(number))
    for one, other in zip(model.parameters(), halves.parameters(), strict=True):
        np.testing.assert_allclose(other.data, one.data, rtol=0, atol=2e-6)
    optimizer.advance = lambda *_: advance(limit=0.0)
    state = [{name: array.copy() for name, array in optimizer.state[id(p)].items()}
             for p in model.parameters()]
    step(*batch(2))
    for p, before in zip(model.parameters(), state, strict=True):
        for name in {"exp_avg", "momentum_buffer"} & set(before) if kind != "RMSprop" else ():
            assert np.abs(optimizer.state[id(p)][name]).max() < np.abs(before[name]).max()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"Muon"}))
def test_maximize_goes_uphill(kind):
    model, _, step = made(kind)
    uphill, its, _ = made(kind)
    its.param_groups[0]["maximize"] = True
    up = fn.TrainStep(uphill, lambda x, y: -fn.cross_entropy(x, y), its)
    for number in range(3):
        step(*batch(number))
        up(*batch(number))
    assert same_state(model.state_dict(), uphill.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_a_group_that_is_added(kind):
    """It has state and steps of its own, from when it was added on."""
    for accumulate in (1, 2):
        model, optimizer, step = made(kind, params=lambda net: net.second.parameters(),
                                      accumulate=accumulate)
        first = model.first.weight.data.copy()
        step(*batch(0))
        np.testing.assert_array_equal(model.first.weight.data, first)
        optimizer.add_param_group({"params": model.first.parameters(), "lr": 0.5})
        step(*batch(1))
        assert (model.first.weight.data != first).any()
        assert optimizer.state_dict()["steps"] == [2, 1]
        assert [group["lr"] for group in optimizer.param_groups][1] == 0.5
        assert len(optimizer.state_dict()["groups"]) == 2


def test_an_added_group_is_checked_before_anything_changes():
    model, optimizer, _ = made("Adam", params=lambda net: net.second.parameters())
    for group, error, words in (
            ({"params": model.first.parameters(), "lr": "0.1"}, TypeError, "lr must be a number"),
            ({"params": model.second.parameters()}, ValueError, "is given twice"),
            ({"params": [model.first.weight] * 2}, ValueError, "is given twice"),
            ([model.first.weight], TypeError, "param_group must be a dict"),
            ({"lr": 0.1}, ValueError, 'a group needs "params"'),
            ({"params": model.first}, TypeError, "takes a list of parameters")):
        with pytest.raises(error, match=words):
            optimizer.add_param_group(group)
        assert len(optimizer.param_groups) == len(optimizer.state) == 1


def test_one_group_of_two_has_amsgrad():
    model = Net()
    optimizer = optim.Adam([{"params": model.first.parameters(), "amsgrad": True},
                            {"params": model.second.parameters()}])
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer)
    step(*batch(0))
    assert "max_exp_avg_sq" in optimizer.state[id(model.first.weight)]
    assert "max_exp_avg_sq" not in optimizer.state[id(model.second.weight)]
    optimizer.param_groups[1]["amsgrad"] = True
    with pytest.raises(ValueError, match="Adam: amsgrad cannot be set between steps"):
        step(*batch(1))


def test_options_of_muon_that_its_plans_depend_on():
    _, optimizer, step = made("Muon")
    step(*batch(0))
    optimizer.param_groups[0]["nesterov"] = False
    step(*batch(1))
    optimizer.param_groups[0]["ns_steps"] = 3
    with pytest.raises(ValueError, match="Muon: ns_steps cannot be set between steps"):
        step(*batch(2))


def test_nadam_follows_betas_that_change():
    """The product of momenta is that of the momenta that there were."""
    model, optimizer, step = made("NAdam")
    product = 1.0
    for number, beta in enumerate((0.9, 0.5, 0.8), 1):
        optimizer.param_groups[0]["betas"] = (beta, 0.99)
        step(*batch(number))
        product *= beta * (1 - 0.5 * 0.96 ** (number * 0.1))
    found = optimizer.state[id(model.first.weight)]["mu_product"]
    assert float(found) == pytest.approx(product, rel=1e-14)


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW"])
def test_states_of_earlier_versions(kind, tmp_path):
    model = Net()
    optimizer, fresh = (getattr(optim, kind)(model.parameters(), lr=0.5) for _ in range(2))
    state = optimizer.state_dict()
    for name in ("maximize", "amsgrad", "decoupled_weight_decay"):
        state["groups"][0].pop(name, None)
    optimizer.state_dict = lambda: state
    save_checkpoint(tmp_path / "c", {"model": model}, [optimizer], {})
    for load in (lambda: fresh.load_state_dict(state),
                 lambda: load_checkpoint(tmp_path / "c", {"model": model}, [fresh], [],
                                         lambda *_: None)):
        fresh.lr = 0.1
        load()
        group = fresh.param_groups[0]
        assert group["lr"] == 0.5 and not group["maximize"] and not group.get("amsgrad")
        assert group.get("decoupled_weight_decay", False) == (kind == "AdamW")


def test_lion_is_its_paper():
    model, _, step = made("Lion", lr=0.01)
    exact = [p.data.astype(np.float64) for p in model.parameters()]
    momenta = [np.zeros(p.shape) for p in exact]
    twin, _, _ = made("Lion")
    gradients = fn.value_and_grad(twin, nn.CrossEntropyLoss())
    for number in range(5):
        twin.load_state_dict(model.state_dict())
        _, grads = gradients(*batch(number))
        step(*batch(number))
        for i, g in enumerate(grads.values()):
            h = {"lr": 0.01, "weight_decay": 0.1, "beta1": 0.9, "beta2": 0.99}
            exact[i], momenta[i] = reference.lion(h, number + 1, exact[i], g.astype(float),
                                                  momenta[i])
    for p, expected in zip(model.parameters(), exact, strict=True):
        np.testing.assert_allclose(p.data, expected, rtol=0, atol=2e-6)


def test_muons_step_is_orthogonal():
    """With the coefficients of a Newton-Schulz iteration that converges to that."""
    model = Net()
    before = [p.data.copy() for p in model.parameters()]
    optimizer = optim.Muon(model.parameters(), lr=1.0, weight_decay=0.0, ns_steps=40,
                           ns_coefficients=(1.875, -1.25, 0.375), adjust_lr_fn="match_rms_adamw")
    fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer)(*batch(0))
    for p, old in zip(model.parameters(), before, strict=True):
        moved = (old - p.data) / (0.2 * np.sqrt(max(p.shape)))
        values = np.linalg.svd(moved, compute_uv=False)
        rank = min(*p.shape, 3) if p is model.second.weight else min(p.shape)
        np.testing.assert_allclose(values[:rank - 1], 1, rtol=1e-3)


def test_muon_under_the_least_budget():
    model, optimizer, step = made("Muon")
    train(step, range(2), optimizer)
    plan = step.plan((6, 5))
    small, its, step = made("Muon", memory_budget=plan.min_bytes + 2**24)
    train(step, range(2), its)
    assert same_state(model.state_dict(), small.state_dict())


@pytest.mark.parametrize(("make", "error", "words"), [
    (lambda p: optim.Muon([nn.Parameter(np.ones(3))]), ValueError, r"matrices, got .*\(3,\)"),
    (lambda p: optim.Muon(p, ns_steps=100), ValueError, "ns_steps must be an integer from 0 to 99"),
    (lambda p: optim.Muon(p, adjust_lr_fn="none"), ValueError, "adjust_lr_fn must be one of"),
    (lambda p: optim.Muon(p, ns_coefficients=(1, 2)), ValueError, "three numbers such as"),
    (lambda p: optim.Muon(p, ns_coefficients=(1, 2, "3")), TypeError, r"ns_coefficients\[2\]"),
    (lambda p: optim.Adadelta(p, rho=1.5), ValueError, "rho must be a number from 0 to 1 that"),
    (lambda p: optim.RMSprop(p, alpha=-1), ValueError, "alpha must be a number from 0 on"),
    (lambda p: optim.RMSprop(p, centered=1), TypeError, "centered must be True or False"),
    (lambda p: optim.Rprop(p, etas=(1.5, 1.2)), ValueError, "etas must be a number between 0"),
    (lambda p: optim.Rprop(p, etas=0.5), TypeError, "etas must be two numbers such as"),
    (lambda p: optim.Rprop(p, step_sizes=(1, 0.5)), ValueError, "step_sizes must be the least"),
    (lambda p: optim.ASGD(p, t0="9"), TypeError, "t0 must be a number .*; write t0=9"),
    (lambda p: optim.NAdam(p, momentum_decay=-1), ValueError, "momentum_decay must be a number"),
    (lambda p: optim.Adagrad(p, initial_accumulator_value=None), TypeError,
     "initial_accumulator_value must be a number from 0 on, got None"),
    (lambda p: optim.Lion(p, betas=0.9), TypeError, "betas must be two numbers"),
    (lambda p: optim.Adam(p, differentiable=True), ValueError, "differentiable must be False"),
    (lambda p: optim.SGD(p, foreach="yes"), TypeError, "foreach must be True or False"),
    (lambda p: optim.SGD(p, maximize="yes"), TypeError, "maximize must be True or False")])
def test_bad_options(make, error, words):
    with pytest.raises(error, match=words):
        make(Net().parameters())


@pytest.mark.parametrize("kind", KINDS)
def test_pytorchs_choices_of_a_way_change_nothing(kind):
    names = inspect.signature(getattr(optim, kind)).parameters
    ways = {name: True for name in ("foreach", "fused", "capturable") if name in names}
    optimizer = getattr(optim, kind)(Net().parameters(), **KINDS[kind], **ways)
    assert not set(ways) & set(optimizer.param_groups[0])
