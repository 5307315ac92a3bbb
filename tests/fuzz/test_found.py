"""What random files and calls have found, each as a test of its own."""

from pathlib import Path

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.cli.model import make_model
from fastnn.cli.run import RUN, read_run
from tests.cli.command import NET, run, write_data


def test_class_names_that_are_no_text(tmp_path: Path) -> None:
    """NumPy raised SystemError where a name was read."""
    np.save(tmp_path / "x_train.npy", np.zeros((2, 3)))
    np.save(tmp_path / "y_train.npy", np.arange(2))
    np.save(tmp_path / "classes.npy", np.array(["a", "b"]))
    content = bytearray((tmp_path / "classes.npy").read_bytes())
    content[-2] = 0x7F
    (tmp_path / "classes.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"classes\.npy: classes holds what is no text"):
        fn.data.load(tmp_path)


def test_class_names_of_the_other_byte_order(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.zeros((2, 3)), y=np.arange(2),
             classes=np.array(["ä", "b"]).astype(">U1"))
    assert fn.data.load(tmp_path / "d.npz").classes == ("ä", "b")


def test_a_message_repeats_no_whole_header(tmp_path: Path) -> None:
    np.save(tmp_path / "y_train.npy", np.arange(2))
    text = b"(" * 5000
    (tmp_path / "x_train.npy").write_bytes(
        b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    with pytest.raises(ValueError, match=r"x_train\.npy: cannot be mapped") as raised:
        fn.data.load(tmp_path)
    assert len(str(raised.value)) < 400 + len(str(tmp_path)) and "\n" not in str(raised.value)


@pytest.mark.parametrize(("content", "words"), [
    (b"x = '\xff'\n", "cannot be read as Python|line 1"), (b"x = \0\n", "read as Python|null"),
    (b"def make(:\n", "line 1"), (b"make = 3\n", "has no function 'make'"),
    (b"def make(classes):\n    return 3\n", "cannot be called with .*'classes'")])
def test_a_model_file_that_is_none(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "net.py"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"net\.py.*({words})"):
        make_model(f"{path}:make", 3, (1, 8, 8))


def test_a_run_whose_model_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    write_data(tmp_path / "data.npz", 24)
    code, _, errors = run("train", "--data", "data.npz", "--model", "mlp", "--epochs", 1,
                          "--output", "run", folder=tmp_path)
    assert code == 0, errors
    path = tmp_path / "run" / RUN
    path.write_text(path.read_text().replace('"mlp"', '"mpl"'))
    with pytest.raises(ValueError, match=r"run\.json: its model cannot be made: unknown model"):
        read_run(tmp_path / "run")


def test_settings_that_only_the_job_can_refuse(tmp_path: Path) -> None:
    write_data(tmp_path / "data.npz", 24)
    code, _, errors = run("train", "--data", "data.npz", "--model", "mlp", "--epochs", 1,
                          "--output", "run", folder=tmp_path)
    assert code == 0, errors
    path = tmp_path / "run" / "settings.json"
    path.write_text(path.read_text().replace('"lr": 0.1', '"lr": 1e308'))
    code, _, errors = run("train", "--resume", "run", folder=tmp_path)
    assert code == 1 and "settings.json: the run cannot go on: lr must be" in errors, errors


def test_a_name_in_a_file_is_not_repeated_whole(tmp_path: Path) -> None:
    model, path = nn.Linear(2, 2), tmp_path / "w.safetensors"
    fn.save(path, model)
    size = int.from_bytes(path.read_bytes()[:8], "little")
    header = path.read_bytes()[8:8 + size].replace(b'"F32"', b'"' + b"x" * 9999 + b'"')
    path.write_bytes(len(header).to_bytes(8, "little") + header + path.read_bytes()[8 + size:])
    with pytest.raises(fn.CheckpointError, match="unknown dtype") as raised:
        fn.load(path, model)
    assert len(str(raised.value)) < 400 + len(str(path))


@pytest.mark.parametrize("rate", [int, "0.1", np.ones(2), float("nan"), -0.1,
                                  np.ones(2, [("a", "f4")])])
def test_a_rate_set_between_steps_is_checked(rate: object) -> None:
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    step = fn.TrainStep(model, nn.MSELoss(), optimizer)
    step(np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32))
    before = model.weight.data.copy()
    optimizer.param_groups[0]["lr"] = rate
    with pytest.raises((TypeError, ValueError), match="lr must be a number from 0 on"):
        step(np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32))
    np.testing.assert_array_equal(model.weight.data, before)
    optimizer.param_groups[0]["lr"] = np.float32(0.5)
    step(np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32))
    assert np.abs(model.weight.data - before).max() > 0.2
