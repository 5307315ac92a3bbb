"""Every schedule beside PyTorch's over 60 steps: alone, several on one optimizer, chained, in turn.

Tolerances: PyTorch's schedules are recursive and round in each step; ours are formulas of the time.
Over 60 steps that makes up to a few hundred roundings of 1.1e-16, and where a cosine comes close to
its least rate, PyTorch's quotient of two small numbers loses two digits more. So 1e-12 of the rate,
and 1e-15 where a rate falls to 0, of rates below 1.
"""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from fastnn import nn, optim

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore:The epoch parameter"),
              pytest.mark.filterwarnings("ignore:Seems like"),
              pytest.mark.filterwarnings("ignore:Detected call")]

STEPS = 60


class _Theirs:
    """torch.optim.lr_scheduler, with SWALR in it."""

    SWALR = torch.optim.swa_utils.SWALR

    def __getattr__(self, name: str) -> Any:
        return getattr(torch.optim.lr_scheduler, name)


class _Ours:
    SWALR = optim.swa_utils.SWALR

    def __getattr__(self, name: str) -> Any:
        return getattr(optim.lr_scheduler, name)


OURS, THEIRS = _Ours(), _Theirs()
Make = Callable[[Any, Any], Any]  # of a module with schedules and an optimizer: one schedule

