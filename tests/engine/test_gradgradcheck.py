"""Second derivatives of every operation, by the cases that drive all other tests of operations."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.graph import constant, leaf
from fastnn.spec import ShapeError, Spec
from tests.cases import CASES
from tests.cases.case import Case
from tests.harness import run, trace_case

MOST = 3000  # elements of a case's inputs; larger ones are for kernels' tiles
# What is written on arrays, by a user.
REFUSING = {"Function of one input", "Function between operations", "Function with a None gradient",
            "Function of two inputs and outputs"}
# Parts of names of cases whose differences of gradients say nothing: the gradient jumps (at ties,
# where the order changes, at kinks), is no derivative by intention, or is at the edge of float32.
JUMPING = ("amax", "amin", "max (", "min (", "sort (", "topk", "ties", "equal values", "of zeros",
           "clamp to", "softshrink,lambd=0.25", "batch_norm, relu", "conv2d, batch_norm")
INTENDED = ("detach", "masks times values")
EXTREME = ("far from zero", "of a far mean", "large logits", "pow at 0", "pow of numbers")
CHECKED = [case for case in CASES
           if case.wanted() and sum(array.size for array in case.arrays()) <= MOST]


def function_of(case):
    """(a function of the inputs that have a gradient, those inputs)."""
    arrays, wanted = case.arrays(), case.wanted()

    def function(*tensors):
        given = dict(zip(wanted, tensors, strict=True))
        return case.build(*(given.get(i, _fixed(array)) for i, array in enumerate(arrays)))

    return function, [arrays[i] for i in wanted]


def _fixed(array):
    return constant(array) if array.ndim else leaf("constant", array, Spec((), array.dtype))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CHECKED, ids=str)
def test_cases(case):
    function, arrays = function_of(case)
    if case.name in REFUSING:
        with pytest.raises(TypeError, match=r"the gradient of .* has no gradient"):
            fn.gradgradcheck(function, arrays, fast_mode=True)
        return
    silent = any(part in case.name for part in (*JUMPING, *INTENDED, *EXTREME))
    agrees = fn.gradgradcheck(function, arrays, fast_mode=True, raise_exception=not silent)
    assert agrees or silent


def test_a_wrong_gradient_of_a_gradient_is_found():
    def wrong(x):
        y = x * x
        return y * y.detach()  # whose gradient is 2 x³, and by its graph the derivative 2 x² of it

    x = np.linspace(1, 2, 4)
    with pytest.raises(fn.GradcheckError, match="gradient of input 0"):
        fn.gradgradcheck(wrong, x)
    assert not fn.gradgradcheck(wrong, x, raise_exception=False)


def test_grad_outputs():
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    assert fn.gradgradcheck(lambda x: (fn.tanh(x), fn.sin(x).sum(1)), x, (x + 1, np.ones(2)))
    with pytest.raises(ShapeError, match=r"grad_outputs have shapes \[\(3,\)\]"):
        fn.gradgradcheck(fn.tanh, x, np.ones(3))
    with pytest.raises(TypeError, match="takes a function"):
        fn.gradgradcheck(3, x)


def test_third_derivatives_of_what_is_composed():
    """Where a second derivative is made of operations, those have derivatives, too."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((6, 4)), rng.standard_normal(4)
    labels = np.array([0, 3, 1, -100, 2, 2])
    functions = [
        lambda x: fn.layer_norm(x, (4,), weight), lambda x: fn.softmax(x, 1), fn.gelu, fn.mish,
        lambda x: fn.cross_entropy(x, labels, label_smoothing=0.1), fn.sigmoid, fn.tanh,
        lambda x: fn.batch_norm(x, None, None, weight, None, True), lambda x: fn.prod(x, 1),
        lambda x: fn.linear(x, x[:3] * 2), lambda x: fn.group_norm(x, 2, weight)]
    for function in functions:
        def slope(x, function=function):
            y = function(x)
            return fn.autograd.grad(y.sin().sum(), x, create_graph=True)[0]

        assert fn.gradgradcheck(slope, x, fast_mode=True, rtol=0.02)


def test_fused_and_not_fused_graphs_agree():
    """Fusion finds its patterns in graphs whose backward passes are differentiated."""
    fn.manual_seed(2)
    nn = fn.nn
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
                          nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
                          nn.MaxPool2d(2))

    def penalty(x):
        y = model(x)
        (slope,) = fn.autograd.grad(y.square().sum(), x, create_graph=True)
        return slope

    x = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)
    case = Case("penalty", penalty, None, (x,))
    traced = trace_case(case)
    expected = run(traced.graph, traced.arrays, fused=False)
    for got, value in zip(run(traced.graph, traced.arrays), expected, strict=True):
        np.testing.assert_allclose(got, value, rtol=1e-3, atol=1e-4 * np.abs(value).max())
