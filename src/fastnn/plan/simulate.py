"""The exact bytes that a schedule has in use at each of its steps.

It follows the rules of `memory.layout`: a view shares its source's memory, an operation may write
over an input that nobody reads later, large buffers take the slack that staggers them. Offsets are
not chosen here; what packing adds shows when the plan is laid out.
"""

from __future__ import annotations

from itertools import accumulate

from fastnn.plan.problem import LEAF, Problem, Schedule


def usage(problem: Problem, schedule: Schedule) -> list[int]:
    """Bytes in use while each step of the schedule runs."""
    reads, base, last = _lifetimes(problem, schedule)
    count = len(schedule)
    change = [0] * (count + 2)
    storage_of = [-1] * len(base)
    first_free: list[int] = []  # of each storage: the step of its last use
    content: list[int] = []  # of each storage: its value's size
    tasks, sizes, reserved = problem.tasks, problem.sizes, problem.reserved
    instance = 0
    for step, number in enumerate(schedule):
        task = tasks[number]
        if task.workspace:
            change[step] += task.workspace
            change[step + 1] -= task.workspace
        for position, value in enumerate(task.outputs):
            source = base[instance]
            if source != instance:
                storage_of[instance] = storage_of[source] if source >= 0 else -1
                instance += 1
                continue
            until = last[instance]
            storage = -1
            if task.over and position == 0:
                storage = _taken(task.over, task.inputs, reads[step], storage_of, first_free,
                                 content, step, sizes[value])
            if storage < 0:
                storage = len(first_free)
                first_free.append(until)
                content.append(sizes[value])
                change[step] += reserved[value]
                change[until + 1] -= reserved[value]
            else:
                before = first_free[storage]
                if until > before:
                    change[before + 1] += reserved[value]
                    change[until + 1] -= reserved[value]
                    first_free[storage] = until
            storage_of[instance] = storage
            instance += 1
    return list(accumulate(change[:count]))


def peak(problem: Problem, schedule: Schedule) -> int:
    """The largest number of bytes in use at once."""
    return max(usage(problem, schedule), default=0)


def _lifetimes(
    problem: Problem, schedule: Schedule
) -> tuple[list[tuple[int, ...]], list[int], list[int]]:
    """Instances read at each step; each instance's base (itself, unless a view) and last use."""
    latest = [-1] * len(problem.sizes)
    base: list[int] = []
    last: list[int] = []
    reads: list[tuple[int, ...]] = []
    ends: list[int] = []
    results = problem.results
    for step, number in enumerate(schedule):
        task = problem.tasks[number]
        read = tuple([latest[value] for value in task.inputs])
        reads.append(read)
        for instance in read:
            source = base[instance]
            if source >= 0:
                last[source] = step
        for value in task.outputs:
            instance = len(base)
            source = instance
            if task.view is not None:
                source = LEAF if task.view == LEAF else base[latest[task.view]]
            base.append(source)
            last.append(step)
            if source >= 0:
                last[source] = step
                if value in results and latest[value] < 0:
                    ends.append(source)
            latest[value] = instance
    for source in ends:
        last[source] = len(schedule)
    return reads, base, last


def _taken(
    over: tuple[int, ...], inputs: tuple[int, ...], read: tuple[int, ...], storage_of: list[int],
    first_free: list[int], content: list[int], step: int, size: int,
) -> int:
    """The storage of an input that this step writes over, or -1."""
    owners = [storage_of[instance] for instance in read]
    for value in over:
        storage = owners[inputs.index(value)]
        if (storage >= 0 and first_free[storage] <= step and content[storage] == size
                and owners.count(storage) == 1):
            return storage
    return -1
