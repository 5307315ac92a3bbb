"""A window of frames and pretraining for speech; AlexNet and VGG on small pictures."""

from tests.examples.notebook.script import figures


def test_speech_needs_a_window_and_sigmoids_need_pretraining(tmp_path):
    found = figures("speech_2010", tmp_path)
    assert found["today"] < 0.5 * found["one_frame"] < found["linear"]
    assert found["pretrained"] < 0.75 * found["random"]


def test_the_nets_of_2012_and_2014_learn(tmp_path):
    found = figures("imagenet_2012", tmp_path)
    assert found["without_dropout"] > 0.45 and found["vgg"] > 0.3
