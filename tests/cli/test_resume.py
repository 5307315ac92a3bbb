"""Kill -9 in the middle of an epoch, Ctrl-C, SIGTERM: the resumed run ends in the same bits."""

import hashlib
import signal
import time
from pathlib import Path

import pytest

from fastnn.training.files import CheckpointError, reading
from tests.cli.command import NET, run, start, write_data

EPOCHS, BATCHES = 6, 27


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    """Augmentation, dropout, batch norm, momentum and a schedule by batches all take part."""
    (tmp_path / "net.py").write_text(NET)
    data = write_data(tmp_path / "data.npz", 480)
    return ["train", "--data", data, "--model", "net.py:make", "--epochs", EPOCHS,
            "--batch-size", 16, "--checkpoint-batches", 2, "--shift", 1, "--seed", 5]


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()


def position(path: Path) -> tuple[int, int]:
    """(epoch, batch) of a checkpoint, or zeros while there is none."""
    import json

    try:
        with reading(path) as file:
            state = json.loads(file.metadata["state"])["state"]
    except (CheckpointError, OSError):
        return 0, 0
    return state["epoch"], state["batch"]


def stop_inside_an_epoch(
    tmp_path: Path, options: list[object], number: int
) -> tuple[Path, int, str]:
    """Send a signal in the middle of an epoch; (folder, exit code, standard error)."""
    folder = tmp_path / "stopped"
    process = start(*options, "--output", folder, folder=tmp_path)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        epoch, batch = position(folder / "checkpoint.safetensors")
        if epoch >= 1 and 4 <= batch <= BATCHES - 8:
            break
        time.sleep(0.001)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return folder, process.returncode, errors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_resumes_to_the_same_bits(
    tmp_path: Path, options: list[object], number: signal.Signals
) -> None:
    code, output, errors = run(*options, "--output", "whole", folder=tmp_path)
    assert code == 0, errors
    folder, code, errors = stop_inside_an_epoch(tmp_path, options, number)
    epoch, batch = position(folder / "checkpoint.safetensors")
    assert 1 <= epoch < EPOCHS and batch > 0, "stopped within an epoch"
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
    else:
        assert code == (130 if number == signal.SIGINT else 1)
        assert f"--resume {folder}" in errors and "Traceback" not in errors
    code, resumed, errors = run("train", "--resume", folder, folder=tmp_path)
    assert code == 0, errors
    assert f"resume: after epoch {epoch}, batch {batch}" in resumed
    assert digest(folder) == digest(tmp_path / "whole")
    assert resumed.splitlines()[-1] == output.splitlines()[-1]
    assert (folder / "history.jsonl").read_text().count("\n") == EPOCHS
    assert not list(folder.glob(".*.part"))


def test_resuming_a_finished_run_tests_it_again(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz")
    options = ["train", "--data", data, "--model", "mlp", "--epochs", 1, "--output", "done"]
    first = run(*options, folder=tmp_path)
    before = digest(tmp_path / "done")
    again = run("train", "--resume", "done", "--threads", 2, folder=tmp_path)
    assert (first[0], again[0]) == (0, 0), again[2]
    assert again[1].splitlines()[-1] == first[1].splitlines()[-1]
    assert digest(tmp_path / "done") == before


def test_a_damaged_checkpoint_or_settings_are_named(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz")
    run("train", "--data", data, "--model", "mlp", "--epochs", 1, "--output", "r", folder=tmp_path)
    for name in ("checkpoint.safetensors", "settings.json"):
        path = tmp_path / "r" / name
        path.write_bytes(path.read_bytes()[:-10])
        code, _, errors = run("train", "--resume", "r", folder=tmp_path)
        assert code == 1 and name in errors and "Traceback" not in errors


def test_resume_takes_no_other_options_and_needs_a_run(tmp_path: Path) -> None:
    code, _, errors = run("train", "--resume", ".", "--lr", 1, folder=tmp_path)
    assert code == 2 and "--lr" in errors
    code, _, errors = run("train", "--resume", ".", folder=tmp_path)
    assert code == 1 and "no run to resume" in errors
