"""Snapshots at the ends of cosine cycles, also across a resume."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.ensembles import Snapshots

X = np.random.default_rng(0).standard_normal((32, 5)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 4, 32)


def trainer_of(snapshots, T_mult=1):
    fn.manual_seed(0)
    model = nn.Linear(5, 4)
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    schedule = optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=T_mult)
    return fn.Trainer(model, "cross_entropy", optimizer, schedule, callbacks=[snapshots])


@pytest.mark.parametrize("T_mult, ends", [(1, [2, 4, 6, 8]), (2, [2, 6])])
def test_cycles_end_where_the_schedule_starts_anew(T_mult, ends):
    snapshots = Snapshots(2, T_mult)
    trainer = trainer_of(snapshots, T_mult)
    rates = []
    watch = fn.training.LambdaCallback(on_epoch_end=lambda trainer: rates.append(
        trainer.optimizers[0].param_groups[0]["lr"]))
    trainer.callbacks.append(watch)
    trainer.fit((X, Y), epochs=8)
    assert snapshots.epochs == ends
    assert [epoch for epoch, rate in enumerate(rates) if epoch and rate == 0.5] == [
        end for end in ends if end < 8]


def test_members_are_the_weights_of_then():
    snapshots = Snapshots(2)
    seen = {}
    trainer = trainer_of(snapshots)
    trainer.callbacks.append(fn.training.LambdaCallback(on_epoch_end=lambda trainer: seen.update(
        {trainer.epoch: trainer.model.weight.data.copy()})))
    trainer.fit((X, Y), epochs=6)
    crowd = snapshots.ensemble(trainer.model)
    for member, epoch in zip(crowd, (2, 4, 6), strict=True):
        assert np.array_equal(member.weight.data, seen[epoch])


def test_only_the_last_are_kept():
    snapshots = Snapshots(2, last=2)
    trainer_of(snapshots).fit((X, Y), epochs=7)
    assert snapshots.epochs == [4, 6]


def test_a_resumed_run_has_the_snapshots_of_an_unbroken_one(tmp_path):
    whole, broken, resumed = Snapshots(2), Snapshots(2), Snapshots(2)
    trainer = trainer_of(whole)
    trainer.fit((X, Y), epochs=6)
    first = trainer_of(broken)
    first.fit((X, Y), epochs=4)
    first.save(tmp_path / "checkpoint")
    second = trainer_of(resumed)
    second.resume(tmp_path / "checkpoint")
    second.fit((X, Y), epochs=2)
    assert resumed.epochs == whole.epochs
    ours, expected = resumed.ensemble(second.model), whole.ensemble(trainer.model)
    assert ours.predict_proba(X).tobytes() == expected.predict_proba(X).tobytes()


@pytest.mark.parametrize("call, message", [
    (lambda: Snapshots(0), "T_0"),
    (lambda: Snapshots(2, 0), "T_mult"),
    (lambda: Snapshots(2, last=0), "last"),
    (lambda: Snapshots(2).ensemble(nn.Linear(2, 2)), "no snapshots"),
    (lambda: Snapshots(2).load_state_dict({"epochs": [1]}), "no weights"),
])
def test_bad_calls_are_refused_by_name(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