# Their rate is made of the present one.
MULTIPLYING: dict[str, Make] = {
    "step": lambda m, o: m.StepLR(o, step_size=3, gamma=0.5),
    "multi step": lambda m, o: m.MultiStepLR(o, milestones=[2, 7, 7, 30], gamma=0.2),
    "constant": lambda m, o: m.ConstantLR(o, factor=0.3, total_iters=8),
    "exponential": lambda m, o: m.ExponentialLR(o, gamma=0.9),
    "linear": lambda m, o: m.LinearLR(o, start_factor=0.25, total_iters=4),
    "linear down": lambda m, o: m.LinearLR(o, 1.0, 0.1, total_iters=11),
    "polynomial": lambda m, o: m.PolynomialLR(o, total_iters=70, power=1.7),
    "cosine": lambda m, o: m.CosineAnnealingLR(o, T_max=12),
    "cosine above": lambda m, o: m.CosineAnnealingLR(o, T_max=60, eta_min=0.01),
    "multiplicative": lambda m, o: m.MultiplicativeLR(
        o, [lambda epoch: 1 - 1 / (2 + epoch), lambda epoch: 0.97]),
}
ENDING: dict[str, Make] = {  # at a rate of 0, or one that is set
    "linear to zero": lambda m, o: m.LinearLR(o, 1.0, 0.0, total_iters=11),
    "polynomial to zero": lambda m, o: m.PolynomialLR(o, total_iters=9, power=0.5),
    "averages": lambda m, o: m.SWALR(o, swa_lr=[0.05, 0.3], anneal_epochs=12),
    "averages, linear": lambda m, o: m.SWALR(o, 0.05, 7, "linear"),
    "averages at once": lambda m, o: m.SWALR(o, 0.05, 0),
}
SETTING: dict[str, Make] = {  # whatever it was before
    "lambda": lambda m, o: m.LambdaLR(o, lr_lambda=lambda epoch: 1 / (1 + epoch)),
    "lambdas": lambda m, o: m.LambdaLR(o, [lambda epoch: 0.9**epoch, lambda epoch: 1 + epoch]),
    "restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=7),
    "longer restarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.01),
}
CYCLING: dict[str, Make] = {
    "one cycle": lambda m, o: m.OneCycleLR(o, max_lr=0.3, total_steps=61),
    "one cycle, linear": lambda m, o: m.OneCycleLR(
        o, max_lr=[0.3, 0.1], epochs=13, steps_per_epoch=5, anneal_strategy="linear",
        pct_start=0.4, base_momentum=[0.8, 0.7], max_momentum=[0.9, 0.95]),
    "one cycle, three phases": lambda m, o: m.OneCycleLR(
        o, max_lr=0.3, total_steps=70, three_phase=True, pct_start=0.37, div_factor=7.0,
        final_div_factor=20.0),
    "one cycle, three phases, late": lambda m, o: m.OneCycleLR(
        o, max_lr=0.3, total_steps=61, three_phase=True, pct_start=0.7),
    "one cycle, momentum alone": lambda m, o: m.OneCycleLR(o, 0.3, 61, cycle_momentum=False),
    "one cycle, down at once": lambda m, o: m.OneCycleLR(o, 0.3, 61, pct_start=0.0),
    "triangular": lambda m, o: m.CyclicLR(o, 0.01, 0.2, step_size_up=7),
    "triangular2": lambda m, o: m.CyclicLR(o, [0.01, 0.02], [0.2, 0.3], 7, 4, mode="triangular2",
                                           base_momentum=[0.6, 0.7], max_momentum=[0.8, 0.99]),
    "exp range": lambda m, o: m.CyclicLR(o, 0.01, 0.2, 5, 9, mode="exp_range", gamma=0.98),
    "cycles by a function": lambda m, o: m.CyclicLR(
        o, 0.01, 0.2, 5, scale_fn=lambda cycle: 1 / cycle, cycle_momentum=False),
    "batches by a function": lambda m, o: m.CyclicLR(
        o, 0.01, 0.2, 5, scale_fn=lambda batch: 0.97**batch, scale_mode="iterations"),
}
COMBINED: dict[str, Make] = {
    "in turn": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.2, total_iters=3), m.CosineAnnealingLR(o, 10, 0.02),
            m.ExponentialLR(o, 0.8)], [4, 21]),
    "in turn, on from there": lambda m, o: m.SequentialLR(
        o, [m.ExponentialLR(o, 0.9), m.MultiplicativeLR(o, lambda epoch: 0.98 - 0.1 / (1 + epoch)),
            m.ConstantLR(o, 0.5, 3), m.SWALR(o, [0.05, 0.1], 8)], [5, 21, 30]),
    "in turn, setting": lambda m, o: m.SequentialLR(
        o, [m.LambdaLR(o, lambda epoch: 1 - 0.01 * epoch), m.CosineAnnealingWarmRestarts(o, 6),
            m.PolynomialLR(o, 9)], [9, 17]),
    "in turn, from another": lambda m, o: m.SequentialLR(
        o, [m.StepLR(o, 3), m.MultiStepLR(o, [4, 9])], [0]),
    "chain": lambda m, o: m.ChainedScheduler([m.ConstantLR(o, 0.1, 20), m.ExponentialLR(o, 0.9)]),
    "chain of a chain": lambda m, o: m.ChainedScheduler(
        [m.ChainedScheduler([m.LinearLR(o, 0.2, total_iters=9), m.CosineAnnealingLR(o, 50)]),
         m.StepLR(o, 7, 0.7)], optimizer=o),
    "chain of turns": lambda m, o: m.ChainedScheduler([
        m.SequentialLR(o, [m.LinearLR(o, 0.2, total_iters=3), m.ExponentialLR(o, 0.97)], [4]),
        m.MultiStepLR(o, [6, 20], 0.5)]),
    "chain of two turns": lambda m, o: m.ChainedScheduler([
        m.SequentialLR(o, [m.LinearLR(o, 0.2, total_iters=3), m.ExponentialLR(o, 0.97)], [4]),
        m.SequentialLR(o, [m.ConstantLR(o, 0.5, 5), m.PolynomialLR(o, 90)], [11])]),
    "chain of averages": lambda m, o: m.ChainedScheduler([m.StepLR(o, 4, 0.5), m.SWALR(o, 0.1)]),
    # PyTorch steps a chain that begins a sequence: right for those that a step to 0 leaves alone.
    "turns of a chain": lambda m, o: m.SequentialLR(
        o, [m.ChainedScheduler([m.LinearLR(o, 0.2, total_iters=3), m.StepLR(o, 2, 0.5)]),
            m.CosineAnnealingLR(o, 40)], [7]),
}
KINDS = {**MULTIPLYING, **ENDING, **SETTING, **CYCLING, **COMBINED}


