"""What the progress bar says, and when: to the word, by a clock of the test's own."""

import io
import re
from types import SimpleNamespace
from typing import Any

import pytest

from fastnn.training import progress
from fastnn.training.progress import ProgressBar


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    state = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: state.now))
    return state


def training(epoch: int, batch: int, batches: int = 10) -> Any:
    """Of 3 epochs: 200 images in 5 seconds of this one."""
    averages = SimpleNamespace(values=lambda *names: {"loss": 0.5, "accuracy": 0.25}, examples=200)
    return SimpleNamespace(epoch=epoch, epochs=3, batch=batch, batches=batches, seconds=5.0,
                           averages=averages, history=[])


def test_a_line_every_few_seconds(clock: SimpleNamespace) -> None:
    """28 of 30 batches are left after two in 5 seconds, and 17 after three in 10."""
    stream = io.StringIO()
    bar = ProgressBar(stream, seconds=5.0)
    bar.on_fit_begin(training(0, 0))
    for now, epoch, batch in ((1004.9, 0, 1), (1005.0, 0, 2), (1009.9, 1, 2), (1010.0, 1, 3)):
        clock.now = now
        bar.on_batch_end(training(epoch, batch))
    assert stream.getvalue().splitlines() == [
        "epoch 1/3  batch 2/10  loss 0.5000  accuracy 0.2500  40 images/s  1:10 left",
        "epoch 2/3  batch 3/10  loss 0.5000  accuracy 0.2500  40 images/s  42 s left"]


def test_batches_of_an_unknown_number(clock: SimpleNamespace) -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream, seconds=0.0)
    bar.on_fit_begin(training(0, 0, 0))
    bar.on_batch_end(training(0, 1, 0))
    assert stream.getvalue() == (
        "epoch 1/3  batch 1  loss 0.5000  accuracy 0.2500  40 images/s\n")


@pytest.mark.parametrize("more, words", [
    ({}, "epoch  7/12  training: loss 0.2500   1:05\n"),
    ({"accuracy": 0.5, "validation_loss": 0.75, "validation_accuracy": 0.125},
     "epoch  7/12  training: loss 0.2500  accuracy 0.5000   "
     "validation: loss 0.7500  accuracy 0.1250   1:05\n")])
def test_a_line_after_each_epoch(more: dict[str, float], words: str) -> None:
    stream = io.StringIO()
    record = {"epoch": 7, "loss": 0.25, "seconds": 65.2, **more}
    trainer: Any = SimpleNamespace(history=[record], epochs=12)
    ProgressBar(stream).on_epoch_end(trainer)
    assert stream.getvalue() == words


class Bar:
    """Notes what a live bar is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.console = SimpleNamespace(print=lambda text, **options: self.told.append(text))

    def add_task(self, description: str, **options: Any) -> int:
        return 5

    def start(self) -> None:
        self.told.append("start")

    def stop(self) -> None:
        self.told.append("stop")

    def update(self, task: int, **options: Any) -> None:
        assert task == 5
        self.told.append((options["description"], options["completed"], options["total"]))


@pytest.mark.parametrize("end", ["on_fit_end", "on_error"])
def test_a_live_bar_moves_ten_times_a_second(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """It goes at the end, and lines after that are plain."""
    made, stream = Bar(), io.StringIO()
    stream.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(progress, "_rich_bar", lambda stream: made)
    bar = ProgressBar(stream, seconds=50.0)
    bar.on_fit_begin(training(0, 0))
    for now, batch in ((1000.05, 1), (1000.11, 2), (1000.2, 3), (1000.22, 4)):
        clock.now = now
        bar.on_batch_end(training(0, batch, 0 if batch == 4 else 10))
    trainer: Any = SimpleNamespace(history=[{"epoch": 1, "loss": 1.0, "seconds": 1.0}], epochs=3)
    bar.on_epoch_end(trainer)
    getattr(bar, end)(trainer)
    line = "epoch 1/3  training: loss 1.0000   1 s"
    assert made.told == ["start", ("epoch 1/3", 2, 10), ("epoch 1/3", 4, None), line, "stop"]
    assert stream.getvalue() == ""
    bar.on_epoch_end(trainer)
    bar.close()
    assert stream.getvalue() == f"{line}\n" and made.told[-1] == "stop"


@pytest.mark.parametrize("seconds, text", [
    (0.4, "0 s"), (59.4, "59 s"), (59.6, "1:00"), (3599.4, "59:59"), (3599.6, "1:00:00"),
    (7325, "2:02:05")])
def test_durations(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name, value in (("TERM", "xterm"), ("COLUMNS", "70"), ("LINES", "30")):
        monkeypatch.setenv(name, value)
    return Terminal()


def test_the_bar_that_people_see(clock: SimpleNamespace, terminal: Terminal) -> None:
    """The epoch, a bar, how many batches, figures; it leaves no trace, and long lines are whole."""
    bar = ProgressBar(terminal)
    bar.on_fit_begin(training(0, 0))
    clock.now = 1002.0
    bar.on_batch_end(training(0, 2))
    bar._bar.refresh()
    words = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert "epoch 1/3" in words and " 2/10 " in words and "loss 0.5000" in words
    assert re.search(r" [━╸╺ ]{24} ", words), words
    record = {"epoch": 1, "loss": 0.5, "accuracy": 0.25, "validation_loss": 0.5,
              "validation_accuracy": 0.25, "seconds": 75.0}
    trainer: Any = SimpleNamespace(history=[record], epochs=3)
    bar.on_epoch_end(trainer)
    assert ("epoch 1/3  training: loss 0.5000  accuracy 0.2500   "
            "validation: loss 0.5000  accuracy 0.2500   1:15\n") in terminal.getvalue()
    shown = len(terminal.getvalue())
    bar.close()
    assert terminal.getvalue()[shown:].endswith("\x1b[1A\x1b[2K")  # up, and the line erased


def test_lines_go_to_standard_output_at_once_every_five_seconds(
    clock: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stream(io.StringIO):
        flushed = ""

        def flush(self) -> None:
            self.flushed = self.getvalue()

    stream = Stream()
    monkeypatch.setattr("sys.stdout", stream)
    bar = ProgressBar()
    bar.on_fit_begin(training(0, 0))
    for clock.now in (1004.9, 1005.0):
        bar.on_batch_end(training(0, 2))
    assert stream.flushed.count("\n") == 1 and "epoch 1/3  batch 2/10" in stream.flushed


def test_the_first_moment_has_a_speed(clock: SimpleNamespace) -> None:
    stream, trainer = io.StringIO(), training(0, 1)
    trainer.seconds = 0.5
    bar = ProgressBar(stream, seconds=0.0)
    bar.on_fit_begin(trainer)
    bar.on_batch_end(trainer)
    trainer.seconds = 0.0
    bar.on_batch_end(trainer)
    assert "  400 images/s" in stream.getvalue() and "200,000,000,000 images/s" in stream.getvalue()
