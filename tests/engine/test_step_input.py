"""Input that a step refuses or takes: a clear error before anything has changed."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from tests.nets import batch_for, make, make_step, same_state, state_of

X, Y = batch_for("residual")
BAD = {
    "rank": (X[0], Y, fn.ShapeError, r"BatchNorm2d: expected rank \(4,\)"),
    "channels": (X[:, :1], Y, fn.ShapeError, r"stem: .*1 channels.*expected 2"),
    "too small an image": (X[:, :, :1, :1], Y, fn.ShapeError, "max_pool2d"),
    "integers as images": (X.astype(np.int64), Y, fn.ShapeError, "stem: .*float32.*int64"),
    "complex numbers": (X.astype(np.complex64), Y, TypeError, "x must be .*complex64"),
    "text": (np.array(["a"]), Y, TypeError, "x must be"),
    "an empty batch": (X[:0], Y[:0], fn.ShapeError, r"x is empty: shape \(0, 2, 8, 8\)"),
    "NaN": (np.where(np.arange(8) == 3, np.nan, X), Y, fn.NonFiniteError,
            r"x has a non-finite value at index \[0, 0, 0, 3\]"),
    "infinity": (np.where(np.arange(8) == 3, -np.inf, X), Y, fn.NonFiniteError, "x has"),
    "too large for float32": (X.astype(np.float64) * 1e300, Y, fn.NonFiniteError, "x has"),
    "too few targets": (X, Y[:-1], fn.ShapeError, r"target \(5,\).*expected \(6,\)"),
    "targets of rank 2": (X, Y[:, None], fn.ShapeError, r"expected \(6,\)"),
    "float targets": (X, Y.astype(np.float32), fn.ShapeError, "class numbers.*float32"),
    "a class too large": (X, Y + 2, ValueError, "target has class numbers from .* to 5"),
    "a negative class": (X, Y - 1, ValueError, "target has class numbers from -1"),
    "an enormous class": (X, np.full(6, 2**63, np.uint64), ValueError, "class numbers"),
    "two inputs": ((X, X), Y, TypeError, "forward"),
    "nothing": (None, Y, TypeError, "x must be"),
}


@pytest.mark.filterwarnings("ignore:overflow encountered")
@pytest.mark.parametrize(("x", "y", "error", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_changes_nothing(x, y, error, message):
    model, step = make_step()
    step(X, Y)
    before, random_state = state_of(model), fn.get_rng_state()
    with pytest.raises(error, match=message):
        step(x, y)
    assert same_state(before, state_of(model)) and fn.get_rng_state() == random_state
    with pytest.raises(error, match=message):
        fn.value_and_grad(model, nn.CrossEntropyLoss())(x, y)
    assert np.isfinite(step(X, Y)), "the next batch goes on"


def test_targets_that_are_ignored_may_be_any_number():
    model = make("residual")
    loss = nn.CrossEntropyLoss(ignore_index=255)
    step = fn.TrainStep(model, loss, optim.SGD(model.parameters()))
    assert np.isfinite(step(X, np.where(np.arange(6) < 2, 255, Y)))


def test_a_loss_that_is_no_scalar():
    model = make("mlp")
    step = fn.TrainStep(model, nn.CrossEntropyLoss(reduction="none"),
                        optim.SGD(model.parameters()))
    with pytest.raises(fn.ShapeError, match="scalar"):
        step(*batch_for("mlp"))


class Explodes(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)
        self.middle = nn.Sequential(nn.ReLU(), _Exponential())

    def forward(self, x):
        return self.second(self.middle(self.norm(self.first(x)) * 100.0) * 1e-9)


class _Exponential(nn.Module):
    def forward(self, x):
        return fn.exp(x)


def test_a_non_finite_loss_names_the_first_layer_and_changes_nothing():
    model = Explodes()
    optimizer = optim.Adam(model.parameters())
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer)
    x = np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32)
    before = state_of(model)
    with pytest.raises(fn.NonFiniteError, match=r"middle\.1 \(exp\).*no parameter") as error:
        step(x, np.zeros(50, np.int64))
    assert isinstance(error.value, FloatingPointError)
    assert same_state(before, state_of(model)) and optimizer.steps == 0


def test_a_non_finite_parameter_is_named():
    model, step = make_step("mlp")
    model.third.weight.data[0, 0] = np.nan
    with pytest.raises(fn.NonFiniteError, match=r"third\.weight"):
        step(*batch_for("mlp"))


def test_a_non_finite_loss_of_its_own():
    model = nn.Linear(3, 2)
    step = fn.TrainStep(model, lambda out, y: fn.log(fn.mse_loss(out, out)) + (out - y).sum(),
                        optim.SGD(model.parameters()))
    with pytest.raises(fn.NonFiniteError, match=r"loss \(log\)"):
        step(np.ones((4, 3), np.float32), np.ones((4, 2), np.float32))


def test_calling_with_bad_arrays():
    model = make("residual")
    for bad, error in ((X[0], fn.ShapeError), (X[:0], fn.ShapeError), ("x", TypeError),
                       (X * np.nan, fn.NonFiniteError)):
        with pytest.raises(error):
            model(bad)


def test_lists_and_scalars_are_arrays():
    model = nn.Linear(2, 1, bias=False)
    expected = model(np.array([[1, 2]], np.float32))
    np.testing.assert_array_equal(model([[1.0, 2.0]]), expected)
