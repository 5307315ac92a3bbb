"""Pretraining rescues a deep sigmoid net from small random weights; a modern net needs none."""

from tests.examples.notebook.script import figures


def test_few_labels(tmp_path):
    found = figures("pretraining", tmp_path)
    assert max(found["rbm"], found["denoising"]) < found["random"] - 0.2
    assert found["denoising"] < found["rbm"] + 0.05
    assert found["modern"] < 0.2
