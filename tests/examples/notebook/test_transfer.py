"""Features of a net trained on ImageNet tell a few pictures apart that raw pixels do not."""

import pytest

import fastnn as fn
from tests.examples.notebook.script import FOLDER, figures


def test_few_pictures_are_enough_for_a_head_on_pretrained_features(tmp_path):
    text = (FOLDER / "transfer.py").read_text()
    stamps = text.partition('STAMPS = Path("')[2].partition('"')[0]
    if not (tmp_path / stamps).is_dir():
        pytest.skip("Debian's tuxpaint-stamps-default is not installed")
    try:
        fn.models.load("efficientnet-lite0")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    found = figures("transfer", tmp_path)
    assert found["pictures"] == 120
    assert found["transfer"] > 0.75
    assert found["raw_pixels"] < 0.5 and found["transfer"] > found["raw_pixels"] + 0.3
