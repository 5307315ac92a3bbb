"""Add distributes, max routes, multiply swaps."""

import pytest

from tests.examples.notebook.script import figures


def test_gradients_flow_as_the_notebook_says(tmp_path):
    found = figures("flow", tmp_path)
    assert found["add_hands_on"] == 0
    assert found["max_to_larger"] == 2 and found["max_to_smaller"] == 0
    assert found["multiply_swaps"] == found["and_back"] == 2
    assert found["by_flow"] == pytest.approx(found["by_hand"], rel=1e-4)
    assert found["twice"] == 7 and found["ways"] == 3
