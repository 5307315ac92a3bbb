"""docs/notebook.md names every example and every page, and nothing that is not there."""

import re

from tests.examples.notebook.script import FOLDER, ROOT

MAP = (ROOT / "docs" / "notebook.md").read_text()


def test_every_example_is_on_the_map() -> None:
    named = set(re.findall(r"\| `(\w+)\.py` \|", MAP))
    assert named == {path.stem for path in FOLDER.glob("*.py")} - {"lesson"}


def test_the_pages_in_their_order_are_all_pages() -> None:
    listed = re.findall(r"(?m)^\d+\. \[.*\]\(notebook/(\w+\.md)\)", MAP)
    assert sorted(listed) == sorted(path.name for path in (ROOT / "docs" / "notebook").glob("*.md"))


def test_links_between_pages_lead_somewhere() -> None:
    for page in (ROOT / "docs" / "notebook").glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+\.\w+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
