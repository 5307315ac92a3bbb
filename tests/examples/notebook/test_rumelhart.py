"""XOR mostly works, the symmetry net mirrors its weights, the encoder finds a code."""

from tests.examples.notebook.script import figures


def test_the_nets_of_1986(tmp_path):
    found = figures("rumelhart", tmp_path)
    assert 0.5 <= found["xor_share"] <= 1
    assert found["symmetry"] == 1 and found["mirrored"] > 0.95
    assert found["encoded"] == 1 and found["codes"] >= 7
