"""What is trained may change between calls: plans are kept for each choice, and none for another's.

The model is y = a x + b with a = 1, b = 2, and its loss the mean square for x = 1, 2: so y = 3, 4,
d/da = mean(2 x y) = 11 and d/db = mean(2 y) = 7.
"""

import itertools

import numpy as np
import pytest

import fastnn as fn

GRADIENTS = {"a": 11.0, "b": 7.0}
CHOICES = [("a",), ("b",), ("a", "b")]
X, Y = np.array([[1.0], [2.0]], np.float32), np.zeros((2, 1), np.float32)


class Line(fn.nn.Module):
    def __init__(self):
        super().__init__()
        self.a = fn.nn.Parameter(np.float32([1.0]))
        self.b = fn.nn.Parameter(np.float32([2.0]))

    def forward(self, x):
        return self.a * x + self.b

    def train_only(self, names):
        self.a.requires_grad, self.b.requires_grad = "a" in names, "b" in names


@pytest.mark.parametrize("first, second", list(itertools.permutations(CHOICES, 2)))
def test_gradients_are_those_of_what_is_trained_now(first, second):
    model = Line()
    compute = fn.value_and_grad(model, fn.nn.MSELoss())
    for names in (first, second, first):
        model.train_only(names)
        loss, gradients = compute(X, Y)
        assert loss == 12.5
        assert gradients == {name: GRADIENTS[name] for name in names}


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("first, second", list(itertools.permutations(CHOICES, 2)))
def test_a_step_moves_what_is_trained_now(first, second, accumulate):
    model = Line()
    step = fn.TrainStep(model, fn.nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.125),
                        accumulate=accumulate)
    for names in (first, second, first):
        model.train_only(names)
        model.a.data, model.b.data = np.float32([1.0]), np.float32([2.0])
        assert step(X, Y) == 12.5
        moved = {"a": 1.0 - model.a.data[0], "b": 2.0 - model.b.data[0]}
        assert moved == {name: GRADIENTS[name] / 8 if name in names else 0.0 for name in "ab"}


def test_a_models_mode_may_change_between_calls():
    """In training a batch of two becomes -1 and 1; in use, by mean 0 and variance 1, it stays."""
    model = fn.nn.BatchNorm1d(1, affine=False, momentum=0.0, eps=1e-30)
    x = np.float32([[-3.0], [5.0]])
    for _ in range(2):
        assert model.train()(x).tolist() == [[-1.0], [1.0]]
        assert model.eval()(x).tolist() == x.tolist()
