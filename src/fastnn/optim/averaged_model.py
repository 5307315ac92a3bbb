"""Averages of a model's weights along its training, as torch.optim.swa_utils."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np

from fastnn.arguments import flag, instance
from fastnn.nn.module import Module
from fastnn.nn.norm import BatchNorm1d, BatchNorm2d
from fastnn.nn.parameter import Buffer, Stored, mode_changed, values_change, versions
from fastnn.optim.averaging import Average, AverageOfOne, Mover, ema_weight, mean_weight
from fastnn.runtime.locks import process_lock
from fastnn.runtime.threads import get_num_threads
from fastnn.spec import FLOAT, ShapeError

Pairs = list[tuple[Stored, Stored]]


def get_ema_multi_avg_fn(decay: float = 0.999) -> Average:
    """An exponential moving average for `AveragedModel(multi_avg_fn=...)`.

    average = decay * average + (1 - decay) * value
    """
    return Average(ema_weight(decay))


def get_ema_avg_fn(decay: float = 0.999) -> AverageOfOne:
    """An exponential moving average for `AveragedModel(avg_fn=...)`."""
    return AverageOfOne(ema_weight(decay))


def get_swa_multi_avg_fn() -> Average:
    """The mean of all values for `AveragedModel(multi_avg_fn=...)`: what it does by default."""
    return Average(mean_weight)


def get_swa_avg_fn() -> AverageOfOne:
    """The mean of all values for `AveragedModel(avg_fn=...)`."""
    return AverageOfOne(mean_weight)


class AveragedModel(Module):
    """A copy of a model whose weights are an average, as torch.optim.swa_utils.AveragedModel.

    model: is copied; `update_parameters(model)` takes its weights of now into the average, the
    first ones as they are. By default the average is the mean (stochastic weight averaging;
    Izmailov et al., 2018); `multi_avg_fn=get_ema_multi_avg_fn(0.999)` makes it an exponential
    moving average (Polyak and Juditsky, 1992). Functions of one's own: multi_avg_fn(averages,
    values, n) changes a list of arrays in place, avg_fn(average, value, n) returns the new average;
    n values are in it so far. use_buffers: whether buffers are averaged too; otherwise they are
    those of the model. device: None or "cpu".

    What `get_..._avg_fn` return runs as one kernel call over all tensors, without new memory.

    >>> import numpy as np, fastnn as fn
    >>> model = fn.nn.Linear(2, 1, bias=False)
    >>> averaged = AveragedModel(model)
    >>> for value in (1.0, 2.0, 6.0):
    ...     model.weight.data = [[value, 0.0]]
    ...     averaged.update_parameters(model)
    >>> averaged(np.ones((1, 2), np.float32))
    array([[3.]], dtype=float32)
    >>> list(averaged.state_dict())
    ['n_averaged', 'module.weight']
    """

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable[..., Any] | None = None,
        multi_avg_fn: Callable[..., Any] | None = None, use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise ValueError("give avg_fn or multi_avg_fn, not both")
        if device is not None and str(device) != "cpu":
            raise ValueError(f"fastnn computes on the CPU; leave device={device!r} out")
        for name, function in (("avg_fn", avg_fn), ("multi_avg_fn", multi_avg_fn)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function, got {function!r:.60}")
        self.module = copy.deepcopy(instance(model, "model", Module))
        self.n_averaged = Buffer(np.zeros((), np.int64))
        self.avg_fn, self.multi_avg_fn = avg_fn, multi_avg_fn
        self.use_buffers = flag(use_buffers, "use_buffers")

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.module(*inputs, **options)

    def update_parameters(self, model: Module) -> None:
        """Take a model's weights of now into the average. Any Python thread may call it.

        Raises ValueError or ShapeError, before anything changes, for one with other parameters.
        """
        instance(model, "model", Module)
        with process_lock:
            bound = _bound.get(self)
            if bound is None or not bound.holds(model):
                bound = _bound[self] = _Bound(self, model)
            count = int(self.n_averaged.memory)
            if count == 0:
                _copy(bound.averaged)
            else:
                self._average(bound, count)
            _copy(bound.copied)
            self.n_averaged.memory[...] = count + 1
            values_change()

    def _average(self, bound: _Bound, count: int) -> None:
        function = self.multi_avg_fn or self.avg_fn or Average(mean_weight)
        if isinstance(function, Average):
            weight = function.weight(count)
            if bound.floats:
                bound.mover(weight)
            for average, value in bound.integers:
                change = weight * (value.memory - average.memory)
                average.memory[...] = np.trunc(average.memory + change)
        elif self.avg_fn is not None:
            for average, value in bound.averaged:
                average.data = self.avg_fn(average.data, value.data, count)
        else:
            for pairs in filter(None, (bound.floats, bound.integers)):
                function([average.data for average, _ in pairs],
                         [value.data for _, value in pairs], count)


class _Bound:
    """Averages and the model that they are of, as long as neither changes its structure."""

    def __init__(self, averages: AveragedModel, model: Module) -> None:
        self._model, self._key = ref(model), (versions()[0], get_num_threads())
        own = averages.module
        self.averaged = _pairs(own.named_parameters(), model.named_parameters())
        buffers = _pairs(own.named_buffers(), model.named_buffers())
        self.copied: Pairs = [] if averages.use_buffers else buffers
        self.averaged += buffers if averages.use_buffers else []
        self.floats = [pair for pair in self.averaged if pair[0].dtype == FLOAT]
        self.integers = [pair for pair in self.averaged if pair[0].dtype != FLOAT]
        self.mover = Mover([average.memory for average, _ in self.floats],
                           [value.memory for _, value in self.floats], get_num_threads())

    def holds(self, model: Module) -> bool:
        """Whether this is still of that model."""
        return self._model() is model and self._key == (versions()[0], get_num_threads())


_bound: WeakKeyDictionary[AveragedModel, _Bound] = WeakKeyDictionary()


def _pairs(
    averages: Iterator[tuple[str, Stored]], values: Iterator[tuple[str, Stored]]
) -> Pairs:
    """(average, value) of each tensor; ValueError or ShapeError for those of another model."""
    own, others = dict(averages), dict(values)
    if len(own) != len(others):
        raise ValueError(f"the model has {len(others)} parameters or buffers, the one that is "
                         f"averaged has {len(own)}")
    for (name, average), value in zip(own.items(), others.values(), strict=True):
        if average.shape != value.shape or average.dtype != value.dtype:
            raise ShapeError(f"{name} has shape {value.shape} ({value.dtype}), the average has "
                             f"{average.shape} ({average.dtype})")
    return list(zip(own.values(), others.values(), strict=True))


def _copy(pairs: Pairs) -> None:
    for average, value in pairs:
        average.memory[...] = value.memory


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute a model's batch-norm statistics anew, in one pass over data.

    As torch.optim.swa_utils.update_bn: for averaged weights, whose activations no batch has seen.
    loader: batches x, or (x, ...), of which the first is given to the model. The statistics become
    the means over all batches; modes are as before.

    >>> import numpy as np, fastnn as fn
    >>> model = fn.nn.BatchNorm1d(2)
    >>> update_bn([np.array([[1.0, 2.0], [3.0, 6.0]], np.float32)], model)
    >>> model.running_mean.data
    array([2., 4.], dtype=float32)
    """
    norms = [module for module in instance(model, "model", Module).modules()
             if isinstance(module, (BatchNorm1d, BatchNorm2d))]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    modes = [(module, module.training) for module in model.modules()]
    for norm in norms:
        _reset(norm)
    try:
        for norm in norms:
            norm.momentum = None
        model.train()
        for batch in loader:
            model(batch[0] if isinstance(batch, (list, tuple)) else batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, training in modes:
            object.__setattr__(module, "training", training)
        mode_changed()


def _reset(norm: Module) -> None:
    """Begin running statistics anew."""
    for buffer, value in ((norm.running_mean, 0), (norm.running_var, 1),
                          (norm.num_batches_tracked, 0)):
        if buffer is not None:
            buffer.data = np.full(buffer.shape, value)
