"""fastnn train --pretrained: a head on features, thawed blocks, the same bits after a resume."""

import json
from pathlib import Path

import numpy as np
import pytest

import fastnn as fn
from fastnn.cli.run import read_run
from fastnn.cli.settings import Settings
from tests.cli.command import run, write_data

Image = pytest.importorskip("PIL.Image")
NAME = "efficientnet-lite0"


@pytest.fixture(scope="module", autouse=True)
def _weights() -> None:
    try:
        fn.models.load(NAME)
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes, dark and light, of pictures of several sizes."""
    generator = np.random.default_rng(0)
    for name, least in (("dark", 0), ("light", 150)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(6):
            pixels = generator.integers(least, least + 100, (20 + number, 30, 3), np.uint8)
            Image.fromarray(pixels).resize((90 + number, 60)).save(
                tmp_path / "data" / name / f"{number}.png")
    return tmp_path / "data"


def weights(folder: Path) -> dict[str, np.ndarray]:
    return {name: value.copy() for name, value in read_run(folder).model.state_dict().items()}


@pytest.mark.parametrize(("thaw", "epochs", "changed"), [
    (0, 12, {"_fc"}), (1, 2, {"_fc", "_conv_head", "_bn1"})])
def test_what_is_trained_and_that_a_resumed_run_has_the_same_bits(
    tmp_path: Path, pictures: Path, thaw: int, epochs: int, changed: set[str],
) -> None:
    options = ("train", "--pretrained", NAME, "--data", pictures, "--thaw", thaw, "--schedule",
               "none", "--batch-size", 8)
    code, output, errors = run(*options, "--epochs", epochs - 1, "--output", "a", folder=tmp_path)
    assert code == 0, errors
    assert "model:  efficientnet_lite0, 3,373,570 parameters" in output
    code, _, errors = run("train", "--resume", "a", "--epochs", epochs, folder=tmp_path)
    assert code == 0, errors
    code, output, errors = run(*options, "--epochs", epochs, "--output", "b", "--json",
                               folder=tmp_path)
    assert code == 0, errors
    if thaw == 0:  # with so few pictures, batch statistics of thawed norms are all noise
        assert json.loads(output)["accuracy"] > 0.9
    resumed, whole = weights(tmp_path / "a"), weights(tmp_path / "b")
    for name, value in whole.items():
        np.testing.assert_array_equal(value, resumed[name], err_msg=name)
    first = fn.models.load(NAME).state_dict()
    assert {name.rpartition(".")[0] for name, value in whole.items()
            if value.shape != first[name].shape or not np.array_equal(value, first[name])
            } == changed
    made = read_run(tmp_path / "b")
    assert made.classes == ("dark", "light") and made.example_shape == (3, 224, 224)
    assert made.outputs(np.full((1, 3, 224, 224), 50, np.uint8)).shape == (1, 2)
    if thaw == 0:
        assert str(made.pictures) == "the central square, scaled to 224 x 224, colours"
        code, output, errors = run("evaluate", "b", "--part", "all", "--json", folder=tmp_path)
        assert code == 0 and json.loads(output)["accuracy"] > 0.9, errors
        code, output, errors = run("predict", "b", pictures / "light", "--json", folder=tmp_path)
        assert code == 0 and output.count('"class": "light", "probability"') >= 5, errors


def test_arrays_of_bytes_serve_too_and_others_are_refused(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "grey.npz", x_train=generator.integers(0, 255, (6, 1, 8, 8), np.uint8),
             y_train=np.arange(6) % 2)
    code, _, errors = run("train", "--pretrained", NAME, "--data", "grey.npz", "--epochs", 1,
                          "--validation", 0, folder=tmp_path)
    assert code == 0, errors
    [made] = (tmp_path / "runs").iterdir()
    code, output, errors = run("evaluate", made, "--part", "all", "--json", folder=tmp_path)
    assert code == 0 and json.loads(output)["examples"] == 6, errors
    write_data(tmp_path / "floats.npz")
    np.savez(tmp_path / "table.npz", x_train=np.ones((6, 4), np.float32), y_train=np.arange(6) % 2)
    code, _, errors = run("train", "--pretrained", NAME, "--data", "table.npz", folder=tmp_path)
    assert code == 1
    assert "efficientnet-lite0 needs pictures in bytes, of 1 or 3 channels" in errors


def test_a_memory_budget_that_is_too_small_is_refused(tmp_path: Path, pictures: Path) -> None:
    options = ("train", "--pretrained", NAME, "--data", pictures, "--epochs", 1, "--output", "r")
    code, _, errors = run(*options, "--memory-budget", "20MiB", folder=tmp_path)
    assert code == 1 and "a memory budget of 20.0 MiB is too small" in errors
    assert not (tmp_path / "r").exists()
    code, _, errors = run(*options, "--memory-budget", "400MiB", folder=tmp_path)
    assert code == 0, errors


@pytest.mark.parametrize(("options", "code", "words"), [
    (("--thaw", 2), 2, "--thaw needs --pretrained"),
    (("--pretrained", NAME, "--model", "cnn"), 2, "--pretrained names the net: leave out --model"),
    (("--pretrained", "efficientnet"), 1, "did you mean efficientnet-lite0?"),
    (("--pretrained", NAME, "--thaw", 99), 1, "blocks must be an integer from 0 to 18"),
])
def test_errors(
    tmp_path: Path, pictures: Path, options: tuple[str, ...], code: int, words: str,
) -> None:
    found, _, errors = run("train", "--data", pictures, *options, "--output", "r", folder=tmp_path)
    assert found == code and words in errors
    assert "Traceback" not in errors and not (tmp_path / "r").exists()


def test_settings_of_older_runs_are_read(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data.npz")
    code, _, errors = run("train", "--data", data, "--epochs", 1, "--output", "r", folder=tmp_path)
    assert code == 0, errors
    path = tmp_path / "r" / "settings.json"
    values = json.loads(path.read_text())
    assert values.pop("pretrained") is None and values.pop("thaw") == 0
    path.write_text(json.dumps(values))
    assert Settings.read(path).pretrained is None
