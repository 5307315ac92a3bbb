"""Ensembles: the mean of several nets' probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Self

import numpy as np

from fastnn.arguments import instance, integer
from fastnn.ensembles.cost import Cost, cost_of
from fastnn.ensembles.temperature import best_temperature
from fastnn.nn.containers import ModuleList
from fastnn.nn.module import Module
from fastnn.nn.norm import BatchNorm1d, BatchNorm2d
from fastnn.nn.parameter import Buffer
from fastnn.ops.logsumexp import logsumexp
from fastnn.ops.softmax import log_softmax
from fastnn.ops.stack import stack
from fastnn.optim.averaged_model import AveragedModel, update_bn
from fastnn.plan.budget import Budget
from fastnn.runtime.locks import process_lock
from fastnn.runtime.random import get_rng_state, manual_seed, set_rng_state
from fastnn.spec import IGNORED, ShapeError
from fastnn.training.prediction import Inputs, Outputs, computed


class Ensemble(Module):
    """The mean of the probabilities of several classifiers, which may differ in architecture.

    p(class | x) = 1/M Σ_m softmax(member_m(x)), then, once calibrated, softmax(log p / T). Called
    on arrays or in a forward it returns log p, which are logits, too: `nn.CrossEntropyLoss` of it
    is its negative log-likelihood, and metrics and `Trainer.evaluate` take it. It is a module:
    `fn.save(path, ensemble)` and `fn.load(path, ensemble)` keep all members and the temperature in
    one safetensors file, and a memory budget holds for it as for any model.

    models: modules of inputs alike, whose outputs are logits (n, classes, ...) of as many classes
    each. They are not copied. Together they are right more often than each alone if they err
    differently. Memory and time are M times those of one; `cost` measures it.

    Raises TypeError for what is no module, ValueError for none or one that is given twice,
    ShapeError, when called, if class counts do not agree.

    Sources: Hansen and Salamon, "Neural network ensembles" (1990); Lakshminarayanan, Pritzel and
    Blundell, "Simple and scalable predictive uncertainty estimation using deep ensembles" (2017).

    >>> import fastnn as fn
    >>> fn.manual_seed(0)
    >>> crowd = Ensemble([fn.nn.Linear(4, 3), fn.nn.Sequential(fn.nn.Linear(4, 8), fn.nn.ReLU(),
    ...                                                        fn.nn.Linear(8, 3))])
    >>> x = np.eye(4, dtype=np.float32)
    >>> crowd.predict_proba(x).shape, crowd.predict(x).shape
    ((4, 3), (4,))
    """

    def __init__(self, models: Iterable[Module]) -> None:
        super().__init__()
        if isinstance(models, Module) or not isinstance(models, Iterable):
            raise TypeError(f"models must be a list of modules, got {type(models).__name__}")
        members = [instance(model, f"models[{i}]", Module) for i, model in enumerate(models)]
        if not members:
            raise ValueError("models is empty; an ensemble needs one model or more")
        if len(set(map(id, members))) != len(members):
            raise ValueError("models has one module twice; copy.deepcopy makes another of it")
        self.members = ModuleList(members)
        self.temperature = Buffer(np.ones(()))

    @classmethod
    def trained(
        cls, factory: Callable[[], Module], train: Callable[[Module], Any], count: int,
        seed: int = 0,
    ) -> Self:
        """An ensemble of independent runs: for each, train(factory()) with a seed of its own.

        factory: makes an untrained model. train: trains it in place, as a function that makes a
        `Trainer` and calls its `fit`. count: of members. seed: member i is made and trained after
        `fn.manual_seed(seed + i)`; the random state is as before at the end. A `fit(seed=...)`
        inside would give all members the same order and masks; leave it out.

        >>> import fastnn as fn
        >>> runs = Ensemble.trained(lambda: fn.nn.Linear(2, 2), lambda model: None, 3)
        >>> len(runs)
        3
        """
        count = integer(count, "count", "an integer from 1 on", 1)
        seed = integer(seed, "seed", "an integer from 0 on", 0)
        models = []
        with process_lock:  # one at a time: the random state is the process's
            state = get_rng_state()
            try:
                for i in range(count):
                    manual_seed(seed + i)
                    models.append(instance(factory(), "what factory returns", Module))
                    train(models[-1])
            finally:
                set_rng_state(state)
        return cls(models)

    def forward(self, *inputs: Any) -> Any:
        outputs = [member(*inputs) for member in self.members]
        self._check([getattr(output, "shape", ()) for output in outputs])
        logs = [log_softmax(output, 1) for output in outputs]
        if len(logs) > 1:
            logs = [logsumexp(stack(logs, 1), 1)]
        return log_softmax(logs[0] / self.temperature, 1)  # the division by M goes with the sum

    def _check(self, shapes: list[tuple[int, ...]]) -> None:
        """Raise ShapeError unless all outputs are logits of as many classes."""
        for i, shape in enumerate(shapes):
            if len(shape) < 2 or shape[1] < 2:
                raise ShapeError(f"member {i} of the ensemble has an output of shape {shape}, "
                                 "expected logits (n, classes, ...) of two classes or more")
            if shape != shapes[0]:
                raise ShapeError(f"the members of an ensemble must have outputs alike: member 0 "
                                 f"has {shapes[0]}, member {i} has {shape}")

    def predict_proba(
        self, x: Any, batch_size: int = 256, memory_budget: Budget = None
    ) -> np.ndarray:
        """The probabilities (n, classes, ...) of all examples, in their order, in eval mode.

        x: an array, which may be memory-mapped; a tuple of several inputs; `fastnn.data.Batches`;
        or an iterable of batches x or (x, y). memory_budget: bytes of the process, or text such as
        "512MiB": batches that are too large for it are computed in micro-batches, to the same
        bits; or MemoryBudgetError. Modes and the random state are as before.
        """
        return np.asarray(np.exp(self.predict_log_proba(x, batch_size, memory_budget)))

    def predict_log_proba(
        self, x: Any, batch_size: int = 256, memory_budget: Budget = None
    ) -> np.ndarray:
        """The logarithms of `predict_proba`, which metrics take as logits."""
        return np.asarray(computed(Outputs(self), x, batch_size, memory_budget,
                                   "a prediction of an ensemble"))

    def predict(
        self, x: Any, batch_size: int = 256, memory_budget: Budget = None
    ) -> np.ndarray:
        """The class numbers (n, ...) of the largest probabilities; arguments: `predict_proba`."""
        found = self.predict_log_proba(x, batch_size, memory_budget)
        return np.asarray(found.argmax(axis=1))

    def calibrate(
        self, x: Any, y: Any, batch_size: int = 256, memory_budget: Budget = None
    ) -> Self:
        """Set the temperature T for which the classes of held-out examples are most likely.

        p = softmax(log p / T): T > 1 makes predictions less sure, and no prediction changes its
        class. Of an ensemble the mean is calibrated, not each member ("pool then calibrate"). x: as
        for `predict_proba`. y: class numbers of examples that no member was trained on; a few
        hundred do, as one number is fitted. Returns the ensemble.

        Raises ValueError for y that are no class numbers, before anything changes.

        Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017).
        """
        y, before = np.asarray(y), float(self.temperature.data)
        if y.dtype.kind not in "iu":
            raise ValueError(f"y must hold class numbers, got an array of {y.dtype}")
        try:
            self.temperature.data = 1.0
            logs = self.predict_log_proba(x, batch_size, memory_budget)
            classes = logs.shape[1]
            if y.shape != logs.shape[:1] + logs.shape[2:]:
                raise ShapeError(f"y has shape {y.shape}, expected "
                                 f"{logs.shape[:1] + logs.shape[2:]}")
            if y.min() < 0 or y.max() >= classes:
                raise ValueError(f"y has class numbers from {y.min()} to {y.max()}, expected "
                                 f"0..{classes - 1}")
            before = best_temperature(np.moveaxis(logs, 1, -1).reshape(-1, classes), y.ravel())
        finally:
            self.temperature.data = before
        return self

    def averaged(self, x: Any = None, batch_size: int = 256) -> Module:
        """One net of the members' mean weights, at the cost of one.

        Good for members of one run (snapshots, the last epochs), which lie in one valley; the mean
        of independent runs is as bad as no training. All must be of one architecture. x: training
        examples, as for `predict_proba`, from which batch norms get their statistics anew.

        Raises ValueError or ShapeError for members of several architectures, ValueError for batch
        norms without x.

        Source: Izmailov, Podoprikhin, Garipov, Vetrov and Wilson, "Averaging weights leads to wider
        optima and better generalization" (2018).
        """
        norms = [module for module in self.members[0].modules()
                 if isinstance(module, (BatchNorm1d, BatchNorm2d))]
        if norms and x is None:
            raise ValueError("averaged needs x: the members have batch norms, whose statistics "
                             "must be computed anew for the mean weights")
        average = AveragedModel(self.members[0])
        for member in self.members:
            average.update_parameters(member)
        model: Module = average.module
        if norms:
            update_bn(Inputs(x, batch_size, IGNORED).epoch(0), model)
        return model.eval()

    def cost(self, *inputs: Any) -> Cost:
        """Parameters, bytes and seconds for each example, beside those of the first member.

        inputs: a batch, with which both are timed. `print` shows a table.
        """
        return Cost(**{**vars(cost_of(self, inputs)), "one": cost_of(self.members[0], inputs)})

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Module]:
        return iter(self.members)
