"""The finder's suggestion trains about as well as the best of the rates that were tried."""

from tests.examples.notebook.script import figures


def test_the_suggestion_is_among_the_good_rates(tmp_path):
    found = figures("find_lr", tmp_path)
    for kind in ("sgd", "adam"):
        assert found[f"{kind}_suggestion"] <= found[f"{kind}_minimum"] / 10 * 1.001
        assert found[f"{kind}_accuracy"] > found[f"{kind}_best"] - 0.15
        assert found[f"{kind}_accuracy"] > found[f"{kind}_last"] + 0.2
