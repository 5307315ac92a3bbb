"""The last layer is a linear classifier on features that the net has made separable; two units
in a layer are too few for a ring."""

import pytest
from PIL import Image

from tests.examples.notebook.script import figures


def test_a_softmax_layer_is_a_linear_model_on_features_that_a_net_makes_separable(tmp_path):
    found = figures("warping", tmp_path)
    for case in ("circles_3", "spirals_16"):
        assert found[f"{case}_on_inputs"] < 0.75
        assert found[f"{case}_net"] > 0.97
        assert found[f"{case}_on_features"] == pytest.approx(found[f"{case}_net"], abs=0.01)
    assert 0.6 < found["narrow_best"] < 0.97  # not separable, and the linear model sees no more
    assert found["circles_2_on_features"] == pytest.approx(found["circles_2_net"], abs=0.03)
    with Image.open(tmp_path / "warping.gif") as animation:
        assert animation.n_frames == 4
    assert (tmp_path / "warping.gif").stat().st_size < 400_000
