"""Autodiff: the rules for graphs (fan-out, sharing, freezing), apart from single operations."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.autodiff import gradients
from fastnn.graph import Graph, leaf
from fastnn.runtime.process_memory import resident_bytes
from fastnn.spec import Spec
from tests.fresh import in_a_fresh_process
from tests.harness import run


def _leaf(number, *shape):
    return leaf("input", number, Spec(shape))


def _gradients(build, *arrays):
    """d build / d inputs, run."""
    inputs = [_leaf(i, *a.shape) for i, a in enumerate(arrays)]
    loss = build(*inputs)
    graph = Graph.trace(inputs, gradients(loss, inputs), (), [loss])
    return run(graph, [a.astype(np.float32) for a in arrays])


X = np.array([[0.5, -1.5, 2.0], [-0.25, 3.0, -0.75]])
Y = np.array([[1.5, 0.5, -2.5], [2.0, -1.0, 0.25]])


def test_a_fan_out_adds():
    (dx,) = _gradients(lambda x: (x * 2 + x * 3 + x).sum(), X)
    np.testing.assert_array_equal(dx, np.full(X.shape, 6))


def test_an_add_passes_its_gradient_to_both():
    da, db = _gradients(lambda a, b: ((a + b) * 4).sum(), X, Y)
    np.testing.assert_array_equal(da, np.full(X.shape, 4))
    np.testing.assert_array_equal(db, np.full(X.shape, 4))


def test_a_max_routes_to_the_winner_and_a_tie_to_both():
    b = np.where(Y > 0, Y, X)
    da, db = _gradients(lambda a, b: fn.maximum(a, b).sum(), X, b)
    np.testing.assert_array_equal(da, np.where(b == X, 0.5, b < X))
    np.testing.assert_array_equal(da + db, np.ones(X.shape))
    da, db = _gradients(lambda a, b: fn.minimum(a, b).sum(), X, b)
    np.testing.assert_array_equal(da, np.where(b == X, 0.5, b > X))
    np.testing.assert_array_equal(da + db, np.ones(X.shape))


def test_skips_and_diamonds():
    def build(x):
        a = x * 2
        b = a * a + a
        return (b * a + x).sum()  # 8x³ + 4x² + x

    (dx,) = _gradients(build, X)
    np.testing.assert_allclose(dx, 24 * X**2 + 8 * X + 1, rtol=1e-5)


def test_a_long_chain_does_not_recurse():
    def build(x):
        for _ in range(1500):
            x = x + 1
        return x.sum()

    (dx,) = _gradients(build, X)
    np.testing.assert_array_equal(dx, np.ones(X.shape))


def test_what_the_loss_does_not_use_has_a_zero_gradient():
    dx, dy = _gradients(lambda x, y: (x * x).sum(), X, Y)
    np.testing.assert_allclose(dx, 2 * X, rtol=1e-6)
    np.testing.assert_array_equal(dy, np.zeros(Y.shape))


def test_unused_outputs_of_a_node_count_as_zero():
    class Two(fn.Function):
        @staticmethod
        def output_shapes(x):
            return [x, x]

        @staticmethod
        def forward(ctx, x):
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, da, db):
            return 2 * da + 3 * db

    (dx,) = _gradients(lambda x: Two.apply(x)[1].sum(), X)
    np.testing.assert_array_equal(dx, np.full(X.shape, 3))


def test_a_loss_that_is_no_scalar():
    x = _leaf(0, 3)
    with pytest.raises(ValueError, match="scalar"):
        gradients(x * 2, [x])


def test_a_loss_that_is_the_parameter():
    x = _leaf(0, 1)
    (dx,) = run(Graph.trace([x], gradients(x, [x]), (), [x]), [np.ones(1, np.float32)])
    np.testing.assert_array_equal(dx, [1])


def test_the_gradient_of_an_intermediate_value():
    x = _leaf(0, 2, 3)
    a = x * 3
    loss = (a * a).sum()
    da, dx = run(Graph.trace([x], gradients(loss, [a, x]), (), [loss]), [X.astype(np.float32)])
    np.testing.assert_allclose(da, 6 * X, rtol=1e-6)
    np.testing.assert_allclose(dx, 18 * X, rtol=1e-6)


def test_branches_to_nothing_wanted_cost_nothing():
    x, w, frozen = _leaf(0, 2, 3), _leaf(1, 4, 3), _leaf(2, 5, 4)
    loss = fn.linear(fn.relu(fn.linear(x, w)), frozen).sum()
    for wanted, absent in [([frozen], {"relu_backward", "linear_grad_input"}),
                           ([w], set()), ([x], {"linear_grad_weight"})]:
        graph = Graph.trace([x, w, frozen], gradients(loss, wanted), (), [loss])
        names = [node.op.name for node in graph.nodes]
        assert not absent & set(names)
        assert names.count("linear_grad_weight") == (0 if wanted[0] is x else 1)


def _differences(model, loss, x, y, parameter, places):
    """Central differences of the float32 loss; coarse, but independent of autodiff."""
    run_loss = fn.value_and_grad(model, loss)
    result = []
    for place in places:
        kept, losses = float(parameter.data[place]), []
        for shift in (1e-2, -1e-2):
            parameter.data[place] = kept + shift
            losses.append(run_loss(x, y)[0])
        parameter.data[place] = kept
        result.append((losses[0] - losses[1]) / 2e-2)
    return result


class _Shared(nn.Module):
    """One layer used twice, one weight used by two layers, a skip, two inputs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.tied = nn.Linear(4, 4, bias=False)
        self.tied.weight = self.layer.weight

    def forward(self, x, y):
        h = fn.tanh(self.layer(x))
        h = fn.tanh(self.layer(h)) + x
        return self.tied(h) * y


