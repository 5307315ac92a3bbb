"""Each parameter counts its own steps: those in which it is trained, and the loss depends on it."""

import json
from unittest import mock

import numpy as np
import pytest
import safetensors
import safetensors.numpy

import fastnn as fn
from fastnn import nn, optim
from fastnn.engine import compiled

NO_TARGET = np.zeros((2, 1), np.float32)


class Slopes(nn.Module):
    """A model whose gradients are what it is called with; `b` counts in pairs of examples alone."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(np.full(3, 2.0)), nn.Parameter(np.full(3, 2.0))

    def forward(self, x):
        total = (self.a * x).sum()
        return total + (self.b * x).sum() if x.shape[0] == 2 else total


def output(value, target):
    return value + 0.0 * fn.sum(target)


def made(kind, accumulate=1, **options):
    """(model, optimizer, step of a gradient)."""
    model = Slopes()
    optimizer = kind(model.parameters(), **options)
    step = fn.TrainStep(model, output, optimizer, accumulate=accumulate)

    def train(slope, examples=2):
        """A step in which every weight's gradient is `slope`."""
        step(np.full((examples, 3), slope / examples, np.float32), NO_TARGET[:examples])

    return model, optimizer, train


def moves(parameter, train, slopes, **options):
    """How far a parameter moves in each of some steps."""
    result = []
    for slope in slopes:
        before = parameter.data[1]
        train(slope, **options)
        result.append(float(parameter.data[1]) - float(before))
    return result


@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW])
def test_adams_first_move_of_an_unfrozen_parameter_is_lr(kind):
    model, optimizer, train = made(kind, lr=0.01, weight_decay=0.0)
    model.b.requires_grad = False
    for _ in range(50):
        train(3.0)
    assert (model.b.data == 2).all() and optimizer.state_dict()["steps"] == [50, 0]
    model.b.requires_grad = True
    assert moves(model.b, train, [0.25]) == pytest.approx([-0.01], rel=1e-5)
    assert optimizer.state_dict()["steps"] == [51, 1] and optimizer.steps == 51
    # m = 0.9 * 0.025 + 0.1 * 0.5 = 0.0725, v = 0.999 * 6.25e-5 + 0.001 * 0.25 = 3.124375e-4, t = 2
    expected = -0.01 * (0.0725 / 0.19) / np.sqrt(3.124375e-4 / 0.001999)
    assert moves(model.b, train, [0.5]) == pytest.approx([expected], rel=1e-4)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_sgds_first_buffer_of_an_unfrozen_parameter_is_the_gradient(accumulate):
    class Halves(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(np.zeros(3)), nn.Parameter(np.zeros(3))

        def forward(self, x):
            return ((self.a + self.b) * x).sum()

    model = Halves()
    optimizer = optim.SGD(model.parameters(), lr=0.5, momentum=0.5, dampening=0.75)
    # Each part's loss counts as a mean, by its share.
    step = fn.TrainStep(model, lambda value, target: accumulate * output(value, target), optimizer,
                        accumulate=accumulate)

    def train(slope):
        step(np.full((2, 3), slope / 2, np.float32), NO_TARGET)

    model.b.requires_grad = False
    # v = 4, then 0.5 * 4 + 0.25 * 4 = 3
    assert moves(model.a, train, [4.0, 4.0]) == [-2.0, -1.5]
    model.b.requires_grad = True
    # v = 4, then 0.5 * 4 + 0.25 * 8 = 4, then 0.5 * 4 + 0 = 2
    assert moves(model.b, train, [4.0, 8.0, 0.0]) == [-2.0, -2.0, -1.0]
    model.b.requires_grad = False
    assert moves(model.b, train, [4.0, 4.0]) == [0.0, 0.0]
    model.b.requires_grad = True
    assert moves(model.b, train, [8.0]) == [-1.5]  # v = 0.5 * 2 + 0.25 * 8 = 3: it is the fourth
    assert optimizer.state_dict()["steps"] == [8, 4]


@pytest.mark.parametrize("kind", [optim.SGD, optim.AdamW])
def test_a_parameter_that_no_gradient_reaches_stays_as_it_is(kind):
    """No decay, no momentum, no count: PyTorch skips what has no gradient."""
    options = {"momentum": 0.9} if kind is optim.SGD else {}
    model, optimizer, train = made(kind, lr=0.1, weight_decay=0.5, **options)
    train(1.0)
    b, state = model.b.data.copy(), {k: v.copy() for k, v in optimizer.state[id(model.b)].items()}
    assert moves(model.a, train, [1.0, 1.0], examples=1)[1] != 0
    np.testing.assert_array_equal(model.b.data, b)
    for name, array in optimizer.state[id(model.b)].items():
        np.testing.assert_array_equal(array, state[name])
    assert optimizer.state_dict()["steps"] == [3, 1]
    assert moves(model.b, train, [1.0]) != [0.0]


def test_in_parts_a_parameter_counts_if_one_of_them_depends_on_it():
    model, optimizer, _ = made(optim.Adam, lr=0.01)
    step = fn.TrainStep(model, output, optimizer, accumulate=2)
    step(np.ones((3, 3), np.float32), np.zeros((3, 1), np.float32))  # parts of 2 and 1
    assert optimizer.state_dict()["steps"] == [1, 1]
    step(np.ones((2, 3), np.float32), NO_TARGET)  # of 1 and 1
    assert optimizer.state_dict()["steps"] == [2, 1]
    model.a.requires_grad = False
    step(np.ones((4, 3), np.float32), np.zeros((4, 1), np.float32))
    assert optimizer.state_dict()["steps"] == [2, 2]


def test_a_loss_that_is_a_parameter_itself_trains_it_in_parts():
    class Itself(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(np.ones(1))

        def forward(self, x):
            return self.a

    for accumulate in (1, 2):
        model = Itself()
        step = fn.TrainStep(model, lambda value, target: value,
                            optim.SGD(model.parameters(), lr=0.25), accumulate=accumulate)
        assert step(np.ones((2, 1)), np.ones((2, 1))) == 1
        assert model.a.data.tolist() == [0.75]


def test_freezing_to_and_fro_makes_no_new_plans():
    model, optimizer, train = made(optim.Adam, lr=0.01)
    with mock.patch.object(compiled, "build", wraps=compiled.build) as build:
        for i in range(12):
            model.b.requires_grad = i % 3 == 0
            train(1.0)
    assert build.call_count == 2 and optimizer.state_dict()["steps"] == [12, 4]


def test_steps_are_counted_by_group_and_parameter():
    model = Slopes()
    optimizer = optim.Adam([{"params": [model.b]}, {"params": model.a, "lr": 0.5}], lr=0.125)
    step = fn.TrainStep(model, output, optimizer)
    step(np.ones((1, 3), np.float32), NO_TARGET[:1])
    step(np.full((2, 3), 0.5, np.float32), NO_TARGET)
    assert optimizer.state_dict()["steps"] == [1, 2] and optimizer.steps == 2
    assert model.b.data[0] == pytest.approx(2 - 0.125) and model.a.data[0] == pytest.approx(1)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam])
