"""A moving average of a model's weights as a callback of a Trainer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastnn.arguments import flag
from fastnn.nn.module import Module
from fastnn.optim.averaged_model import AveragedModel, get_ema_multi_avg_fn
from fastnn.training.callbacks import Callback, Training


class EMA(Callback):
    """An exponential moving average of a model's weights, taken after each batch.

    average = decay * average + (1 - decay) * weights. Averages are often better on data that was
    not trained on, and vary less from epoch to epoch. (Polyak and Juditsky, 1992)

    model: the trainer's. decay: from 0 to 1. use_buffers: average running statistics too;
    otherwise they are those of the model. validate: whether `Trainer.fit` validates with the
    averages. `averaged` is the averaged model, an `optim.swa_utils.AveragedModel`, whose `module`
    is a copy of the model with these weights. Checkpoints hold the averages; put `EMA` before
    callbacks that save.

    >>> import numpy as np, fastnn as fn
    >>> model = fn.nn.Linear(2, 2)
    >>> ema = EMA(model, decay=0.9)
    >>> optimizer = fn.optim.SGD(model.parameters(), lr=0.1)
    >>> trainer = fn.Trainer(model, fn.nn.CrossEntropyLoss(), optimizer, callbacks=[ema])
    >>> x, y = np.eye(2, dtype=np.float32), np.arange(2)
    >>> history = trainer.fit((x, y), epochs=3, batch_size=1)
    >>> int(ema.averaged.n_averaged.data), ema.averaged(x).shape
    (6, (2, 2))
    """

    def __init__(
        self, model: Module, decay: float = 0.999, use_buffers: bool = True, validate: bool = True
    ) -> None:
        self.averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay),
                                      use_buffers=use_buffers)
        self.validated_model = self.averaged if flag(validate, "validate") else None
        self._steps = 0  # of the trainer, that are in the average

    def on_fit_begin(self, trainer: Training) -> None:
        self._average(trainer)  # of a step after which training was interrupted, or saved

    def on_batch_end(self, trainer: Training) -> None:
        self._average(trainer)

    def on_interrupt(self, trainer: Training) -> None:
        self._average(trainer)

    def state_dict(self) -> dict[str, Any]:
        """The averages, and how many of the trainer's steps are in them."""
        return {"steps": self._steps, "averages": self.averaged.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take a state of `state_dict`; nothing changes unless all of it fits."""
        steps = state["steps"]
        if type(steps) is not int or steps < 0:
            raise ValueError(f"steps is {steps!r:.60}, expected a count")
        self.averaged.load_state_dict(state["averages"])
        self._steps = steps

    def _average(self, trainer: Training) -> None:
        """Take the weights into the average, unless they are in it."""
        if trainer.steps != self._steps:
            self.averaged.update_parameters(trainer.model)
            self._steps = trainer.steps
