"""Centring and scaling against their formulas."""

import numpy as np
import pytest

from fastnn.data import PCA, Batches, ChannelMean, MeanImage, Standardize, Whiten

IMAGES = np.random.default_rng(0).integers(0, 256, (100, 3, 5, 4), dtype=np.uint8)
TABLE = np.random.default_rng(1).normal([5, -300, 0.01], [2, 40, 0.001], (60, 3))
ALL = [Standardize, MeanImage, ChannelMean, Whiten, PCA]


def test_standardize_channels():
    y = Standardize().fit_transform(IMAGES)
    assert y.dtype == np.float32 and y.shape == IMAGES.shape
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3), dtype=float), 0, atol=1e-6)
    np.testing.assert_allclose(y.std(axis=(0, 2, 3), dtype=float), 1, atol=1e-6)


def test_standardize_features():
    fitted = Standardize().fit(TABLE)
    np.testing.assert_allclose(fitted.mean, TABLE.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fitted.std, TABLE.std(axis=0), rtol=1e-12)
    expected = (TABLE - TABLE.mean(axis=0)) / TABLE.std(axis=0)
    np.testing.assert_allclose(fitted.transform(TABLE), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -7e5, 255])
def test_a_constant_feature_is_only_centred(value):
    x = np.column_stack([np.full(1001, value, np.float32), np.arange(1001)])
    y = Standardize().fit_transform(x)
    np.testing.assert_allclose(y[:, 0], 0, atol=1e-6)


def test_small_deviations_far_from_zero_survive():
    x = 1e8 + np.random.default_rng(0).normal(size=(1000, 1)) * 100
    y = Standardize().fit_transform(x)
    np.testing.assert_allclose([y.mean(dtype=float), y.std(dtype=float)], [0, 1], atol=1e-5)


@pytest.mark.parametrize("kind", [Standardize, ChannelMean, MeanImage, Whiten])
@pytest.mark.parametrize("offset", [1e5, -1e7, 1e8])
def test_float32_far_from_zero(kind, offset):
    """As near to float64 as the values given allow: the mean is no float32 number."""
    steps = np.random.default_rng(1).integers(-3, 5, (301, 2))
    x = (offset + steps * np.spacing(np.float32(abs(offset)))).astype(np.float32)
    assert len(np.unique(x[:, 0])) > 5
    given = x.copy()
    y = kind().fit_transform(x)
    centred = x.astype(np.float64) - x.astype(np.float64).mean(0)
    fitted = kind().fit(x)
    expected = {Standardize: lambda: centred / centred.std(0),
                Whiten: lambda: centred @ fitted.matrix}.get(kind, lambda: centred)()
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=2e-6 * np.abs(expected).max())
    assert y.std(axis=0, dtype=np.float64).min() > 0.1 * expected.std(axis=0).max()
    np.testing.assert_array_equal(x, given)


def test_mean_image_and_channel_mean():
    scaled = IMAGES / 255
    np.testing.assert_allclose(
        MeanImage().fit_transform(IMAGES), scaled - scaled.mean(axis=0), atol=1e-6
    )
    np.testing.assert_allclose(
        ChannelMean().fit_transform(IMAGES),
        scaled - scaled.mean(axis=(0, 2, 3))[:, None, None],
        atol=1e-6,
    )


@pytest.mark.parametrize("kind", ALL)
def test_stored_and_scaled_images_agree_and_input_is_left_alone(kind):
    before = IMAGES.copy()
    fitted = kind().fit(IMAGES)
    scaled = IMAGES.astype(np.float32) / np.float32(255)
    assert np.array_equal(fitted.transform(IMAGES), fitted.transform(scaled))
    assert np.array_equal(IMAGES, before)


