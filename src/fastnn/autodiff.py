"""Reverse-mode differentiation: walk the graph backwards and call each operation's vjp.

The result is more graph. Gradients that meet at a fan-out are added in a fixed order, as soon as
both exist. Branches that no wanted gradient needs cost nothing. What is left may be differentiated
again: backward operations have a vjp, too, or are `Composed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from fastnn.context import enable_grad, scope
from fastnn.graph import Composed, Node, Tensor, constant, leaf
from fastnn.ops.add_n import add_n
from fastnn.ops.alias import alias
from fastnn.spec import FLOAT, Spec, storage_shape


def _reaching(
    starts: Iterable[Tensor], wanted: set[Tensor]
) -> tuple[list[Node], set[Tensor]]:
    """The nodes between `wanted` and `starts`, in order, and all that depends on `wanted`."""
    found: set[Node] = set()
    stack = [tensor.node for tensor in starts]
    while stack:
        node = stack.pop()
        if node not in found:
            found.add(node)
            stack.extend(tensor.node for tensor in node.inputs)
    ordered = sorted(found, key=lambda node: node.order)
    active = set(wanted)
    path = []
    for node in ordered:
        if not node.origin.constant and any(tensor in active for tensor in node.inputs):
            active.update(node.outputs)
            path.append(node)
    return path, active


def gradients(
    loss: Tensor, wanted: Sequence[Tensor], upstream: Tensor | None = None
) -> list[Tensor]:
    """d loss / d tensor for each of `wanted`; zeros where the loss does not depend on it.

    loss, upstream: as for `known_gradients`.
    """
    known = known_gradients(loss, wanted, upstream)
    return [known[tensor] if tensor in known else _zeros(tensor) for tensor in wanted]


def known_gradients(
    loss: Tensor, wanted: Sequence[Tensor], upstream: Tensor | None = None
) -> dict[Tensor, Tensor]:
    """{tensor: d loss / d tensor} for those of `wanted` that a gradient reaches, in their order.

    loss: a scalar; or any tensor, with `upstream` as its gradient. Raises
    ValueError for other shapes.
    """
    if loss.shape != upstream.shape if upstream is not None else loss.size != 1:
        expected = "a scalar" if upstream is None else f"of shape {upstream.shape}"
        raise ValueError(f"the loss must be {expected}, got shape {loss.shape}")
    seed = constant(np.ones(loss.shape, np.float32)) if upstream is None else upstream
    return pulled_back([(loss, seed)], wanted)


def pulled_back(
    seeds: Iterable[tuple[Tensor, Tensor]], wanted: Sequence[Tensor]
) -> dict[Tensor, Tensor]:
    """{tensor: gradient} for those of `wanted` that a gradient reaches, in their order.

    seeds: outputs with the gradients that arrive at them, which are added up.
    """
    grads: dict[Tensor, Tensor] = {}
    for tensor, seed in seeds:
        _add(grads, tensor, seed)
    asked = set(wanted)
    path, active = _reaching(grads, asked)
    for node in reversed(path):
        if not any(tensor in grads for tensor in node.outputs):
            continue
        needs = [tensor in active for tensor in node.inputs]
        with scope(node.scope):
            for tensor, need, grad in zip(node.inputs, needs, _through(node, grads, needs),
                                          strict=True):
                if need and grad is not None:
                    _add(grads, tensor, grad)
        for tensor in node.outputs:
            if tensor not in asked:
                grads.pop(tensor, None)
    return {tensor: grads[tensor] for tensor in wanted if tensor in grads}


def _add(grads: dict[Tensor, Tensor], tensor: Tensor, grad: Tensor) -> None:
    grads[tensor] = add_n([grads[tensor], grad]) if tensor in grads else grad


def _through(
    node: Node, grads: Mapping[Tensor, Tensor], needs: Sequence[bool]
) -> Sequence[Tensor | None]:
    """The gradients of a node's inputs: by its rule, or by the rules of what it is composed of."""
    if not isinstance(node.op, Composed):
        outputs = [grads[out] if out in grads else _zeros(out) for out in node.outputs]
        return node.op.vjp(node, outputs, needs)
    with enable_grad():  # what it is made of is no constant, wherever the gradient is asked for
        given = [alias(tensor) for tensor in node.inputs]
        parts = node.op.composed(*given)
    seeds = [(part, grads[out]) for part, out in zip(parts, node.outputs, strict=True)
             if out in grads]
    wanted = [tensor for tensor, need in zip(given, needs, strict=True) if need]
    found = pulled_back(seeds, wanted)
    return [found.get(tensor) for tensor in given]


def _zeros(tensor: Tensor) -> Tensor:
    """A zero gradient; for outputs without a gradient (places, statistics) it is never read.

    So its memory is never touched and counts towards no budget.
    """
    return leaf("constant", np.zeros(storage_shape(tensor.shape), FLOAT), Spec(tensor.shape))
