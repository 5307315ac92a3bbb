"""Check a memory layout from first principles, without the planner's own bookkeeping."""

from fastnn.graph import Leaf
from fastnn.plan.plan import Plan
from fastnn.runtime.arena import ALIGNMENT


def _interval(plan: Plan, tensor) -> tuple[int, int] | None:
    """First and end byte in the arena; None for memory from outside."""
    place = plan.place(tensor)
    return None if place.memory is not None else (place.offset, place.offset + tensor.bytes)


def _overlap(a, b) -> bool:
    return a is not None and b is not None and a[0] < b[1] and b[0] < a[1]


def verify(plan: Plan) -> None:
    """No step writes over a value that is read later, or over its own inputs unless it may."""
    graph, steps = plan.graph, plan.steps
    effects = [step.node.op.effect for step in steps]
    assert graph.first_update == effects.count(False) and not any(effects[:graph.first_update]), (
        "a state changes before all values are made")
    made: dict = {}
    last: dict = {tensor: len(steps) for tensor in graph.outputs}
    for i, step in reversed(list(enumerate(steps))):
        for tensor in step.node.inputs:
            last.setdefault(tensor, i)
        made.update((tensor, i) for tensor in step.node.outputs)
    for tensor in made:
        place = plan.place(tensor)
        assert place.bytes >= tensor.bytes
        end = plan.layout.arena_bytes if place.memory is None else place.memory.bytes
        assert place.offset >= 0 and place.offset + tensor.bytes <= end
        assert place.offset % ALIGNMENT == 0
    for i, step in enumerate(steps):
        node = step.node
        viewed = node.op.view_of(node)
        if viewed is not None:
            same = plan.place(node.inputs[viewed]), plan.place(node.outputs[0])
            assert (same[0].memory, same[0].offset) == (same[1].memory, same[1].offset)
            continue
        written = [(_interval(plan, tensor), tensor) for tensor in node.outputs]
        if step.workspace_bytes:
            start = plan.layout.workspaces[i].offset
            assert start + step.workspace_bytes <= plan.layout.arena_bytes
            written.append(((start, start + step.workspace_bytes), None))
        for k, (place, tensor) in enumerate(written):
            assert tensor is None or place is not None, f"step {i} writes outside of the arena"
            for other, _ in written[k + 1:]:
                assert not _overlap(place, other), f"step {i}: two results overlap"
            for value, end in last.items():
                if isinstance(value.node.op, Leaf) or made[value] >= i or end < i:
                    continue
                where = _interval(plan, value)
                if end > i:
                    assert not _overlap(place, where), f"step {i} writes over a live {value}"
                elif _overlap(place, where):
                    numbers = [n for n, x in enumerate(node.inputs)
                               if _overlap(place, _interval(plan, x))]
                    assert tensor is node.outputs[0] and where == place, f"step {i}: {value}"
                    assert len(numbers) == 1 and numbers[0] in node.op.overwrites(node), (
                        f"step {i} writes over its own inputs {numbers}")
