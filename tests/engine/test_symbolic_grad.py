"""Gradients inside of a forward or a loss: fn.autograd.grad, and fn.grad of tensors."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.spec import ShapeError
from tests.fresh import in_a_fresh_process

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4)).astype(np.float32)


class Of(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def run(function, *arrays):
    return Of(function)(*arrays)


def test_gradients_of_several_inputs_and_outputs():
    def both(x, y):
        return fn.autograd.grad([(x * x * y).sum(), (x * 3).sum()], [x, y])

    dx, dy = run(both, X, X + 1)
    np.testing.assert_allclose(dx, 2 * X * (X + 1) + 3, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dy, X * X, rtol=1e-5)


def test_grad_outputs():
    (dx,) = run(lambda x, v: fn.autograd.grad(x * x, x, v), X, X + 2)
    np.testing.assert_allclose(dx, 2 * X * (X + 2), rtol=1e-5, atol=1e-6)


def test_a_gradient_of_a_parameter():
    layer = nn.Linear(4, 2)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def forward(self, x):
            return fn.autograd.grad(self.layer(x).sum(), list(self.layer.parameters()))

    dw, db = Net()(X)
    np.testing.assert_allclose(dw, np.tile(X.sum(0), (2, 1)), rtol=1e-5)
    np.testing.assert_array_equal(db, [3, 3])


def test_without_create_graph_no_gradient_passes():
    def f(create_graph):
        def function(x):
            (dx,) = fn.autograd.grad((x ** 3).sum(), x, create_graph=create_graph)
            return (dx * x).sum()

        return fn.grad(function)(X)

    np.testing.assert_allclose(f(False), 3 * X**2, rtol=1e-5)
    np.testing.assert_allclose(f(True), 9 * X**2, rtol=1e-5)


def test_unused_inputs():
    def used(x, y):
        return (x * 2).sum()

    with pytest.raises(ValueError, match=r"do not depend on inputs\[1\].*allow_unused"):
        run(lambda x, y: fn.autograd.grad(used(x, y), [x, y]), X, X)
    seen = []
    run(lambda x, y: seen.append(fn.autograd.grad(used(x, y), [x, y], allow_unused=True)) or x,
        X, X)
    assert seen[0][1] is None
    _, dy = run(lambda x, y: fn.autograd.grad(used(x, y), [x, y], materialize_grads=True), X, X)
    np.testing.assert_array_equal(dy, np.zeros_like(X))
    with pytest.raises(ValueError, match="leave out allow_unused"):
        run(lambda x: fn.autograd.grad(x.sum(), x, allow_unused=False, materialize_grads=True), X)
    with pytest.raises(ValueError, match="detach"):
        run(lambda x: fn.autograd.grad(x.detach().sum(), x), X)


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"inside of a forward.*fn.grad"):
        fn.autograd.grad(X.sum(), X)
    with pytest.raises(ShapeError, match=r"outputs\[0\] has shape \(3, 4\).*sum"):
        run(lambda x: fn.autograd.grad(x, x), X)
    with pytest.raises(ShapeError, match=r"grad_outputs\[0\] \(3,\)"):
        run(lambda x: fn.autograd.grad(x, x, np.ones(3)), X)
    with pytest.raises(ValueError, match="2 grad_outputs for 1 outputs"):
        run(lambda x: fn.autograd.grad(x, x, [x, x]), X)
    with pytest.raises(ValueError, match="one gradient is computed at a time"):
        run(lambda x: fn.autograd.grad(x.sum(), x, is_grads_batched=True), X)
    with pytest.raises(TypeError, match="holds integers"):
        run(lambda x, i: fn.autograd.grad(x.sum(), i), X, np.arange(3))
    with pytest.raises(ValueError, match="inputs has no tensor"):
        run(lambda x: fn.autograd.grad(x.sum(), []), X)


def test_the_message_for_backward_names_it():
    with pytest.raises(AttributeError, match=r"fn\.autograd\.grad\(.*create_graph=True"):
        run(lambda x: x.sum().backward(), X)
    with pytest.raises(AttributeError, match="takes any tensor"):
        run(lambda x: x.requires_grad_(), X)


def test_grad_nests():
    def f(x):
        return fn.sin(x) * x

    x = np.float32(0.7)
    second = fn.grad(fn.grad(f))(x)
    assert second == pytest.approx(2 * np.cos(x) - x * np.sin(x), rel=1e-5)
    third = fn.grad(fn.grad(fn.grad(f)))(x)
    assert third == pytest.approx(-3 * np.sin(x) - x * np.cos(x), rel=1e-5)


def test_grad_of_tensors_takes_what_is_around_as_constant():
    """As jax.grad: x times itself, where only one of them is the argument."""
    got = run(lambda x: fn.grad(lambda a: (a * x).sum())(x), X)
    np.testing.assert_array_equal(got, X)


def test_grad_of_tensors_under_no_grad():
    def f(x):
        with fn.no_grad():
            slope = fn.grad(lambda a: (a ** 3).sum())(x)
        return (slope * x).sum()

    np.testing.assert_allclose(fn.grad(f)(X), 3 * X**2, rtol=1e-5)


def test_grad_of_tensors_with_several_arguments():
    da, db = run(lambda x, y: fn.grad(lambda a, b: (a * a * b).sum(), (0, 1))(x, y), X, X + 1)
    np.testing.assert_allclose(da, 2 * X * (X + 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(db, X * X, rtol=1e-5)


def test_a_function_in_python_has_no_second_derivative():
    class Cube(fn.Function):
        @staticmethod
        def forward(ctx, x):
            return x**3

        @staticmethod
        def backward(ctx, dy):
            return 3 * ctx.inputs[0] ** 2 * dy

    with pytest.raises(TypeError, match="the gradient of Cube has no gradient"):
        fn.grad(fn.grad(lambda x: Cube.apply(x).sum()))(np.ones(1))


def critic(size=8):
    fn.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 16, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(16, 16, 3), nn.SiLU(),
        nn.Conv2d(16, 8, 1), nn.Tanh(), nn.Flatten(), nn.Linear(8 * (size - 2) ** 2, 1))


class Penalized(nn.Module):
    """The loss of a critic with a gradient penalty at points drawn between real and fake."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, real, fake):
        mix = fn.rand(real.shape[0], 1, 1, 1)
        between = mix * real + (1 - mix) * fake
        (slope,) = fn.autograd.grad(self.model(between).sum(), between, create_graph=True)
        penalty = ((slope.flatten(1).square().sum(1) + 1e-12).sqrt() - 1).square().mean()
        return self.model(fake).mean() - self.model(real).mean() + 10 * penalty


