"""The graph of a loss: the forward pass, and the gradients and updates that training adds.

Shared by `train_step`, `value_and_grad` and `gradient_accumulation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastnn.autodiff import known_gradients
from fastnn.context import Origin, scope
from fastnn.engine.muon_updates import KERNEL as MUON
from fastnn.engine.muon_updates import muon_nodes
from fastnn.engine.nesting import Named
from fastnn.engine.row_updates import row_nodes
from fastnn.engine.trace import trace
from fastnn.graph import Node, Tensor, leaf
from fastnn.nn.losses import Losses, accepts
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.update import Update
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.optim.several import parameters_in
from fastnn.runtime.random import streams
from fastnn.spec import FLOAT, ShapeError, Spec, storage_shape

ABSENT = ()  # in place of targets, where the loss takes none
MOST_NAMED = 5  # parameters in a message


def parameters_of(model: Module, loss: Any) -> dict[str, Parameter]:
    """The parameters of a model and its loss, by name."""
    named = dict(model.named_parameters())
    if isinstance(loss, Module):
        named.update({f"loss.{name}": value for name, value in loss.named_parameters()})
    return named


def check_model_and_loss(model: Any, loss: Any) -> None:
    """Raise TypeError unless `model` is a module and `loss` is callable."""
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
                        f"(output, target), got {loss!r:.60}"
                        f"{'; a Trainer takes names, too' if isinstance(loss, str) else ''}")


def trainable(model: Module, loss: Any) -> dict[str, Parameter]:
    """The parameters of a model and its loss that training changes, by name."""
    return {name: value for name, value in parameters_of(model, loss).items()
            if value.requires_grad}


def loss_graph(
    model: Module, loss: Any, x_spec: Any, y_spec: Any, layout: str
) -> tuple[tuple[Tensor, ...], Any, Tensor, tuple[Node, ...]]:
    """(inputs, outputs of the model, nested as it returns them, scalar loss, state changes).

    y_spec: of the targets; ABSENT for a loss of the output alone.
    """
    check_target(loss, y_spec != ABSENT)
    with streams():
        traced = trace(model, x_spec if isinstance(x_spec, tuple) else (x_spec,), layout)

        def loss_of(*target: Any) -> Any:
            return loss(traced.output, *target)

        loss_of.__wrapped__ = loss  # type: ignore[attr-defined]
        with scope("loss"):
            targets = () if y_spec == ABSENT else (y_spec,)
            end = trace(loss_of, targets, layout, len(traced.inputs))
    value = scalar(end.output)
    return (*traced.inputs, *end.inputs), traced.output, value, traced.updates + end.updates


def check_target(loss: Any, given: bool) -> None:
    """Raise TypeError for a loss that takes a target and got none, or the other way round."""
    if given and accepts(loss, 1) and not accepts(loss, 2):
        raise TypeError("the loss takes the output alone: leave the target y out of the call")
    if not given and accepts(loss, 2) and not accepts(loss, 1):
        raise TypeError("y must be an array of floats or integers, got None: the loss takes an "
                        "output and a target")


def scalar(loss: Any) -> Tensor:
    """What a loss has returned, if it is one number; ShapeError if not."""
    if not isinstance(loss, Tensor) or loss.size != 1 or loss.dtype != FLOAT:
        raise ShapeError(f"the loss must be a scalar tensor, got {loss}")
    return loss


def target_spec(loss: Any, output: Any, layout: str) -> Any:
    """Specs of a loss's target: as the loss says, or else those of the output.

    A loss that `joins_outputs` has one target for all of them, one of the output alone has none.
    """
    if isinstance(loss, Losses):
        specs = {name: target_spec(part, inner, layout)
                 for name, part, inner in loss.of_outputs(output) if name in loss.with_target()}
        return Named(specs) if loss.by_name else tuple(specs.values())
    if not accepts(loss, 2):
        return ABSENT
    if isinstance(output, dict):
        return Named((name, target_spec(loss, inner, layout)) for name, inner in output.items())
    if isinstance(output, (tuple, list)):
        if not getattr(loss, "joins_outputs", False):
            return tuple(target_spec(loss, inner, layout) for inner in output)
        spec = loss.target_spec(tuple(inner.spec for inner in output))
    else:
        spec = loss.target_spec(output.spec) if hasattr(loss, "target_spec") else output.spec
    return Spec(storage_shape(spec.shape), spec.dtype) if layout == "NHWC" else spec


def held(optimizers: Sequence[Optimizer]) -> list[Parameter]:
    """The parameters of optimizers, in their order."""
    return [parameter for optimizer in optimizers for parameter in parameters_in(optimizer)]


def trained(optimizers: Sequence[Optimizer]) -> list[Tensor]:
    """The parameters that optimizers change."""
    return [parameter.__tensor__() for parameter in held(optimizers) if parameter.requires_grad]


def trained_gradients(
    model: Module, loss: Any, optimizers: Sequence[Optimizer], value: Tensor,
    seed: Tensor | None = None,
) -> dict[Tensor, Tensor]:
    """{parameter: gradient} for the trained parameters that a gradient reaches.

    value: the loss as a tensor; seed: its own gradient, by default 1. Raises ValueError for an
    optimizer that holds parameters of another model.
    """
    wanted = trained(optimizers)
    grads = known_gradients(value, wanted, seed)
    own = parameters_of(model, loss)
    known = {parameter.__tensor__() for parameter in own.values()}
    foreign = [tensor for tensor in wanted if tensor not in known and tensor not in grads]
    if foreign:
        all_held = {id(parameter) for parameter in held(optimizers)}
        left = [name for name, p in own.items() if p.requires_grad and id(p) not in all_held]
        raise ValueError(_foreign_parameters(foreign, len(all_held), left))
    if wanted and not grads:
        raise ValueError(f"the loss depends on none of the {len(wanted)} parameters that the "
                         "optimizer trains: nothing would change")
    return grads


def _foreign_parameters(foreign: list[Tensor], held: int, left: list[str]) -> str:
    """The error for an optimizer with parameters that no gradient reaches."""
    shapes = ", ".join(str(tensor.shape) for tensor in foreign[:MOST_NAMED])
    more = ", ..." if len(foreign) > MOST_NAMED else ""
    message = (f"{len(foreign)} of the optimizer's {held} parameters (of shape {shapes}{more}) are "
               "not of this model or its loss, and no gradient reaches them")
    if left:
        more = ", ..." if len(left) > MOST_NAMED else ""
        message += (f"; the optimizer does not hold the model's {', '.join(left[:MOST_NAMED])}"
                    f"{more}")
    return message + (". It was made for another model, or layers were replaced after it was made: "
                      "create it again, with model.parameters()")


def optimizer_nodes(
    optimizers: Sequence[Optimizer], grads: Mapping[Tensor, Tensor]
) -> tuple[Node, ...]:
    """The step of optimizers as nodes, from {parameter: gradient}.

    One for each group, one for each table whose gradient is that of a few rows, and for each of
    Muon's matrices those that compute its direction, before its update.
    """
    return tuple(node for optimizer in optimizers for group in optimizer.param_groups
                 for node in _group_nodes(optimizer, group, grads))


def _group_nodes(
    optimizer: Optimizer, group: Group, grads: Mapping[Tensor, Tensor]
) -> list[Node]:
    memories = [group.memory, group.steps] + [group.carried] * bool(optimizer.carried_name)
    heads = tuple(leaf("buffer", memory, Spec(memory.shape, memory.dtype)) for memory in memories)
    if group.kernel == MUON:
        return list(muon_nodes(optimizer, group, heads, grads))
    nodes = row_nodes(group, heads[0], heads[1], grads)
    apart = {table for node in nodes for table in node.inputs[2:3]}
    names, tensors, places = optimizer.names(group), list(heads), []
    for place, parameter in enumerate(group["params"]):
        tensor = parameter.__tensor__()
        if tensor in grads and tensor not in apart:
            places.append(place)
            state = optimizer.state[id(parameter)]
            tensors += [tensor, grads[tensor]]
            tensors += [leaf("buffer", state[name], Spec(parameter.shape)) for name in names]
    if places:
        op = Update(group.kernel, tuple(places), len(heads))
        nodes.append(Node(op, tuple(tensors), (), Origin()))
    return nodes
