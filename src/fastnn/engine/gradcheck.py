"""Gradients of a function against differences of its values, as torch.autograd.gradcheck.

Values are float32, so that a difference of two has an error of about 6e-8 of the values, however
small the step is. A step of `eps` = 4e-3 of an input's scale balances that error, 6e-8 / eps, and
the one of the formula, eps² / 6: both are about 1e-5. Sums are taken in float64. The tolerance
allows for rounding by itself; `rtol` is for what the formula leaves out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from fastnn.arguments import flag, real
from fastnn.autodiff import gradients
from fastnn.engine.compiled import Compiled
from fastnn.engine.grad import CalledModules, trace_function
from fastnn.engine.inputs import as_input
from fastnn.engine.nesting import flat
from fastnn.graph import Graph, Tensor
from fastnn.ops.binary import add, mul
from fastnn.ops.boundary import array_input
from fastnn.ops.reduce import sum as sum_of
from fastnn.runtime.locks import process_lock
from fastnn.runtime.shared import free_arena
from fastnn.spec import FLOAT, Spec

ALL_ELEMENTS, SAMPLED, DIRECTIONS = 150, 24, 3
ROUNDING = 8 * 2.0**-24  # of each value of f, relative: f has several operations
SMALLER = (1.0, 1 / 8)  # steps, of eps: the second where a kink, as relu's, is near


class GradcheckError(RuntimeError):
    """A gradient that differences do not confirm; names the input and the place."""


def gradcheck(
    f: Callable[..., Any], inputs: Any, eps: float = 4e-3, atol: float = 1e-6, rtol: float = 5e-3,
    raise_exception: bool = True, fast_mode: bool = False,
) -> bool:
    """Whether f's gradients agree with central differences of its values.

    f: a function of symbolic tensors that returns a tensor or several; it may call modules.
    inputs: an array, or a tuple of arrays; integers are no variables. Of inputs of up to 150
    elements each is moved; of larger ones 24, and all at once in 3 random directions. A step is
    `eps` of the input's scale: |x| or the RMS of x, whichever is larger. Along a direction v, a
    gradient g may differ from the difference d by  rtol (|d| + RMS(g) |v|) + atol |v|  and what
    rounding of f's values explains. Where that is too far, as near a kink, 1/8 of the step is
    tried. fast_mode: only all elements of an input at once, in one random direction.

    Returns True, or False without raise_exception. Raises GradcheckError, which names the input,
    the place and both numbers; TypeError if no input is of floats.

    >>> import numpy as np, fastnn as fn
    >>> x = np.linspace(-1, 1, 6).reshape(2, 3)
    >>> gradcheck(lambda x: fn.tanh(x).sum(1), x)
    True
    """
    if not callable(f):
        raise TypeError(f"gradcheck takes a function of tensors, got {f!r:.60}")
    above = "a number above 0"
    eps = real(eps, "eps", above, above=0)
    atol, rtol = (real(value, name, "a number from 0 on", 0)
                  for value, name in ((atol, "atol"), (rtol, "rtol")))
    flag(raise_exception, "raise_exception"), flag(fast_mode, "fast_mode")
    given = inputs if isinstance(inputs, (tuple, list)) else (inputs,)
    arrays = [as_input(value, f"input {i}") for i, value in enumerate(given)]
    numbers = [i for i, array in enumerate(arrays) if array.dtype == FLOAT]
    if not numbers:
        raise TypeError("gradcheck needs an input of floats, got integers alone")
    with process_lock:
        checked = _Checked(f, arrays, numbers)
        for number, gradient in zip(numbers, checked.gradients, strict=True):
            said = _check(checked, number, gradient, eps, atol, rtol, fast_mode)
            if said and raise_exception:
                raise GradcheckError(said)
            if said:
                return False
    return True


class _Checked:
    """A function at a point: its values nearby, and the gradients of Σ values * weights.

    The weights are random, from the same seed each time, so that errors do not cancel.
    """

    def __init__(
        self, f: Callable[..., Any], arrays: Sequence[np.ndarray], numbers: Sequence[int]
    ) -> None:
        self.arrays = arrays
        specs = tuple(Spec(array.shape, array.dtype) for array in arrays)
        traced, arguments = trace_function(f, specs, CalledModules())
        outputs = [tensor for tensor in flat(traced.output) if tensor.dtype == FLOAT]
        if not outputs:
            raise TypeError("gradcheck takes a function that returns floats")
        rng, loss = np.random.default_rng(0), None
        raw: list[Tensor] = []
        self.weights = [rng.standard_normal(tensor.shape).astype(FLOAT) for tensor in outputs]
        for tensor, weights in zip(outputs, self.weights, strict=True):
            source, seed = array_input(len(arrays) + len(raw), Spec(weights.shape), "NCHW")
            raw.append(source)
            term = sum_of(mul(tensor, seed))
            loss = term if loss is None else add(loss, term)
        assert loss is not None
        wanted = [arguments[number] for number in numbers]
        leaves = (*traced.inputs, *raw)
        graph = Graph.trace(leaves, gradients(loss, wanted), (), [loss])
        self.gradients = self._run(graph, arrays)
        values = Graph.trace(leaves, outputs, (), outputs)
        self._compiled = Compiled(values, arena=free_arena())

    def _run(self, graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        compiled = Compiled(graph, arena=free_arena())
        return self._values(compiled, arrays)

    def _values(self, compiled: Compiled, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        compiled.bind([*arrays, *self.weights])
        return compiled.compute(lambda plan: [
            plan.read(i) for i in range(len(plan.graph.outputs))])

    def difference(
        self, number: int, above: np.ndarray, below: np.ndarray
    ) -> tuple[float, float]:
        """(what Σ values * weights changes by from below to above, its possible rounding error).

        Values that did not change have no error: kernels give the same bits for the same numbers.
        """
        high, low = ([moved if i == number else array for i, array in enumerate(self.arrays)]
                     for moved in (above, below))
        change = squares = 0.0
        for one, other, weights in zip(
                self._values(self._compiled, high), self._values(self._compiled, low),
                self.weights, strict=True):
            terms = one.astype(np.float64) * weights
            parts = terms - other.astype(np.float64) * weights
            change += float(parts.sum())
            squares += float((terms**2).sum(where=parts != 0))
        return change, ROUNDING * squares**0.5


def _directions(
    array: np.ndarray, scale: np.ndarray, fast_mode: bool
) -> Iterator[tuple[str, np.ndarray]]:
    """(name, direction): single elements, and for large arrays also random directions.

    In fast mode it is one random direction.
    """
    rng = np.random.default_rng(1)
    small = array.size <= ALL_ELEMENTS
    count = 0 if fast_mode else array.size if small else SAMPLED
    places = range(count) if small else rng.choice(array.size, count, replace=False)
    for place in places:
        unit = np.zeros(array.shape)
        index = np.unravel_index(place, array.shape)
        unit[index] = scale[index]
        yield f"at {[int(i) for i in index]}", unit
    for i in range(1 if fast_mode else 0 if small else DIRECTIONS):
        yield f"along random direction {i}", scale * rng.standard_normal(array.shape)


def _check(
    checked: _Checked, number: int, gradient: np.ndarray, eps: float, atol: float, rtol: float,
    fast_mode: bool,
) -> str:
    """"" if an input's gradient agrees with differences, or what does not."""
    x, gradient = checked.arrays[number], gradient.astype(np.float64)
    if not np.isfinite(gradient).all():
        place = np.argwhere(~np.isfinite(gradient))[0].tolist()
        return f"the gradient of input {number} at {place} is not finite"
    rms = float(np.sqrt(np.mean(x.astype(np.float64) ** 2))) or 1.0
    scale = np.maximum(np.abs(x.astype(np.float64)), rms)
    typical = float(np.sqrt(np.mean(gradient**2)))
    for name, direction in _directions(x, scale, fast_mode):
        said = ""
        for part in SMALLER:
            above, below = (np.asarray(x + sign * eps * part * direction, FLOAT)
                            for sign in (1, -1))
            step = (above.astype(np.float64) - below) / 2  # what float32 made of it
            length = float(np.sqrt((step**2).sum()))
            change, noise = checked.difference(number, above, below)
            expected, got = change / 2, float((gradient * step).sum())
            allowed = rtol * (abs(expected) + typical * length) + atol * length + noise
            if abs(got - expected) <= allowed:
                break
            said = said or (f"the gradient of input {number} {name} is {got / length:.6g}, by "
                            f"differences {expected / length:.6g} "
                            f"(± {allowed / length:.2g})")
        else:
            return said
    return ""