@pytest.mark.parametrize("kind", ALL)
def test_fit_reads_pieces_as_it_would_the_whole(kind, monkeypatch, tmp_path):
    whole = kind().fit(IMAGES).state()
    monkeypatch.setattr("fastnn.data.arrays.pieces.__defaults__", (7 * 60,))
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    fitted = kind().fit(mapped)
    for name, array in fitted.state().items():
        np.testing.assert_allclose(array, whole[name], rtol=1e-9, atol=1e-12)
    assert type(fitted.transform(mapped)) is np.ndarray


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("x", [IMAGES, TABLE])
def test_state_restores_the_same_bits(kind, x, tmp_path):
    fitted = kind().fit(x)
    np.savez(tmp_path / "state.npz", **fitted.state())
    with np.load(tmp_path / "state.npz") as saved:
        restored = kind.from_state(saved)
    assert restored.transform(x).tobytes() == fitted.transform(x).tobytes()
    assert repr(restored) == repr(fitted)


@pytest.mark.parametrize("kind", ALL)
def test_errors(kind):
    with pytest.raises(ValueError, match="call fit before transform"):
        kind().transform(TABLE)
    with pytest.raises(ValueError, match="call fit before state"):
        kind().state()
    with pytest.raises(ValueError, match=r"x has shape \(3,\), expected"):
        kind().fit(np.zeros(3))
    with pytest.raises(ValueError, match="not empty"):
        kind().fit(np.zeros((0, 3)))
    with pytest.raises(ValueError, match="x holds NaN"):
        kind().fit(np.array([[1.0, np.nan], [2.0, 3.0]]))
    with pytest.raises(ValueError, match=r"x has shape \(2, 4\), expected \(n, 3\)"):
        kind().fit(TABLE).transform(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="no array 'mean'"):
        kind.from_state({"example_shape": np.array([3])})


def test_statistics_by_channel_take_images_of_any_size():
    fitted = Standardize().fit(IMAGES)
    assert fitted.transform(np.zeros((2, 3, 9, 9))).shape == (2, 3, 9, 9)
    with pytest.raises(ValueError, match="expected"):
        MeanImage().fit(IMAGES).transform(np.zeros((2, 3, 9, 9)))


class Epoch:
    """Batches that begin anew each time."""

    def __iter__(self):
        return Batches(IMAGES, np.zeros(len(IMAGES), int), 16, shuffle=False).epoch(0)


@pytest.mark.parametrize("kind", ALL)
def test_batches_one_after_the_other_fit_as_the_whole_does(kind):
    whole = kind().fit(IMAGES).state()
    parts = [(IMAGES[:33], None), (IMAGES[33:], None)]  # pairs of x and y
    batches = Batches(IMAGES, np.zeros(len(IMAGES), int), 16)
    for stream in (parts, [IMAGES[:1], IMAGES[1:]], Epoch(), batches):
        for name, array in kind().fit(stream).state().items():
            np.testing.assert_allclose(array, whole[name], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("kind", ALL)
def test_streams_that_cannot_be_fitted_to(kind):
    with pytest.raises(TypeError, match="got a generator, which can be read once"):
        kind().fit(part for part in [IMAGES])
    with pytest.raises(TypeError, match=r"begins anew each time, such as a list, got int"):
        kind().fit(3)
    with pytest.raises(ValueError, match="x has no batches"):
        kind().fit([])
    with pytest.raises(ValueError, match=r"batch 1 of x has examples of shape \(3, 5, 3\), those "
                                         r"before had \(3, 5, 4\)"):
        kind().fit([IMAGES, IMAGES[..., 1:]])


def test_standardizing_is_scikit_learns():
    scaler = pytest.importorskip("sklearn.preprocessing").StandardScaler().fit(TABLE)
    fitted = Standardize().fit(TABLE)
    np.testing.assert_allclose(fitted.mean, scaler.mean_, rtol=1e-12)
    np.testing.assert_allclose(fitted.std, scaler.scale_, rtol=1e-12)
    np.testing.assert_allclose(fitted.transform(TABLE), scaler.transform(TABLE), rtol=1e-5,
                               atol=1e-6)
