"""Trainer: epochs of training steps, with validation, schedules, callbacks and exact resume."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import numpy as np

from fastnn.arguments import instance, integer
from fastnn.engine.inputs import NonFiniteError, as_inputs, specs_of
from fastnn.engine.nesting import flat
from fastnn.engine.train_step import TrainStep
from fastnn.files.regular import Path
from fastnn.nn.module import Module
from fastnn.optim.optimizer import Optimizer, check_optimizer
from fastnn.optim.scheduler import LRScheduler
from fastnn.runtime.locks import Exclusive, process_lock
from fastnn.runtime.process_memory import keep_no_large_blocks
from fastnn.runtime.random import get_rng_state
from fastnn.training.callbacks import as_callback
from fastnn.training.checkpoint import load_checkpoint, save_checkpoint
from fastnn.training.evaluation import Evaluation
from fastnn.training.files import CheckpointError
from fastnn.training.interrupt import Interruption, deferred_interrupts
from fastnn.training.metrics import Averages, count_correct
from fastnn.training.parts import Stateful, named_apart
from fastnn.training.room import Room, make_all
from fastnn.training.sources import Batch, Source, source
from fastnn.training.state import check_schedule, check_state

Record = dict[str, Any]


class Trainer:
    """Train a model for epochs.

    model: a Module. loss: a module or function of (output, target). optimizer: over the model's
    parameters. schedule: a learning-rate schedule of `optim`, or None. memory_budget: bytes of
    the process, or text such as "512MiB": with batches, their making, validation, saving and
    callbacks; what the code of an iterable or a callback takes is measured in the first batches.
    callbacks: see `Callback`; called in order; a function is called after each epoch.
    accumulate: the number of micro-batches of each batch, or "auto"; see `TrainStep`.

    `epoch` and `batch` say how many epochs, and batches of this one, are done; `history` has one
    dict per epoch. After an interruption or an error, `fit` goes on where it stopped. While it
    runs, other Python threads may evaluate, save and use the model: threads take turns.

    >>> import numpy as np, fastnn as fn
    >>> fn.manual_seed(0)
    >>> model = fn.nn.Linear(2, 2)
    >>> trainer = Trainer(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=1.0))
    >>> x, y = np.eye(2, dtype=np.float32).repeat(5, axis=0), np.arange(2).repeat(5)
    >>> history = trainer.fit((x, y), validation=(x, y), epochs=3, batch_size=4)
    >>> history[-1]["validation_accuracy"], trainer.evaluate((x, y))["accuracy"]
    (1.0, 1.0)
    """

    def __init__(
        self, model: Module, loss: Any, optimizer: Optimizer, schedule: LRScheduler | None = None,
        memory_budget: int | str | None = None, callbacks: Iterable[Any] = (),
        accumulate: int | Literal["auto"] = 1,
    ) -> None:
        self.model, self.loss, self.schedule = model, loss, schedule
        self.optimizer = check_optimizer(optimizer)
        if schedule is not None:
            instance(schedule, "schedule", LRScheduler)
        if not isinstance(callbacks, Iterable) or isinstance(callbacks, np.ndarray):
            raise TypeError(f"callbacks must be a list of callbacks, got {callbacks!r:.60}")
        self.callbacks = list(map(as_callback, callbacks))
        self.train_step = TrainStep(model, loss, optimizer, memory_budget, keep_output=True,
                                    accumulate=accumulate)
        self._evaluation = Evaluation(model, loss)
        self.history: list[Record] = []
        self.epoch = self.batch = self.steps = 0
        self.epochs = self.batches = 0  # in this fit; batches in an epoch, 0 while unknown
        self.averages = Averages()
        self.seconds = 0.0  # spent on this epoch
        self.batch_loss: float | None = None  # of the last batch; None if nothing counted in it
        self.metrics: Record = {}  # all figures of the last epoch
        self.stop = False  # a callback may set it: training ends after this epoch
        self._first_epoch, self._unfinished = 0, False
        self._expected: list[Source] = []
        self._exclusive = Exclusive("fit of this Trainer")

    def fit(
        self, data: Any, validation: Any = None, epochs: int = 10, batch_size: int = 128,
        shuffle: bool = True, seed: int | None = None,
    ) -> list[Record]:
        """Train, and return the history: a list with one dict per epoch.

        data: (x, y) arrays, `fastnn.data.Batches`, or any iterable of batches that can be
        iterated again each epoch. validation: the same, measured after each epoch. epochs: in
        all, those before a resume included. batch_size, shuffle, seed: for arrays; the order
        follows from the seed (by default that of `manual_seed`) and the number of the epoch.

        Each dict: epoch, loss, accuracy, validation_loss, validation_accuracy, lr, seconds;
        those that are not defined are left out. Training averages are over the epoch's batches, as
        the net changes and with augmentation and dropout. A batch of which no target counts makes
        no step.

        Raises NonFiniteError with the place; KeyboardInterrupt on Ctrl-C and SystemExit on
        SIGTERM, between two batches, after the callbacks had a chance to save; MemoryBudgetError
        when a limit shrinks below what a step needs; ValueError for data that cannot be used.
        """
        epochs = integer(epochs, "epochs", "an integer from 1 to 2**31 - 1", 1, 2**31 - 1)
        if seed is None:
            seed = int(get_rng_state()["key"][0])  # type: ignore[index]
        ignored = self.train_step.weighing.ignore_index
        training = source(data, batch_size, shuffle, seed, ignored)
        held_out = None if validation is None else source(validation, batch_size, False, 0, ignored)
        with self._exclusive:
            return self._fit(training, held_out, epochs)

    def _fit(self, training: Source, held_out: Source | None, epochs: int) -> list[Record]:
        if not self._unfinished:
            self._first_epoch = self.epoch
        self._unfinished, self.stop = True, False
        self.epochs = self._first_epoch + epochs
        self.batches = len(training) or self.batches
        self.model.train()
        room = Room(self.train_step, training, self.callbacks)
        with deferred_interrupts() as interruption:
            try:
                self._call("on_fit_begin")
                while self.epoch < self.epochs and not self.stop:
                    self._epoch(training, held_out, room, interruption)
                self._unfinished = False
                self._call("on_fit_end")
            except BaseException:
                self._call("on_error")
                raise
        return self.history[self._first_epoch:]

    def _epoch(
        self, training: Source, held_out: Source | None, room: Room, interruption: Interruption
    ) -> None:
        started, before = time.perf_counter(), self.seconds
        self.train_step.rest()
        self._call("on_epoch_begin")
        for x, y in room.draws(training.epoch(self.epoch, self.batch)):
            if not room.is_planned:
                self._plan(x, y, training, held_out, room)
            with room.beginning():
                self._call("on_batch_begin")
            self.train_step.leave(room.others)
            self._step(x, y)
            del x, y  # free it before the next batch is drawn
            self.train_step.release_inputs()
            self.seconds = before + time.perf_counter() - started
            self._stop_if(interruption)
            with room.calling():
                self._call("on_batch_end")
        self.train_step.rest()
        self.batches = self.batches or self.batch
        record: Record = {"epoch": self.epoch + 1, **self.averages.values()}
        if held_out is not None:
            values = self.evaluate(held_out)
            record |= {f"validation_{name}": value for name, value in values.items()}
            self.metrics = record
            self._call("on_validation_end")
        record |= {"lr": self.optimizer.lr, "seconds": round(self.seconds, 3)}
        self.history.append(record)
        self.epoch, self.batch, self.averages, self.seconds = self.epoch + 1, 0, Averages(), 0.0
        self._call("on_epoch_end")
        self._stop_if(interruption)

    def _stop_if(self, interruption: Interruption) -> None:
        if interruption.number is None:
            return
        self._call("on_interrupt")
        raise interruption.error(f"stopped {self.place}; to go on, call fit again, or resume from "
                                 "a checkpoint in a new process")

    @property
    def place(self) -> str:
        """How far training has come, in words."""
        return (f"in epoch {self.epoch + 1} after batch {self.batch}" if self.batch else
                f"after epoch {self.epoch}")

    @property
    def first_epoch(self) -> int:
        """The epochs before the current or next fit, from which its `epochs` count."""
        return self._first_epoch if self._unfinished else self.epoch

    def _plan(
        self, x: Any, y: Any, training: Source, held_out: Source | None, room: Room
    ) -> None:
        """Make all plans under a budget, so that a refusal comes before the first step."""
        if self.train_step.look() is None:
            return
        keep_no_large_blocks()  # glibc starts to keep them once images are decoded
        arrays = as_inputs(x, "x"), as_inputs(y, "y")  # their copies count while plans are made
        first = specs_of(arrays)
        others = [specs for specs in getattr(training, "specs", ()) if specs != first]
        evaluated = [data for data in (held_out, *self._expected) if data is not None]
        self.train_step.leave(room.others, plans=1 + len(others) + len(evaluated))
        plans: list[Callable[[], object]] = [
            partial(self.train_step.plan, *specs) for specs in (first, *others)]
        plans += [partial(self._evaluation.prepare, data, Room(self.train_step, data))
                  for data in evaluated]
        make_all(plans)
        room.is_planned = True

    def _step(self, x: Any, y: Any) -> None:
        # Other threads see all of this step or nothing: modes, output, and what they save.
        with self._evaluation.exclusive, process_lock:
            self._step_and_count(x, y)

    def _step_and_count(self, x: Any, y: Any) -> None:
        self._set_rate()
        if self.train_step.weighing.weight(y) == 0:  # no target counts, the mean is NaN: no step
            self.averages.add(0.0, 0.0, len(flat(x)[0]), None)
            self.batch_loss = None
        else:
            self._train_and_count(x, y)
        self.batch += 1
        self.steps += 1

    def _train_and_count(self, x: Any, y: Any) -> None:
        try:
            loss = self.train_step(x, y)
        except NonFiniteError as error:
            raise NonFiniteError(f"epoch {self.epoch + 1}, batch {self.batch + 1}: {error}") \
                from error
        weighing, self.batch_loss = self.train_step.weighing, loss
        self.averages.add(loss, weighing.weight(y), len(flat(x)[0]),
                          count_correct(self.train_step.output, y, weighing.ignore_index))

    def _set_rate(self) -> None:
        if self.schedule is None:
            return
        if self.schedule.unit == "batch":
            self.schedule.step(self.steps)
        else:
            self.schedule.step(self.epoch + (self.batch / self.batches if self.batches else 0))

    def _call(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def evaluate(self, data: Any, batch_size: int = 256) -> dict[str, float]:
        """{"loss": ..., "accuracy": ...} of all examples as of one batch, the model in eval mode.

        data: as for `fit`. Neither depends on the batch size: batches weigh as the loss weighs
        targets, and what it ignores counts in neither (see `TrainStep`). What is not defined is
        left out: accuracy of real targets, a loss for which no target counts. The model's modes and
        the random state are as before. The memory budget holds here too: a batch that is too large
        for it is computed in micro-batches, to the same bits; MemoryBudgetError if one example is
        too large.
        """
        batches = self._evaluated(data, batch_size)
        self.train_step.look()
        self.train_step.rest()
        try:
            return self._evaluation.measure(batches, Room(self.train_step, batches))
        finally:
            self.train_step.rest()

    def expect(self, data: Any, batch_size: int = 256) -> None:
        """Announce before `fit` the data that `evaluate` will get after it.

        If that does not fit the memory budget, `fit` raises MemoryBudgetError before its first
        step, instead of `evaluate` after a long training.
        """
        self._expected.append(self._evaluated(data, batch_size))

    def _evaluated(self, data: Any, batch_size: int) -> Source:
        return source(data, batch_size, False, 0, self.train_step.weighing.ignore_index)

    # Checkpoints.

    def _modules(self) -> dict[str, Module]:
        loss = {"loss": self.loss} if isinstance(self.loss, Module) else {}
        return {"model": self.model, **loss}

    def save(self, path: Path) -> None:
        """Write a full checkpoint, all or nothing: `resume` goes on from it to the same bits.

        The states of callbacks are in it.

        Raises OSError; NonFiniteError for weights that are not finite. A good checkpoint is
        never replaced then.
        """
        self.train_step.rest()
        with process_lock:
            schedule = None if self.schedule is None else self.schedule.state_dict()
            state = {
                "epoch": self.epoch, "batch": self.batch, "steps": self.steps,
                "batches": self.batches, "first_epoch": self._first_epoch,
                "unfinished": self._unfinished, "seconds": self.seconds,
                "averages": self.averages.sums(), "schedule": schedule, "history": self.history,
                "most_examples": self.train_step.most_examples}
            save_checkpoint(path, self._modules(), self.optimizer, state, self._parts())

    def resume(self, path: Path) -> None:
        """Resume from a checkpoint: the next `fit`, with the same arguments, ends in the same bits.

        Callbacks take their states by their classes, in order. One that the checkpoint does not
        have stays as it is; of a state that no callback takes a warning tells.

        Raises CheckpointError, which names the file and what is wrong in it, and changes nothing
        then; OSError if it cannot be opened.
        """
        with process_lock:
            state = load_checkpoint(path, self._modules(), self.optimizer, self.schedule,
                                    self._check_state, self._parts())
            self.epoch, self.batch, self.steps = state["epoch"], state["batch"], state["steps"]
            self.batches, self._first_epoch = state["batches"], state["first_epoch"]
            self._unfinished = state["unfinished"]
            self.seconds, self.averages = state["seconds"], Averages(state["averages"])
            self.history = list(state["history"])
            self.train_step.most_examples = state["most_examples"]

    def _parts(self) -> dict[str, Stateful]:
        """What has a state of its own, by the names in a checkpoint."""
        return {f"callbacks.{name}": each for name, each in named_apart(self.callbacks).items()}

    def _check_state(self, state: dict[str, Any], parts: set[str]) -> None:
        """Raise an error, before anything changes, unless `resume` can use a state."""
        check_state(state)
        if (state["schedule"] is None) != (self.schedule is None):
            raise ValueError("one of the checkpoint and this trainer has a schedule, "
                             "the other has none")
        if self.schedule is not None:
            check_schedule(state["schedule"])
        unknown = parts - set(self._parts())
        if unknown:
            warnings.warn(f"the checkpoint has states of {', '.join(sorted(unknown))}, which this "
                          "trainer does not have; they are left out", stacklevel=4)


__all__ = ["Batch", "CheckpointError", "Trainer"]
