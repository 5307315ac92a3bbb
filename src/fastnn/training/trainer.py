"""Trainer: epochs of training steps, with validation, schedules, callbacks and exact resume."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import closing
from numbers import Real
from typing import Any, Literal

import numpy as np

from fastnn.arguments import integer
from fastnn.data.labels import LabelEncoder
from fastnn.engine.loss_graph import check_model_and_loss
from fastnn.engine.nesting import flat
from fastnn.engine.train_step import TrainStep
from fastnn.files.errors import CheckpointError
from fastnn.files.regular import Path
from fastnn.nn.module import Module
from fastnn.optim.scheduler import LRScheduler
from fastnn.optim.several import schedules_of
from fastnn.runtime.locks import Exclusive, process_lock
from fastnn.runtime.random import get_rng_state, seed_from
from fastnn.training.callbacks import as_callback
from fastnn.training.checkpoint import load_checkpoint, save_checkpoint, schedule_states
from fastnn.training.evaluation import Evaluation
from fastnn.training.example_weights import ClassWeights, targets_of, with_weights
from fastnn.training.interrupt import Interruption, deferred_interrupts
from fastnn.training.labels import encoded, encoder_for, restored, saved
from fastnn.training.measures import Measures, scalars
from fastnn.training.metrics import Averages
from fastnn.training.names import loss_of, optimizer_of, threshold_of
from fastnn.training.parts import Stateful, named_apart
from fastnn.training.places import at
from fastnn.training.planning import check_metrics, plan_all
from fastnn.training.prediction import Inputs, Outputs, predicted
from fastnn.training.rates import after_epoch, before_fit, before_step
from fastnn.training.room import Room
from fastnn.training.sources import check_again, source, takes_real_targets
from fastnn.training.splitting import split_off
from fastnn.training.state import check_parts, check_schedule, check_state
from fastnn.training.streams import Batch, Source
from fastnn.training.targets import Targets

Record = dict[str, Any]


class Trainer:
    """Train a model for epochs.

    model: a Module. loss: a module or function of (output, target), or a name such as
    "cross_entropy". optimizer: over the model's parameters, or a name such as "adam": over all of
    them, with its default rate; or a list of several optimizers, each with parameters of its own.
    schedule: a learning-rate schedule of `optim`, a list of them, or None; the trainer steps it,
    before each batch, or after each epoch if it follows a figure.
    memory_budget: bytes of the process, or text such as "512MiB": with batches, their making,
    validation, saving and callbacks; what the code of an iterable, a metric or a callback takes is
    measured in the first batches. callbacks: see `Callback`; called in order, a function after each
    epoch. accumulate: the number of micro-batches of each batch, or "auto"; clip_grad_norm,
    clip_grad_value: limits of the gradients; see `TrainStep`.
    metrics: names, objects of `fastnn.metrics` or functions of (output, target) that give a number,
    in a list; {name of an output: such a list} for several outputs, in their order; by default
    accuracy where it is defined. seed: of `fit`, unless that gets another.

    `epoch` and `batch` say how many epochs, and batches of this one, are done; `history` has one
    dict per epoch, `metrics` the figures of the last one, arrays too. After an interruption or an
    error, `fit` goes on where it stopped. While it runs, other Python threads may evaluate, save
    and use the model: threads take turns.

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
        self, model: Module, loss: Any, optimizer: Any, schedule: Any = None,
        memory_budget: int | str | None = None, callbacks: Iterable[Any] = (),
        accumulate: int | Literal["auto"] = 1, metrics: Any = None, seed: int | None = None,
        clip_grad_norm: float | None = None, clip_grad_value: float | None = None,
    ) -> None:
        loss = loss_of(loss)
        check_model_and_loss(model, loss)
        self.model, self.loss, self.schedule, self.seed = model, loss, schedule, seed
        if not isinstance(callbacks, Iterable) or isinstance(callbacks, np.ndarray):
            raise TypeError(f"callbacks must be a list of callbacks, got {callbacks!r:.60}")
        self.callbacks = list(map(as_callback, callbacks))
        measures = Measures(metrics, threshold_of(loss))
        self.train_step = TrainStep(
            model, loss, optimizer_of(optimizer, model), memory_budget,
            keep_output=bool(measures.named), accumulate=accumulate,
            clip_grad_norm=clip_grad_norm, clip_grad_value=clip_grad_value)
        self.optimizers = self.train_step.optimizers
        self.optimizer = self.optimizers[0]  # the only one, as a rule
        schedules_of(schedule, self.optimizers)
        self._evaluation, self._targets = Evaluation(model, loss), Targets(loss)
        self._validation = self._evaluation  # of the model that a callback has validated, perhaps
        self.history: list[Record] = []
        self.epoch = self.batch = self.steps = 0
        self.epochs = self.batches = 0  # in this fit; batches in an epoch, 0 while unknown
        self.averages = Averages(measures)
        self.seconds = 0.0  # spent on this epoch
        self.batch_loss: float | None = None  # of the last batch; None if nothing counted in it
        self.metrics: Record = {}  # all figures of the last epoch
        self.stop = False  # a callback may set it: training ends after this epoch
        self._first_epoch, self._unfinished = 0, False
        self._expected: list[Source] = []
        self._training: Source | None = None  # of the last fit
        self._labels: LabelEncoder | None = None  # of targets that were texts
        self._exclusive = Exclusive("fit of this Trainer")

    def fit(
        self, data: Any, validation: Any = None, epochs: int = 10, batch_size: int = 128,
        shuffle: bool = True, seed: int | None = None, class_weight: Any = None,
        sample_weight: Any = None, steps_per_epoch: int | None = None, prefetch: int = 0,
    ) -> list[Record]:
        """Train, and return the history: a list with one dict per epoch.

        data: (x, y) arrays, `fastnn.data.Batches`, any iterable of batches that can be iterated
        again each epoch, or a function that makes one. y may hold texts, whose class numbers
        `classes_` lists, for validation and `evaluate` too. validation: the same, measured after
        each epoch; or of arrays a share of the examples, or their number, which is split off at the
        end and not trained on.
        epochs: in all, those before a resume included. batch_size, shuffle: for arrays; the order
        follows from the seed and the number of the epoch. seed: makes the order, dropout and all
        else that is drawn repeatable, initial weights excepted; `Batches` have seeds of their own.
        By default that of the trainer, or where the last `manual_seed` has come to.

        class_weight: {class: weight}, an array or "balanced"; the loss is Σ w l / Σ w, as with
        class weights of the loss itself. sample_weight: of each example of arrays; data may be
        (x, y, weights), too, and batches as well. Those weigh metrics too, class weights do not.

        steps_per_epoch: the batches that count as an epoch; the next one goes on with those that
        follow. prefetch: how many batches a thread draws ahead; see `data.Prefetch`.

        Each dict: epoch, loss and metrics, the same with "validation_", lr, seconds; those that
        are not defined are left out, as are arrays, which `metrics` has. Training averages are over
        the epoch's batches, as the net changes and with augmentation and dropout. A batch of which
        no target counts makes no step.

        Raises NonFiniteError with the place; KeyboardInterrupt on Ctrl-C and SystemExit on
        SIGTERM, between two batches, after the callbacks had a chance to save; MemoryBudgetError
        when a limit shrinks below what a step needs; ValueError for data that cannot be used.
        """
        epochs = integer(epochs, "epochs", "an integer from 1 to 2**31 - 1", 1, 2**31 - 1)
        data = with_weights(data, sample_weight)
        labels = encoder_for(data, self._labels)
        data, validation = encoded(data, labels), encoded(validation, labels)
        if isinstance(validation, Real):
            data, validation = split_off(data, validation)
        seed = self.seed if seed is None else seed
        ignored = self.train_step.weighing.ignore_index
        order = int(get_rng_state()["key"][0]) if seed is None else seed  # type: ignore[index]
        real = takes_real_targets(self.loss)
        training = source(data, batch_size, shuffle, order, ignored, real, steps_per_epoch,
                          prefetch, self._training)
        check_again(training, self.first_epoch + epochs - self.epoch)
        held_out = None if validation is None else source(validation, batch_size, False, 0,
                                                          ignored, real)
        self._labels, self._training = labels, training
        with self._exclusive:
            self._targets.classes = None if class_weight is None else \
                ClassWeights(class_weight, targets_of(data), ignored)
            if seed is not None and not self._unfinished:
                seed_from(seed, self.steps)
            return self._fit(training, held_out, epochs)

    def _fit(self, training: Source, held_out: Source | None, epochs: int) -> list[Record]:
        batches = len(training) or self.batches
        left = (self.first_epoch + epochs - self.epoch) * batches - self.batch
        before_fit(self.schedules, self.steps + left if batches else 0, held_out is not None)
        if not self._unfinished:
            self._first_epoch = self.epoch
        self._unfinished, self.stop = True, False
        self.epochs = self._first_epoch + epochs
        self.batches = batches
        self.model.train()
        room = Room(self.train_step, training, self.callbacks, self.averages.measures,
                    self._targets.classes is not None)
        with deferred_interrupts() as interruption:
            try:
                self._call("on_fit_begin")
                self._validation = self._find_validation()
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
        with closing(room.draws(training.epoch(self.epoch, self.batch))) as batches:
            for batch in batches:
                if not room.is_planned:
                    self._begin(batch, training, held_out, room)
                with room.beginning():
                    self._call("on_batch_begin")
                self.train_step.leave(room.others)
                self._step(batch, room)
                del batch  # free it before the next one is drawn
                self.train_step.release_inputs()
                self.seconds = before + time.perf_counter() - started
                self._stop_if(interruption)
                with room.calling():
                    self._call("on_batch_end")
        self.train_step.rest()
        self.batches = self.batches or self.batch
        with at(f"epoch {self.epoch + 1}"):
            self.metrics = {"epoch": self.epoch + 1, **self.averages.values()}
        if held_out is not None:
            values = self._measured(self._validation, held_out)
            self.metrics |= {f"validation_{name}": value for name, value in values.items()}
            self._call("on_validation_end")
        self.metrics |= {"lr": self.optimizer.lr, "seconds": round(self.seconds, 3)}
        record = scalars(self.metrics)
        after_epoch(self.schedules, record)
        self.history.append(record)
        self.averages.reset()
        self.epoch, self.batch, self.seconds = self.epoch + 1, 0, 0.0
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

    def _begin(
        self, batch: Batch, training: Source, held_out: Source | None, room: Room
    ) -> None:
        """Before the first step: whether metrics and weights fit, and all plans under a budget."""
        self.train_step.use_loss(self._targets.loss(batch))
        if not room.is_checked:
            check_metrics(self.model, self.averages.measures, batch,
                          self.train_step.weighing.ignore_index)
            room.is_checked = True
        if self.train_step.look() is None:
            return
        evaluated = [(self._evaluation, data) for data in self._expected]
        if held_out is not None:
            evaluated.insert(0, (self._validation, held_out))
        plan_all(self.train_step, self._targets, batch, training, evaluated, room)
        room.is_planned = True

    def _step(self, batch: Batch, room: Room) -> None:
        # Other threads see all of this step or nothing: modes, output, and what they save.
        with self._evaluation.exclusive, process_lock:
            self._step_and_count(batch, room)

    def _step_and_count(self, batch: Batch, room: Room) -> None:
        before_step(self.schedules, self.steps,
                    self.epoch + (self.batch / self.batches if self.batches else 0))
        self.train_step.use_loss(self._targets.loss(batch))
        if self._targets.are_weighed(batch):
            target, weight = self._targets.of(batch)
        else:
            target, weight = batch[1], self.train_step.weighing.weight(batch[1])
        counts = weight != 0  # else no target counts, the mean is NaN: no step
        with at(f"epoch {self.epoch + 1}, batch {self.batch + 1}"):
            self.batch_loss = self.train_step(batch[0], target) if counts else None
            if counts and not self._targets.are_weighed(batch):
                weight = self.train_step.weighing.weight(target)  # as the graph has it
            self.averages.add(self.batch_loss or 0.0, weight, len(flat(batch[0])[0]))
            self.batch += 1
            self.steps += 1
            if counts and self.averages.measures.named:
                self._measure(batch, room)

    def _measure(self, batch: Batch, room: Room) -> None:
        outputs = self.train_step.outputs
        with room.measuring():
            self.averages.measures.update(
                outputs, batch[1], batch[2] if len(batch) == 3 else None,
                self.train_step.weighing.ignore_index, self.train_step.weighing.soft)

    @property
    def schedules(self) -> tuple[LRScheduler, ...]:
        """The schedules: those of `schedule`, which is None, one, or a list of them."""
        return schedules_of(self.schedule, self.optimizers)

    def _call(self, event: str) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self)

    def evaluate(
        self, data: Any, batch_size: int = 256, sample_weight: Any = None, metrics: Any = None
    ) -> dict[str, Any]:
        """{"loss": ..., "accuracy": ...} of all examples as of one batch, the model in eval mode.

        data, sample_weight: as for `fit`. metrics: others than the trainer's. The figures are the
        loss and the metrics, of which some may be arrays. None depends on the batch size: batches
        weigh as the loss weighs targets, and what it ignores counts in none (see `TrainStep`). What
        is not defined is left out: accuracy of real targets, a loss for which no target counts. The
        model's modes and the random state are as before. The memory budget holds here too: a batch
        that is too large for it is computed in micro-batches, to the same bits; MemoryBudgetError
        if one example is too large.
        """
        batches = self._evaluated(with_weights(data, sample_weight), batch_size)
        measures = None if metrics is None else Measures(metrics, threshold_of(self.loss))
        return self._measured(self._evaluation, batches, measures)

    def _measured(
        self, evaluation: Evaluation, batches: Source, measures: Measures | None = None
    ) -> dict[str, Any]:
        measures = measures or self.averages.measures.fresh()
        self.train_step.look()
        self.train_step.rest()
        try:
            return evaluation.measure(
                batches, Room(self.train_step, batches, (), measures), measures)
        finally:
            self.train_step.rest()

    def _find_validation(self) -> Evaluation:
        """The evaluation of the model that is validated: this one, or one of a callback."""
        models = [model for callback in self.callbacks
                  if (model := callback.validated_model) is not None] or [self.model]
        if models[0] is self.model:
            return self._evaluation
        known = self._validation.model is models[0]
        return self._validation if known else Evaluation(models[0], self.loss)

    def predict(self, x: Any, batch_size: int = 256) -> Any:
        """The model's outputs for all examples, in their order, the model in eval mode.

        x: an array, or a tuple of several inputs; `fastnn.data.Batches`; or an iterable of batches
        x, (x, y) or (x, y, weights). batch_size: of arrays. An array, or a tuple for a model with
        several outputs. The model's modes, the random state and the memory budget are as in
        `evaluate`; the results are part of the budget.

        Raises ShapeError for a model whose outputs are not by example.
        """
        batches = Inputs(x, batch_size, self.train_step.weighing.ignore_index)
        self.train_step.look()
        self.train_step.rest()
        try:
            return predicted(Outputs(self.model), batches, Room(self.train_step, batches),
                             self._evaluation.exclusive)
        finally:
            self.train_step.rest()

    def expect(self, data: Any, batch_size: int = 256) -> None:
        """Announce before `fit` the data that `evaluate` will get after it.

        If that does not fit the memory budget, `fit` raises MemoryBudgetError before its first
        step, instead of `evaluate` after a long training.
        """
        self._expected.append(self._evaluated(data, batch_size))

    def _evaluated(self, data: Any, batch_size: int) -> Source:
        return source(encoded(data, self._labels), batch_size, False, 0,
                      self.train_step.weighing.ignore_index, takes_real_targets(self.loss))

    @property
    def classes_(self) -> np.ndarray | None:
        """The labels of the classes, in the order of their numbers, if targets were texts."""
        return None if self._labels is None else self._labels.classes_

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
            states = [schedule.state_dict() for schedule in self.schedules]
            schedule = states if isinstance(self.schedule, (list, tuple)) else \
                next(iter(states), None)
            state = {
                "epoch": self.epoch, "batch": self.batch, "steps": self.steps,
                "batches": self.batches, "first_epoch": self._first_epoch,
                "unfinished": self._unfinished, "seconds": self.seconds,
                "averages": self.averages.sums(), "schedule": schedule, "history": self.history,
                "most_examples": self.train_step.most_examples, **saved(self._labels)}
            save_checkpoint(path, self._modules(), self.optimizers, state, self._parts())

    def resume(self, path: Path) -> None:
        """Resume from a checkpoint: the next `fit`, with the same arguments, ends in the same bits.

        Callbacks take their states by their classes, in order. One that the checkpoint does not
        have stays as it is; of a state that no callback takes a warning tells.

        Raises CheckpointError, which names the file and what is wrong in it, and changes nothing
        then; OSError if it cannot be opened.
        """
        with process_lock:
            state = load_checkpoint(path, self._modules(), self.optimizers, self.schedules,
                                    self._check_state, self._parts())
            self.epoch, self.batch, self.steps = state["epoch"], state["batch"], state["steps"]
            self.batches, self._first_epoch = state["batches"], state["first_epoch"]
            self._unfinished = state["unfinished"]
            self.seconds = state["seconds"]
            self.averages.load(state["averages"])
            self.history = list(state["history"])
            self.train_step.most_examples = state["most_examples"]
            self._labels = restored(state.get("classes"))

    def _parts(self) -> dict[str, Stateful]:
        """What has a state of its own, by the names in a checkpoint."""
        measures = {f"metrics.{name}": each for name, each in self.averages.measures.named.items()}
        return measures | {f"callbacks.{name}": each
                           for name, each in named_apart(self.callbacks).items()}

    def _check_state(self, state: dict[str, Any], parts: set[str]) -> None:
        """Raise an error, before anything changes, unless `resume` can use a state."""
        check_state(state)
        restored(state.get("classes"))
        if (state["schedule"] is None) != (self.schedule is None):
            raise ValueError("one of the checkpoint and this trainer has a schedule, "
                             "the other has none")
        states = schedule_states(state["schedule"])
        if len(states) != len(self.schedules):
            raise ValueError(f"it has {len(states)} schedules, this trainer {len(self.schedules)}")
        for its, schedule in zip(states, self.schedules, strict=True):
            check_schedule(its, schedule)
        check_parts(state, parts, set(self._parts()))


__all__ = ["Batch", "CheckpointError", "Trainer"]
