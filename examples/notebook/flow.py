"""Gradients as flow: add distributes, max routes, multiply swaps; and where a value is used twice.

Two computations small enough to follow by hand: 2 (x y + max(z, w)), and a unit of a net with its
loss. On each edge stands the value that flows forward and, below it, the gradient that flows back.
Run it: python examples/notebook/flow.py
"""

import numpy as np
from lesson import Lesson

import fastnn as fn

lesson = Lesson(__doc__)


def shown(flow, part):
    """Print a flow as a table and draw it; {place: its edge forward}."""
    print(flow, end="\n\n")
    lesson.save(flow.plot(), part)
    return {flow.places[edge.source].label: edge for edge in flow}


gates = shown(fn.explain(lambda x, y, z, w: 2 * (x * y + fn.maximum(z, w)), 3.0, -4.0, 2.0, -1.0),
              "gates")


def unit(w, x, b, y):
    """The squared error of a sigmoid unit, which uses its output once and its inputs once."""
    p = fn.sigmoid(w * x + b)
    return (p - y) ** 2


w, x, b, y = 2.0, -1.0, 0.5, 1.0
loss = fn.explain(unit, w, x, b, y)
shown(loss, "unit")
p = 1 / (1 + np.exp(-(w * x + b)))
by_hand = 2 * (p - y) * p * (1 - p) * x

twice = fn.explain(lambda x: x * x + x, 3.0)
print(twice)
lesson.end(
    add_hands_on=abs(gates["mul"].grad - gates["maximum"].grad),
    max_to_larger=gates["z"].grad, max_to_smaller=gates["w"].grad,
    multiply_swaps=gates["x"].grad / gates["y"].value, and_back=gates["y"].grad / gates["x"].value,
    by_hand=by_hand, by_flow=loss.grad("w"), twice=twice.grad("x"), ways=len(twice["x"]))