def test_a_state_carries_the_steps_of_each_parameter(kind):
    options = {"lr": 0.1, "momentum": 0.5, "dampening": 0.5} if kind is optim.SGD else {"lr": 0.1}
    model, optimizer, train = made(kind, **options)
    train(1.0, examples=1)
    again, restored, train_again = made(kind, **options)
    again.load_state_dict(model.state_dict())
    restored.load_state_dict(json.loads(json.dumps(
        optimizer.state_dict(), default=lambda array: array.tolist())))
    assert restored.state_dict()["steps"] == [1, 0]
    for slope in (2.0, -1.0):
        train(slope)
        train_again(slope)
    assert model.b.data.tobytes() == again.b.data.tobytes()
    assert restored.state_dict()["steps"] == [3, 2]


def test_a_state_with_one_number_of_steps_is_for_every_parameter():
    _, optimizer, train = made(optim.Adam)
    optimizer.load_state_dict(optimizer.state_dict() | {"steps": 7})
    assert optimizer.state_dict()["steps"] == [7, 7]
    for wrong in ([1], [1, 2, 3], -1, [1, -1], 1.0, True, None, "7", [1, 2.0], 2**53, 2**70):
        with pytest.raises(ValueError, match="no list of 2 counts"):
            optimizer.load_state_dict(optimizer.state_dict() | {"steps": wrong})
    assert optimizer.state_dict()["steps"] == [7, 7]
    train(1.0)
    assert optimizer.steps == 8
    optimizer.load_state_dict(optimizer.state_dict() | {"steps": 2**53 - 1})
    assert optimizer.steps == 2**53 - 1


def test_a_group_may_be_empty():
    optimizer = optim.SGD([{"params": []}, {"params": nn.Linear(2, 2).parameters()}], lr=0.1)
    assert optimizer.steps == 0 and optimizer.state_dict()["steps"] == [0, 0]


def trainer(frozen=()):
    """A trainer whose layers in `frozen` are thawed after the first epoch."""
    class Thaw(fn.training.Callback):
        def on_epoch_end(self, trainer):
            trainer.model.requires_grad_(True)

    fn.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    for name in frozen:
        model.get_submodule(name).requires_grad_(False)
    return fn.Trainer(model, nn.CrossEntropyLoss(), optim.Adam(model.parameters(), lr=0.01),
                      callbacks=[Thaw()])


def data():
    rng = np.random.default_rng(0)
    return rng.standard_normal((24, 4)).astype(np.float32), rng.integers(0, 3, 24)


def test_a_checkpoint_carries_the_steps_of_each_parameter(tmp_path):
    path = tmp_path / "c.safetensors"
    whole, first, rest = trainer("0"), trainer("0"), trainer()
    whole.fit(data(), epochs=3, batch_size=8, seed=1)
    first.fit(data(), epochs=1, batch_size=8, seed=1)
    first.save(path)
    rest.resume(path)
    assert rest.optimizer.state_dict()["steps"] == [0, 0, 3, 3]
    rest.fit(data(), epochs=2, batch_size=8, seed=1)
    assert rest.optimizer.state_dict()["steps"] == [6, 6, 9, 9]
    for name, value in whole.model.state_dict().items():
        assert value.tobytes() == rest.model.state_dict()[name].tobytes(), name


@pytest.mark.parametrize(("steps", "expected"), [
    (3, [3, 3, 3, 3]), ([3, 3, 3], None), ([3, 3, 3, -1], None), ("3", None), (True, None),
    ([3, 3, 3, None], None)])
def test_checkpoints_of_version_1_have_one_number_of_steps(tmp_path, steps, expected):
    path = tmp_path / "c.safetensors"
    source = trainer()
    source.fit(data(), epochs=1, batch_size=8)
    source.save(path)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
    content = json.loads(metadata["state"]) | {"steps": steps}
    safetensors.numpy.save_file(safetensors.numpy.load_file(path), path, metadata | {
        "version": "1", "state": json.dumps(content)})
    other = trainer()
    if expected is None:
        with pytest.raises(fn.CheckpointError, match=r"c\.safetensors: .*steps"):
            other.resume(path)
        expected = [0, 0, 0, 0]
    else:
        other.resume(path)
    assert other.optimizer.state_dict()["steps"] == expected
