"""The optimum by other ways than the planner's: search over live sets, and integer programming.

Both know the tasks, bytes and seconds of a problem and nothing of the planner. The order of the
backward pass is given; which forward values are held, dropped and made again is free at each of its
steps. Tasks have one output each going forward, no views, no writing over inputs and no workspace.
"""

import heapq

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_array


def _backward_bytes(problem):
    """Bytes of backward values before each backward step, and while it runs."""
    last = {}
    steps = problem.tasks[problem.forward:]
    for step, task in enumerate(steps):
        last.update((value, step) for value in (*task.outputs, *task.inputs))
    last.update((value, len(steps)) for value in problem.results)
    before, during = [], []
    live = set()
    for step, task in enumerate(steps):
        before.append(sum(problem.sizes[value] for value in live))
        live |= set(task.outputs)
        during.append(sum(problem.sizes[value] for value in live))
        live = {value for value in live if last[value] > step}
    return before, during


class LiveSets:
    """Shortest paths over (tasks that ran, forward values held), for up to 12 forward tasks.

    First runs are in the order of the problem; any forward task that ran may run again at any time.
    """

    def __init__(self, problem):
        self.count, self.steps = problem.forward, len(problem.tasks)
        self.sizes = [problem.sizes[task.outputs[0]] for task in problem.tasks[:self.count]]
        number = {task.outputs[0]: i for i, task in enumerate(problem.tasks[:self.count])}
        self.kept = ~sum(1 << number[value] for value in problem.dropped)
        self.seconds = [task.seconds for task in problem.tasks]
        self.needs = [sum(1 << i for i in {number[v] for v in task.inputs if v in number})
                      for task in problem.tasks]
        before, during = _backward_bytes(problem)
        self.before, self.during = [0] * self.count + before, [0] * self.count + during
        self.bytes = [0] * (1 << self.count)
        for mask in range(1, 1 << self.count):
            low = (mask & -mask).bit_length() - 1
            self.bytes[mask] = self.bytes[mask & (mask - 1)] + self.sizes[low]

    def _moves(self, ran, mask):
        """(tasks that ran, values held, bytes needed, seconds) after one more move."""
        held = self.bytes[mask]
        if ran >= self.count and self.needs[ran] & ~mask == 0:
            yield ran + 1, mask, held + self.during[ran], self.seconds[ran]
        for i in range(min(ran + 1, self.count)):
            if mask >> i & 1:
                yield ran, mask & ~(1 << i), 0, 0.0
            elif self.needs[i] & ~mask == 0:
                turn = ran < i + 1 == self.count  # dropped values are forgotten at once
                yield (max(ran, i + 1), (mask | 1 << i) & (self.kept if turn else -1),
                       held + self.sizes[i] + self.before[ran], self.seconds[i])

    def _shortest(self, join):
        """Least of join(cost so far, bytes of the move, seconds of the move) over all paths."""
        best = {(0, 0): 0.0}
        heap = [(0.0, 0, 0)]
        while heap:
            cost, ran, mask = heapq.heappop(heap)
            if cost > best[ran, mask]:
                continue
            if ran == self.steps:
                return cost
            for to, after, size, seconds in self._moves(ran, mask):
                total = join(cost, size, seconds)
                if total < best.get((to, after), np.inf):
                    best[to, after] = total
                    heapq.heappush(heap, (total, to, after))
        return np.inf

    def least_seconds(self, limit):
        """Of all schedules within a limit; infinity if there is none."""
        return self._shortest(lambda cost, size, seconds:
                              cost + seconds if size <= limit else np.inf)

    def least_bytes(self):
        """The smallest peak of any schedule."""
        return int(self._shortest(lambda cost, size, seconds: max(cost, size)))


def checkmate_seconds(problem, limit, time_limit=20.0):
    """(seconds, proven) of the integer programme of Jain et al. ("Checkmate", 2020).

    R[t, i]: task i runs in stage t, which ends with its own first run of task t. S[t, v]: value v
    is held from stage t - 1 to t. U[t, k]: bytes in memory when task k has run in stage t.
    F[t, v, k]: v is freed after it, which is so if k ran and nothing needs v any more.
    """
    tasks, made = problem.tasks, problem.producer
    names, rows = {}, []  # rows: (coefficients, low, high)

    def var(*key):
        return names.setdefault(key, len(names))

    for t in range(len(tasks)):
        rows.append(({var("R", t, t): 1}, 1, 1))
        rows += [({var("R", t, i): 1}, 0, 0) for i in range(problem.forward, t)]
        for value in range(len(made)):
            if made[value] < t:
                rows.append(({var("S", t, value): 1, var("R", t - 1, made[value]): -1,
                              **({var("S", t - 1, value): -1} if made[value] < t - 1 else {})},
                             -np.inf, 0))
                if value in problem.results:
                    rows.append(({var("S", t, value): 1}, 1, 1))
        for k in range(t + 1):
            for value in set(tasks[k].inputs):
                rows.append(({var("R", t, k): 1, var("R", t, made[value]): -1,
                              var("S", t, value): -1}, -np.inf, 0))
        _memory_rows(rows, var, problem, t, limit)
    return _solve(rows, names, tasks, time_limit)


def _memory_rows(rows, var, problem, t, limit):
    """Bytes in memory through stage t: held values, each task's outputs, less what is freed."""
    tasks, size = problem.tasks, problem.sizes
    held = [value for value in range(len(size)) if problem.producer[value] < t]
    for k in range(t + 1):
        row = {var("U", t, k): 1, var("R", t, k): -sum(size[v] for v in tasks[k].outputs)}
        if k == 0:
            row.update({var("S", t, value): -size[value] for value in held})
        else:
            row[var("U", t, k - 1)] = -1
            for value in {*tasks[k - 1].inputs, *tasks[k - 1].outputs}:
                row[var("F", t, value, k - 1)] = size[value]
        rows.append((row, 0, 0))
        rows.append(({var("U", t, k): 1}, 0, limit))
        for value in {*tasks[k].inputs, *tasks[k].outputs}:
            free = var("F", t, value, k)
            needs = [var("R", t, j) for j in range(k + 1, t + 1) if value in tasks[j].inputs]
            if t + 1 < len(tasks):
                needs.append(var("S", t + 1, value))
            elif value in problem.results:
                rows.append(({free: 1}, 0, 0))
                continue
            rows.append(({free: 1, var("R", t, k): -1}, -np.inf, 0))
            rows += [({free: 1, need: 1}, -np.inf, 1) for need in needs]


def _solve(rows, names, tasks, time_limit):
    matrix = lil_array((len(rows), len(names)))
    for number, (row, _, _) in enumerate(rows):
        for column, factor in row.items():
            matrix[number, column] = factor
    cost = np.zeros(len(names))
    upper, integral = np.ones(len(names)), np.ones(len(names))
    for key, column in names.items():
        if key[0] == "R":
            cost[column] = tasks[key[2]].seconds
        if key[0] == "U":
            upper[column], integral[column] = np.inf, 0
    low, high = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    result = milp(cost, constraints=LinearConstraint(matrix.tocsr(), low, high),
                  integrality=integral, bounds=Bounds(0, upper),
                  options={"time_limit": time_limit, "mip_rel_gap": 1e-6})
    return (np.inf if result.x is None else result.fun), result.status in (0, 2)