def trained(budget=None, threads=2, accumulate=1, steps=3, size=8):
    """(losses, parameters, plan) after some steps."""
    before = fn.get_num_threads()
    fn.set_num_threads(threads)
    try:
        model = critic(size)
        step = fn.TrainStep(Penalized(model), lambda loss: loss,
                            fn.optim.Adam(model.parameters(), lr=1e-3), budget,
                            accumulate=accumulate)
        rng, losses = np.random.default_rng(3), []
        for _ in range(steps):
            pair = tuple(rng.standard_normal((8, 2, size, size)).astype(np.float32)
                         for _ in range(2))
            losses.append(step(pair))
        return losses, [p.data.copy() for p in model.parameters()], step.plan(
            (pair[0].shape, pair[1].shape))
    finally:
        fn.set_num_threads(before)


def same(one, other):
    return one[0] == other[0] and all(
        a.tobytes() == b.tobytes() for a, b in zip(one[1], other[1], strict=True))


def test_a_gradient_penalty_has_the_same_bits_with_any_threads():
    expected = trained(threads=1)
    for threads in (2, 3):
        assert same(expected, trained(threads=threads))


@in_a_fresh_process
def test_a_gradient_penalty_has_the_same_bits_under_a_budget():
    expected = trained(threads=1, steps=2, size=40)
    free = expected[2]
    found = trained((free.peak_bytes + free.min_bytes) // 2, steps=2, size=40)
    assert found[2].recomputed and same(expected, found)


def test_a_gradient_penalty_in_micro_batches():
    """The points between are drawn anew for each micro-batch; the mean is over all examples."""
    losses, parameters, _ = trained(accumulate=2)
    assert np.isfinite(losses).all() and all(np.isfinite(p).all() for p in parameters)


def test_a_recomputed_gradient_penalty():
    """Checkpointed layers are computed again in the backward pass of the penalty, to same bits."""
    def losses(recompute):
        model = critic()
        if recompute:
            for layer in list(model)[:4]:
                fn.checkpoint(layer)
        step = fn.TrainStep(Penalized(model), lambda loss: loss,
                            fn.optim.SGD(model.parameters(), lr=0.01))
        rng = np.random.default_rng(3)
        fn.manual_seed(7)
        return [step(tuple(rng.standard_normal((8, 2, 8, 8)).astype(np.float32)
                           for _ in range(2))) for _ in range(3)]

    assert losses(True) == losses(False)
