"""Planning problems without a graph: random ones, and the motifs that nets are made of."""

import numpy as np

from fastnn.plan.recompute.problem import Problem, Task

UNIT = 64  # sizes are multiples of what the arena aligns to


class Forward:
    """A forward pass under construction: each operation has inputs, a size, seconds and needs."""

    def __init__(self, rng):
        self.rng, self.ops = rng, []

    def op(self, inputs, size=None, seconds=None, needs=None):
        """Append one; `needs` are the values that its gradient reads. Returns its number."""
        rng, number = self.rng, len(self.ops)
        size = int(rng.integers(1, 33)) if size is None else size
        if seconds is None:
            seconds = float(rng.choice([1.0, 10.0]) * rng.uniform(0.5, 2))  # cheap or dear
        if needs is None:
            needs = [*inputs] if rng.random() < 0.7 else [number]
        self.ops.append((tuple(inputs), size * UNIT, seconds, tuple(needs)))
        return number


def differentiate(forward, weights=True):
    """The problem of a forward pass and its backward pass, a gradient for each edge."""
    ops = forward.ops
    count = len(ops)
    sizes = [op[1] for op in ops]
    tasks = [Task(op[0], (i,), op[2], recomputable=True) for i, op in enumerate(ops)]
    arriving = [[] for _ in ops]
    results = set()
    for i in reversed(range(count)):
        inputs, _, seconds, needs = ops[i]
        outputs = []
        for source in inputs:
            outputs.append(len(sizes))
            arriving[source].append(len(sizes))
            sizes.append(ops[source][1])
        if (weights and seconds > 4) or not outputs:
            results.add(len(sizes))
            outputs.append(len(sizes))
            sizes.append(UNIT)
        tasks.append(Task((*arriving[i], *needs), tuple(outputs), 2 * seconds))
    return Problem(tuple(tasks), tuple(sizes), tuple(sizes), count, frozenset(results))


def random_problem(seed, count=9):
    """Operations that read one to three recent values."""
    rng = np.random.default_rng(seed)
    forward = Forward(rng)
    unread = {forward.op([], needs=[])}
    while len(forward.ops) < count - 1:
        number = len(forward.ops)
        recent = np.arange(max(0, number - 4), number)
        many = int(min(rng.choice([1, 1, 1, 2, 2, 3]), recent.size))
        inputs = sorted({*rng.choice(recent, many, replace=False).tolist()})
        unread = (unread - set(inputs)) | {forward.op(inputs)}
    forward.op(sorted(unread), size=1)
    return differentiate(forward)


def residual(seed):
    """Two residual blocks: a dear operation, a cheap one, a sum."""
    rng = np.random.default_rng(seed)
    forward = Forward(rng)
    x = forward.op([], 16, 1.0, [])
    for _ in range(2):
        dear = forward.op([x], 16, 10.0, [x])
        cheap = forward.op([dear], 16, 1.0, [dear])
        again = forward.op([cheap], int(rng.choice([16, 32])), 10.0, [cheap])
        x = forward.op([again, x], 16, 1.0, [again])
    forward.op([x], 1, 1.0)
    return differentiate(forward)


def dense(seed):
    """Each operation reads all values before it."""
    rng = np.random.default_rng(seed)
    forward = Forward(rng)
    values = [forward.op([], 8, 1.0, [])]
    for _ in range(4):
        joined = forward.op(values, 8 * len(values), 1.0, [])
        values.append(forward.op([joined], 8, float(rng.uniform(5, 15)), [joined]))
    forward.op(values, 1, 1.0)
    return differentiate(forward)


def unet(seed):
    """Down, across and up again, with skips."""
    rng = np.random.default_rng(seed)
    forward = Forward(rng)
    x, skips = forward.op([], 4, 1.0, []), []
    for level in range(3):
        x = forward.op([x], 32 >> level, 10.0, [x])
        skips.append(x)
        x = forward.op([x], 8 >> level, float(rng.uniform(0.5, 2)), [x])
    for level in reversed(range(3)):
        x = forward.op([x, skips[level]], 32 >> level, 10.0)
    forward.op([x], 1, 1.0)
    return differentiate(forward)


def shared(seed):
    """One dear operation used three times: its weight's gradient is summed up."""
    rng = np.random.default_rng(seed)
    forward = Forward(rng)
    x = forward.op([], 16, 1.0, [])
    for _ in range(3):
        x = forward.op([x], 16, float(rng.uniform(8, 12)), [x])
        x = forward.op([x], 16, 1.0, [x])
    forward.op([x], 1, 1.0)
    return differentiate(forward)


def two_losses(seed):
    """A trunk with two heads whose losses are added."""
    rng = np.random.default_rng(seed)
    forward = Forward(rng)
    x = forward.op([], 8, 1.0, [])
    for _ in range(3):
        x = forward.op([x], int(rng.integers(8, 32)), 10.0, [x])
    heads = []
    for _ in range(2):
        y = forward.op([x], 16, float(rng.uniform(2, 10)), [x])
        heads.append(forward.op([y], 1, 1.0, [y]))
    forward.op(heads, 1, 1.0)
    return differentiate(forward)


MOTIFS = {"residual": residual, "dense": dense, "unet": unet, "shared": shared,
          "two losses": two_losses}
