"""The loss hardly moves while the accuracy rises; later it rises while the accuracy holds."""

from tests.examples.notebook.script import figures


def test_loss_and_accuracy_part(tmp_path):
    found = figures("flat_loss", tmp_path)
    assert found["early_loss_drop"] < 0.12 and found["early_accuracy"] > 0.35
    assert found["late_loss"] < 2.0
    assert found["long_last_loss"] > 1.3 * found["long_best_loss"]
    assert found["long_last_accuracy"] > found["long_best_accuracy"] - 0.02
    assert found["long_last_ece"] > 1.5 * found["long_best_ece"]
