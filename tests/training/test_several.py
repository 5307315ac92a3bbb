"""Several optimizers and schedules of one training, clipping, and averaged weights, with resume."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import EMA, Callback, CheckpointCallback, LearningRateMonitor
from tests.nets import batch, make, same_state, state_of

X, Y = batch(26)


class Interrupted(Exception):
    pass


class Break(Callback):
    """Ends training after some step, before or after other callbacks."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer):
        if trainer.steps == self.step:
            raise Interrupted


def several(callbacks=(), **options):
    """A trainer with two optimizers, two schedules, clipping and an average."""
    model = make("residual")
    first = optim.SGD([*model.stem.parameters(), *model.block.parameters()], lr=0.1, momentum=0.9)
    second = optim.AdamW(model.head.parameters(), lr=0.01)
    schedules = [optim.CosineAnnealingLR(first, 3), optim.ExponentialLR(second, 0.5)]
    ema = EMA(model, decay=0.8)
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), [first, second], schedules,
                         callbacks=[ema, *callbacks], clip_grad_norm=1.0, clip_grad_value=0.1,
                         **options)
    return trainer, ema


def everything(trainer, ema):
    """All that a step changes, as bytes."""
    arrays = [*trainer.model.state_dict().values(), *ema.averaged.state_dict().values()]
    for optimizer in trainer.optimizers:
        state = optimizer.state_dict()
        arrays += [np.array(state["steps"]), *(array for each in state["state"]
                                               for array in each.values())]
    return [array.tobytes() for array in arrays], [o.lr for o in trainer.optimizers]


def without_time(history):
    return [{name: value for name, value in record.items() if name != "seconds"}
            for record in history]


@pytest.mark.filterwarnings("ignore:a batch of")
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("step", [1, 4, 7, 11])
def test_resume_ends_in_the_same_bits(tmp_path, step, accumulate):
    path, fit = tmp_path / "c.safetensors", {"validation": (X, Y), "epochs": 3, "batch_size": 7,
                                             "seed": 3}
    whole, of_whole = several(accumulate=accumulate)
    whole.fit((X, Y), **fit)
    half, _ = several([CheckpointCallback(path, None, 1), Break(step)], accumulate=accumulate)
    with pytest.raises(Interrupted):
        half.fit((X, Y), **fit)
    fn.manual_seed(77)
    rest, of_rest = several(accumulate=accumulate)
    rest.resume(path)
    rest.fit((X, Y), **fit)
    assert everything(rest, of_rest) == everything(whole, of_whole)
    assert without_time(rest.history) == without_time(whole.history)


def test_a_step_that_was_saved_before_it_was_averaged(tmp_path):
    """As another thread may, between a step and the callbacks after it."""
    class Save(Callback):
        def on_batch_end(self, trainer):
            if trainer.steps == 2:
                trainer.save(tmp_path / "c.safetensors")

    whole, of_whole = several()
    whole.callbacks.insert(0, Save())
    whole.fit((X, Y), epochs=1, batch_size=7, seed=3)
    rest, of_rest = several()
    rest.resume(tmp_path / "c.safetensors")
    rest.fit((X, Y), epochs=1, batch_size=7, seed=3)
    assert everything(rest, of_rest) == everything(whole, of_whole)


def test_schedules_of_several_optimizers():
    trainer, _ = several([LearningRateMonitor()])
    trainer.fit((X, Y), epochs=2, batch_size=13)
    assert trainer.optimizer is trainer.optimizers[0] and trainer.optimizers[1].lr == 0.005
    assert trainer.history[-1]["lr_0"] == trainer.optimizers[0].lr
    assert trainer.history[-1]["lr_1"] == 0.005
    model = make("mlp")
    optimizer, other = (optim.SGD(model.parameters(), lr=0.1) for _ in range(2))
    with pytest.raises(ValueError, match=r"StepLR is of another SGD than the one that trains"):
        fn.Trainer(model, nn.CrossEntropyLoss(), optimizer, [optim.StepLR(other, 1)])
    with pytest.raises(TypeError, match="schedule"):
        fn.Trainer(model, nn.CrossEntropyLoss(), optimizer, [0.1])