def optimizers(kind: str = "SGD") -> tuple[Any, Any]:
    """Ours and PyTorch's, of two groups."""
    options: dict[str, Any] = dict(lr=0.5, momentum=0.9) if kind == "SGD" else dict(lr=0.5)
    ours = getattr(optim, kind)([{"params": [nn.Parameter(np.zeros(2))]},
                                 {"params": [nn.Parameter(np.zeros(2))], "lr": 0.125}], **options)
    theirs = getattr(torch.optim, kind)(
        [{"params": [torch.nn.Parameter(torch.zeros(2))]},
         {"params": [torch.nn.Parameter(torch.zeros(2))], "lr": 0.125}], **options)
    return ours, theirs


def assert_equal(ours: Any, theirs: Any, where: object) -> None:
    for group, expected in zip(ours.param_groups, theirs.param_groups, strict=True):
        assert group["lr"] == pytest.approx(expected["lr"], rel=1e-12, abs=1e-15), where
        for name in {"momentum", "betas"} & set(group):
            assert group[name] == pytest.approx(expected[name], rel=1e-12), where


def compare(
    *makes: Make, set_at: int | None = None, kind: str = "SGD", begin: int = 0
) -> None:
    ours, theirs = optimizers(kind)
    own = [make(OURS, ours) for make in makes]
    other = [make(THEIRS, theirs) for make in makes]
    for step in range(STEPS + 1):
        if step == set_at:
            ours.lr = 0.2
            for group in theirs.param_groups:
                group["lr"] = 0.2
        if step >= begin:
            assert_equal(ours, theirs, step)
        theirs.step()
        for schedule in (*own, *other):
            schedule.step()


def pairs(*kinds: dict[str, Make]) -> list[Any]:
    """Two of them, in both orders, but for those that share a number of the groups in PyTorch.

    The later `OneCycleLR` and `SWALR` change the max_lr, momentum and swa_lr of the earlier one.
    """
    sharing = ({"SWALR"}, {"OneCycleLR", "CyclicLR"})
    names = [name for kind in kinds for name in kind]
    return [pytest.param(*pair, id=" and ".join(pair)) for pair in permutations(names, 2)
            if not any(all(share & uses(name) for name in pair) for share in sharing)]


def uses(name: str) -> set[str]:
    """The schedules that a kind is made of."""
    return set(KINDS[name].__code__.co_names)


@pytest.mark.parametrize("name", KINDS)
def test_alone(name: str) -> None:
    compare(KINDS[name])


@pytest.mark.parametrize("name", CYCLING)
def test_cycles_of_adam(name: str) -> None:
    compare(CYCLING[name], kind="Adam")


@pytest.mark.parametrize(("first", "second"), pairs(KINDS)[::3])
def test_two_on_one_optimizer(first: str, second: str) -> None:
    # PyTorch's CyclicLR begins with the rate before the first schedule if there was one, not with
    # its base_lr.
    compare(KINDS[first], KINDS[second], begin=1 if "CyclicLR" in uses(second) else 0)


@pytest.mark.parametrize("names", list(permutations(MULTIPLYING, 3))[::5], ids=" and ".join)
def test_three_on_one_optimizer(names: tuple[str, str, str]) -> None:
    compare(*(MULTIPLYING[name] for name in names))


@pytest.mark.parametrize(("first", "second"), pairs(MULTIPLYING, ENDING, SETTING))
def test_two_in_a_chain(first: str, second: str) -> None:
    compare(lambda m, o: m.ChainedScheduler([KINDS[first](m, o), KINDS[second](m, o)]))


@pytest.mark.parametrize(("first", "second"), pairs(MULTIPLYING, ENDING, SETTING, CYCLING)[::2])
def test_two_in_turn(first: str, second: str) -> None:
    compare(lambda m, o: m.SequentialLR(o, [KINDS[first](m, o), KINDS[second](m, o)], [13]))


@pytest.mark.parametrize("name", MULTIPLYING)
def test_a_rate_that_is_set_in_between_counts(name: str) -> None:
    compare(MULTIPLYING[name], set_at=5)


@pytest.mark.parametrize("last_epoch", [0, 1, 4, 7, 11])
@pytest.mark.parametrize("name", [*MULTIPLYING, "lambda", "lambdas", "restarts", "triangular",
                                  "triangular2", "exp range"])
