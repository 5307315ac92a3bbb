"""The engines' own scripts, where these engines are installed."""

import pytest

from bench.peers import onnxruntime_peer
from fastnn.bench.crew import Setting
from fastnn.bench.modes import modes_of
from fastnn.bench.step import measure_net


@pytest.mark.parity
@pytest.mark.parametrize("engine", ["torch", "onnxruntime"])
def test_calls_beside_an_engine(engine):
    """torch.compile is left out: it takes half a minute."""
    for module in {"torch": ("torch",), "onnxruntime": ("onnxruntime", "onnxscript")}[engine]:
        pytest.importorskip(module)
    modes = [mode for mode in modes_of((engine,), "inference") if not mode.options.get("compile")]
    result = measure_net("mlp-small", modes, Setting(1, 2, 0.001), 3, "inference")
    assert not any("error" in mode for mode in result["modes"])
    assert result["parameters"] == 976 and set(result["fastest"]) == {engine}


def export(tmp_path, monkeypatch, text):
    """What the peer makes of a script in place of the one that writes ONNX files."""
    script = tmp_path / "export.py"
    script.write_text(text)
    monkeypatch.setattr(onnxruntime_peer, "EXPORT", str(script))
    return onnxruntime_peer.exported("lenet", (3, 1, 28, 28), "net.onnx")


def test_a_net_that_is_exported(tmp_path, monkeypatch):
    text = """import sys
print("noise")
assert sys.argv[1:] == ["lenet", "net.onnx", "3", "1", "28", "28"]
print(976)"""
    assert export(tmp_path, monkeypatch, text) == 976


@pytest.mark.parametrize(("text", "said"), [
    ("import an_exporter_that_nobody_has", "No module named 'an_exporter_that_nobody_has'"),
    ("raise SystemExit(3)", "it ended with 3"),
])
def test_an_export_that_fails_says_what_to_install(tmp_path, monkeypatch, text, said):
    with pytest.raises(RuntimeError, match=rf"no ONNX file of lenet: .*{said}.*pip install torch"):
        export(tmp_path, monkeypatch, text)
