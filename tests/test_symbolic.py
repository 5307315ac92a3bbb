"""Symbolic tensors and parameters where people treat them as arrays: they compute, or say the way.

What a comparison computes is in tests/cases/compare.py.
"""

import copy
import operator
import pickle

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.graph import Tensor
from tests.nets import NETS, batch_for, make

X = np.array([[0, 1, 2], [-1, np.pi, 1]], np.float32)


class Net(nn.Module):
    """Computes `run(x)`, or `run(self, x)` with a parameter, for one test."""

    def __init__(self, run):
        super().__init__()
        self.run, self.weight = run, nn.Parameter(np.arange(3.0))

    def forward(self, x):
        return self.run(x) if self.run.__code__.co_argcount == 1 else self.run(self, x)


def test_a_comparison_in_forward_computes():
    x = np.array([[0, 1, 2]], np.float32)
    np.testing.assert_array_equal(Net(lambda x: x * (x == 1))(x), [[0, 1, 0]])
    np.testing.assert_array_equal(Net(lambda x: x * (x != 1))(x), [[0, 0, 2]])


@pytest.mark.parametrize("relation", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparisons_with_nan_are_those_of_ieee_754(relation):
    def masks(x):
        root = fn.sqrt(x)  # NaN for -1
        return tuple(getattr(operator, relation)(a, b) for a, b in ((root, root), (root, 1.0),
                                                                   (1.0, root), (x, root)))

    with np.errstate(invalid="ignore"):
        root = np.sqrt(X)
    expected = [getattr(operator, relation)(a, b) for a, b in ((root, root), (root, 1.0),
                                                              (1.0, root), (X, root))]
    for got, mask in zip(Net(masks)(X), expected, strict=True):
        np.testing.assert_array_equal(got, mask * 1.0)


def test_comparisons_of_parameters_in_forward():
    net = Net(lambda net, x: (x == net.weight) + 2 * (net.weight > 1) + 4 * (net.weight <= 1)
              + 8 * (net.weight == net.weight))
    expected = (np.arange(3) == X) + 2 * (np.arange(3) > 1) + 4 * (np.arange(3) <= 1) + 8
    np.testing.assert_array_equal(net(X), expected)


def test_a_mask_passes_no_gradient_even_where_that_of_its_output_is_infinite():
    net = Net(lambda net, x: fn.sqrt((x - net.weight == 0) * 1.0))
    loss, grads = fn.value_and_grad(net, lambda output, y: (output + y).sum())(X, 0 * X)
    assert loss == ((X - np.arange(3)) == 0).sum() > 0
    np.testing.assert_array_equal(grads["weight"], np.zeros(3))


def test_none_and_texts_are_never_equal():
    seen = []
    Net(lambda x: seen.extend([x == None, x != None, x == "a", x != "a"]) or x)(X)  # noqa: E711
    assert seen == [False, True, False, True]


REFUSED = {
    "if": (lambda x: x if x.mean() > 0 else -x, TypeError, "truth value.*mask"),
    "while": (lambda x: [0 for _ in iter(lambda: bool(x.sum() < 9), False)], TypeError, "mask"),
    "and": (lambda x: x > 0 and x < 1, TypeError, "`and`.*mask"),
    "not": (lambda x: not x, TypeError, "`not`"),
    "max of Python": (lambda x: max(x[0], x[1]), TypeError, "truth value"),
    "in": (lambda x: 1 in x, TypeError, r"`in`.*\(x == value\)"),
    "in a list": (lambda x: x in [x + 1, x], TypeError, "truth value"),
    "float()": (lambda x: x * float(x.mean()), TypeError, "no Python number.*tensor itself"),
    "int()": (lambda x: int(x.sum()), TypeError, "no Python number"),
    "an index": (lambda x: [1, 2, 3][x.sum()], TypeError, "no Python number"),
    "range": (lambda x: range(x.sum()), TypeError, "no Python number"),
    "round()": (lambda x: round(x), TypeError, "no Python number"),
    "len of a scalar": (lambda x: len(x.sum()), TypeError, "no length"),
    "iteration": (lambda x: [row for row in x], TypeError, r"iterated.*x\[0\]"),
    "unpacking": (lambda x: fn.add(*x), TypeError, "iterated"),
    "sum of Python": (lambda x: sum(x), TypeError, "iterated"),
    "np.exp": (lambda x: np.exp(x), TypeError, r"np\.exp.*write fn\.exp"),
    "np.mean": (lambda x: np.mean(x), TypeError, r"write fn\.mean"),
    "np.concatenate": (lambda x: np.concatenate([x, x]), TypeError, r"write fn\.cat"),
    "np.where": (lambda x: np.where(x > 0, x, 0), TypeError, r"fn\.where\(mask, x, y\)"),
    "np.clip": (lambda x: np.clip(x, 0, 1), TypeError, r"write fn\.clamp"),
    "np.floor": (lambda x: np.floor(x), TypeError, r"write fn\.floor"),
    "np.arctan": (lambda x: np.arctan(x), TypeError, r"fn\.Function"),
    "np.add.reduce": (lambda x: np.add.reduce(x), TypeError, "takes arrays"),
    "np.asarray": (lambda x: np.asarray(x), TypeError, "not an array.*fn.Function"),
    "np.array of a list": (lambda x: np.array([x, x]), TypeError, "not an array"),
    "+= of an array": (lambda x: operator.iadd(np.ones((2, 3), np.float32), x), TypeError,
                       "in place.*a [+] x"),
    "writing a column": (lambda x: operator.setitem(x, (slice(None), 0), 0), TypeError,
                         r"written to.*mask"),
    "deleting": (lambda x: operator.delitem(x, 0), TypeError, "written to"),
    "//": (lambda x: x // 2, TypeError, r"x\.shape.*fn\.Function"),
    "%": (lambda x: 2 % x, TypeError, r"fn\.Function"),
    "divmod": (lambda x: divmod(x, 2), TypeError, r"fn\.Function"),
    "<<": (lambda x: x << 1, TypeError, "power of two"),
    "a list as exponent": (lambda x: x**[1, 2], TypeError, r"np\.array\(\[1, 2\]\)"),
    "bits": (lambda x: x & 6, TypeError, "masks.*not integers"),
    "a list": (lambda x: x == [0, 1, 2], TypeError, r"write np\.array\(\[0, 1, 2\]\)"),
    "a class": (lambda x: fn.relu(nn.ReLU()), TypeError, r"ReLU.*called"),
    ".item()": (lambda x: x.mean().item(), AttributeError, "'item'.*return the tensor"),
    ".numpy()": (lambda x: x.numpy(), AttributeError, "return the tensor"),
    ".data": (lambda x: x.data, AttributeError, "return the tensor"),
    ".to": (lambda x: x.to("cuda"), AttributeError, "on the CPU.*leave the call out"),
    ".cuda": (lambda x: x.cuda(), AttributeError, "on the CPU"),
    ".backward()": (lambda x: x.sum().backward(), AttributeError, "TrainStep.*value_and_grad"),
    ".add_": (lambda x: x.add_(1), AttributeError, "never written to"),
    "x[mask]": (lambda x: x[x > 0], TypeError, r"indexed by integers.*x \* mask"),
    "a format": (lambda x: f"{x:.2f}", TypeError, "no digits"),
    "an attribute of one's own": (lambda x: setattr(x, "data", 1), AttributeError, "data"),
    "nothing returned": (lambda x: None, TypeError, "`return` missing"),
    "a tuple for a tensor": (lambda x: fn.relu((x, x)), TypeError, "of 2 tensors"),
    "an unknown name": (lambda x: x.shap, AttributeError, "no attribute 'shap'$"),
    "model.to": (lambda net, x: net.to("cpu"), AttributeError, "on the CPU"),
    "parameter.item": (lambda net, x: net.weight.item(), AttributeError, r"array \.data"),
    "parameter.backward": (lambda net, x: net.weight.grad, AttributeError, "TrainStep"),
    "np.exp of a parameter": (lambda net, x: np.exp(net.weight) * x, TypeError, r"write fn\.exp"),
    "an array of a parameter": (lambda net, x: np.asarray(net.weight) * x, TypeError,
                                "would keep those of now"),
    "float of a parameter": (lambda net, x: float(net.weight[0]), TypeError, "no Python number"),
}


@pytest.mark.parametrize(("run", "error", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_place_in_forward_says_the_way(run, error, message):
    with pytest.raises(error, match=message):
        Net(run)(X)


def test_functions_that_are_methods_of_pytorch():
    net = Net(lambda x: x.pow(2).add(1).sub(x).mul(2).div(4) + x.eq(1) + x.ge(x) + x.lt(0))
    np.testing.assert_allclose(net(X), (X**2 + 1 - X) / 2 + (X == 1) + 1 + (X < 0), rtol=1e-6)


def test_values_of_parameters_that_a_forward_reads_are_warned_of():
    with pytest.warns(UserWarning, match=r"reads \.data of a Parameter") as caught:
        Net(lambda net, x: x * net.weight.data[1])(X)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="made in forward") as caught:
        Net(lambda net, x: x * nn.Parameter(np.ones(3)))(X)
    assert caught[0].filename == __file__


def test_sizes_as_in_pytorch_and_in_numpy():
    seen = []
    Net(lambda x: seen.extend([x.size(0), x.size(-1), x.size(), x.size, x.numel(), x.dim(), len(x),
                               x.ndim]) or x)(X)
    assert seen == [2, 3, (2, 3), 6, 6, 2, 2, 2]
    weight = nn.Parameter(np.zeros((4, 2)))
    assert (weight.size(), weight.size(1), weight.numel(), len(weight)) == ((4, 2), 2, 8, 4)
    assert sum(p.size for p in (weight, weight)) == 16
    assert pickle.loads(pickle.dumps(weight.size)) == 8


def test_methods_that_nothing_needs_give_the_tensor_itself():
    np.testing.assert_array_equal(Net(lambda x: +x.contiguous().clone())(X), X)


def test_arrays_on_the_left():
    a = np.array([2, 0, -1], np.float32)
    net = Net(lambda x: a - x + a / (x + 9) * (a @ x.transpose(0, 1)[:, :1]
                                               if False else np.float32(3)) + (a < x) + (a == x))
    np.testing.assert_allclose(net(X), a - X + a / (X + 9) * 3 + (a < X) + (a == X), rtol=1e-6)
    rows = np.arange(8, dtype=np.float32).reshape(4, 2)
    np.testing.assert_allclose(Net(lambda x: rows @ x)(X), rows @ X, rtol=1e-6)


def test_parameters_outside_of_forward():
    first, second = nn.Parameter([0.0, 1, 2]), nn.Parameter([0.0, 1, 2])
    some = [first, second]
    assert second in some and some.index(second) == 1 and first == first and first != second
    some.remove(second)
    assert some == [first] and {first: 1, second: 2}[second] == 2 and len({first, second}) == 2
    assert (first == 1).tolist() == [False, True, False]
    assert (first < np.array([1, 1, 1])).tolist() == (second < [1, 1, 1]).tolist() == [
        True, False, False]
    assert (first >= 1).tolist() == [False, True, True]
    assert first != None and first != "a"  # noqa: E711
    assert np.exp(first).tolist() == np.exp(first.data).tolist()
    assert np.mean(first) == 1 and np.concatenate([first, second]).shape == (6,)
    assert np.allclose(first, second) and (np.ones(3) == first).tolist() == [False, True, False]
    assert float(nn.Parameter(2.5)) == 2.5 and int(nn.Parameter([3])) == 3
    with pytest.raises(TypeError, match=r"parameter\.data\[key\] = value"):
        first[0] = 1
    with pytest.raises(ValueError, match="ambiguous"):
        bool(first)


def test_a_parameter_is_copied_and_pickled_as_before():
    weight = nn.Parameter([0.0, 1, 2])
    other = copy.deepcopy(weight)
    other.data[0] = 5
    assert weight.data.tolist() == [0, 1, 2] and other.data.tolist() == [5, 1, 2]


@pytest.mark.parametrize("net", sorted(NETS))
def test_the_engine_goes_by_identity(net, monkeypatch):
    """No stage compares tensors by value: that would add to a graph, or ask for a truth value."""
    def refuse(self, other):
        raise AssertionError("two tensors are compared")

    for name in ("__eq__", "__ne__", "__lt__", "__contains__"):
        monkeypatch.setattr(Tensor, name, refuse)
    x, y = batch_for(net)
    for options in ({}, {"accumulate": 2}):
        model = make(net)
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.01),
                            keep_output=True, **options)
        assert np.isfinite(step(x, y))
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()))
    plan = step.plan(x.shape)
    step.memory_budget = plan.min_bytes + plan.baseline_bytes // 100
    assert np.isfinite(step(x, y)) and np.isfinite(
        fn.value_and_grad(model, nn.CrossEntropyLoss())(x, y)[0])
    assert model.eval()(x).shape[0] == len(x)
