"""Nothing changes unless the loss, all gradients and all batch statistics are finite.

Between backward pass and update a step's program computes two sums of squares, over gradients and
over statistics, and Python reads only these. If one is not finite, the first bad value is located.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any, NoReturn

import numpy as np

from fastnn._kernels.checks import all_finite
from fastnn.context import scope
from fastnn.engine.compiled import Compiled
from fastnn.engine.inputs import NonFiniteError
from fastnn.engine.loss_graph import parameters_of
from fastnn.graph import Node, Tensor, leaf
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.batch_norm import BatchNormUpdate
from fastnn.ops.sum_of_squares import DOUBLE, sum_of_squares
from fastnn.ops.update import Update
from fastnn.ops.update_rows import UpdateRows
from fastnn.spec import Spec


def checks(
    grads: Mapping[Tensor, Tensor], updates: Sequence[Node], square: np.ndarray | None = None
) -> tuple[Tensor, ...]:
    """The sums of squares that a graph also computes, for `finite_loss` and `check_changes`.

    grads: the gradients of parameters. updates: nodes that update running statistics. square: the
    memory of the sum of the gradients' squares, a float64.
    """
    found = []
    norms = [node for node in updates if isinstance(node.op, BatchNormUpdate)]
    if norms:
        with scope("statistics"):
            found.append(sum_of_squares([t for node in norms for t in node.inputs[:2]],
                                        [f for node in norms for f in _factors(node)]))
    if grads:
        with scope("gradients"):
            memory = None if square is None else leaf("buffer", square, Spec((), DOUBLE))
            found.append(sum_of_squares(list(grads.values()), memory=memory))
    return tuple(found)


def _factors(norm: Node) -> tuple[float, float]:
    assert isinstance(norm.op, BatchNormUpdate)
    return norm.op.factors


def finite_loss(model: Module, loss: Any, compiled: Compiled) -> float:
    """The computed loss; NonFiniteError unless it and all changes of state are finite."""
    value = compiled.first()
    if not isfinite(value):
        parts = "".join(f", its part {name!r} is {part}"
                        for name, part in compiled.part_values().items() if not isfinite(part))
        raise NonFiniteError(f"the loss is {value}{parts}; {_origin_of_loss(compiled, model)}; "
                             "no parameter was changed")
    if not compiled.is_finite():
        _refuse_changes(model, loss, compiled)
    return value


def check_changes(model: Module, loss: Any, compiled: Compiled) -> None:
    """Raise NonFiniteError, which names the first one, unless all changes of state are finite."""
    if not compiled.is_finite():
        _refuse_changes(model, loss, compiled)


def _refuse_changes(model: Module, loss: Any, compiled: Compiled) -> NoReturn:
    what = _first_change(compiled, parameters_of(model, loss))
    node = compiled.first_non_finite()
    place = "" if node is None else f"; {_place(node)}"
    raise NonFiniteError(f"{what} is not finite{place}; nothing was changed")


def _first_change(compiled: Compiled, parameters: Mapping[str, Parameter]) -> str:
    """The first statistic or gradient that is not finite."""
    names = {parameter.__tensor__(): name for name, parameter in parameters.items()}
    graph = compiled.plan.graph
    for node in graph.nodes[graph.first_update:]:
        if isinstance(node.op, BatchNormUpdate):
            for name, tensor, factor in zip(("mean", "variance"), node.inputs, node.op.factors,
                                            strict=False):
                with np.errstate(over="ignore"):
                    value = compiled.view(tensor) * np.float32(factor)
                if not np.isfinite(value).all():
                    return f"the {name} of a batch in {node.scope or 'the model'}"
        if isinstance(node.op, (Update, UpdateRows)):
            for parameter, grad in zip(node.op.parameters(node), node.op.gradients(node),
                                       strict=True):
                if not np.isfinite(compiled.view(grad)).all():
                    name = names.get(parameter, f"a parameter of shape {parameter.shape}")
                    return f"the gradient of {name}"
    return "a gradient"


def _origin_of_loss(compiled: Compiled, model: Module) -> str:
    for name, parameter in model.named_parameters():
        if not all_finite(parameter.memory):
            return f"the parameter {name} is not finite"
    node = compiled.first_non_finite()
    return "all values before it are finite" if node is None else _place(node)


def _place(node: Node) -> str:
    return (f"the first value that is not finite comes from {node.scope or 'the model'} "
            f"({node.op.name})")
