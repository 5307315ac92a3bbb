"""The search for how much fits ends, and ends where the condition turns."""

from itertools import product

import pytest

from fastnn.plan.search import bracket


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_a_bracket_holds_the_number_where_a_condition_turns(share):
    for low, more in product((1, 2, 3, 10), (1, 2, 3, 5, 8, 50, 333)):
        asked = []

        def holds(number, turn=low + more, asked=asked):
            asked.append(number)
            assert len(asked) <= 30, "it goes on and on"
            return number >= turn

        below, above = bracket(holds, low, share)
        assert below < low + more <= above
        assert above - below <= max(1, share * below)
        if share == 0.5:  # the last doubling, halved once at most
            assert len(asked) <= (more // low).bit_length() + 2
