"""A damaged checkpoint: one CheckpointError that names the file, and nothing has changed."""

import json
import math
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastnn as fn
from fastnn import nn, optim
from fastnn.training.files import ArrayFile
from fastnn.training.state import FIGURES

X = np.random.default_rng(0).standard_normal((8, 3), dtype=np.float32)
Y = np.arange(8) % 2
State = dict[str, Any]


def trainer(seed: int, kind: str = "cosine") -> fn.Trainer:
    fn.manual_seed(seed)
    model = nn.Linear(3, 2)
    optimizer = (optim.AdamW(model.parameters(), lr=0.01) if kind == "adamw" else
                 optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    schedule = {"sequence": lambda: optim.SequentialLR(optimizer, [
        optim.LinearLR(optimizer), optim.ExponentialLR(optimizer, 0.5)], [1]),
        "adamw": lambda: None}.get(kind, lambda: optim.CosineAnnealingLR(optimizer, 5))()
    return fn.Trainer(model, nn.CrossEntropyLoss(), optimizer, schedule)


def saved(folder: Path, kind: str = "cosine") -> Path:
    source = trainer(0, kind)
    source.fit((X, Y), (X, Y), epochs=2, batch_size=4)
    source.save(folder / "c.safetensors")
    return folder / "c.safetensors"


def change(path: Path, act: Callable[[State], object]) -> None:
    """Damage the JSON of a checkpoint; the file stays whole."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    content = json.loads(header["__metadata__"]["state"])
    act(content)
    header["__metadata__"]["state"] = json.dumps(content)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length:])


def everything(trainer: fn.Trainer) -> str:
    """All that a resume may change, as text."""
    arrays = [array.tolist() for array in trainer.model.state_dict().values()]
    optimizer = trainer.optimizer.state_dict()
    slots = [{name: np.asarray(value).tolist() for name, value in entry.items()}
             for entry in optimizer.pop("state")]
    schedule = None if trainer.schedule is None else trainer.schedule.state_dict()
    own = {name: value for name, value in vars(trainer).items()
           if isinstance(value, (int, float, list)) and name != "callbacks"}
    return repr((arrays, optimizer, slots, schedule, own, trainer.averages.sums(),
                 fn.get_rng_state(), trainer.train_step.most_examples))


def refuses(path: Path, kind: str = "cosine") -> str:
    resumed = trainer(9, kind)
    before = everything(resumed)
    with pytest.raises(fn.CheckpointError, match=path.name) as caught:
        resumed.resume(path)
    assert everything(resumed) == before
    return str(caught.value)


def at(*path: str | int, value: Any) -> Callable[[State], None]:
    """Puts a value to a place."""
    def act(content: Any) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value
    return act


S = "state"
DAMAGE = {
    "base_lrs = 5": (at(S, "schedule", "base_lrs", value=5), "base_lrs is 5, expected a list"),
    "base_lrs = [true]": (at(S, "schedule", "base_lrs", value=[True]), "base_lrs is True"),
    "base_lrs = []": (at(S, "schedule", "base_lrs", value=[]), "parameter groups"),
    "base_lrs = [-1]": (at(S, "schedule", "base_lrs", value=[-1.0]), "base_lrs"),
    "base_lrs = [NaN]": (at(S, "schedule", "base_lrs", value=[math.nan]), "base_lrs"),
    "schedule = x": (at(S, "schedule", value="x"), "schedule is 'x', expected its time"),
    "schedule = {}": (at(S, "schedule", value={}), "missing"),
    "schedule = null": (at(S, "schedule", value=None), "schedule"),
    "last_epoch = NaN": (at(S, "schedule", "last_epoch", value=math.nan), "last_epoch"),
    "last_epoch = x": (at(S, "schedule", "last_epoch", value="x"), "last_epoch is 'x'"),
    "last_epoch = -1": (at(S, "schedule", "last_epoch", value=-1), "last_epoch"),
    "seconds = x": (at(S, "seconds", value="x"), "seconds is 'x'"),
    "seconds = -1": (at(S, "seconds", value=-1.0), "seconds is -1.0"),
    "epoch = true": (at(S, "epoch", value=True), "epoch is True"),
    "epoch = 1": (at(S, "epoch", value=1), "expected a list of 1 epochs"),
    "epoch = 2.0": (at(S, "epoch", value=2.0), "epoch is 2.0"),
    "batch = 10**30": (at(S, "batch", value=10**30), "batch is 1000"),
    "batch = 5 of 4 steps": (at(S, "batch", value=5), "contradict"),
    "first_epoch = 10**9": (at(S, "first_epoch", value=10**9), "contradict"),
    "steps of the trainer = null": (at(S, "steps", value=None), "steps is None"),
    "unfinished = x": (at(S, "unfinished", value="x"), "unfinished is 'x'"),
    "unfinished = 1": (at(S, "unfinished", value=1), "unfinished is 1"),
    "most_examples = 0": (at(S, "most_examples", value=0), "most_examples is 0"),
    "averages = null": (at(S, "averages", value=None), "averages"),
    "averages = {}": (at(S, "averages", value={}), "averages"),
    "averages.loss = NaN": (at(S, "averages", "loss", value=math.nan), r"averages.loss is nan"),
    "averages.loss = x": (at(S, "averages", "loss", value="x"), r"averages.loss is 'x'"),
    "averages.right = inf": (at(S, "averages", "right", value=math.inf), r"averages.right is inf"),
    "history = [1, 2]": (at(S, "history", value=[1, 2]), "history of epoch 1 is 1"),
    "history = {}": (at(S, "history", value={"a": 1, "b": 2}), "expected a list of 2 epochs"),
    "history in another order": (lambda c: c[S]["history"].reverse(), "history of epoch 1"),
    **{f"history {name} = {value!r}": (at(S, "history", 1, name, value=value), f"{name} of epoch 2")
       for name in FIGURES for value in ("x", True, math.nan)},
    "groups = []": (at("groups", value=[]), "parameter groups"),
    "groups = null": (at("groups", value=None), "groups cannot be used"),
    "groups[0] = 3": (at("groups", 0, value=3), "options 3"),
    "lr = inf": (at("groups", 0, "lr", value=math.inf), "lr is inf"),
    "lr = true": (at("groups", 0, "lr", value=True), "lr is True"),
    "lr = -1": (at("groups", 0, "lr", value=-1), "lr"),
    "lr is missing": (lambda c: c["groups"][0].pop("lr"), "expected dampening, initial_lr, lr"),
    "momentum = 0": (at("groups", 0, "momentum", value=0), "another rule"),
    "momentum = 1e308": (at("groups", 0, "momentum", value=1e308), "momentum is 1e"),
    "nesterov = no": (at("groups", 0, "nesterov", value="no"), "nesterov is 'no'"),
    "nesterov = true": (at("groups", 0, "nesterov", value=True), "another rule"),
    "random.key = [0]": (at("random", "key", value=[0]), r"its key is \[0\]"),
    "random.key = [-1, 0]": (at("random", "key", value=[-1, 0]), "its key"),
    "random.key = [1.5, 0]": (at("random", "key", value=[1.5, 0]), "its key"),
    "random.generator = {}": (at("random", "generator", value={}), "get_rng_state"),
    "random.generator is another": (at("random", "generator", "bit_generator", value="MT19937"),
                                    "PCG64"),
    "random.generator.state = x": (at("random", "generator", "state", value="x"), ""),
    "random.generator state = -1": (at("random", "generator", "state", "state", value=-1), ""),
    "random = null": (at("random", value=None), "random cannot be used"),
    "state = null": (at(S, value=None), "state cannot be used"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_changes_nothing(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path)
    act, words = DAMAGE[name]
    change(path, act)
    message = refuses(path)
    assert "\n" not in message
    assert re.search(words, message), message


@pytest.mark.parametrize("name", ["epoch", "batch", "steps", "batches", "first_epoch",
                                  "most_examples"])
@pytest.mark.parametrize("value", [-7, True, 1.5, "1", [], 10**400, math.nan])
def test_counts(tmp_path: Path, name: str, value: Any) -> None:
    path = saved(tmp_path)
    change(path, at("state", name, value=value))
    assert name in refuses(path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    contents: list[State] = []
    change(path, contents.append)
    for name in contents[0]["state"]:
        path.write_bytes(whole)
        change(path, lambda content, name=name: content["state"].pop(name))
        assert f"'{name}' is missing" in refuses(path)


@given(data=st.data())
def test_any_value_anywhere_is_refused_or_taken_whole(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """And what is taken trains on."""
    kind = data.draw(st.sampled_from(["cosine", "sequence", "adamw"]))
    path = saved(tmp_path_factory.mktemp("c"), kind)
    value = data.draw(st.sampled_from([None, True, -1, 0, 3, 10**30, 0.5, -2.5, math.inf, math.nan,
                                       "", "x", [], [1], [[]], {}, {"a": 1}]))

    def somewhere(content: Any) -> None:
        while True:
            keys = list(content) if isinstance(content, dict) else list(range(len(content)))
            key = data.draw(st.sampled_from(keys))
            inner = content[key]
            if not inner or not isinstance(inner, (dict, list)) or data.draw(st.booleans()):
                content[key] = value
                return
            content = inner

    change(path, somewhere)
    resumed = trainer(9, kind)
    before = everything(resumed)
    try:
        resumed.resume(path)
    except fn.CheckpointError as error:
        assert "c.safetensors" in str(error)
        assert everything(resumed) == before
        return
    try:
        resumed.fit((X, Y), epochs=1, batch_size=4)
    except (fn.NonFiniteError, ValueError) as error:
        assert str(error)


@pytest.mark.parametrize("content", ["", "[", "[]", "3", "[" * 10**6, '{"a": 1, "a": 2}'])
def test_a_state_that_is_no_object(tmp_path: Path, content: str) -> None:
    path = saved(tmp_path)
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    header["__metadata__"]["state"] = content
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length:])
    assert "state" in refuses(path)


def test_an_error_while_arrays_are_read_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(tmp_path)

    def fail(file: ArrayFile, name: str) -> np.ndarray:
        raise OSError(5, "Input/output error", str(file.path))

    monkeypatch.setattr(ArrayFile, "read", fail)
    resumed = trainer(9)
    before = everything(resumed)
    with pytest.raises(OSError, match="Input/output"):
        resumed.resume(path)
    assert everything(resumed) == before


def test_a_schedule_of_ones_own_that_cannot_load(tmp_path: Path) -> None:
    class Own(optim.CosineAnnealingLR):
        def load_state_dict(self, state: Any) -> None:
            super().load_state_dict(state)
            if state["last_epoch"] > 1:
                raise RuntimeError("not mine")

    path = saved(tmp_path)
    resumed = trainer(9)
    resumed.schedule = Own(resumed.optimizer, 5)
    before = everything(resumed)
    with pytest.raises(fn.CheckpointError, match="not mine"):
        resumed.resume(path)
    assert everything(resumed) == before


def test_what_callbacks_add_to_the_history_comes_back(tmp_path: Path) -> None:
    source = trainer(0)
    source.fit((X, Y), epochs=1, batch_size=4)
    source.history[0] |= {"note": "best", "f1": math.nan}
    source.save(tmp_path / "c")
    resumed = trainer(9)
    resumed.resume(tmp_path / "c")
    assert resumed.history[0]["note"] == "best" and math.isnan(resumed.history[0]["f1"])


def test_a_schedule_of_ones_own_that_sets_what_the_optimizer_cannot_take(tmp_path: Path) -> None:
    class Strange(optim.CosineAnnealingLR):
        def load_state_dict(self, state: Any) -> None:
            self.optimizer.param_groups[0]["lr"] = -1.0

    path = saved(tmp_path)
    resumed = trainer(9)
    resumed.schedule = Strange(resumed.optimizer, 3)
    before = everything(resumed)
    with pytest.raises(fn.CheckpointError, match="lr"):
        resumed.resume(path)
    assert everything(resumed) == before
