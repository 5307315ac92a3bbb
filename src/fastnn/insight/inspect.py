"""Look into a net at work: the statistics of each layer's values, gradients and updates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnn.arguments import instance, real
from fastnn.autodiff import known_gradients
from fastnn.engine.compiled import Compiled
from fastnn.engine.gradients import Gradients, remember_names
from fastnn.engine.inputs import NonFiniteError, as_inputs, specs_of
from fastnn.engine.loss_graph import check_model_and_loss, loss_graph, trainable
from fastnn.engine.nesting import flat
from fastnn.engine.trace import trace
from fastnn.graph import Graph, Node, Tensor
from fastnn.insight.flat_parts import dead_share, flat_parts
from fastnn.insight.report import Report, Row
from fastnn.nn.classification_losses import CrossEntropyLoss
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.nn.regression_losses import MSELoss
from fastnn.optim.optimizer import Optimizer
from fastnn.runtime.locks import process_lock
from fastnn.spec import FLOAT
from fastnn.training.unchanged import unchanged

BINS = 50
MOVES = ("from_row_major", "batch_norm_stats", "reshape", "permute")  # no values of a layer


def inspect(
    model: Module, x: Any, y: Any = None, loss: Any = None, optimizer: Optimizer | None = None,
    lr: float | None = None,
) -> Report:
    """A report on every operation of a model for a batch: values, gradients, updates.

    For each: mean and standard deviation of its values, the share that is saturated and the units
    that are dead (see `Row`); with targets y, the gradients of the loss in these values and in the
    module's parameters; with an optimizer or lr, the size of the update beside that of the weights,
    |Δw| / |w|, of which about 1e-3 is usual. lr stands for plain SGD, Δw = -lr g.

    x: an array, or a tuple of them for several inputs. loss: by default cross-entropy for class
    numbers y, else the mean squared error. The model is looked at in its mode of now. Nothing
    changes: no weight, statistic, mode, random number or state of the optimizer.

    Returns a Report: `print(report)`, `report["2"].dead`, `report.to_dict()`, `report.plot()`.

    Raises NonFiniteError that names the first operation with NaN or infinity, TypeError for
    anything but a module, and what a training step raises for x and y.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010, whose figures show these statistics.

    >>> import fastnn as fn
    >>> net = fn.nn.Sequential(fn.nn.Linear(2, 3), fn.nn.ReLU())
    >>> net[0].weight.data[...], net[0].bias.data[...] = 1, [-9, 0, 0]
    >>> report = inspect(net, np.ones((4, 2), np.float32))
    >>> round(report["1"].mean, 3), round(report["1"].dead, 3)
    (1.333, 0.333)
    """
    instance(model, "model", Module)
    if y is None and (optimizer is not None or lr is not None):
        raise ValueError("updates need gradients: give the targets y")
    if optimizer is not None and lr is not None:
        raise ValueError("give an optimizer or lr, not both")
    inputs = as_inputs(x, "x")
    if y is None:
        return _values_alone(model, inputs)
    targets = as_inputs(y, "y")
    if loss is None:
        loss = CrossEntropyLoss() if _are_classes(targets) else MSELoss()
    check_model_and_loss(model, loss)
    return _with_gradients(model, inputs, targets, loss, optimizer, lr)


def _are_classes(targets: Any) -> bool:
    return isinstance(targets, np.ndarray) and targets.dtype.kind == "i"


def _values_alone(model: Module, inputs: Any) -> Report:
    specs = specs_of(inputs)
    with process_lock:
        traced = trace(model, specs if isinstance(specs, tuple) else (specs,))
        nodes = _computing(Graph.trace(traced.inputs, flat(traced.output)))
        values = _read(traced.inputs, [node.outputs[0] for node in nodes], specs, inputs)
    return Report(tuple(_row(node, value, None) for node, value in zip(nodes, values, strict=True)))


def _with_gradients(
    model: Module, inputs: Any, targets: Any, loss: Any, optimizer: Optimizer | None,
    lr: float | None,
) -> Report:
    specs = specs_of(inputs), specs_of(targets)
    parameters = trainable(model, loss)
    remember_names(parameters)
    with process_lock:
        symbols, output, value, _ = loss_graph(model, loss, specs[0], specs[1], "NCHW")
        nodes = _computing(Graph.trace(symbols, flat(output)))
        tensors = [node.outputs[0] for node in nodes]
        weights = {name: parameter.__tensor__() for name, parameter in parameters.items()}
        slopes = known_gradients(value, [*tensors, *weights.values()])
        found = _read(symbols, [value, *tensors, *slopes.values()], specs, (inputs, targets))
    size, arrays = float(found[0]), found[1:1 + len(tensors)]
    by_tensor = dict(zip(slopes, found[1 + len(tensors):], strict=True))
    grads = Gradients(
        {name: by_tensor.get(tensor, np.zeros(tensor.shape, np.float32))
         for name, tensor in weights.items()}, parameters,
        frozenset(name for name, tensor in weights.items() if tensor not in by_tensor))
    updates = _updates(model, loss, grads, parameters, optimizer, lr)
    own = _by_module(grads, parameters, updates)
    rows, seen = [], set[str]()
    for node, array in zip(nodes, arrays, strict=True):
        figures = own.get(node.scope) if node.scope not in seen else None
        seen.add(node.scope)
        rows.append(_row(node, array, by_tensor.get(node.outputs[0]), figures))
    if not np.isfinite(size):
        raise NonFiniteError(f"the loss is {size}, though all values of the model are finite")
    return Report(tuple(rows), size)


def _computing(graph: Graph) -> list[Node]:
    """The operations that compute values: no moves, views or class numbers."""
    return [node for node in graph.nodes if node.op.name not in MOVES
            and node.outputs and node.outputs[0].dtype == FLOAT and node.op.view_of(node) is None]


def _read(
    symbols: tuple[Tensor, ...], wanted: list[Tensor], specs: Any, arrays: Any
) -> list[np.ndarray]:
    compiled = Compiled(Graph.trace(symbols, wanted), specs=specs)
    compiled.bind(flat(arrays))
    return compiled.compute(lambda plan: [plan.read(place) for place in range(len(wanted))])


def _row(
    node: Node, values: np.ndarray, grad: np.ndarray | None,
    weights: tuple[float, float | None] | None = None,
) -> Row:
    where = f"{node.scope}: {node.op.name}" if node.scope else node.op.name
    if not np.isfinite(values).all():
        raise NonFiniteError(f"{where} has computed NaN or infinity, in "
                             f"{(~np.isfinite(values)).mean():.1%} of its values")
    stuck = flat_parts(node, values)
    counts, edges = np.histogram(values, BINS)
    grad_norm, ratio = weights or (None, None)
    return Row(
        node.scope, node.op.name, node.outputs[0].shape,
        float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)),
        None if stuck is None else float(stuck.mean()),
        None if stuck is None else dead_share(stuck),
        None if grad is None else float(grad.std(dtype=np.float64)),
        grad_norm, ratio, counts, edges)


def _updates(
    model: Module, loss: Any, grads: Gradients, parameters: Mapping[str, Parameter],
    optimizer: Optimizer | None, lr: float | None,
) -> dict[str, np.ndarray]:
    """What a step would change, by name; nothing where neither an optimizer nor lr is given."""
    if lr is not None:
        rate = real(lr, "lr", "a number from 0 on", 0)
        return {name: rate * grad for name, grad in grads.items()}
    if optimizer is None:
        return {}
    instance(optimizer, "optimizer", Optimizer)
    before = {name: parameter.data.copy() for name, parameter in parameters.items()}
    with unchanged((model, loss), (optimizer,)):
        optimizer.step(grads)
        return {name: parameter.data - before[name] for name, parameter in parameters.items()}


def _by_module(
    grads: Gradients, parameters: Mapping[str, Parameter], updates: Mapping[str, np.ndarray]
) -> Mapping[str, tuple[float, float | None]]:
    """{module path: (norm of its own parameters' gradients, norm of the update over theirs)}."""
    by_path: dict[str, list[str]] = {}
    for name in grads:
        by_path.setdefault(name.rpartition(".")[0], []).append(name)
    found = {}
    for path, names in by_path.items():
        size = _norm([parameters[name].data for name in names])
        moved = _norm([updates[name] for name in names]) if updates else None
        found[path] = (_norm([grads[name] for name in names]),
                       None if moved is None or not size else moved / size)
    return found


def _norm(arrays: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.square(array, dtype=np.float64).sum() for array in arrays)))
