"""The graph of a training step: forward pass, loss, the optimizer's update.

Shared by whole batches (`step.py`) and batches in parts (`accumulate.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from fastnn._kernels.checks import all_finite
from fastnn.compiled import Compiled, NonFiniteError
from fastnn.context import Origin, scope
from fastnn.graph import FLOAT, Node, ShapeError, Spec, Tensor, leaf, storage_shape
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.update import Update
from fastnn.runtime.random import streams
from fastnn.trace import flat, trace


def check_parts(model: Any, loss: Any) -> None:
    """Raise TypeError unless these are a module and something that can be called."""
    for name, value in (("model", model), ("loss", loss)):
        if isinstance(value, type):
            raise TypeError(f"{name} is the class {value.__name__}, expected an instance: write "
                            f"{value.__name__}() with its arguments")
        if type(value).__module__.startswith("torch."):
            raise TypeError(f"{name} is PyTorch's {type(value).__name__}: build it with fastnn.nn, "
                            "which has the same names; its state_dict can be loaded")
    if not isinstance(model, Module):
        raise TypeError(f"model must be an fn.nn.Module, got {type(model).__name__}")
    if not callable(loss):
        raise TypeError("loss must be a module such as nn.CrossEntropyLoss(), or a function of "
                        f"(output, target), got {loss!r:.60}")


def trainable(model: Module, loss: Any) -> dict[str, Parameter]:
    """The parameters of a model and its loss that training changes, by name."""
    named = dict(model.named_parameters())
    if isinstance(loss, Module):
        named.update({f"loss.{name}": value for name, value in loss.named_parameters()})
    return {name: value for name, value in named.items() if value.requires_grad}


def loss_graph(
    model: Module, loss: Any, x_spec: Any, y_spec: Any, layout: str
) -> tuple[tuple[Tensor, ...], list[Tensor], Tensor, tuple[Node, ...]]:
    """(inputs, flat outputs of the model, scalar loss, state changes)."""
    with streams():
        traced = trace(model, x_spec if isinstance(x_spec, tuple) else (x_spec,), layout)

        def loss_of(target: Any) -> Any:
            return loss(traced.output, target)

        loss_of.__wrapped__ = loss  # type: ignore[attr-defined]
        with scope("loss"):
            end = trace(loss_of, (y_spec,), layout, len(traced.inputs))
    value = end.output
    if not isinstance(value, Tensor) or value.size != 1 or value.dtype != FLOAT:
        raise ShapeError(f"the loss must be a scalar tensor, got {value}")
    return (*traced.inputs, *end.inputs), flat(traced.output), value, traced.updates + end.updates


def target_spec(loss: Any, output: Any, layout: str) -> Any:
    """The array that a loss takes as target: what the loss says, else like the output."""
    if isinstance(output, (tuple, list)):
        return tuple(target_spec(loss, part, layout) for part in output)
    spec = loss.target_spec(output.spec) if hasattr(loss, "target_spec") else output.spec
    return Spec(storage_shape(spec.shape), spec.dtype) if layout == "NHWC" else spec


def trained(optimizer: Any) -> list[Tensor]:
    """The parameters that an optimizer changes."""
    return [parameter.__tensor__() for group in optimizer.param_groups
            for parameter in group["params"] if parameter.requires_grad]


def optimizer_nodes(optimizer: Any, grads: Mapping[Tensor, Tensor]) -> tuple[Node, ...]:
    """The optimizer's step as nodes, one for each group, from {parameter: gradient}."""
    nodes = []
    for group in optimizer.param_groups:
        names, memory = optimizer.names(group), group.memory
        tensors = [leaf("buffer", memory, Spec(memory.shape, memory.dtype))]
        for parameter in group["params"]:
            tensor = parameter.__tensor__()
            if tensor in grads:
                state = optimizer.state[id(parameter)]
                tensors += [tensor, grads[tensor]]
                tensors += [leaf("buffer", state[name], Spec(parameter.shape)) for name in names]
        if len(tensors) > 1:
            nodes.append(Node(Update(optimizer.kernel(group), 2 + len(names)), tuple(tensors), (),
                              Origin()))
    return tuple(nodes)


def check_finite(compiled: Compiled, model: Module) -> float:
    """The loss that was computed; NonFiniteError, which says where it comes from."""
    loss = compiled.first()
    if not isfinite(loss):
        raise NonFiniteError(f"the loss is {loss}; {_first_non_finite(compiled, model)}; "
                             "no parameter was changed")
    return loss


def _first_non_finite(compiled: Compiled, model: Module) -> str:
    for name, parameter in model.named_parameters():
        if not all_finite(parameter.memory):
            return f"the parameter {name} is not finite"
    node = compiled.first_non_finite()
    if node is not None:
        return (f"the first value that is not finite comes from {node.scope or 'the model'} "
                f"({node.op.name})")
    return "all values before it are finite"
