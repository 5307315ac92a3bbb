"""Every example of the notebook is short, tested, on the map, and shown on a page."""

import re

import pytest

from tests.examples.notebook.script import FOLDER, ROOT

PAGES = ROOT / "docs" / "notebook"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "lesson")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_says_how_to_run_it(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text()
    assert f"Run it: python examples/notebook/{name}.py" in " ".join(text.split())
    assert len(text.splitlines()) <= 120


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_test_of_its_claim_and_a_place_on_a_page(name: str) -> None:
    tests = "".join(path.read_text() for path in FOLDER.parents[1].glob(
        "tests/examples/notebook/test_*.py") if path.stem != "test_all")
    assert f'"{name}"' in tests
    pages = "".join(path.read_text() for path in PAGES.glob("*.md"))
    assert f"examples/notebook/{name}.py" in pages


def test_every_picture_of_the_pages_is_there_small_and_shown() -> None:
    pages = "".join(path.read_text() for path in PAGES.glob("*.md"))
    shown = set(re.findall(r"!\[[^\]]+\]\(([^)/]+)\)", pages))
    there = {path.name for path in PAGES.iterdir() if path.suffix != ".md"}
    assert shown == there
    assert all((PAGES / name).stat().st_size < 400_000 for name in there)
