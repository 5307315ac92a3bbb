"""fastnn train --config: a run.toml repeats its run; mistakes name the file and the key."""

import json
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fastnn.cli import main
from fastnn.cli.config import write_config
from fastnn.cli.settings import Settings
from tests.cli.command import NET, write_data
from tests.cli.test_run import GOOD


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path / "data.npz")
    (tmp_path / "net.py").write_text(NET)


def train(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["train", *map(str, arguments)])


def settings(folder: str) -> Settings:
    return Settings.read(Path(folder, "settings.json"))


def test_a_run_is_repeated_by_the_file_it_wrote() -> None:
    assert train("--data", "data.npz", "--model", "net.py:make", "--epochs", 2, "--optimizer",
                 "adamw", "--no-augment", "--weight-decay", 1e-5, "--label-smoothing", 0.1,
                 "--accumulate", "auto", "--batch-size", 16, "--memory-budget", "2GiB",
                 "--output", "a").exit_code == 0
    Path("net.py").write_text("changed since")
    result = train("--config", "a/run.toml", "--output", "b")
    assert result.exit_code == 0, result.output
    first, second = (json.loads(Path(name, "settings.json").read_text()) for name in "ab")
    assert first.pop("model").endswith("net.py:make")
    assert second.pop("model") == f"{Path('a/model.py').resolve()}:make" and first == second
    weights = [Path(name, "weights.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]


def test_the_command_line_goes_before_the_file() -> None:
    Path("my.toml").write_text('data = "data.npz"\nmodel = "mlp"\nepochs = 9\nbatch_size = 8\n'
                               'flip = false\nlr = 1\noutput = "r"\nthreads = 1\naccumulate = 1\n')
    result = train("--config", "my.toml", "--epochs", 1, "--lr", 0.5)
    assert result.exit_code == 0, result.output
    made = settings("r")
    assert (made.epochs, made.batch_size, made.flip, made.lr) == (1, 8, False, 0.5)


def test_more_epochs_are_written_too() -> None:
    assert train("--data", "data.npz", "--model", "mlp", "--epochs", 1, "--output",
                 "r").exit_code == 0
    assert train("--resume", "r", "--epochs", 2).exit_code == 0
    assert tomllib.loads(Path("r/run.toml").read_text())["epochs"] == 2


@pytest.mark.parametrize("name", ['a "quoted" \\ name', "tab\tnew\nline", "snow ☃ \x7f", "\x01"])
def test_names_of_any_characters(name: str) -> None:
    write_config(Path(), GOOD, name)
    assert tomllib.loads(Path("run.toml").read_text())["model"] == name


def test_a_pretrained_net_is_named_once() -> None:
    made = Settings(**{**vars(GOOD), "pretrained": "efficientnet-lite0"})
    write_config(Path(), made, "efficientnet_lite0")
    found = tomllib.loads(Path("run.toml").read_text())
    assert "model" not in found and found["pretrained"] == "efficientnet-lite0"


@pytest.mark.parametrize(("text", "words"), [
    ("epoch = 3", "unknown key 'epoch': did you mean epochs?"),
    ("batch-size = 3", "unknown key 'batch-size': did you mean batch_size?"),
    ("learning_rage = 3", "unknown key 'learning_rage'"), ("resume = 'r'", "unknown key 'resume'"),
    ("epochs = 3.5", "epochs: '3.5' is not a valid integer"),
    ("epochs = 0", "epochs: 0 is not in the range x>=1"),
    ("epochs = true", "epochs is True, expected a number"),
    ("epochs = '3'", "epochs is '3', expected a number"), ("flip = 1", "expected true or false"),
    ("data = 3", "data is 3, expected a text"), ("[data]\nx = 1", "expected a text"),
    ("optimizer = 'sdg'", "optimizer: 'sdg' is not one of"),
    ("memory_budget = 'lots'", "memory_budget: a memory budget"),
    ("lr = inf", "lr"), ("epochs = ", "not TOML that can be read"),
    ("x = " + "[" * 10**5, "not TOML that can be read"), ("#" * 2**21, "more than 1048576 bytes"),
    ("epochs = 1\nepochs = 2", "not TOML that can be read"),
])
def test_mistakes_name_the_file(text: str, words: str) -> None:
    Path("my.toml").write_text(text)
    result = train("--config", "my.toml", "--data", "data.npz", "--output", "r")
    assert result.exit_code == 1 and words in result.output, result.output
    assert len(result.output.strip().splitlines()) == 1 and "Traceback" not in result.output
    assert not Path("r").exists()


def test_usage() -> None:
    assert train("--config", "gone.toml").exit_code == 2
    Path("my.toml").write_text("epochs = 3")
    result = train("--resume", ".", "--config", "my.toml")
    assert result.exit_code == 2 and "from the run, not --config" in result.output


def test_event_files_are_written_where_asked_for() -> None:
    pytest.importorskip("tensorboardX")
    assert train("--data", "data.npz", "--model", "mlp", "--epochs", 1, "--output", "r",
                 "--tensorboard").exit_code == 0
    assert {path.name for path in Path("r/tensorboard").iterdir()} == {
        "train", "validation", "batches"}
    assert train("--resume", "r", "--epochs", 2).exit_code == 0
    assert len(list(Path("r/tensorboard/train").iterdir())) == 2


def test_event_files_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    result = train("--data", "data.npz", "--output", "r", "--tensorboard")
    assert result.exit_code == 1 and 'pip install "fastnn[tensorboard]"' in result.output
    assert not Path("r").exists()
