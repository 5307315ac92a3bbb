"""Turn a schedule into a graph: each recomputation becomes a node of its own."""

from __future__ import annotations

from fastnn.graph import Graph, Node, Tensor, same
from fastnn.plan.recompute.problem import Problem, Schedule


def replay(graph: Graph, problem: Problem, schedule: Schedule) -> Graph:
    """The graph whose nodes run in the order of the schedule.

    Recomputed values have the same bits: a recomputation runs the same operation, or one that
    gives the same bits (`Op.recompute_op`), on the same inputs (statistics and the random key
    included). State changes run once, at the end.
    """
    if schedule == problem.everything:
        return graph
    latest: dict[Tensor, Tensor] = {}
    seen: set[int] = set()
    nodes: list[Node] = []
    for number in schedule:
        node = graph.nodes[number]
        inputs = tuple(latest.get(tensor, tensor) for tensor in node.inputs)
        if number in seen:
            node = node.recomputed(inputs)
        elif not same(inputs, node.inputs):
            node = Node(node.op, inputs, [tensor.spec for tensor in node.outputs], node.origin)
        latest.update(zip(graph.nodes[number].outputs, node.outputs, strict=False))
        seen.add(number)
        nodes.append(node)
    backward = [i for i, number in enumerate(schedule) if number >= problem.forward]
    updates = sum(number >= graph.first_update for number in schedule)
    return Graph(tuple(nodes), graph.inputs, tuple(latest.get(t, t) for t in graph.outputs),
                 len(nodes) - updates, backward[0] if backward else len(nodes))

