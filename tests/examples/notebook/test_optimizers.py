"""Momentum beats plain SGD on a ravine, rates that decay settle, and memory is traded for time."""

from tests.examples.notebook.script import figures


def test_trajectories(tmp_path):
    found = figures("trajectories", tmp_path)
    assert found["ravine_momentum"] < 0.7 * found["ravine_sgd"]
    assert found["ravine_nesterov"] <= found["ravine_momentum"]
    assert found["ravine_adam"] < found["ravine_sgd"]
    assert found["saddle_adam"] < 0.3 * found["saddle_sgd"]
    assert found["ball_still"] < 0.1 < 1 < found["ball_rolling"]
    assert max(found["decayed"], found["inverse"]) < 0.7 * found["constant"]


def test_memory(tmp_path):
    found = figures("memory", tmp_path)
    assert found["chain_half"] < 1.35 and found["resnet_half"] < 1.35
    assert found["chain_least"] < 0.2 < 0.6 < found["vgg_least"]


def test_decaying_rates_end_lower(tmp_path):
    found = figures("schedules", tmp_path)
    assert all(found[name] < 0.5 * found["constant"] for name in (
        "step", "exponential", "inverse", "cosine", "warm_up", "one_cycle"))
    assert found["plateau"] < found["constant"]


def test_adam_with_its_best_rate_is_near_the_best(tmp_path):
    found = figures("good_default", tmp_path)
    assert found["adam_best"] < 1.1 < 1.3 < found["sgd_best"]
    assert found["adam_one"] < 0.8 * found["sgd_one"]
