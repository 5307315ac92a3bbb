"""Run one function of fastnn, or of PyTorch, forward and backward on arrays."""

import numpy as np

import fastnn as fn
from tests.parity.compare import TOLERANCE, assert_close, torch


class Holder(fn.nn.Module):
    """A function whose arguments are parameters, so that all of them get gradients."""

    def __init__(self, function, arrays):
        super().__init__()
        self.function = function
        for number, value in enumerate(arrays):
            setattr(self, f"p{number}", fn.nn.Parameter(value))

    def forward(self, x):
        return self.function(*self.parameters())


def _weighted_sum(output, weight):
    return (output * weight).sum()


def ours(function, arrays, cotangent):
    """(y, gradients of the arrays) for the loss sum(y * cotangent)."""
    holder = Holder(function, arrays)
    nothing = np.zeros(1, np.float32)
    _, gradients = fn.value_and_grad(holder, _weighted_sum)(nothing, cotangent)
    return holder(nothing), [gradients[f"p{number}"] for number in range(len(arrays))]


def theirs(function, arrays, seed=12345):
    """(y, gradients, cotangent) from PyTorch in double precision.

    The cotangent is random, and from another seed than any argument: if it were like an argument,
    the gradient of a normalisation would vanish.
    """
    tensors = [torch.from_numpy(value.astype(np.float64)).requires_grad_() for value in arrays]
    y = function(*tensors)
    cotangent = np.random.default_rng(seed).standard_normal(tuple(y.shape)).astype(np.float32)
    (y * torch.from_numpy(cotangent)).sum().backward()
    gradients = [np.zeros_like(value) if tensor.grad is None else tensor.grad.numpy()
                 for tensor, value in zip(tensors, arrays, strict=True)]
    return y.detach().numpy(), gradients, cotangent


def check_same(function, torch_function, arrays, tolerance=TOLERANCE):
    """The two functions agree in their values and in the gradient of every array."""
    expected, expected_gradients, cotangent = theirs(torch_function, arrays)
    actual, gradients = ours(function, arrays, cotangent)
    assert_close(actual, expected, tolerance, "output")
    for number, pair in enumerate(zip(gradients, expected_gradients, strict=True)):
        assert_close(*pair, tolerance, f"gradient of argument {number}")