def test_going_on_after_an_epoch(name: str, last_epoch: int) -> None:
    """With `last_epoch=`, from what an optimizer's state has."""
    ours, theirs = optimizers()
    for optimizer in (ours, theirs):
        for group, first in zip(optimizer.param_groups, (0.4, 0.1), strict=True):
            group |= {"initial_lr": first, "lr": 0.7 * first}

    class Resumed:
        """A module's schedules, with last_epoch."""

        def __init__(self, module: Any) -> None:
            self.module = module

        def __getattr__(self, kind: str) -> Any:
            return lambda *given, **named: getattr(self.module, kind)(
                *given, **named, last_epoch=last_epoch)

    own, other = KINDS[name](Resumed(OURS), ours), KINDS[name](Resumed(THEIRS), theirs)
    for step in range(30):
        if step or "CyclicLR" not in uses(name):  # see above
            assert_equal(ours, theirs, step)
        assert own.last_epoch == other.last_epoch
        theirs.step()
        own.step()
        other.step()


FIGURES = np.concatenate([3.0 - 0.2 * np.arange(8), 1.5 - 1e-4 * np.arange(14), np.full(9, 2.0),
                          [float("nan")], 1.2 + 0.1 * np.sin(np.arange(28))])


@pytest.mark.parametrize("options", [
    {}, dict(patience=2), dict(patience=0, factor=0.5), dict(mode="max", patience=1, factor=0.7),
    dict(threshold=0.1, patience=1), dict(threshold=0.1, threshold_mode="abs", patience=1),
    dict(mode="max", threshold=0.05, threshold_mode="abs", patience=1),
    dict(patience=1, cooldown=3),
    dict(patience=0, min_lr=0.01), dict(patience=0, min_lr=[0.2, 0.001]),
    dict(patience=0, eps=0.01)], ids=str)
@pytest.mark.parametrize("beside", [None, "exponential"])
def test_on_a_plateau(options: dict[str, Any], beside: str | None) -> None:
    ours, theirs = optimizers()
    own, other = (m.ReduceLROnPlateau(o, **options) for m, o in ((OURS, ours), (THEIRS, theirs)))
    more = [KINDS[beside](m, o) for m, o in ((OURS, ours), (THEIRS, theirs))] if beside else []
    theirs.step()
    for step, figure in enumerate(FIGURES):
        for schedule in more:
            schedule.step()
        own.step(figure)
        other.step(figure)
        assert_equal(ours, theirs, step)
        assert (own.num_bad_epochs, own.in_cooldown) == (other.num_bad_epochs, other.in_cooldown)
    assert own.best == other.best


class OfOnesOwn:
    """A schedule as PyTorch's users write them, over both bases."""

    @staticmethod
    def over(base: Any) -> Any:
        class Warmup(base):  # type: ignore[misc]
            def __init__(self, optimizer: Any, steps: int, last_epoch: int = -1) -> None:
                self.steps = steps
                super().__init__(optimizer, last_epoch)

            def get_lr(self) -> list[float]:
                if self.last_epoch < self.steps:
                    return [rate * (self.last_epoch + 1) / self.steps for rate in self.base_lrs]
                return [group["lr"] * 0.95 for group in self.optimizer.param_groups]

        return Warmup


def test_one_of_ones_own() -> None:
    compare(lambda m, o: OfOnesOwn.over(m.LRScheduler)(o, 7))
    compare(lambda m, o: m.ChainedScheduler([m.StepLR(o, 4), OfOnesOwn.over(m.LRScheduler)(o, 7)]))


def test_inverse_time_is_their_lambda() -> None:
    ours = optim.SGD([nn.Parameter(np.zeros(1))], lr=0.7)
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.7)
    schedule = optim.InverseTimeLR(ours, gamma=0.05)
    other = torch.optim.lr_scheduler.LambdaLR(theirs, lambda epoch: 1 / (1 + 0.05 * epoch))
    for _ in range(STEPS):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], rel=1e-12)
        theirs.step()
        schedule.step()
        other.step()
