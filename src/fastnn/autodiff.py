"""Reverse-mode differentiation: walk the graph backwards and call each operation's vjp.

The result is more graph. Gradients that meet at a fan-out are added in a fixed order, as soon as
both exist. Branches that no wanted gradient needs cost nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastnn.context import scope
from fastnn.graph import Node, Tensor, constant, leaf
from fastnn.ops.add_n import add_n
from fastnn.spec import FLOAT, Spec, storage_shape


def _reaching(loss: Tensor, wanted: set[Tensor]) -> tuple[list[Node], set[Tensor]]:
    """The nodes between `wanted` and `loss`, in order, and all tensors that depend on `wanted`."""
    found: set[Node] = set()
    stack = [loss.node]
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
    asked = set(wanted)
    path, active = _reaching(loss, asked)
    seed = constant(np.ones(loss.shape, np.float32)) if upstream is None else upstream
    grads: dict[Tensor, Tensor] = {loss: seed}
    for node in reversed(path):
        if not any(tensor in grads for tensor in node.outputs):
            continue
        outputs = [
            grads[tensor] if tensor in grads else _zeros(tensor) for tensor in node.outputs
        ]
        needs = [tensor in active for tensor in node.inputs]
        with scope(node.scope):
            results = node.op.vjp(node, outputs, needs)
            for tensor, need, grad in zip(node.inputs, needs, results, strict=True):
                if need and grad is not None:
                    grads[tensor] = add_n([grads[tensor], grad]) if tensor in grads else grad
        for tensor in node.outputs:
            if tensor not in asked:
                grads.pop(tensor, None)
    return {tensor: grads[tensor] for tensor in wanted if tensor in grads}


def _zeros(tensor: Tensor) -> Tensor:
    """A zero gradient; for outputs without a gradient (places, statistics) it is never read.

    So its memory is never touched and counts towards no budget.
    """
    return leaf("constant", np.zeros(storage_shape(tensor.shape), FLOAT), Spec(tensor.shape))


