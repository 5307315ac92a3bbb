"""Gradients of gradients against differences of gradients, as torch.autograd.gradgradcheck."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.autodiff import pulled_back
from fastnn.engine.grad import CalledModules, trace_function
from fastnn.engine.gradcheck import gradcheck
from fastnn.engine.inputs import as_input
from fastnn.engine.nesting import flat
from fastnn.graph import Tensor
from fastnn.ops.filled import zeros_like
from fastnn.spec import FLOAT, ShapeError, Spec


def gradgradcheck(
    f: Callable[..., Any], inputs: Any, grad_outputs: Any = None, eps: float = 4e-3,
    atol: float = 1e-6, rtol: float = 5e-3, raise_exception: bool = True,
    fast_mode: bool = False,
) -> bool:
    """Whether the gradients of f's gradients agree with central differences of its gradients.

    The function that is checked takes `inputs`, then `grad_outputs`, and returns the gradients of
    Σ f(inputs) * grad_outputs with respect to all inputs of floats. f, inputs, eps, atol, rtol,
    raise_exception, fast_mode: as for `gradcheck`, whose errors count the grad_outputs as inputs
    behind the others. grad_outputs: an array for each output of floats; None: standard normal
    values.

    Raises what gradcheck does, and TypeError for an operation whose gradient has no gradient.

    >>> import numpy as np, fastnn as fn
    >>> gradgradcheck(fn.tanh, np.linspace(-1, 1, 6).reshape(2, 3))
    True
    """
    if not callable(f):
        raise TypeError(f"gradgradcheck takes a function of tensors, got {f!r:.60}")
    given = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    arrays = [as_input(value, f"input {i}") for i, value in enumerate(given)]
    numbers = [i for i, array in enumerate(arrays) if array.dtype == FLOAT]
    specs = [Spec(array.shape, array.dtype) for array in arrays]

    def gradients_of(*tensors: Tensor) -> tuple[Tensor, ...]:
        variables = [tensors[i] for i in numbers]
        outputs = _floats(f(*tensors[:len(arrays)]))
        found = pulled_back(zip(outputs, tensors[len(arrays):], strict=True), variables)
        return tuple(found[x] if x in found else zeros_like(x) for x in variables)

    gradients_of.__wrapped__ = f  # type: ignore[attr-defined]
    outputs = _floats(trace_function(f, specs, CalledModules())[0].output)
    seeds = _upstream(grad_outputs, outputs)
    return gradcheck(gradients_of, (*arrays, *seeds), eps, atol, rtol, raise_exception,
                     fast_mode)


def _floats(output: Any) -> list[Tensor]:
    return [tensor for tensor in flat(output) if tensor.dtype == FLOAT]


def _upstream(grad_outputs: Any, outputs: list[Tensor]) -> list[np.ndarray]:
    """The gradients that arrive at the outputs: those given, or random ones."""
    if grad_outputs is None:
        rng = np.random.default_rng(2)
        return [rng.standard_normal(tensor.shape).astype(FLOAT) for tensor in outputs]
    given = grad_outputs if isinstance(grad_outputs, (tuple, list)) else (grad_outputs,)
    arrays = [as_input(value, f"grad_outputs {i}") for i, value in enumerate(given)]
    shapes, expected = [array.shape for array in arrays], [tensor.shape for tensor in outputs]
    if shapes != expected:
        raise ShapeError(f"grad_outputs have shapes {shapes}, expected those of f's outputs, "
                         f"{expected}")
    return arrays
