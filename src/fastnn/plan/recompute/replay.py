"""Turn a schedule into a graph: forward nodes that run again become nodes of their own."""

from __future__ import annotations

from fastnn.graph import Graph, Node, Tensor, same
from fastnn.plan.recompute.problem import Problem, Schedule


def replay(graph: Graph, problem: Problem, schedule: Schedule) -> Graph:
    """The graph whose order of execution is the schedule.

    Equal bits follow from equal calls: a node that runs again has the same operation, or one that
    makes the same bits (`Op.again`), and inputs of the same bits (statistics and the random key
    included), and state changes run once, at the end.
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
            node = node.again(inputs)
        elif not same(inputs, node.inputs):
            node = Node(node.op, inputs, [tensor.spec for tensor in node.outputs], node.origin)
        latest.update(zip(graph.nodes[number].outputs, node.outputs, strict=False))
        seen.add(number)
        nodes.append(node)
    backward = [i for i, number in enumerate(schedule) if number >= problem.forward]
    updates = sum(number >= graph.first_update for number in schedule)
    return Graph(tuple(nodes), graph.inputs, tuple(latest.get(t, t) for t in graph.outputs),
                 len(nodes) - updates, backward[0] if backward else len(nodes))

