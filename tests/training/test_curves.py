"""Curves are drawn in another process: a picture, or an error that says what is missing there."""

from pathlib import Path

import pytest
from PIL import Image

from fastnn.training.curves import save_curves

HISTORY = [{"epoch": i, "loss": 1 / i, "accuracy": 1 - 1 / i, "validation_loss": 1.1 / i}
           for i in range(1, 4)]


def test_a_panel_for_each_figure(tmp_path: Path) -> None:
    save_curves(tmp_path / "both.png", HISTORY, "a title", test=0.5)
    save_curves(tmp_path / "loss.png", [{"epoch": 1, "loss": 0.5}])
    with Image.open(tmp_path / "both.png") as both, Image.open(tmp_path / "loss.png") as loss:
        assert both.format == loss.format == "PNG"
        assert both.width == pytest.approx(2 * loss.width, abs=2) and both.height == loss.height


@pytest.mark.parametrize(("code", "error", "message"), [
    ("raise ImportError", ImportError, r'the curves need matplotlib: pip install "fastnn\[plot\]"'),
    ("raise RuntimeError('no fonts')", OSError, "the curves cannot be drawn: .*no fonts"),
], ids=["not installed", "broken"])
def test_matplotlib_may_be_missing_or_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, error: type, message: str
) -> None:
    (tmp_path / "fake" / "matplotlib").mkdir(parents=True)
    (tmp_path / "fake" / "matplotlib" / "__init__.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "fake"))
    with pytest.raises(error, match=r"(?s)" + message):
        save_curves(tmp_path / "curves.png", HISTORY)
    assert not (tmp_path / "curves.png").exists()
