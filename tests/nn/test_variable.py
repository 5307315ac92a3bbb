"""fn.Variable: a number that may change between steps, with one plan."""

import copy
import multiprocessing

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

X, Y = np.array([[1.0], [2], [3], [4]], np.float32), np.zeros((4, 1), np.float32)


class Scaled(nn.Module):
    def __init__(self, beta):
        super().__init__()
        self.linear, self.beta = nn.Linear(1, 1, bias=False), beta

    def forward(self, x):
        return self.linear(x) * self.beta + (self.beta > 0.75)


def scaled(beta=0.5):
    variable = fn.Variable(beta)
    net = Scaled(variable)
    net.linear.weight.data[...] = 2
    return net, variable


def expected(beta):
    return 2 * X * beta + (beta > 0.75)


def test_a_model_reads_it_at_every_call_by_one_plan(monkeypatch):
    net, beta = scaled()
    np.testing.assert_array_equal(net(X), expected(0.5))
    monkeypatch.setattr("fastnn.engine.inference.Compiled", None)  # no other plan can be made
    for value in (1.5, np.float32(0.25), 2, np.array(0.125), True):
        beta.value = value
        np.testing.assert_array_equal(net(X), expected(float(value)))


def test_in_a_loss_by_a_closure_for_steps_and_gradients():
    net, beta = scaled()
    lam = fn.Variable(0.5)

    def loss(output, y):
        return (output - y).sum() * lam

    step = fn.TrainStep(net, loss, optim.SGD(net.parameters(), lr=0.0))
    grads = fn.value_and_grad(net, loss)
    for value in (0.5, 0.25, 3.0):
        lam.value, beta.value = value, value / 2
        assert step(X, Y) == expected(value / 2).sum() * value
        total, by_name = grads(X, Y)
        assert total == expected(value / 2).sum() * value
        assert list(by_name) == ["linear.weight"]  # none of the variables
        assert by_name["linear.weight"] == X.sum() * value / 2 * value
    assert len(step._cache._kept) == 1


def test_parts_of_a_batch_read_it_too():
    net, beta = scaled()
    step = fn.TrainStep(net, nn.MSELoss(), optim.SGD(net.parameters(), lr=0.0), accumulate=2)
    for value in (0.5, 0.25):
        beta.value = value
        assert step(X, Y) == pytest.approx(np.mean(expected(value) ** 2), rel=1e-6)


def test_it_is_no_state_and_copies_with_its_module():
    net, beta = scaled()
    assert list(net.state_dict()) == ["linear.weight"] == [n for n, _ in net.named_parameters()]
    other = copy.deepcopy(net)
    other.beta.value = 0.25
    np.testing.assert_array_equal(other(X), expected(0.25))
    np.testing.assert_array_equal(net(X), expected(0.5))
    assert beta.value == 0.5 and repr(beta) == "Variable(0.5)"


def test_outside_of_forward_it_is_a_number():
    beta = fn.Variable(0.5)
    assert float(beta) == 0.5 and int(fn.Variable(3)) == 3 and beta == 0.5 and beta < 1 and not (
        beta > 0.5)
    assert bool(beta) and not fn.Variable(0) and beta in [fn.Variable(0.5), beta]
    assert beta != fn.Variable(0.5), "two are equal if they are one"
    assert np.exp(beta) == np.exp(np.float32(0.5))


def test_arguments_that_must_be_plain_numbers_say_so():
    net, _ = scaled()
    net.forward = lambda x: fn.leaky_relu(x, net.beta)
    with pytest.raises(TypeError, match="no Python number"):
        net(X)


@pytest.mark.parametrize(("value", "error", "message"), [
    (float("nan"), ValueError, "finite float32, got nan"), (np.inf, ValueError, "got inf"),
    (1e39, ValueError, "finite"), (10**400, ValueError, "finite"), ("0.3", TypeError, "got str"),
    (None, TypeError, "got NoneType"), (np.ones(1), TypeError, "got ndarray"),
    ([0.3], TypeError, "got list"), (1j, TypeError, "got complex")])
def test_what_is_no_number_changes_nothing(value, error, message):
    beta = fn.Variable(0.5)
    with pytest.raises(error, match=message):
        beta.value = value
    assert beta.value == 0.5
    with pytest.raises(error, match=message):
        fn.Variable(value)


def _child(net, beta, queue):
    beta.value = 0.25
    queue.put(net(X))


def test_a_forked_child_has_its_own():
    net, beta = scaled()
    net(X)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_child, args=(net, beta, queue))
    child.start()
    np.testing.assert_array_equal(queue.get(timeout=60), expected(0.25))
    child.join()
    assert beta.value == 0.5
    np.testing.assert_array_equal(net(X), expected(0.5))


@pytest.mark.parametrize("convert", [bool, float, int])
def test_several_values_are_no_single_one(convert):
    with pytest.raises(ValueError, match=r"Parameter of shape \(2, 3\) is ambiguous as an? "):
        convert(fn.nn.Parameter(np.ones((2, 3), np.float32)))
