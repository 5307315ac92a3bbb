"""The generated lists of names, and the page of operations, know every operation and layer."""

import fastnn as fn
from fastnn.ops.public import OPERATIONS
from tools import names

PAGE = names.ROOT.parents[1] / "docs/operations.md"


def test_the_lists_are_up_to_date():
    for path, text in ((names.OPERATIONS_FILE, names.operations()),
                       (names.LAYERS_FILE, names.layers())):
        assert path.read_text() == text, f"{path.name} is old: run python -m tools.names"


def test_the_text_of_modules_names_every_layer():
    """What the lists are first made of when fastnn cannot be imported."""
    provisional = names.layers_by_text()
    assert all(f"{name}" in provisional for name in fn.nn.__all__)


def test_every_operation_is_a_function_and_on_the_page():
    page = PAGE.read_text()
    for name in OPERATIONS:
        assert hasattr(fn, name)
        assert f"| `{name}(" in page, f"{name} is not in operations.md: python -m tools.operations"
