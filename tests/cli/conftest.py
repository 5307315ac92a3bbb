"""A run on a folder of pictures, trained once for all tests that only read it."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from fastnn.cli import main
from tests.cli.command import write_pictures


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("PIL.Image")
    folder = tmp_path_factory.mktemp("trained")
    write_pictures(folder / "pictures")
    result = CliRunner().invoke(main, [
        "train", "--data", str(folder / "pictures"), "--model", "mlp", "--epochs", "8", "--lr",
        "0.05", "--batch-size", "16", "--validation", "0.2",
        "--output", str(folder / "r")])
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def trained(_trained: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a folder `pictures` of dark and light ones, and a run `r`."""
    monkeypatch.chdir(_trained)
    return _trained
