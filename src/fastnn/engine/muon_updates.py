"""Muon's step as nodes: a direction, made orthogonal by Newton-Schulz iterations, and the update.

They run after the gradients are known to be finite and what they are scaled with is written. So the
iterations are no part of the backward pass, but stand among the nodes that change state. Matrices
come one after the other: only one direction is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

from fastnn.context import Origin, scope
from fastnn.graph import Leaf, Node, Tensor, apply, leaf
from fastnn.ops.binary import add, div, maximum, mul
from fastnn.ops.muon_direction import muon_direction
from fastnn.ops.norm import norm
from fastnn.ops.product import Product, product
from fastnn.ops.update import Update
from fastnn.optim.muon import ratio
from fastnn.optim.optimizer import Group, Optimizer
from fastnn.spec import Spec

KERNEL = "muon"


def muon_nodes(
    optimizer: Optimizer, group: Group, heads: tuple[Tensor, ...], grads: Mapping[Tensor, Tensor]
) -> list[Node]:
    """The updates of a group's matrices, each after the nodes that compute its direction.

    heads: the kernel's numbers and the counts of steps.
    """
    nodes: list[Node] = []
    for place, parameter in enumerate(group["params"]):
        matrix = parameter.__tensor__()
        if matrix not in grads:
            continue
        memory = optimizer.state[id(parameter)]["momentum_buffer"]
        momentum = leaf("buffer", memory, Spec(parameter.shape))
        with scope("muon"):
            direction = muon_direction(heads[0], grads[matrix], momentum)
            step = orthogonal(direction, group)
        inputs = (*heads, matrix, grads[matrix], momentum, step)
        nodes += [*_made_since(direction.node, step), Node(Update(KERNEL, (place,)), inputs, (),
                                                           Origin())]
    return nodes


def orthogonal(direction: Tensor, group: Group) -> Tensor:
    """A matrix near the orthogonal one next to `direction`, times the ratio of the rates."""
    a, b, c = group["ns_coefficients"]
    rows, columns = direction.shape
    x = div(direction, maximum(norm(direction), group["eps"]))
    for _ in range(group["ns_steps"]):
        # The smaller of x xᵀ and xᵀ x.
        gram = apply(Product(b_transposed=rows <= columns, a_transposed=rows > columns), x, x)
        factor = add(mul(gram, b), mul(product(gram, gram), c))
        turned = product(factor, x) if rows <= columns else product(x, factor)
        x = add(mul(x, a), turned)
    return mul(x, ratio(group["adjust_lr_fn"], direction.shape))


def _made_since(first: Node, result: Tensor) -> list[Node]:
    """The nodes from `first` on that a result needs, in the order of their creation."""
    found, stack = set[Node](), [result.node]
    while stack:
        node = stack.pop()
        if node not in found and node.order >= first.order and not isinstance(node.op, Leaf):
            found.add(node)
            stack += [tensor.node for tensor in node.inputs]
    return sorted(found, key=lambda node: node.order)
