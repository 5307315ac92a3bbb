"""A layer of preprocessing computes what the preprocessing does, and is saved with the net."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import data, nn

IMAGES = np.random.default_rng(0).normal(3, 2, (70, 3, 4, 4)).astype(np.float32)
KINDS = [data.Standardize, data.MeanImage, data.ChannelMean, data.Whiten,
         lambda: data.Whiten("zca"), data.PCA, lambda: data.PCA(5)]


@pytest.mark.parametrize("kind", KINDS)
def test_it_computes_what_the_preprocessing_does(kind):
    fitted = kind().fit(IMAGES)
    np.testing.assert_allclose(nn.Preprocess(fitted)(IMAGES), fitted.transform(IMAGES), rtol=1e-5,
                               atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_saved_with_the_net_and_loaded_without_examples(kind, tmp_path):
    fitted = nn.Preprocess(kind().fit(IMAGES))
    fn.save(tmp_path / "net.safetensors", fitted)
    blank = nn.Preprocess(kind(), (3, 4, 4))
    x = IMAGES[:5]
    reshaped = np.abs(blank(x).reshape(5, -1)[:, :5] - x.reshape(5, -1)[:, :5])
    assert reshaped.max() == 0  # it changes nothing yet
    fn.load(tmp_path / "net.safetensors", blank)
    assert blank(x).tobytes() == fitted(x).tobytes()


def test_what_is_given_stays_as_it_is():
    given = data.Standardize()
    nn.Preprocess(given, (3, 4, 4))
    assert given.example_shape is None


def test_small_differences_of_large_numbers_survive():
    x = (1e8 + 8 * np.arange(12).reshape(6, 2)).astype(np.float32)
    y = nn.Preprocess(data.Standardize().fit(x))(x)
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-5)


def test_training_leaves_it_alone():
    net = nn.Sequential(nn.Preprocess(data.Standardize().fit(IMAGES)), nn.Flatten(),
                        nn.Linear(48, 2))
    before = net[0].state_dict()
    step = fn.TrainStep(net, nn.CrossEntropyLoss(), fn.optim.SGD(net.parameters(), lr=0.1))
    step(IMAGES, np.arange(70) % 2)
    assert all(np.array_equal(before[name], array) for name, array in net[0].state_dict().items())


def test_wrong_calls():
    with pytest.raises(TypeError, match="preprocessor must be"):
        nn.Preprocess(data.Standardize)
    with pytest.raises(ValueError, match=r"Standardize\(\) is not fitted: call fit first"):
        nn.Preprocess(data.Standardize())
    with pytest.raises(fn.ShapeError, match=r"got shape \(2, 4\), expected \(n, 3, 4, 4\)"):
        nn.Preprocess(data.MeanImage().fit(IMAGES))(np.zeros((2, 4), np.float32))
