"""Event files: what TensorBoard reads of a training, also after a resume."""

import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import TensorBoard, Trainer

event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")


def events(folder: Path) -> list[tuple[str, int, Any]]:
    """(tag, step, number or None for a histogram) of all event files of a folder, in order."""
    found = []
    for path in sorted(folder.glob("events.*"), key=lambda path: path.stat().st_mtime_ns):
        content = path.read_bytes()
        while content:  # records of the format TFRecord: length, checksum, data, checksum
            [length] = struct.unpack("<Q", content[:8])
            event = event_pb2.Event.FromString(content[12:12 + length])
            for value in event.summary.value:
                found.append((value.tag, event.step, value.simple_value
                              if value.HasField("simple_value") else None))
            content = content[16 + length:]
    return found


def trained(callback: TensorBoard, epochs: int, checkpoint: Path | None = None) -> Trainer:
    fn.manual_seed(0)
    model = nn.Linear(3, 2)
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(20, 3)).astype(np.float32), np.arange(20) % 2
    trainer = Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                      callbacks=[callback])
    if checkpoint is not None and checkpoint.exists():
        trainer.resume(checkpoint)
    trainer.fit((x, y), (x, y), epochs=epochs, batch_size=5)
    if checkpoint is not None:
        trainer.save(checkpoint)
    return trainer


def test_figures_of_each_epoch(tmp_path: Path) -> None:
    trainer = trained(TensorBoard(tmp_path), 2)
    assert {path.name for path in tmp_path.iterdir()} == {"train", "validation"}
    expected = [(name, record["epoch"], record[name])
                for record in trainer.history for name in ("loss", "accuracy", "lr")]
    found = {(tag, step): value for tag, step, value in events(tmp_path / "train")}
    assert found.keys() == {each[:2] for each in expected}
    for tag, step, value in expected:
        assert found[tag, step] == pytest.approx(value)
    held_out = {(tag, step): value for tag, step, value in events(tmp_path / "validation")}
    assert held_out.keys() == {(tag, step) for tag in ("loss", "accuracy") for step in (1, 2)}
    assert held_out["loss", 2] == pytest.approx(trainer.history[1]["validation_loss"])


@pytest.mark.parametrize(("update_freq", "steps"), [("batch", range(1, 9)), (3, (3, 6))])
def test_losses_of_batches_and_weights(tmp_path: Path, update_freq: Any, steps: Any) -> None:
    trained(TensorBoard(tmp_path, histogram_freq=2, update_freq=update_freq), 2)
    assert [step for _, step, _ in events(tmp_path / "batches")] == list(steps)
    assert {(tag, step) for tag, step, value in events(tmp_path / "train") if value is None} == {
        ("weight", 2), ("bias", 2)}


def test_a_resumed_training_goes_on(tmp_path: Path) -> None:
    trained(TensorBoard(tmp_path / "logs", update_freq="batch"), 1, tmp_path / "c.safetensors")
    trained(TensorBoard(tmp_path / "logs", update_freq="batch"), 1, tmp_path / "c.safetensors")
    assert [step for tag, step, _ in events(tmp_path / "logs" / "train") if tag == "loss"] == [1, 2]
    assert [step for _, step, _ in events(tmp_path / "logs" / "batches")] == list(range(1, 9))


def test_it_changes_no_bit(tmp_path: Path) -> None:
    with_it = trained(TensorBoard(tmp_path, 1, "batch"), 2).model.state_dict()
    without = trained(TensorBoard(tmp_path / "other"), 2).model.state_dict()
    for name, value in with_it.items():
        np.testing.assert_array_equal(value, without[name])


@pytest.mark.parametrize("options", [
    {"update_freq": 0}, {"update_freq": "week"}, {"histogram_freq": -1}, {"log_dir": None}])
def test_wrong_arguments(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        TensorBoard(**options)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "fastnn\[tensorboard\]"'):
        TensorBoard("logs")
