"""fastnn bench: what it prints and writes, and a sentence for every mistake."""

import json
import re
import signal
import tomllib
from pathlib import Path

import pytest

import fastnn as fn
from tests.cli.command import run, start

QUICK = ("--rounds", "2", "--seconds", "0.001", "--threads", "1")


def test_version(tmp_path: Path) -> None:
    code, output, errors = run("--version", folder=tmp_path)
    assert (code, errors) == (0, "") and output.split()[-1] == fn.__version__
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "fastnn.version.VERSION"
    assert re.fullmatch(r"\d+\.\d+\.\d+", fn.__version__)


def test_a_step_to_a_file(tmp_path: Path) -> None:
    code, output, errors = run("bench", "step", "--nets", "mlp-small", *QUICK, "--json",
                               "new/step.json", folder=tmp_path)
    assert code == 0, errors
    assert "mlp-small         32  fastnn" in output and "written to new/step.json" in output
    report = json.loads((tmp_path / "new" / "step.json").read_text())
    [result] = report["results"]
    assert result["parameters"] == 976 and len(result["modes"][0]["rounds"]) == 2
    assert report["threads"] == 1 and report["machine"]["processor"]


def test_inference(tmp_path: Path) -> None:
    """Each net with each batch, in eval mode."""
    code, output, errors = run("bench", "inference", "--nets", "mlp-small,lenet", "--batch", "1, 3",
                               *QUICK, "--json", "i.json", "--plot", "i.png", folder=tmp_path)
    assert code == 0, errors
    assert "ms/call" in output and "lenet              3  fastnn" in output
    assert "mlp-small, batch 1: fastnn\n" in errors
    report = json.loads((tmp_path / "i.json").read_text())
    assert report["report"] == "inference" and report["threads"] == 1
    assert [(result["net"], result["batch"]) for result in report["results"]] == [
        ("mlp-small", 1), ("mlp-small", 3), ("lenet", 1), ("lenet", 3)]
    assert all(len(result["modes"][0]["rounds"]) == 2 for result in report["results"])
    assert (tmp_path / "i.png").read_bytes().startswith(b"\x89PNG")


def test_operations_as_json_on_standard_output(tmp_path: Path) -> None:
    code, output, errors = run("bench", "ops", "--only", "10x512", *QUICK, "--json",
                               folder=tmp_path)
    assert code == 0, errors
    report = json.loads(output)
    [result] = report["results"]
    assert set(result["passes"]) == {"forward", "backward"} and report["peak"]["flops"] > 0
    assert result["passes"]["forward"]["share"] > 0
    assert "1/1 linear" in errors


def test_scaling(tmp_path: Path) -> None:
    """Each number of threads has its own worker; the speed-up of one thread is 1."""
    code, output, errors = run(
        "bench", "scaling", "--nets", "mlp-small", "--ops", "10x512", "--rounds", "2", "--seconds",
        "0.001", "--threads", "3", "--json", "s.json", "--plot", "s.png", folder=tmp_path)
    assert code == 0, errors
    assert "mlp-small, batch 32" in output and "efficiency" in output
    report = json.loads((tmp_path / "s.json").read_text())
    assert [result["pass"] for result in report["results"]] == ["step", "forward", "backward"]
    for result in report["results"]:
        assert [point["threads"] for point in result["points"]] == [1, 2, 3]
        assert result["points"][0]["speedup"] == {"median": 1.0, "least": 1.0, "most": 1.0}
        assert all(point["share"] > 0 for point in result["points"])
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")


def test_peak(tmp_path: Path) -> None:
    code, output, _ = run("bench", "peak", "--threads", 1, "--rounds", 1, folder=tmp_path)
    assert code == 0 and "GB/s copied" in output and len(output.splitlines()) == 3


@pytest.mark.parametrize(("arguments", "exit_code", "sentence"), [
    (("step", "--nets", "lenet,alexnet9"), 2, "unknown alexnet9"),
    (("step", "--vs", "caffe"), 2, "'caffe' is not one of"),
    (("step", "--threads", "0"), 2, "0 is not in the range"),
    (("step", "--threads", "10000"), 2, "10000 is not in the range"),
    (("inference", "--batch", "1,0"), 2, "0 is not in the range"),
    (("inference", "--batch", "1,,2"), 2, "'' is not a valid integer"),
    (("inference", "--modes", "torch"), 2, "unknown torch; known are fastnn"),
    (("inference", "--vs", "jax"), 2, "'jax' is not one of"),
    (("ops", "--only", "nothing like this"), 2, "no operation has 'nothing like this'"),
    (("scaling", "--nets", "", "--ops", "nothing like this"), 2, "no operation has"),
    (("scaling", "--nets", ""), 2, "nothing to measure: name nets or operations"),
    (("sweep", "--only", "200"), 2, "unknown 200"),
    (("sweep", "--peers", "."), 1, "name it with --peers"),
    (("nothing",), 2, "No such command"),
])
def test_mistakes(
    tmp_path: Path, arguments: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    code, _, errors = run("bench", *arguments, folder=tmp_path)
    assert code == exit_code and sentence in errors and "Traceback" not in errors


@pytest.mark.parametrize("command", [
    (), ("step",), ("inference",), ("ops",), ("sweep",), ("scaling",), ("peak",)])
def test_help(tmp_path: Path, command: tuple[str, ...]) -> None:
    code, output, _ = run("bench", *command, "--help", folder=tmp_path)
    assert code == 0 and "Usage" in output


def test_a_sweep_that_is_stopped_keeps_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "peers").mkdir()
    peer = Path(__file__).parents[1] / "bench" / "fake_peer.py"
    text = peer.read_text().replace('version="fake 1"', 'version="fake 1", channels_last=True')
    (tmp_path / "peers" / "torch_peer.py").write_text(text)
    process = start("bench", "sweep", "--peers", "peers", *QUICK, "--json", "sweep.json",
                    folder=tmp_path)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("1/200 conv2d")
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped after" in errors and "shapes" in output, errors
    assert "Traceback" not in errors
    report = json.loads((tmp_path / "sweep.json").read_text())
    assert report["results"][0]["row"].startswith("conv2d") and "slower" in report
