"""Workers and turns, with peers that have no engine."""

from pathlib import Path

import pytest

from fastnn.bench import modes
from fastnn.bench.crew import Setting, crew, measure
from fastnn.bench.modes import FASTNN, MODES, Mode, engines_of, modes_of, script
from fastnn.bench.nets import NETS
from fastnn.bench.step import measure_net
from fastnn.bench.turns import FEWEST, MOST, WorkerError, count_for, in_turns

HERE = Path(__file__).parent


class Runner:
    """Takes a fixed time for a run, and writes down whose turn it was."""

    def __init__(self, name, seconds, order):
        self.name, self.seconds, self.order = name, seconds, order

    def run(self, count):
        self.order.append(self.name)
        return {"forward": [self.seconds] * count, "backward": [2 * self.seconds] * count}


def test_everyone_is_first_in_turn():
    order = []
    runners = [Runner(name, 1.0, order) for name in "abc"]
    results = in_turns(runners, 3, 5)
    assert "".join(order) == "abc" "bca" "cab"
    assert results == [[{"forward": 1.0, "backward": 2.0}] * 3] * 3


def test_a_turn_is_as_long_as_the_fastest_needs():
    order = []
    assert count_for([Runner("a", 0.01, order), Runner("b", 0.1, order)], 0.3) == 10
    assert count_for([Runner("a", 10.0, order)], 0.3) == FEWEST
    assert count_for([Runner("a", 1e-9, order)], 0.3) == MOST


def mode(name, **options):
    return Mode(name, "fake", options, {"FAKE": "1"})


@pytest.fixture
def setting(monkeypatch):
    monkeypatch.setitem(modes.INSTALL, "an_engine_that_nobody_has", "pip install it")
    return Setting(threads=1, rounds=2, seconds=0.001, peers=HERE)


def test_a_net_in_turns_with_a_peer_that_fails(setting):
    result = measure_net("mlp-small", [FASTNN, mode("good"), mode("bad", fail="no\nluck")], setting)
    own, good, bad = result["modes"]
    assert result["parameters"] == 976 and result["fastest"] == {"fake": "good"}
    assert own["ratio"] == {"median": 1.0, "least": 1.0, "most": 1.0}
    assert good["version"] == "fake 1, 1" and good["ratio"]["least"] > 1
    assert len(good["rounds"]) == 2 and good["peak_bytes"] >= 0
    assert bad["error"] == "bad: RuntimeError: no luck"


def test_calls_of_a_net(setting):
    result = measure_net("mlp-small", [FASTNN, mode("good")], setting, 3, "inference")
    own, good = result["modes"]
    assert result["batch"] == 3 and result["parameters"] == 976
    assert len(own["rounds"]) == len(good["rounds"]) == 2
    assert min(good["rounds"]) > 0.001 and good["ratio"]["least"] > 1


def test_nets_of_different_sizes_are_refused(setting):
    with pytest.raises(WorkerError, match="different sizes"):
        measure_net("mlp-small", [FASTNN, mode("other", parameters=975)], setting)


def test_operations_and_requests_in_one_process(setting):
    from fastnn.bench.rows import linear

    with crew(setting, [mode("good")]) as workers:
        measured = measure(workers, {"row": linear(3, 4, 5).request()}, setting)
        assert set(measured.rounds["good"][0]) == {"forward", "backward"}
        assert measure(workers, {"net": NETS["mlp-small"].request()}, setting).facts == {
            "good": {"parameters": 976}}


def test_an_engine_that_is_not_installed(setting, monkeypatch):
    missing = Mode("missing", "an_engine_that_nobody_has", {"broken": True})
    monkeypatch.setattr("fastnn.bench.turns.script", lambda *_: HERE / "fake_peer.py")
    with pytest.raises(ImportError, match=r"is not installed for .*: pip install it"):
        setting.worker(missing)


def test_a_worker_that_dies_is_an_error(setting, tmp_path):
    (tmp_path / "fake_peer.py").write_text("raise SystemExit(3)")
    with pytest.raises(WorkerError, match="the worker ended with 3"):
        Setting(1, 1, 0.001, tmp_path).worker(mode("dead"))


def test_modes():
    assert [m.name for m in modes_of((), "step")] == ["fastnn"]
    torch = modes_of(("torch", "torch"), "step")
    assert torch == modes_of(("torch",), "inference")
    assert len({m.name for m in torch}) == len(torch) == 7
    assert [m.name for m in torch if not m.fp32] == ["torch bf16 channels_last"]
    assert [m.name for m in modes_of(("torch",), "ops")] == [
        "fastnn", "torch", "torch channels_last"]
    assert engines_of("step") == ("torch", "jax", "tensorflow", "sklearn")
    assert engines_of("inference") == ("torch", "onnxruntime")
    assert {m.engine for m in MODES} == set(modes.INSTALL)


def test_where_peers_are(tmp_path):
    assert script("torch").name == "torch_peer.py" and script("torch").is_file()
    with pytest.raises(FileNotFoundError, match="name it with --peers"):
        script("torch", tmp_path)
