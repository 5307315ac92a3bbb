"""Minimising a loss over the whole batch, against SciPy on the same function in NumPy."""

import numpy as np
import pytest
from scipy import optimize

import fastnn as fn
from fastnn import nn

X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X @ np.random.default_rng(1).normal(size=(4, 3))).argmax(1)


def classifier():
    fn.manual_seed(3)
    return nn.Linear(4, 3)


def in_numpy(theta, decay):
    """The regularised cross-entropy of a linear classifier and its gradient, float64."""
    weight, bias = theta[:12].reshape(3, 4), theta[12:]
    logits = X @ weight.T + bias
    logits -= logits.max(1, keepdims=True)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    value = -np.log(p[np.arange(60), Y]).mean() + decay / 2 * theta @ theta
    p[np.arange(60), Y] -= 1
    grad = np.concatenate([(p.T @ X / 60).ravel(), p.mean(0)]) + decay * theta
    return value, grad


def test_products_are_differences_in_float64():
    model = classifier()
    theta = np.concatenate([model.weight.data.ravel(), model.bias.data]).astype(np.float64)
    vector = np.random.default_rng(5).normal(size=15)
    ends = [in_numpy(theta + sign * 1e-5 * vector, 0)[1] for sign in (1, -1)]
    named = {"weight": vector[:12].reshape(3, 4), "bias": vector[12:]}
    _, product = fn.second_order.hvp(model, nn.CrossEntropyLoss(), (X, Y), named)
    found = np.concatenate([product["weight"].ravel(), product["bias"]])
    np.testing.assert_allclose(found, (ends[0] - ends[1]) / 2e-5, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", fn.second_order.METHODS)
@pytest.mark.parametrize("size", [None, 13])
def test_each_method_finds_scipys_minimum(method, size):
    model = classifier()
    start = np.concatenate([model.weight.data.ravel(), model.bias.data])
    expected = optimize.minimize(in_numpy, start, (0.01,), method="L-BFGS-B", jac=True,
                                 options={"gtol": 1e-9, "ftol": 1e-14})
    found = fn.minimize(model, nn.CrossEntropyLoss(), (X, Y), method, weight_decay=0.01,
                        batch_size=size)
    assert found.loss == pytest.approx(expected.fun, rel=1e-5)
    assert found.history[0] == pytest.approx(in_numpy(start, 0.01)[0], rel=1e-6)
    theta = np.concatenate([model.weight.data.ravel(), model.bias.data])
    np.testing.assert_allclose(theta, expected.x, atol=2e-2)
    assert found.success or method == "BFGS", found.message  # float32 may end BFGS's line search
    assert len(found.history) == found.iterations + 1
    assert (np.diff(found.history) <= 0).all()


def test_lbfgs_takes_scipys_way():
    """The first iterates are those of SciPy on the function in float64."""
    model, points, ours = classifier(), [], []
    start = np.concatenate([model.weight.data.ravel(), model.bias.data])
    optimize.minimize(in_numpy, start, (0.1,), method="L-BFGS-B", jac=True,
                      callback=lambda point: points.append(in_numpy(point, 0.1)[0]))
    fn.minimize(model, nn.CrossEntropyLoss(), (X, Y), weight_decay=0.1,
                callback=lambda at: ours.append(at.loss))
    np.testing.assert_allclose(ours[:6], points[:6], rtol=1e-5)


def test_newton_solves_a_quadratic_in_one_step():
    model = nn.Linear(4, 2)
    target = X @ np.ones((4, 2)) + 3
    found = fn.minimize(model, nn.MSELoss(), (X, target), "Newton", gtol=1e-4)
    assert found.iterations == 1 and found.success and found.products == 10
    np.testing.assert_allclose(model.weight.data, 1, atol=1e-4)
    np.testing.assert_allclose(model.bias.data, 3, atol=1e-4)


def test_noise_is_switched_off_and_modes_come_back():
    fn.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.5),
                          nn.Linear(8, 3))
    model[3].eval()
    state, statistics = fn.get_rng_state(), model[1].running_mean.data.copy()
    found = fn.minimize(model, nn.CrossEntropyLoss(), (X, Y), max_iter=5)
    assert found.history[-1] < found.history[0]
    assert [module.training for module in model] == [True, True, True, False, True]
    assert model.training and np.array_equal(fn.get_rng_state()["key"], state["key"])
    np.testing.assert_array_equal(model[1].running_mean.data, statistics)


