"""Initial weights carry signals or lose them; batch norm makes them matter less."""

from tests.examples.notebook.script import figures


def test_initialisation(tmp_path):
    found = figures("initialisation", tmp_path)
    assert found["small_last"] < 1e-12 and found["large_flat"] > 0.3
    assert found["xavier_last"] > 0.03 and 0.1 < found["he_last"] < 3
    assert found["xavier_relu_last"] < 1e-6
    assert found["equal_units"] == 1 and found["random_units"] == 32
    assert found["accuracy_random"] > found["accuracy_equal"] + 0.4


def test_batch_norm(tmp_path):
    found = figures("batch_norm", tmp_path)
    assert found["share_with"] >= found["share_without"] + 0.3
    assert found["gamma_spread"] > 0.005 and found["beta_spread"] > 0.005
    assert found["batch_of_two"] < found["batch_of_100"] - 0.3
