"""Fusion: named rewrites that merge a cheap node into its producer.

The first one chooses how each convolution is computed; `ops/conv_kernels.py` says what a kernel can
read and write beside its result, and the rewrites ask it.
Rewrites in EXACT keep every value that is still read, bit for bit; the others change the summation
order only. The unfused graph is the test oracle for all of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace

from fastnn.graph import Graph, Node, Tensor
from fastnn.ops.add_n import AddN
from fastnn.ops.batch_norm import (
    BatchNorm,
    BatchNormAddReLU,
    BatchNormGrad,
    BatchNormGradInput,
    BatchNormsAddReLU,
    BatchNormStats,
)
from fastnn.ops.binary import Binary
from fastnn.ops.conv2d import Conv2d, Conv2dGradInput, Conv2dGradWeight
from fastnn.ops.conv2d_fused import (
    Conv2dGradInputShortcut,
    Conv2dGradInputSums,
    Conv2dStats,
    NormConv2d,
    NormConv2dGradWeight,
)
from fastnn.ops.conv2d_joined import JoinedConv2d
from fastnn.ops.conv_kernels import BIAS, MOMENTS, NORMED, SHORTCUT, SUMS, X
from fastnn.ops.conv_transpose2d import ConvTranspose2d, ConvTranspose2dBias
from fastnn.ops.convolution import Convolution
from fastnn.ops.linear import Linear
from fastnn.ops.max_pool2d import MaxPool2d, MaxPool2dInfer, NormMaxPool2d
from fastnn.ops.pointwise import Unary, UnaryGrad, UnaryGradOfSum
from fastnn.ops.reshape import Reshape
from fastnn.plan.fusion.concat import (
    joined_inputs,
    parts_as_they_are_read,
    parts_of_grad_input,
    parts_of_grad_weight,
)
from fastnn.plan.fusion.parts import gradient_of_parts
from fastnn.plan.fusion.reshapes import elementwise_before_reshapes
from fastnn.plan.fusion.rows import pixels_as_rows
from fastnn.plan.fusion.spread import spread_gradient
from fastnn.plan.fusion.ways import choose_ways
from fastnn.spec import Spec

LEAST_ROW = 16  # fewer channels than one vector are not worth reading through a norm


def _readers(graph: Graph) -> Counter[Tensor]:
    count = Counter(tensor for node in graph.nodes for tensor in node.inputs)
    count.update(graph.outputs)
    return count


def _fused(
    node: Node, op: object, inputs: tuple[Tensor, ...], *absorbed: Node
) -> tuple[Tensor, ...]:
    """The outputs of a fused node that replaces a node and those absorbed.

    A keep pin moves to the fused node; a dropped value that is absorbed has no memory to free.
    """
    origin = node.origin
    if any(other.origin.pin == "keep" for other in absorbed):
        origin = replace(origin, pin="keep")
    specs: list[Spec] = [tensor.spec for tensor in node.outputs]
    return Node(op, inputs, specs, origin).outputs  # type: ignore[arg-type]


def _is_relu(op: object) -> bool:
    return isinstance(op, Unary) and op.row == "relu"


def batch_norm_relu(graph: Graph) -> Graph:
    """Batch norm, then ReLU: one pass; the backward pass recomputes the mask from x."""
    readers = _readers(graph)
    grads_of = {node.inputs[0]: node for node in graph.nodes if isinstance(node.op, BatchNormGrad)}
    masks_of: dict[Tensor, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        if isinstance(node.op, UnaryGrad) and node.op.row == "relu":
            masks_of[node.inputs[0]].append(node)
    relus: dict[Tensor, Node] = {}
    for node in graph.nodes:
        if not _is_relu(node.op):
            continue
        source = node.inputs[0]
        op = source.node.op
        if not (isinstance(op, BatchNorm) and not op.relu and readers[source] == 1):
            continue
        masks = masks_of[node.outputs[0]]
        fits = all(readers[n.outputs[0]] == 1 and n.outputs[0] in grads_of
                   and grads_of[n.outputs[0]].inputs[1] is source.node.inputs[0] for n in masks)
        if fits:
            relus[node.outputs[0]] = node
            relus.update({n.outputs[0]: node for n in masks})
    new_norm: dict[Node, Node] = {}  # original relu -> new BN node

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if _is_relu(node.op) and node.outputs[0] in relus:
            norm = inputs[0].node
            assert isinstance(norm.op, BatchNorm)
            outputs = _fused(node, replace(norm.op, relu=True), norm.inputs, node.inputs[0].node)
            new_norm[node] = outputs[0].node
            return outputs
        if isinstance(node.op, BatchNormGrad) and node.inputs[0] in relus:
            norm = new_norm[relus[node.inputs[0]]]
            dy = inputs[0].node.inputs[1]
            return _fused(node, replace(node.op, relu=True), (dy, *inputs[1:], norm.inputs[4]))
        return None

    return graph.rewrite(rule)


def batch_norm_add_relu(graph: Graph) -> Graph:
    """The end of a residual block, relu(batch_norm(x) + shortcut): one pass instead of three.

    If the shortcut ends in a norm of its own, that is applied in the same pass.
    """
    readers = _readers(graph)

    def is_lone_norm(tensor: Tensor) -> bool:
        op = tensor.node.op
        return isinstance(op, BatchNorm) and not op.relu and readers[tensor] == 1

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        total = node.inputs[0].node if _is_relu(node.op) else None
        if (total is None or not isinstance(total.op, Binary) or total.op.row != "add"
                or readers[node.inputs[0]] != 1 or total.inputs[0].shape != total.inputs[1].shape):
            return None
        lone = [tensor.node for tensor in total.inputs if is_lone_norm(tensor)]
        terms = dict(zip(total.inputs, inputs[0].node.inputs, strict=True))
        norms = [terms[norm.outputs[0]].node for norm in lone]
        eps = tuple(norm.op.eps for norm in norms if isinstance(norm.op, BatchNorm))
        values = [tensor for norm in norms for tensor in norm.inputs]
        if len(eps) == 2:
            return _fused(node, BatchNormsAddReLU(eps), tuple(values), total, *lone)
        if len(eps) == 1:
            (shortcut,) = (terms[t] for t in total.inputs if t.node is not lone[0])
            return _fused(node, BatchNormAddReLU(*eps), (*values, shortcut), total, *lone)
        return None

    return graph.rewrite(rule)


def sum_gradient(graph: Graph) -> Graph:
    """The sum of gradients at a fan-out, then a pointwise gradient: one pass instead of two."""
    readers = _readers(graph)

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not isinstance(node.op, UnaryGrad) or readers[node.inputs[1]] != 1:
            return None
        if not isinstance(node.inputs[1].node.op, AddN):
            return None
        op = UnaryGradOfSum(node.op.row, node.op.arguments)
        return _fused(node, op, (inputs[0], *inputs[1].node.inputs))

    return graph.rewrite(rule)


def product_relu(graph: Graph) -> Graph:
    """Convolution or linear layer, then ReLU: the kernel clips the result as it stores it."""
    readers = _readers(graph)

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        source = node.inputs[0].node if _is_relu(node.op) else None
        if source is None or readers[node.inputs[0]] != 1:
            return None
        if not isinstance(source.op, (Conv2d, Linear)):
            return None
        return _fused(node, replace(source.op, relu=True), inputs[0].node.inputs, source)

    return graph.rewrite(rule)


def pool_without_places(graph: Graph) -> Graph:
    """Max-pooling stores the places of its maxima only if a gradient reads them."""
    readers = _readers(graph)

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not isinstance(node.op, MaxPool2d) or readers[node.outputs[1]]:
            return None
        op = MaxPool2dInfer(node.op.pooling)
        y = Node(op, inputs, [node.outputs[0].spec], node.origin).outputs[0]
        return (y, node.outputs[1])

    return graph.rewrite(rule)


def conv_statistics(graph: Graph) -> Graph:
    """A convolution sums the statistics of the batch norm after it as it writes (Winograd's)."""
    norms = {node.inputs[0]: node for node in graph.nodes if isinstance(node.op, BatchNormStats)}

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if (isinstance(node.op, Conv2d) and not node.op.relu and node.outputs[0] in norms
                and node.op.can(node, beside=MOMENTS)):
            op = Conv2dStats(node.op.arguments, way=node.op.way)
            specs = [t.spec for t in (*node.outputs, *norms[node.outputs[0]].outputs)]
            return Node(op, inputs, specs, node.origin).outputs[:1]
        if isinstance(node.op, BatchNormStats) and isinstance(inputs[0].node.op, Conv2dStats):
            return inputs[0].node.outputs[1:]
        return None

    return graph.rewrite(rule)


def gradient_sums(graph: Graph) -> Graph:
    """The input gradient also computes the sums that the norm before it needs (Winograd's)."""
    readers = _readers(graph)
    norms = {node.inputs[0]: node for node in graph.nodes
             if isinstance(node.op, BatchNormGrad) and node.op.training
             and readers[node.inputs[0]] == 1}

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if (isinstance(node.op, Conv2dGradInput) and node.outputs[0] in norms
                and node.op.can(node, beside=SUMS)):
            norm = norms[node.outputs[0]]
            assert isinstance(norm.op, BatchNormGrad)
            op = Conv2dGradInputSums(node.op.arguments, node.op.shape, norm.op.eps, norm.op.relu,
                                     way=node.op.way)
            values = norm.inputs[1:]  # of the forward pass, which this rewrite does not change
            specs = [t.spec for t in (*node.outputs, *norm.outputs[1:])]
            return Node(op, (*inputs, *values), specs, node.origin).outputs[:1]
        producer = inputs[0].node if inputs else node
        if isinstance(node.op, BatchNormGrad) and isinstance(producer.op, Conv2dGradInputSums):
            op_input = BatchNormGradInput(node.op.eps, node.op.relu)
            dx = Node(op_input, (inputs[0], *producer.inputs[2:], *producer.outputs[1:]),
                      [node.outputs[0].spec], node.origin).outputs[0]
            return (dx, *producer.outputs[1:])
        return None

    return graph.rewrite(rule)


def shortcut_gradient(graph: Graph) -> Graph:
    """Between two residual blocks, the input gradient adds the shortcut's gradient (Winograd's).

    It masks the sum by the ReLU at the first block's end and computes the sums for the norm there.
    """
    readers = _readers(graph)
    norms = {node.inputs[0]: node for node in graph.nodes
             if isinstance(node.op, BatchNormGrad) and node.op.training and not node.op.relu}
    seams: dict[Tensor, int] = {}  # the gradient of the ReLU: which of its terms to fuse
    for node in graph.nodes:
        if (isinstance(node.op, UnaryGradOfSum) and node.op.row == "relu"
                and len(node.inputs) == 3 and node.outputs[0] in norms):
            for i in (1, 2):
                term = node.inputs[i].node
                if (isinstance(term.op, Conv2dGradInput) and readers[node.inputs[i]] == 1
                        and term.op.can(term, beside=SHORTCUT)):
                    seams[node.outputs[0]] = i

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if node.outputs and node.outputs[0] in seams:
            i = seams[node.outputs[0]]
            term, norm = inputs[i].node, norms[node.outputs[0]]
            assert isinstance(term.op, Conv2dGradInput) and isinstance(norm.op, BatchNormGrad)
            op = Conv2dGradInputShortcut(term.op.arguments, term.op.shape, norm.op.eps,
                                         way=term.op.way)
            values = norm.inputs[1:4]  # of the forward pass, which this rewrite does not change
            specs = [t.spec for t in (*node.outputs, *norm.outputs[1:])]
            return Node(op, (*term.inputs, inputs[3 - i], inputs[0], *values), specs,
                        term.origin).outputs[:1]
        if isinstance(node.op, BatchNormGrad) and norms.get(node.inputs[0]) is node:
            seam = inputs[0].node
            if isinstance(seam.op, Conv2dGradInputShortcut):
                op_input = BatchNormGradInput(node.op.eps, False)
                dx = Node(op_input, (*inputs, *seam.outputs[1:]), [node.outputs[0].spec],
                          node.origin).outputs[0]
                return (dx, *seam.outputs[1:])
        return None

    return graph.rewrite(rule)


def transposed_bias(graph: Graph) -> Graph:
    """The kernel of a transposed convolution adds the bias as it writes, where it can."""
    readers = _readers(graph)

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if not (isinstance(node.op, Binary) and node.op.row == "add"):
            return None
        source, bias = (tensor.node for tensor in node.inputs)
        if not (isinstance(source.op, ConvTranspose2d) and isinstance(bias.op, Reshape)
                and source.op.can(source, beside=BIAS) and readers[node.inputs[0]] == 1
                and bias.inputs[0].shape == (node.outputs[0].shape[1],)
                and bias.outputs[0].shape == (1, node.outputs[0].shape[1], 1, 1)):
            return None
        op = ConvTranspose2dBias(source.op.arguments, source.op.shape, way=source.op.way)
        return _fused(node, op, (*inputs[0].node.inputs, inputs[1].node.inputs[0]), source)

    return graph.rewrite(rule)


def _read_through(node: Node) -> tuple[int, ...]:
    """The inputs to which a node can apply a batch norm and ReLU as it reads them."""
    op = node.op
    if isinstance(op, JoinedConv2d):
        return op.places
    if isinstance(op, MaxPool2d):
        return (0,)
    if not isinstance(op, Convolution) or (isinstance(op, Conv2d) and op.relu):
        return ()
    reads, beside = op.operands()
    narrow = op.way_of(node) == "linear" and node.inputs[0].shape[1] < LEAST_ROW
    return (0,) if reads == X and op.can(node, NORMED, beside) and not narrow else ()


def norm_as_it_is_read(graph: Graph) -> Graph:
    """Batch norm and ReLU before layers that can apply them to their input as they read it.

    If only such layers read the norm's output, it is never stored. Weight gradients apply the norm
    themselves in any case, so that its output need not be kept for them.
    """
    norms = {node.outputs[0] for node in graph.nodes if isinstance(node.op, BatchNorm)
             and node.op.relu and node.origin.pin != "keep"}
    through = norms - set(graph.outputs)
    for node in graph.nodes:
        places = _read_through(node)
        through -= {tensor for i, tensor in enumerate(node.inputs) if i not in places}

    def rule(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        if isinstance(node.op, JoinedConv2d):
            return joined(node, inputs)
        if not node.inputs or node.inputs[0] not in norms:
            return None
        norm = inputs[0].node
        assert isinstance(norm.op, BatchNorm)
        op: object = None
        if isinstance(node.op, Conv2dGradWeight) and _read_through(node):
            op = NormConv2dGradWeight(node.op.arguments, node.op.shape, norm.op.eps,
                                      way=node.op.way)
        elif isinstance(node.op, (Conv2d, Conv2dStats)) and node.inputs[0] in through:
            op = NormConv2d(node.op.arguments, norm.op.eps, isinstance(node.op, Conv2dStats),
                            way=node.op.way)
        elif isinstance(node.op, MaxPool2d) and node.inputs[0] in through:
            op = NormMaxPool2d(node.op.pooling, norm.op.eps)
        return None if op is None else _fused(node, op, (*norm.inputs, *inputs[1:]))

    def joined(node: Node, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        assert isinstance(node.op, JoinedConv2d)
        eps: list[float | None] = [None, None]
        parts: list[Tensor] = []
        for place in node.op.places:
            norm = inputs[place].node
            if node.inputs[place] in through:
                assert isinstance(norm.op, BatchNorm)
                eps[place] = norm.op.eps
                parts += norm.inputs
            else:
                parts.append(inputs[place])
        if eps == [None, None]:
            return None
        return _fused(node, replace(node.op, eps=(eps[0], eps[1])), (*parts, *inputs[2:]))

    return graph.rewrite(rule)


FIRST: tuple[Callable[[Graph], Graph], ...] = (
    pixels_as_rows, elementwise_before_reshapes, batch_norm_relu, batch_norm_add_relu,
    sum_gradient, product_relu, pool_without_places, transposed_bias)
PARTS: tuple[Callable[[Graph], Graph], ...] = (parts_of_grad_weight, parts_of_grad_input)
SUMMING: tuple[Callable[[Graph], Graph], ...] = (
    conv_statistics, gradient_sums, shortcut_gradient)
LAST: tuple[Callable[[Graph], Graph], ...] = (
    parts_as_they_are_read, joined_inputs, norm_as_it_is_read)
EXACT = (*FIRST, *LAST)
REWRITES = (choose_ways, gradient_of_parts, *FIRST, spread_gradient, *PARTS, choose_ways, *SUMMING,
            *LAST)


def fuse(graph: Graph) -> Graph:
    """Every rewrite, in order."""
    for rewrite in REWRITES:
        graph = rewrite(graph)
    return graph
