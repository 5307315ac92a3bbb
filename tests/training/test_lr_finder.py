"""The trial of learning rates: what it suggests and refuses, and that nothing of it remains."""

from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training.rate_curve import RateCurve

X = np.random.default_rng(0).normal(size=(256, 6)).astype(np.float32)
Y = (X @ np.array([1, -2, 1, 0, 1, 3]) > 0).astype(np.int64)


def trainer_of(kind: str = "SGD", **options: Any) -> fn.Trainer:
    fn.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2),
                          nn.Linear(16, 2))
    made = getattr(optim, kind)(model.parameters(), **{"lr": 0.01, **options})
    return fn.Trainer(model, nn.CrossEntropyLoss(), made)


def everything(trainer: fn.Trainer) -> list[Any]:
    """All that training depends on, as bytes and numbers."""
    states = [optimizer.state_dict() for optimizer in trainer.optimizers]
    return [*(array.tobytes() for array in trainer.model.state_dict().values()),
            *(array.tobytes() for state in states for each in state["state"]
              for array in each.values()),
            [(state["steps"], state["groups"]) for state in states], fn.get_rng_state(),
            [inner.training for inner in trainer.model.modules()]]


@pytest.mark.parametrize("kind", ["SGD", "Adam", "NAdam", "RMSprop"])
@pytest.mark.parametrize("trained", [False, True])
def test_all_is_as_before_and_training_goes_on_to_the_same_bits(kind: str, trained: bool) -> None:
    ends = []
    for tries in (False, True):
        trainer = trainer_of(kind, **(dict(momentum=0.9) if kind == "SGD" else {}))
        if trained:
            trainer.fit((X, Y), epochs=1, batch_size=64)
        trainer.model.eval()
        before = everything(trainer)
        if tries:
            fn.find_lr(trainer, (X, Y), max_lr=100.0, steps=40, batch_size=32)
        assert everything(trainer) == before
        trainer.fit((X, Y), epochs=2, batch_size=64)
        ends.append(everything(trainer))
    assert ends[0] == ends[1]


def test_all_is_as_before_after_an_error() -> None:
    trainer = trainer_of(momentum=0.9)
    before = everything(trainer)
    bad = X.copy()
    bad[200:] = np.nan
    batches = [(bad[i:i + 32], Y[i:i + 32]) for i in range(0, 256, 32)]
    with pytest.raises(fn.NonFiniteError, match="learning-rate trial, batch 7"):
        fn.find_lr(trainer, batches, steps=20)
    with pytest.raises(fn.NonFiniteError, match="batch 1"):
        fn.find_lr(trainer, batches[::-1], steps=20)
    assert everything(trainer) == before


def test_the_same_seed_gives_the_same_curve_under_a_budget_too() -> None:
    found = [fn.find_lr(trainer_of(), (X, Y), batch_size=32, seed=5) for _ in range(2)]
    trainer = trainer_of()
    trainer.train_step.memory_budget = "4GiB"
    found.append(fn.find_lr(trainer, (X, Y), batch_size=32, seed=5))
    assert all(np.array_equal(found[0].losses, each.losses) for each in found)


def test_the_suggestion_trains_and_the_end_of_the_range_does_not() -> None:
    found = fn.find_lr(trainer_of(), (X, Y), min_lr=1e-5, max_lr=1e4, batch_size=32, seed=1)
    assert found.diverged and len(found.losses) < 100
    assert 1e-3 < found.suggestion <= found.minimum / 10 < 1e3
    trainer = trainer_of(lr=found.suggestion)
    trainer.fit((X, Y), epochs=10, batch_size=32, seed=0)
    assert trainer.evaluate((X, Y))["accuracy"] > 0.95
    assert "suggestion: " in str(found)


def test_groups_keep_the_ratio_of_their_rates() -> None:
    weights = [nn.Parameter(np.zeros(1)), nn.Parameter(np.zeros(1))]

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = weights

        def forward(self, x: Any) -> Any:
            seen.append([group["lr"] for group in optimizer.param_groups])
            return x * self.first + x * self.second

    seen: list[list[float]] = []
    optimizer = optim.SGD([{"params": weights[:1], "lr": 0.1}, {"params": weights[1:], "lr": 0.01}])
    ones = np.ones((20, 1), np.float32)
    fn.find_lr(fn.Trainer(Net(), nn.MSELoss(), optimizer), (ones, ones), steps=10, batch_size=10)
    assert seen[-1][0] == pytest.approx(10 * seen[-1][1])
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.01]


def test_a_curve_of_a_known_shape() -> None:
    lrs = np.geomspace(1e-6, 1, 121)  # 20 steps in each power of 10
    place = np.log10(lrs)
    losses = 2 - 1.5 / (1 + np.exp(-4 * (place + 3))) + np.exp(6 * (place + 0.5))
    curve = RateCurve(lrs, losses, True)
    assert curve.steepest == pytest.approx(1e-3, rel=0.3)
    assert curve.minimum == pytest.approx(lrs[losses.argmin()], rel=0.3)
    assert curve.suggestion == min(curve.minimum / 10, curve.steepest)
    assert len(curve.plot().axes) == 1


def test_a_loss_that_falls_to_the_end_asks_for_larger_rates() -> None:
    falling = RateCurve(np.geomspace(1e-6, 1e-3, 40), np.linspace(2, 1, 40), False)
    assert falling.suggestion == pytest.approx(1e-4) or falling.suggestion == falling.steepest
    assert "larger max_lr" in str(falling)


def test_no_suggestion_without_a_fall() -> None:
    flat = RateCurve(np.geomspace(1e-6, 1e-5, 20), np.full(20, 2.0), False)
    with pytest.raises(ValueError, match="larger max_lr"):
        assert flat.suggestion
    assert "no suggestion" in str(flat)
    flat.plot()


@pytest.mark.parametrize(("options", "error", "words"), [
    (dict(min_lr=1.0, max_lr=0.1), ValueError, "min_lr must be below max_lr"),
    (dict(min_lr=0.0), ValueError, "min_lr must be a number above 0"),
    (dict(max_lr=float("inf")), ValueError, "max_lr must be a number above 0"),
    (dict(min_lr="small"), TypeError, "min_lr must be a number"),
    (dict(steps=5), ValueError, "steps must be an integer from 10 on"),
    (dict(batch_size=0), ValueError, "batch_size"),
])
def test_what_cannot_be_used_is_named(options: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        fn.find_lr(trainer_of(), (X, Y), **options)


def test_targets_that_are_texts() -> None:
    found = fn.find_lr(trainer_of(), (X, np.array(["cat", "dog"])[Y]), batch_size=32, seed=5)
    assert np.array_equal(found.losses, fn.find_lr(trainer_of(), (X, Y), batch_size=32,
                                                   seed=5).losses)


def test_what_is_no_trainer() -> None:
    with pytest.raises(TypeError, match="trainer must be of class Trainer"):
        fn.find_lr(nn.Linear(2, 2), (X, Y))  # type: ignore[arg-type]