def test_shared_modules_and_weights():
    rng = np.random.default_rng(1)
    model, loss = _Shared(), nn.MSELoss()
    x, y, target = (rng.standard_normal((3, 4)).astype(np.float32) for _ in range(3))
    _, grads = fn.value_and_grad(model, loss)((x, y), target)
    assert set(grads) == {"layer.weight", "layer.bias"}
    for name, parameter in model.named_parameters():
        places = list(np.ndindex(*parameter.shape))[::3]
        expected = _differences(model, loss, (x, y), target, parameter, places)
        np.testing.assert_allclose([grads[name][place] for place in places], expected,
                                   rtol=2e-3, atol=2e-4)


def test_several_outputs_and_losses():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 2), nn.Linear(3, 4)

        def forward(self, x):
            return self.a(x), self.b(x)

    def loss(outputs, targets):
        return (fn.cross_entropy(outputs[0], targets[0])
                + 0.5 * fn.mse_loss(outputs[1], targets[1]))

    rng = np.random.default_rng(2)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    targets = rng.integers(0, 2, 5), rng.standard_normal((5, 4)).astype(np.float32)
    model = Two()
    total, grads = fn.value_and_grad(model, loss)(x, targets)
    a, ga = fn.value_and_grad(model.a, nn.CrossEntropyLoss())(x, targets[0])
    b, gb = fn.value_and_grad(model.b, nn.MSELoss())(x, targets[1])
    assert total == pytest.approx(a + 0.5 * b, rel=1e-6)
    np.testing.assert_allclose(grads["a.weight"], ga["weight"], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(grads["b.weight"], 0.5 * gb["weight"], rtol=1e-5, atol=1e-7)


def test_a_module_called_with_a_parameter_is_part_of_the_graph():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.start = nn.Parameter(np.ones((1, 3)))
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return self.layer(x) + self.layer(self.start) + self.layer(np.ones((1, 3)))

    model, x = Net(), np.ones((2, 3), np.float32)
    _, grads = fn.value_and_grad(model, lambda out, y: (out - y).sum())(
        x, np.zeros((2, 2), np.float32))
    np.testing.assert_allclose(grads["layer.bias"], [6, 6])
    np.testing.assert_allclose(grads["start"], 2 * model.layer.weight.data.sum(0)[None], rtol=1e-5)


@in_a_fresh_process
def test_gradients_that_nobody_reads_take_no_memory():
    """Those of a pool's places are zeros of 64 MiB."""
    x = _leaf(0, 64, 64, 64, 64)
    loss = fn.max_pool2d(x, 3, stride=1, padding=1).sum()
    before = resident_bytes()
    kept = gradients(loss, [x])
    assert resident_bytes() - before < 8 << 20 and kept
