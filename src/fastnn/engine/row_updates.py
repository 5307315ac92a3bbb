"""Tables of which a batch uses few rows (embeddings): their gradient and update touch these alone.

SGD without momentum leaves a row as it is whose gradient is zero. So the gradient of such a table
is kept as the sums of the rows that are used, in place of a tensor as large as the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastnn.context import Origin
from fastnn.graph import Node, Tensor
from fastnn.ops.take import TakeGrad
from fastnn.ops.update_rows import RowSums, UpdateRows, row_sums
from fastnn.optim.optimizer import Group, Optimizer

KERNEL = "sgd"  # the update that a row without a gradient does not need


def by_rows(
    optimizers: Sequence[Optimizer], grads: Mapping[Tensor, Tensor]
) -> dict[Tensor, Tensor]:
    """{parameter: gradient}, with sums of rows as the gradient of a table that allows it."""
    found = dict(grads)
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        for parameter in group["params"] if group.kernel == KERNEL else ():
            table = parameter.__tensor__()
            grad = found.get(table)
            if grad is not None and _is_of_few_rows(grad.node):
                op = grad.node.op
                assert isinstance(op, TakeGrad)
                dy, index = grad.node.inputs
                found[table], _ = row_sums(dy, index, op.size, op.skip)
    return found


def _is_of_few_rows(node: Node) -> bool:
    """Whether a node is the gradient of a table of more rows than a batch uses."""
    return (isinstance(node.op, TakeGrad) and node.op.axis == 0 and len(node.inputs) == 2
            and node.inputs[0].ndim == 2 and node.inputs[1].ndim == 1
            and node.inputs[1].size < node.op.size)


def row_nodes(
    group: Group, hyper: Tensor, steps: Tensor, grads: Mapping[Tensor, Tensor]
) -> list[Node]:
    """The updates of a group's tables whose gradients are sums of rows."""
    nodes = []
    for place, parameter in enumerate(group["params"]):
        table = parameter.__tensor__()
        if table in grads and isinstance(grads[table].node.op, RowSums):
            sums, rows = grads[table].node.outputs
            nodes.append(Node(UpdateRows(place), (hyper, steps, table, sums, rows), (), Origin()))
    return nodes
