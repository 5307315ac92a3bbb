"""A cgroup's limit that moves while training goes on, simulated by its files."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.plan import budget, watch
from fastnn.runtime.process_memory import available_bytes, cgroup_bytes, resident_bytes
from fastnn.training import Callback, CheckpointCallback
from tests.fresh import in_a_fresh_process
from tests.nets import batch, make

EXAMPLES = 16384


class Limit:
    """A cgroup as the process sees it."""

    def __init__(self, folder: Path) -> None:
        self.process, self._group = folder / "self", folder / "cgroup" / "job"
        self._group.mkdir(parents=True)
        self.process.mkdir()
        (self.process / "cgroup").write_text("0::/job\n")
        (self.process / "mountinfo").write_text(
            f"30 20 0:26 / {folder / 'cgroup'} rw - cgroup2 cgroup rw\n")

    def set(self, count: int) -> None:
        (self._group / "memory.max").write_text(f"{count}\n")


class Shrink(Callback):
    """Halfway to what is needed after step 2, and far below it after step 4."""

    def __init__(self, limit: Limit) -> None:
        self.limit, self.recomputed = limit, []

    def on_batch_end(self, trainer: fn.Trainer) -> None:
        plan = trainer.train_step.plan((EXAMPLES, 2, 8, 8))
        self.recomputed.append(len(plan.recomputed))
        if trainer.steps == 2:
            least = plan.frontier()[0][0]
            self.limit.set(int((plan.peak_bytes + least) / 2 / budget.AUTO_SHARE))
        if trainer.steps == 4:
            self.limit.set(resident_bytes() // 2)


def trainer_with(memory_budget: str | None, *callbacks: Callback) -> fn.Trainer:
    model = make("residual")
    return fn.Trainer(model, nn.CrossEntropyLoss(),
                      optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
                      memory_budget=memory_budget, callbacks=callbacks)


def shrink_with(memory_budget: str) -> None:
    """Training goes on with another plan, then ends in an error; what it saved is good."""
    watch.SECONDS = 0.0
    x, y = batch(EXAMPLES)
    batches = [(x, y)] * 8
    with tempfile.TemporaryDirectory() as name:
        limit, path = Limit(Path(name)), Path(name) / "c.safetensors"
        limit.set(1 << 40)
        budget.available_bytes = lambda: available_bytes(limit.process)
        budget.cgroup_bytes = lambda: cgroup_bytes(limit.process)
        shrink = Shrink(limit)
        trainer = trainer_with(memory_budget, CheckpointCallback(path, batches=1), shrink)
        with pytest.raises(fn.MemoryBudgetError, match=r"too small.*\d+ bytes") as error:
            trainer.fit(batches, epochs=1)
        assert trainer.steps == 4 and error.value.min_bytes > resident_bytes() // 2
        assert shrink.recomputed[:2] == [0, 0] and shrink.recomputed[3] > 0
        resumed = trainer_with(None)
        resumed.resume(path)
    whole = trainer_with(None)
    fn.manual_seed(0)
    whole.fit(batches[:4], epochs=1)
    assert resumed.steps == whole.steps == 4
    for key, value in whole.model.state_dict().items():
        assert np.array_equal(value, resumed.model.state_dict()[key]), key


@in_a_fresh_process
def test_another_plan_then_an_error_and_a_good_checkpoint() -> None:
    shrink_with("auto")


@in_a_fresh_process
def test_a_named_budget_follows_a_limit_below_it() -> None:
    shrink_with("20GiB")
