"""Gradients as symbolic tensors, inside of a forward or a loss, as torch.autograd.grad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnn.arguments import flag
from fastnn.autodiff import pulled_back
from fastnn.context import tracing
from fastnn.graph import Tensor, as_tensor, constant
from fastnn.ops.detach import detach
from fastnn.ops.filled import zeros_like
from fastnn.spec import FLOAT, ShapeError


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
    is_grads_batched: bool = False, materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of outputs with respect to inputs, as torch.autograd.grad.

    For each input Σ over outputs of (d output / d input)ᵀ grad_output, a tuple of tensors of the
    inputs' shapes. It works on symbolic tensors, inside of a forward or a loss; for arrays there
    are fn.grad and fn.value_and_grad.

    outputs, inputs: a tensor or several; an input is any tensor or parameter that outputs were
    computed from. grad_outputs: a tensor for each output, None for those of one number.
    create_graph: whether gradients may pass the result, as a gradient penalty needs; else it is
    detached. retain_graph, only_inputs: without effect. allow_unused: whether inputs that no
    output depends on give None; by default as materialize_grads, with which they give zeros.
    is_grads_batched: must be False.

    Raises TypeError outside of a forward, for integers and for an operation without a gradient;
    ShapeError for outputs of several numbers without grad_outputs, or others of another shape;
    ValueError for an input that no output depends on.

    Source of the penalty: Gulrajani et al., "Improved training of Wasserstein GANs", 2017.

    >>> import numpy as np, fastnn as fn
    >>> critic = fn.nn.Linear(3, 1)
    >>> class Penalty(fn.nn.Module):
    ...     def forward(self, x):
    ...         (slope,) = fn.autograd.grad(critic(x).sum(), x, create_graph=True)
    ...         return ((slope.norm(2, dim=1) - 1) ** 2).mean()
    >>> Penalty()(np.ones((4, 3), np.float32)).shape
    ()
    """
    unused = _unused_may_be(allow_unused, materialize_grads)
    flag(create_graph, "create_graph")
    if flag(is_grads_batched, "is_grads_batched"):
        raise ValueError("is_grads_batched: one gradient is computed at a time; call grad for each")
    results = _tensors("outputs", outputs)
    wanted = _tensors("inputs", inputs)
    found = pulled_back(zip(results, _upstream(results, grad_outputs), strict=True), wanted)
    missing = [i for i, tensor in enumerate(wanted) if tensor not in found]
    if missing and not unused:
        raise ValueError(f"autograd.grad: the outputs do not depend on inputs[{missing[0]}], or "
                         "only behind detach or no_grad; allow_unused=True gives None, "
                         "materialize_grads=True zeros")
    if materialize_grads:
        found.update((wanted[i], zeros_like(wanted[i])) for i in missing)
    if not create_graph:
        found = {tensor: detach(value) for tensor, value in found.items()}
    return tuple(found.get(tensor) for tensor in wanted)


def _unused_may_be(allow_unused: bool | None, materialize_grads: bool) -> bool:
    flag(materialize_grads, "materialize_grads")
    if allow_unused is None:
        return materialize_grads
    if materialize_grads and not flag(allow_unused, "allow_unused"):
        raise ValueError("materialize_grads=True gives zeros for unused inputs: leave out "
                         "allow_unused=False")
    return flag(allow_unused, "allow_unused")


def _tensors(name: str, values: Any) -> list[Tensor]:
    """One or several tensors of floats, inside of a forward; or TypeError."""
    several = isinstance(values, (tuple, list))
    tensors = []
    for number, value in enumerate(values if several else [values]):
        place = f"{name}[{number}]" if several else name
        if not tracing() or not hasattr(value, "__tensor__"):
            raise TypeError(
                f"autograd.grad: {place} must be a tensor inside of a forward or a loss, got "
                f"{type(value).__name__}; of arrays write fn.grad(f)(x), of a model's parameters "
                "fn.value_and_grad(model, loss)(x, y)")
        tensor = as_tensor(value)
        if tensor.dtype != FLOAT:
            raise TypeError(f"autograd.grad: {place} holds integers, {tensor.dtype}, and has no "
                            "gradient")
        tensors.append(tensor)
    if not tensors:
        raise ValueError(f"autograd.grad: {name} has no tensor")
    return tensors


def _upstream(outputs: Sequence[Tensor], given: Any) -> list[Tensor]:
    """The gradients that arrive at the outputs."""
    values = given if isinstance(given, (tuple, list)) else [given] * (
        len(outputs) if given is None else 1)
    if len(values) != len(outputs):
        raise ValueError(f"autograd.grad: {len(values)} grad_outputs for {len(outputs)} outputs")
    found = []
    for number, (output, value) in enumerate(zip(outputs, values, strict=True)):
        if value is None and output.size != 1:
            raise ShapeError(f"autograd.grad: outputs[{number}] has shape {output.shape}: give "
                             "grad_outputs, or take its .sum()")
        seed = constant(np.ones(output.shape, FLOAT)) if value is None else as_tensor(value)
        if seed.shape != output.shape:
            raise ShapeError(f"autograd.grad: grad_outputs[{number}] {seed.shape} is not of the "
                             f"shape of its output, {output.shape}")
        found.append(seed)
    return found
