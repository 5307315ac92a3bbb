"""One Newton step solves a quadratic; L-BFGS wins in full batch and loses in mini-batches."""

from tests.examples.notebook.script import figures


def test_newton(tmp_path):
    found = figures("newton", tmp_path)
    assert found["newton_steps"] == 1 and found["newton_loss"] < 1e-8
    assert found["descent_steps"] > 50
    assert found["product_over_gradient"] < 6  # as a machine's noise allows
    assert found["hessian_over_gradient"] > 30


def test_lbfgs(tmp_path):
    found = figures("lbfgs", tmp_path)
    assert found["lbfgs_full"] < 0.7 * min(found["sgd_full"], found["adam_full"])
    assert found["lbfgs_mini"] > 2 * found["adam_mini"]
