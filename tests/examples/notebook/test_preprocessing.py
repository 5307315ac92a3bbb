"""Pictures need numbers of a good scale; which centring is used matters little."""

from tests.examples.notebook.script import figures


def test_scale_matters_and_the_kind_of_centring_does_not(tmp_path):
    found = figures("preprocessing", tmp_path)
    scaled = [found[name] for name in ("unit", "mean_image", "channel_mean", "standardised")]
    assert min(scaled) > found["bytes"] + 0.1 and min(scaled) > 0.6
    assert max(scaled) - min(scaled) < 0.15
    assert (tmp_path / "preprocessing.png").stat().st_size > 10_000
