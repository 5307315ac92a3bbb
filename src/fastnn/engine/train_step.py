"""`TrainStep`: forward pass, backward pass and update in one call, planned once for each shape."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from fastnn.advice import explained
from fastnn.arguments import flag, integer
from fastnn.engine.compiled import Compiled, named_from
from fastnn.engine.finite import checks, finite_loss
from fastnn.engine.gradient_accumulation import GradientAccumulation
from fastnn.engine.inputs import as_inputs, as_specs, specs_of
from fastnn.engine.loss_graph import (
    ABSENT,
    check_model_and_loss,
    held,
    loss_graph,
    optimizer_nodes,
    parameters_of,
    target_spec,
    trained_gradients,
)
from fastnn.engine.loss_value import LossValue
from fastnn.engine.memory_limit import hold, leaves
from fastnn.engine.micro_batches import examples_in
from fastnn.engine.nesting import flat, like
from fastnn.engine.plan_cache import PlanCache, modes
from fastnn.engine.row_updates import by_rows
from fastnn.engine.trace import trace
from fastnn.engine.weighing import Weighing, weighing
from fastnn.graph import Graph
from fastnn.nn.module import Module
from fastnn.ops.loss_part import parts_of
from fastnn.optim.clipping import Clipping
from fastnn.optim.several import advance, optimizers_of
from fastnn.plan.budget import Allowance, Budget, MemoryBudgetError
from fastnn.plan.plan import Plan
from fastnn.plan.watch import BudgetWatch
from fastnn.runtime.locks import Exclusive, process_lock
from fastnn.runtime.process_memory import peak_bytes
from fastnn.runtime.shared import free_arena, free_memory


class TrainStep:
    """One forward pass, backward pass and update, planned once for each shape.

    model: a Module. loss: a module or function of (output, target) that gives a scalar.
    optimizer: of all or some parameters of the model and its loss, or a list of several, each with
    parameters of its own; frozen parameters and those that the loss does not depend on do not
    change. memory_budget: bytes of the process, text
    like "512MiB", or "auto" (what the cgroup or the machine leaves); None for no limit. It bounds
    the peak resident set from the call on, with room for one more batch beside the one being read.
    layout: "NCHW", or "NHWC" for channels-last images. Calling it with (x, y) returns the loss as
    a float; several inputs or targets are tuples or dicts. A loss of the output alone has no
    target: call it with x. loss_parts: {name: value} of the last step's loss, as nn.Losses and
    fn.loss_part name them.
    accumulate: the number of micro-batches that a batch is split into, whose gradients are added up
    for one update; or "auto": one, or the fewest that fit if no plan of the whole batch fits the
    budget. Micro-batches weigh as the loss weighs targets: as cross-entropy does (ignore_index,
    class weights), or as the loss says (`reduction = "sum"`, a method `count(target)`), else by
    their examples. The gradient is that of the whole batch, up to rounding, except that batch norm
    takes its statistics from each micro-batch, of which a warning tells.
    clip_grad_norm: scale all gradients together so that their norm is at most this, as
    torch.nn.utils.clip_grad_norm_; clip_grad_value: limit each element to this magnitude, as
    clip_grad_value_; both: first the norm. Clipping is part of the update, without a pass of its
    own; `grad_norm` is the norm before it.

    A steady step (same shapes, modes and threads as the step before) allocates no memory: every
    value, gradient and workspace lies in one arena, without calls of the allocator or page faults.
    That holds for C-contiguous float32 and int64 arrays in native byte order, which are read in
    place; others are converted first, into new memory. A few small Python objects remain (array
    headers, the float), which come from Python's own pools.

    Any Python thread may call it: threads take turns.

    Raises ShapeError, MemoryBudgetError; NonFiniteError, before anything changes, for a loss, a
    gradient or batch statistics that are not finite (a finite gradient may still move a weight out
    of float32: then the next loss that this reaches is not finite, and no such weight is saved);
    ValueError for an optimizer of another model; RuntimeError when it is called from inside itself,
    by a Function of its model.
    """

    def __init__(
        self, model: Module, loss: Any, optimizer: Any, memory_budget: Budget = None,
        layout: str = "NCHW", keep_output: bool = False, accumulate: int | Literal["auto"] = 1,
        clip_grad_norm: float | None = None, clip_grad_value: float | None = None,
    ) -> None:
        if not isinstance(accumulate, str) or accumulate != "auto":
            expected = "a number of micro-batches or 'auto'"
            accumulate = integer(accumulate, "accumulate", expected, 1)
        check_model_and_loss(model, loss)
        self.model, self.loss, self.optimizer = model, loss, optimizer
        names = {id(value): name for name, value in parameters_of(model, loss).items()}
        self.optimizers = optimizers_of(optimizer, names)
        self.clipping = Clipping(clip_grad_norm, clip_grad_value)
        self._square = np.full((), np.nan)  # the sum of the gradients' squares, of the last step
        self.layout, self.accumulate = layout, accumulate
        self.keep_output = flag(keep_output, "keep_output")
        # For micro-batches, once a batch did not fit as a whole.
        self.most_examples: int | None = None
        self.weighing = Weighing(loss)  # how the loss counts targets, as its last graph has it
        self.loss_parts: dict[str, float] = {}
        self._cache = PlanCache(self._modes)
        self._compiled: Compiled | None = None
        self._accumulation: GradientAccumulation | None = None
        self._watch = BudgetWatch(memory_budget)
        self._others: int | None = None
        self._plans, self._floor = 1, 0
        self._exclusive = Exclusive("this TrainStep")
        hold(self)

    @property
    def memory_budget(self) -> Budget:
        """The budget as given. It may be set between steps, which does not change any bits.

        "auto" follows the limit of the process's cgroup.
        """
        return self._watch.budget

    @memory_budget.setter
    def memory_budget(self, budget: Budget) -> None:
        with self._exclusive, process_lock:
            self._watch = BudgetWatch(budget)
            self._replan()

    def _replan(self) -> None:
        self._compiled = self._accumulation = self.most_examples = None
        self._cache.clear()
        free_memory()

    def leave(self, others: int, plans: int = 1) -> None:
        """Reserve `others` bytes of the budget for what is in memory beside the arena.

        By default a step leaves room for one more batch beside its own. plans: how many will be
        made, this one included.
        """
        with self._exclusive, process_lock:
            self._others, self._plans = others, plans

    def count_from_the_start(self) -> None:
        """Apply the budget from the start of the process instead of the first call.

        A budget below the peak of the process so far is refused.
        """
        self._floor = peak_bytes()

    def use_loss(self, loss: Any) -> None:
        """Compute another loss from the next step on; plans of the one before are dropped."""
        if loss is self.loss:
            return
        check_model_and_loss(self.model, loss)
        with self._exclusive, process_lock:
            self.loss, self.weighing, most = loss, Weighing(loss), self.most_examples
            self.loss_parts = {}
            self._replan()
            self.most_examples = most  # of a checkpoint, perhaps

    def rest(self) -> None:
        """Under a budget, free the arena's memory until the next step. The output is lost."""
        with self._exclusive, process_lock:
            if self._watch.limit is not None:
                free_memory()

    def release_inputs(self) -> None:
        """Release the last batch, so that its memory can be used for the next one."""
        with self._exclusive, process_lock:
            if self._compiled is not None:
                self._compiled.executor.release_inputs()

    @property
    def allowance(self) -> Allowance | None:
        """What the process may hold, by the last known limit; None for no limit."""
        if self._watch.limit is None:
            return None
        return Allowance(self._watch.limit, self._others, self._plans, self._floor)

    def leaves(self, more: int) -> bool:
        """Whether other threads may take so many bytes of the budget now, beside the next step."""
        if self._watch.limit is None:
            return True
        if self._compiled is not None:
            return leaves(self._watch.limit, self._compiled.plan.beside, more)
        return self._others is not None and leaves(self._watch.limit, self._others, more)

    def look(self) -> Allowance | None:
        """The current allowance; if its limit has changed, plans for the old limit are dropped."""
        if self._watch.budget is None:
            return None
        arena = free_arena()
        if self._watch.is_broken(arena.untouched_bytes, at_once=not arena.resident_bytes):
            self._replan()
        return self.allowance

    @property
    def grad_norm(self) -> float:
        """The norm of all gradients of the last step together, before clipping; NaN before it."""
        return math.sqrt(self._square)

    def _advance(self) -> None:
        advance(self.optimizers, self.clipping, float(self._square))

    def _modes(self) -> tuple[bool, ...]:
        return modes(self.model, self.loss, parameters=held(self.optimizers))

    def _make(self, specs: tuple[Any, Any]) -> Compiled:
        inputs, outputs, loss, updates = loss_graph(self.model, self.loss, *specs, self.layout)
        self.weighing = weighing(self.loss, loss, inputs[len(inputs) - len(flat(specs[1])):])
        forward = [loss, *flat(outputs)]
        grads = by_rows(self.optimizers, trained_gradients(self.model, self.loss, self.optimizers,
                                                           loss))
        sums, parts = checks(grads, updates, self._square), parts_of([loss])
        kept = outputs if self.keep_output else ()
        results = (loss, *flat(kept), *parts.values(), *sums)
        updates = (*updates, *optimizer_nodes(self.optimizers, grads))
        if not grads:
            forward += sums  # there is no backward pass
        graph = Graph.trace(inputs, results, updates, forward)
        return Compiled(graph, self.allowance, specs, kept, free_arena(),
                        named=named_from(1 + len(flat(kept)), parts))

    def __call__(self, x: Any, y: Any = None) -> float:
        y = ABSENT if y is None else y
        with process_lock:
            if self._exclusive.owner is not None:
                with self._exclusive:  # waits, or raises if this thread is inside
                    pass
            allowance = self.look()
            if self.accumulate == 1 or self._may_be_whole():
                try:
                    return self._whole(x, y, allowance)
                except MemoryBudgetError:
                    if self.accumulate == 1:
                        raise
            return self._accumulated(x, y, allowance)

    def _may_be_whole(self) -> bool:
        return self.accumulate == "auto" and self.most_examples is None

    def _whole(self, x: Any, y: Any, allowance: Allowance | None) -> float:
        compiled = self._cache.bind((x, y), ("x", "y"), self._make, allowance)
        if compiled.executor.calls_python:
            with self._exclusive:
                loss = compiled.run(self._finite_loss, self._advance)
        else:
            loss = compiled.run(self._finite_loss, self._advance)
        self._compiled = compiled
        return loss

    def _finite_loss(self, compiled: Compiled) -> float:
        loss = finite_loss(self.model, self.loss, compiled)
        if compiled.parts or self.loss_parts:
            self.loss_parts = compiled.part_values()
        return loss

    def _accumulated(self, x: Any, y: Any, allowance: Allowance | None) -> float:
        values = (as_inputs(x, "x"), as_inputs(y, "y"))
        with explained(("x", "y"), (x, y)):
            accumulation, count = self._micro_batches(specs_of(values), allowance)
            self._compiled = None
            with self._exclusive:
                loss = accumulation.step(values, count)
        self.weighing, self.loss_parts = accumulation.weighing, accumulation.parts
        return LossValue(loss)

    def _micro_batches(
        self, specs: Any, allowance: Allowance | None
    ) -> tuple[GradientAccumulation, int]:
        """The gradient accumulation, and the number of micro-batches for a batch of these specs."""
        if self._accumulation is None:
            self._accumulation = GradientAccumulation(
                self.model, self.loss, self.optimizers, self.layout, self.keep_output,
                self._modes, self._advance, self._square)
        self._accumulation.begin(allowance)
        examples = examples_in(specs)
        if self.accumulate != "auto":
            return self._accumulation, min(self.accumulate, examples)
        most = self.most_examples
        count = 1 if most is None else -(-examples // most)
        if most is None or not self._accumulation.fit(specs, count):
            count = self._accumulation.fewest(specs)
            self.most_examples = -(-examples // count)
        return self._accumulation, count

    @property
    def output(self) -> np.ndarray:
        """The model's output in the last step (with keep_output=True); a copy.

        Of several outputs it is the first; `outputs` has all.

        Raises RuntimeError once another plan has run, in any thread: they share their memory. With
        several threads, hold `fastnn.runtime.locks.process_lock` for the step and for this.
        """
        return self._read(slice(1))[1][0]

    @property
    def outputs(self) -> Any:
        """All outputs of the model in the last step, nested as it returns them; copies.

        Raises as `output`.
        """
        return like(*self._read(slice(None)))

    def _read(self, which: slice) -> tuple[Any, list[np.ndarray]]:
        """(the nesting of the outputs, some of them)."""
        with process_lock:
            accumulation = self._accumulation
            if self._compiled is None and accumulation is not None and accumulation.outputs:
                parts = zip(*(each[which] for each in accumulation.outputs), strict=True)
                return accumulation.nesting, [np.concatenate(part) for part in parts]
            if self._compiled is None or not self.keep_output:
                raise RuntimeError("no output is kept: use keep_output=True and make a step first")
            executor = self._compiled.executor
            if not executor.arena.is_owner(executor):
                raise RuntimeError("the output is gone: read it before another model or step runs")
            places = range(1, 1 + len(flat(self._compiled.nesting)))[which]
            return self._compiled.nesting, [self._compiled.read(place) for place in places]

    def plan(self, x: Any, y: Any = None) -> Plan:
        """The plan for inputs of shape x (and targets of shape y); works before the first step.

        x, y: a shape (or a Spec), or a tuple or dict of several. For a batch that is split, it is
        the plan of the largest micro-batch.
        """
        with self._exclusive, process_lock:
            x_spec = as_specs(x)
            output = trace(self.model, x_spec if isinstance(x_spec, tuple) else (x_spec,),
                           self.layout).output
            expected = target_spec(self.loss, output, self.layout)
            specs = (x_spec, expected if y is None else as_specs(y, expected))
            allowance = self.look()
            if self.accumulate == 1 or self._may_be_whole():
                try:
                    return self._cache.get(specs, self._make, allowance).plan
                except MemoryBudgetError:
                    if self.accumulate == 1:
                        raise
            accumulation, count = self._micro_batches(specs, allowance)
            return accumulation.plan(specs, count)
