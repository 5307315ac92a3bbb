"""Remedies against learning by heart, and ensembles."""

from tests.examples.notebook.script import figures


def test_remedies_lower_the_loss_on_other_pictures(tmp_path):
    found = figures("regularisation", tmp_path)
    assert found["gap"] > 0.15
    assert found["stopped_loss"] < 0.85 * found["none_loss"]
    for name in ("dropout", "dropconnect", "decay", "smoothing", "both"):
        assert found[f"{name}_loss"] < found["none_loss"]
        assert found[f"{name}_accuracy"] > found["none_accuracy"] - 0.05


def test_several_nets_are_better_than_one(tmp_path):
    found = figures("ensemble", tmp_path)
    assert found["crowd"] > found["one"] and found["crowd_loss"] < found["one_loss"]
    assert found["calibrated_ece"] < 0.7 * found["one_ece"]
    assert abs(found["masks"] - found["one"]) < 0.03
    assert found["mean_weights"] > found["constant"] - 0.02
    assert found["cost"] == 3
