"""docs/notebook.md names every example and every page, and nothing that is not there."""

import re

from tests.examples.notebook.script import FOLDER, ROOT

MAP = (ROOT / "docs" / "notebook.md").read_text()


def test_every_example_is_on_the_map() -> None:
    named = set(re.findall(r"\| `(\w+)\.py` \|", MAP))
    assert named == {path.stem for path in FOLDER.glob("*.py")} - {"lesson"}


def test_all_pages_are_listed_and_the_path_has_ten() -> None:
    path = re.findall(r"(?m)^\d+\. \[.*\]\(notebook/(\w+\.md)\)", MAP)
    listed = re.findall(r"\]\(notebook/(\w+\.md)\)", MAP)
    assert len(path) == 10
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs" / "notebook").glob("*.md"))


def test_links_between_pages_lead_somewhere() -> None:
    for page in (ROOT / "docs" / "notebook").glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+\.\w+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
