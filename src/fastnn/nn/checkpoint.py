"""Gradient checkpointing: mark a module whose values are recomputed instead of held.

The module itself carries the mark: its parameters keep their names, and it can be part of others.
"""

from __future__ import annotations

from fastnn.arguments import flag, instance
from fastnn.nn.module import Module, Self


def checkpoint(module: Self, enabled: bool = True) -> Self:
    """Recompute a module's values in the backward pass instead of holding them.

    module: any Module; it is marked and returned. Each call holds only its inputs and the outputs
    that others read, with or without a memory budget; a mark inside of it adds nothing. A budget
    may recompute more. Batch statistics are those of the first pass, dropout draws the same masks,
    running statistics are updated once: weights have the same bits. Outputs of a `Function`, and
    what `fn.plan.keep` pins, are held. enabled=False removes the mark.
    (Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear memory cost", 2016)

    >>> import fastnn as fn
    >>> block = fn.nn.Sequential(fn.nn.Linear(8, 8), fn.nn.Tanh(), fn.nn.Linear(8, 8), fn.nn.Tanh())
    >>> model = fn.nn.Sequential(checkpoint(block), fn.nn.Linear(8, 3))
    >>> step = fn.TrainStep(model, fn.nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    >>> step.plan((2, 8)).recomputed
    ('0.0:linear', '0.1:tanh')
    """
    instance(module, "what checkpoint marks", Module)
    module.checkpointed = flag(enabled, "enabled")
    return module
