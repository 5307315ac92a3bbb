"""Gradients of a function with respect to its inputs: saliency, adversarial examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import ref

from fastnn.arguments import integer
from fastnn.autodiff import gradients
from fastnn.context import enable_grad, tracing
from fastnn.engine.compiled import Compiled
from fastnn.engine.nesting import flat, like
from fastnn.engine.plan_cache import PlanCache
from fastnn.engine.trace import Traced, trace
from fastnn.graph import Graph, Tensor, as_tensor
from fastnn.nn.calls import Observer, observing
from fastnn.nn.module import Module
from fastnn.ops.alias import alias
from fastnn.runtime.locks import process_lock
from fastnn.runtime.shared import free_arena
from fastnn.spec import FLOAT, ShapeError


class CalledModules(Observer):
    """The modules that a function was ever seen to call; plans depend on their modes."""

    def __init__(self) -> None:
        self._known: dict[int, ref[Module]] = {}

    def entered(self, module: Module, inputs: tuple[Any, ...]) -> None:
        self._known.setdefault(id(module), ref(module))

    def modes(self) -> tuple[bool, ...]:
        """Whether each of them is in training mode."""
        modules = [known() for known in self._known.values()]
        return tuple(module is not None and module.training for module in modules)


def trace_function(
    function: Callable[..., Any], specs: Sequence[Any], called: CalledModules
) -> tuple[Traced, tuple[Any, ...]]:
    """(what a function computes, the symbolic arguments that it got)."""
    arguments: list[Any] = []

    def noting(*given: Any) -> Any:
        arguments.extend(given)
        return function(*given)

    noting.__wrapped__ = function  # type: ignore[attr-defined]
    with observing(called):
        traced = trace(noting, specs)
    return traced, tuple(arguments)


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """A function of arrays that returns the gradient of f with respect to its inputs.

    f: a function of symbolic tensors, such as functions of fastnn and modules, that returns one
    number (a tensor with one element); it may itself be a module. Models that it calls are used in
    their mode of then and do not change, running statistics included; their parameters are
    constants. argnums: the number of the input, or several. The result calls f once for each new
    shape, takes arrays, or tuples of them, and returns the gradient d f / d input in the shape of
    that input; a tuple of gradients if argnums has several. Random numbers are those of the next
    step. Any Python thread may call it. Called inside of a forward, a loss or another such f, it
    takes and returns symbolic tensors, through which gradients pass: grad(grad(f)) is the second
    derivative.

    Raises TypeError for an input of integers, which has no gradient, ShapeError if f returns more
    than one number: take one of them, or their sum.

    >>> import numpy as np, fastnn as fn
    >>> grad(lambda x: (x ** 3).sum())(np.array([1.0, 2.0]))
    array([ 3., 12.], dtype=float32)
    >>> grad(grad(lambda x: x ** 3))(np.float32(2))
    array(12., dtype=float32)
    >>> model, x = fn.nn.Linear(4, 3), np.ones((2, 4), np.float32)
    >>> saliency = grad(lambda x: model(x)[:, 1].sum())(x)
    >>> bool((saliency == model.weight.data[1]).all())
    True
    """
    if not callable(f):
        raise TypeError(f"grad takes a function of tensors, got {f!r:.60}")
    several = isinstance(argnums, (tuple, list))
    numbers = [integer(number, "argnums", "the number of an input, from 0 on", 0)
               for number in (argnums if several else [argnums])]  # type: ignore[union-attr]
    if not numbers:
        raise ValueError("argnums names no input")
    called = CalledModules()
    cache = PlanCache(called.modes)

    def make(specs: tuple[Any, ...]) -> Compiled:
        traced, arguments = trace_function(f, specs, called)
        wanted = [arguments[number] for number in numbers]
        grads = gradients(_one_number(traced.output), _floats(wanted, numbers))
        graph = Graph.trace(traced.inputs, grads, (), [traced.output])
        return Compiled(graph, specs=specs, nesting=tuple(wanted), arena=free_arena())

    def compute(*inputs: Any) -> Any:
        if max(numbers) >= len(inputs):
            raise TypeError(f"argnums names input {max(numbers)}, got {len(inputs)} inputs; they "
                            "count from 0")
        if tracing() or any(isinstance(value, Tensor) for value in flat(inputs)):
            symbolic = _symbolic(f, inputs, numbers)
            return symbolic if several else symbolic[0]
        with process_lock:
            compiled = cache.bind(inputs, [f"input {i}" for i in range(len(inputs))], make)
            found = compiled.compute(lambda plan: like(plan.nesting, [
                plan.read(i) for i in range(len(flat(plan.nesting)))]))
        return found if several else found[0]

    return compute


def _symbolic(f: Callable[..., Any], inputs: Sequence[Any], numbers: Sequence[int]) -> Any:
    """The gradients as tensors; what f reads beside its arguments counts as constant."""
    given = like(inputs, [alias(as_tensor(value)) for value in flat(inputs)])
    with enable_grad():
        output = f(*given)
    wanted = tuple(given[number] for number in numbers)
    return like(wanted, gradients(_one_number(output), _floats(wanted, numbers)))


def _one_number(output: Any) -> Tensor:
    if not isinstance(output, Tensor) or output.size != 1 or output.dtype != FLOAT:
        what = (f"shape {output.shape}, dtype {output.dtype}" if isinstance(output, Tensor) else
                f"{len(output)} tensors")
        raise ShapeError("grad takes a function that returns one number, a float; got "
                         f"{what}: take one of its values, or .sum()")
    return output


def _floats(wanted: Sequence[Any], numbers: Sequence[int]) -> list[Tensor]:
    for value, number in zip(wanted, numbers, strict=True):
        for tensor in flat(value):
            if tensor.dtype != FLOAT:
                raise TypeError(f"input {number} holds integers, {tensor.dtype}, and has no "
                                f"gradient: write .astype(np.float32), or name another in argnums")
    return [tensor for value in wanted for tensor in flat(value)]