def test_any_number_of_threads_gives_the_same_bits():
    def trained(threads):
        before = fn.get_num_threads()
        fn.set_num_threads(threads)
        model = classifier()
        fn.minimize(model, nn.CrossEntropyLoss(), (X, Y), max_iter=7)
        fn.set_num_threads(before)
        return model.weight.data.tobytes()

    assert trained(1) == trained(3)


def test_an_error_of_a_callback_leaves_the_best_weights():
    model = classifier()

    def stop(at):
        if at.number == 3:
            raise KeyboardInterrupt

    losses = []
    with pytest.raises(KeyboardInterrupt):
        fn.minimize(model, nn.CrossEntropyLoss(), (X, Y),
                    callback=lambda at: (losses.append(at.loss), stop(at)))
    assert float(nn.CrossEntropyLoss()(model(X.astype(np.float32)), Y)) == pytest.approx(
        losses[-1], rel=1e-5)


def test_a_loss_of_the_output_alone():
    model = nn.Linear(4, 1)
    found = fn.minimize(model, lambda output: (output - 2).square().mean(), (X,))
    assert found.loss < 1e-8


def test_what_is_refused():
    model, loss = classifier(), nn.CrossEntropyLoss()
    before = model.weight.data.copy()
    with pytest.raises(ValueError, match=r"method must be one of \('L-BFGS', 'BFGS', 'Newton'"):
        fn.minimize(model, loss, (X, Y), "SGD")
    with pytest.raises(ValueError, match="gtol must be a number from 0 on, got -1"):
        fn.minimize(model, loss, (X, Y), gtol=-1)
    with pytest.raises(ValueError, match=r"the Hessian is singular: 5 of its 15 eigenvalues are 0"):
        fn.minimize(model, loss, (X, Y), "Newton")  # softmax leaves a constant open
    with pytest.raises(ValueError, match="uphill: 1 of the Hessian's 1 eigenvalues are negative"):
        fn.minimize(nn.Linear(1, 1, bias=False), lambda output, y: -(output - 5).square().mean(),
                    (np.ones((2, 1)), np.ones((2, 1))), "Newton")
    with pytest.raises(fn.NonFiniteError, match="before the first iteration"):
        fn.minimize(model, lambda output, y: (output - output).log().sum(), (X, Y))
    with pytest.raises(ValueError, match=r"the loss is random, by loss:random_uniform"):
        fn.minimize(model, lambda output, y: (output * fn.rand(60, 3)).sum(), (X, Y))
    with pytest.raises(TypeError, match="not one function of the parameters"):
        fn.minimize(model, loss, fn.data.Batches(X, Y, 20))
    with pytest.raises(fn.ShapeError, match="x and y must have as many examples each"):
        fn.minimize(model, loss, (X, Y[:50]))
    with pytest.raises(TypeError, match="callback must be a function"):
        fn.minimize(model, loss, (X, Y), callback=3)
    np.testing.assert_array_equal(model.weight.data, before)


class Saddle(nn.Module):
    """w1² - w2²/2 - ..., whatever comes in."""

    def __init__(self, place):
        super().__init__()
        self.place = nn.Parameter(np.array(place, np.float32))

    def forward(self, x):
        return self.place


def test_newton_does_not_call_a_saddle_a_minimum():
    model = Saddle([1.0, 0.1])
    with pytest.raises(ValueError, match="a saddle or uphill: 1 of the Hessian's 2 eigenvalues"):
        fn.minimize(model, lambda p: (p[0] ** 2 - p[1] ** 2) / 2, (np.zeros((1, 1)),), "Newton")
    np.testing.assert_allclose(model.place.data, [1.0, 0.1])


@pytest.mark.parametrize("method", fn.second_order.METHODS)
def test_a_small_gradient_ends_it(method):
    found = fn.minimize(classifier(), nn.CrossEntropyLoss(), (X, Y), method, gtol=10,
                        weight_decay=0.1)
    assert found.iterations == 0 and found.success and found.message == "the gradient is small"


def test_a_loss_without_a_minimum_is_no_success():
    model = nn.Linear(4, 1)
    found = fn.minimize(model, lambda output: -(30 * output).exp().mean(), (X,))
    assert not found.success and "was not finite at evaluation" in found.message
    assert np.isfinite(model.weight.data).all()


def test_statistics_of_a_batch_do_not_fit_a_split_one():
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, track_running_stats=False),
                          nn.Linear(6, 3))
    whole = fn.minimize(model, nn.CrossEntropyLoss(), (X, Y), max_iter=3)
    assert whole.history[-1] < whole.history[0]
    with pytest.raises(ValueError, match="1 takes its statistics from the batch"):
        fn.minimize(model, nn.CrossEntropyLoss(), (X, Y), max_iter=3, batch_size=20)
