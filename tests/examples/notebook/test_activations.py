"""Saturation, dead units, gradients of one sign, and who converges faster."""

from tests.examples.notebook.script import figures


def test_saturation(tmp_path):
    found = figures("saturation", tmp_path)
    assert found["sigmoid_saturated"] > 0.1 and found["tanh_saturated"] > 0.4
    assert found["dead_below"] > 0.5 and found["dead_above"] < 0.1
    assert found["accuracy_above"] > found["accuracy_below"] + 0.3
    assert found["sigmoid_sign"] == 1 and found["tanh_sign"] < 0.65


def test_convergence(tmp_path):
    found = figures("convergence", tmp_path)
    assert found["tanh_steps"] < found["steps"] and found["relu_steps"] < found["steps"]
    assert found["sigmoid_steps"] > 1.2 * max(found["tanh_steps"], found["relu_steps"])