def test_a_checkpoint_of_another_number_of_optimizers(tmp_path):
    trainer, _ = several()
    trainer.save(tmp_path / "c.safetensors")
    one = make("residual")
    other = fn.Trainer(one, nn.CrossEntropyLoss(), optim.SGD(one.parameters(), lr=0.1))
    with pytest.raises(fn.CheckpointError, match="it is of 2 optimizers, expected 1"):
        other.resume(tmp_path / "c.safetensors")
    other.save(tmp_path / "d.safetensors")
    before = everything(*several())
    trainer, ema = several()
    with pytest.raises(fn.CheckpointError, match="it is of 1 optimizers, expected 2"):
        trainer.resume(tmp_path / "d.safetensors")
    assert everything(trainer, ema) == before
    two = fn.Trainer(trainer.model, trainer.loss, trainer.optimizers, trainer.schedules[:1])
    with pytest.raises(fn.CheckpointError, match="it has 2 schedules, this trainer 1"):
        two.resume(tmp_path / "c.safetensors")


# ---- EMA ----

def test_the_average_by_hand():
    model = make("residual")
    ema, seen = EMA(model, decay=0.7), []

    class See(Callback):
        def on_batch_end(self, trainer):
            seen.append(state_of(model))

    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters()),
                         callbacks=[See(), ema])
    trainer.fit((X, Y), epochs=2, batch_size=7)
    assert int(ema.averaged.n_averaged.data) == len(seen) == 8
    averages = seen[0]
    for values in seen[1:]:
        averages = {name: 0.7 * average + 0.3 * values[name] for name, average in averages.items()}
    for name, value in ema.averaged.module.state_dict().items():
        if value.dtype == np.float32:
            np.testing.assert_allclose(value, averages[name], rtol=1e-5, atol=1e-6)


def test_validation_with_the_averages():
    model = make("residual")
    ema = EMA(model, decay=0.9)
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.3),
                         callbacks=[ema])
    history = trainer.fit((X, Y), validation=(X, Y), epochs=2, batch_size=7)
    own = trainer.evaluate((X, Y), 7)
    other = fn.Trainer(ema.averaged, nn.CrossEntropyLoss(), trainer.optimizer)
    averaged = other.evaluate((X, Y), 7)
    assert history[-1]["validation_loss"] == averaged["loss"] != own["loss"]
    ema.validated_model = None
    history = trainer.fit((X, Y), validation=(X, Y), epochs=1, batch_size=7)
    assert history[-1]["validation_loss"] == trainer.evaluate((X, Y), 7)["loss"]
    assert EMA(model, validate=False).validated_model is None


def test_the_average_under_a_budget():
    """Plans of the averaged model are made, and nothing changes but the memory."""
    states = []
    for budget in (None, "8GiB"):
        model = make("residual")
        ema = EMA(model)
        fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                   memory_budget=budget, callbacks=[ema]).fit(
            (X, Y), validation=(X, Y), epochs=2, batch_size=13)
        states.append(state_of(ema.averaged))
    assert same_state(*states)


def test_a_state_that_does_not_fit():
    ema = EMA(make("mlp"))
    before = state_of(ema.averaged)
    good = ema.state_dict()
    for state, error in (({**good, "steps": -1}, ValueError), ({**good, "steps": "1"}, ValueError),
                         ({"steps": 1}, KeyError), ({**good, "averages": {}}, KeyError)):
        with pytest.raises(error):
            ema.load_state_dict(state)
    assert same_state(before, state_of(ema.averaged))
    with pytest.raises(ValueError, match="decay"):
        EMA(make("mlp"), decay=1.5)
