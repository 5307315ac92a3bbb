"""grad, gradcheck and no_grad."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.spec import ShapeError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 3, 8, 8)).astype(np.float32)


def net():
    fn.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                         nn.Linear(144, 5))


def test_the_gradient_has_the_inputs_shape_and_pytorchs_values():
    torch = pytest.importorskip("torch")
    model, y = net().eval(), np.array([0, 4, 2, 1])
    twin = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
                               torch.nn.Flatten(), torch.nn.Linear(144, 5)).eval()
    twin.load_state_dict({name: torch.from_numpy(np.array(value))
                          for name, value in model.state_dict().items()})
    x = torch.from_numpy(X).requires_grad_()
    torch.nn.functional.cross_entropy(twin(x), torch.from_numpy(y)).backward()
    got = fn.grad(lambda x, y: fn.cross_entropy(model(x), y))(X, y)
    assert got.shape == X.shape
    np.testing.assert_allclose(got, x.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_argnums():
    a, b = RNG.standard_normal((2, 3)), RNG.standard_normal((2, 3))

    def f(a, b):
        return (a * a * b).sum()

    np.testing.assert_allclose(fn.grad(f)(a, b), 2 * a * b, rtol=1e-5)
    np.testing.assert_allclose(fn.grad(f, 1)(a, b), a * a, rtol=1e-5)
    second, first = fn.grad(f, (1, 0))(a, b)
    np.testing.assert_allclose(second, a * a, rtol=1e-5)
    np.testing.assert_allclose(first, 2 * a * b, rtol=1e-5)
    assert isinstance(fn.grad(f, [0])(a, b), tuple)


def test_an_input_may_be_a_tuple_and_may_not_matter():
    one, other = fn.grad(lambda pair, x: (pair[0] * 3 * x).sum(), 0)((np.ones(2), np.ones(3)), 2.0)
    np.testing.assert_array_equal(one, [6, 6])
    np.testing.assert_array_equal(other, [0, 0, 0])


def test_the_modes_of_models_are_those_of_the_call_and_nothing_changes():
    model = net()
    before = {name: value.copy() for name, value in model.state_dict().items()}
    saliency = fn.grad(lambda x: model(x)[:, 0].sum())
    in_training = saliency(X)
    in_eval = (model.eval(), saliency(X))[1]
    assert not np.allclose(in_training, in_eval)
    np.testing.assert_array_equal((model.train(), saliency(X))[1], in_training)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)
    parameter = model[4].weight
    parameter.data = parameter.data * 2
    np.testing.assert_allclose(saliency(X), in_training * 2, rtol=1e-4, atol=1e-6)


def test_changing_modes_does_not_trace_again():
    model, traces = net(), []

    def f(x):
        traces.append(x.shape)
        return model(x)[:, 0].sum()

    saliency = fn.grad(f)
    for _ in range(3):
        model.train()
        saliency(X)
        model.eval()
        saliency(X)
    assert len(traces) == 2
    saliency(X[:2])
    assert len(traces) == 3


def test_what_grad_refuses():
    with pytest.raises(ShapeError, match=r"returns one number, a float; got shape \(4, 5\)"):
        fn.grad(net())(X)
    with pytest.raises(TypeError, match="input 1 holds integers"):
        fn.grad(lambda x, y: fn.cross_entropy(x, y), 1)(np.ones((2, 3)), np.array([0, 1]))
    with pytest.raises(TypeError, match="argnums names input 2, got 1 inputs"):
        fn.grad(lambda x: x.sum(), 2)(X)
    with pytest.raises(TypeError, match="a function of tensors, got 3"):
        fn.grad(3)
    with pytest.raises(ValueError, match="argnums"):
        fn.grad(lambda x: x.sum(), -1)
    with pytest.raises(ValueError, match="names no input"):
        fn.grad(lambda x: x.sum(), ())


@pytest.mark.parametrize("train", [True, False])
def test_gradcheck_passes_what_is_right(train):
    assert fn.gradcheck(net().train(train), X)
    assert fn.gradcheck(lambda a, b: (a @ b, fn.exp(a)), (X[0, 0, :4, :5], X[0, 1, :5]))
    assert fn.gradcheck(lambda x, y: fn.cross_entropy(x, y, reduction="sum"),
                        (X[0, 0], np.arange(8)))
    assert fn.gradcheck(lambda x: x * 1e6, X[0, 0] * 1e-6)
    assert fn.gradcheck(lambda x: x * 0 + 1, X[0, 0])


class Wrong(fn.Function):
    """x², with one gradient that is 2 % too large."""

    @staticmethod
    def forward(ctx, x):
        return x**2

    @staticmethod
    def backward(ctx, dy):
        gradient = 2 * ctx.inputs[0] * dy
        gradient[1, 3] *= 1.02
        return gradient


def test_gradcheck_names_the_input_and_the_place():
    x = RNG.uniform(0.5, 1.5, (4, 5)) * RNG.choice([-1, 1], (4, 5))
    with pytest.raises(fn.GradcheckError, match=r"the gradient of input 1 at \[1, 3\] is -?\d"):
        fn.gradcheck(lambda a, b: a + Wrong.apply(b), (x, x))
    assert not fn.gradcheck(Wrong.apply, x, raise_exception=False)
    assert fn.gradcheck(Wrong.apply, x, rtol=0.03)


def test_gradcheck_sees_a_mistake_in_a_large_input():
    class Half(fn.Function):
        @staticmethod
        def forward(ctx, x):
            return x**3

        @staticmethod
        def backward(ctx, dy):
            gradient = 3 * ctx.inputs[0] ** 2 * dy
            gradient[20:] *= 0.9
            return gradient

    with pytest.raises(fn.GradcheckError, match="input 0"):
        fn.gradcheck(Half.apply, RNG.standard_normal((40, 50)))


def test_what_gradcheck_refuses():
    with pytest.raises(TypeError, match="an input of floats"):
        fn.gradcheck(lambda x: x.float(), np.arange(3))
    with pytest.raises(ValueError, match="eps"):
        fn.gradcheck(lambda x: x, X, eps=0)


def test_no_gradient_passes_what_no_grad_computed():
    def f(x):
        with fn.no_grad():
            weight = fn.exp(x)
            with fn.enable_grad():
                inner = x * 3
        return (x * weight + inner).sum()

    x = RNG.standard_normal(5).astype(np.float32)
    np.testing.assert_allclose(fn.grad(f)(x), np.exp(x) + 3, rtol=1e-5)

    @fn.no_grad()
    def one(x):
        return x * x

    @fn.no_grad
    def other(x):
        return x * x

    for constant in (one, other):
        np.testing.assert_allclose(fn.grad(lambda x: (x + constant(x)).sum())(x), 1)  # noqa: B023
    with fn.set_grad_enabled(False):
        model = nn.Linear(5, 2)
        assert model(x).shape == (2,)


def test_a_model_in_no_grad_gets_no_gradients():
    teacher, student = nn.Linear(3, 2), nn.Linear(3, 2)

    class Both(nn.Module):
        def __init__(self):
            super().__init__()
            self.teacher, self.student = teacher, student

        def forward(self, x):
            with fn.no_grad():
                wanted = self.teacher(x)
            return self.student(x) - wanted

    _, grads = fn.value_and_grad(Both(), lambda y, _: y.square().sum())(np.ones((2, 3)), np.ones(1))
    assert not grads["teacher.weight"].any() and grads["student.weight"].any()
