"""A memory budget through `Trainer`: VmHWM of fresh processes, at the least of a refusal."""

import gc
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches, Compose, RandomHorizontalFlip, RandomShift, Standardize
from fastnn.runtime.process_memory import peak_bytes
from fastnn.training import Callback, CheckpointCallback, History, ProgressBar
from tests.fresh import in_a_fresh_process

EXAMPLES, BATCH = 600, 192  # three whole batches of 6 MiB, and one of 24 examples
SHAPE = (3, 52, 52)
AUGMENT = Compose(RandomShift(2), RandomHorizontalFlip())


def examples(dtype: str = "float32", count: int = EXAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """Images made one by one, so that making them leaves no peak behind."""
    generator = np.random.default_rng(0)
    x = np.empty((count, *SHAPE), dtype)
    for image in x:
        image[...] = generator.integers(0, 256, SHAPE)
    return x, generator.integers(0, 5, count)


def trainer(budget: int | str | None, callbacks: Any = ()) -> fn.Trainer:
    fn.manual_seed(0)
    layers = [layer for i in range(6)
              for layer in (nn.Conv2d(8 if i else 3, 8, 3, padding=1), nn.ReLU())]
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
    return fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=1e-3),
                      memory_budget=budget, callbacks=callbacks)


def least_budget(fit: Callable[[fn.Trainer], object], callbacks: Any = ()) -> int:
    """What the refusal of a tiny budget names; no step has been made then."""
    refused = trainer("1MiB", callbacks)
    with pytest.raises(fn.MemoryBudgetError, match="too small") as error:
        fit(refused)
    assert refused.steps == 0
    return error.value.min_bytes


def holds(data: Any, validation: Any = None, callbacks: Any = ()) -> None:
    """Train within the least budget, to the bits of a training without one."""
    def fit(each: fn.Trainer) -> Any:
        return each.fit(data, validation, epochs=2, batch_size=BATCH, seed=1)

    least = least_budget(fit, callbacks)
    gc.collect()
    within = trainer(least, callbacks)
    history = fit(within)
    assert peak_bytes() <= least, f"{(peak_bytes() - least) / 2**20:.1f} MiB over"
    assert within.train_step.plan((BATCH, *SHAPE)).recomputed
    free = trainer(None)
    assert [record["loss"] for record in fit(free)] == [record["loss"] for record in history]
    for name, value in free.model.state_dict().items():
        assert value.tobytes() == within.model.state_dict()[name].tobytes(), name


class Generated:
    """An iterable that makes its batches in float64, with temporaries, and holds the last one."""

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        x, y = examples("uint8", 400)
        for start in range(0, 400, BATCH):
            batch = np.float64(x[start:start + BATCH]) / 255
            batch = (batch - batch.mean(axis=(0, 2, 3), keepdims=True)) * 2
            yield batch, y[start:start + BATCH]


class Allocating(Callback):
    """Keeps 3 MiB, and takes 10 more at times."""

    def on_batch_end(self, training: Any) -> None:
        self.kept = np.ones(3 << 20, np.uint8)
        np.ones(10 << 20, np.uint8).sum()


@in_a_fresh_process
def test_arrays_with_validation_checkpoints_history_and_progress() -> None:
    x, y = examples()
    with tempfile.TemporaryDirectory() as folder:
        holds((x, y), (x[:300], y[:300]), [
            ProgressBar(io.StringIO(), 0), History(Path(folder) / "history.jsonl"),
            CheckpointCallback(Path(folder) / "c.safetensors", None, batches=2)])


@in_a_fresh_process
def test_uint8_with_augmentation_and_preprocessing() -> None:
    x, y = examples("uint8")
    holds(Batches(x, y, BATCH, transform=AUGMENT, preprocess=Standardize().fit(x)))


@in_a_fresh_process
def test_float64() -> None:
    holds(examples("float64"))


@in_a_fresh_process
def test_a_mapped_file() -> None:
    with tempfile.TemporaryDirectory() as folder:
        x, y = examples("float16")
        np.save(Path(folder) / "x.npy", x)
        del x
        x = np.load(Path(folder) / "x.npy", mmap_mode="r")
        holds((x, y), (x[:300], y[:300]))


@in_a_fresh_process
def test_an_iterable_with_temporaries() -> None:
    holds(Generated(), Generated())


@in_a_fresh_process
def test_a_list_of_batches_that_are_converted() -> None:
    x, y = examples("float64", 400)
    holds([(x[i:i + BATCH], y[i:i + BATCH]) for i in range(0, 400, BATCH)])


@in_a_fresh_process
def test_a_transform_of_the_users() -> None:
    x, y = examples("uint8")
    holds(Batches(x, y, BATCH, transform=lambda x, generator: np.pad(
        x, ((0, 0), (0, 0), (2, 2), (2, 2)))[:, :, 1:-3, 1:-3] * np.float64(0.5)))


@in_a_fresh_process
def test_two_threads() -> None:
    fn.set_num_threads(2)
    holds(examples())


@in_a_fresh_process
def test_sixteen_threads() -> None:
    fn.set_num_threads(16)
    holds(examples("uint8"))


@in_a_fresh_process
def test_a_callback_that_allocates() -> None:
    """The plan is made again with what it leaves."""
    x, y = examples()

    def fit(each: fn.Trainer) -> Any:
        return each.fit((x, y), epochs=2, batch_size=BATCH, seed=1)

    budget = least_budget(fit) + (20 << 20)
    within, free = trainer(budget, [Allocating()]), trainer(None)
    history = fit(within)
    assert peak_bytes() <= budget
    assert [record["loss"] for record in fit(free)] == [record["loss"] for record in history]


@in_a_fresh_process
def test_an_evaluation_that_does_not_fit_is_refused_before_the_first_step() -> None:
    """A batch of 256 examples to evaluate is more than a few to train on."""
    x, y = examples("uint8")
    small = trainer(None)
    small.fit((x[:4], y[:4]), epochs=1, batch_size=4)
    budget = small.train_step.plan((4, *SHAPE)).min_bytes
    refused = trainer(budget)
    refused.expect((x, y))
    with pytest.raises(fn.MemoryBudgetError) as error:
        refused.fit((x[:16], y[:16]), epochs=1, batch_size=4)
    assert refused.steps == 0
    works = trainer(error.value.min_bytes)
    works.expect((x, y))
    works.fit((x[:16], y[:16]), epochs=1, batch_size=4)
    works.evaluate((x, y))
    assert peak_bytes() <= error.value.min_bytes
