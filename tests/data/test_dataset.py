"""The form that all sources are brought into."""

import numpy as np
import pytest

from fastnn.data.dataset import make_dataset

Y = np.array([0, 1, 1, 0])


def test_grey_images_get_a_channel_and_channels_last_is_moved_without_a_copy():
    x = np.arange(4 * 5 * 6, dtype=np.uint8).reshape(4, 5, 6)
    data = make_dataset((x, Y), None, "s")
    assert data.example_shape == (1, 5, 6) and np.shares_memory(data.train[0], x)
    colour = np.arange(4 * 5 * 6 * 3).reshape(4, 5, 6, 3)
    data = make_dataset((colour, Y), (colour, Y), "s", layout="NHWC")
    assert data.example_shape == (3, 5, 6) and np.shares_memory(data.train[0], colour)
    assert np.array_equal(data.train[0][2, 1], colour[2, :, :, 1])


def test_channels_last_by_mistake_warns():
    with pytest.warns(UserWarning, match='layout="NHWC"'):
        make_dataset((np.zeros((4, 32, 32, 3)), Y), None, "s")


@pytest.mark.parametrize(
    ("train", "test", "options", "message"),
    [
        ((np.zeros((4, 3)), Y), (np.zeros((4, 2)), Y), {}, "a test example has shape"),
        ((np.zeros((4, 3)), Y), (np.zeros((3, 3)), Y), {}, r"s \(test\): x"),
        ((np.zeros((4, 3)), Y), (np.zeros((4, 3)), Y + 1), {"classes": "ab"}, "class 2"),
        ((np.zeros((4, 3)), Y), None, {"classes": "a"}, r"s \(train\): y holds class 1"),
        ((np.zeros((4, 3)), Y), None, {"layout": "CHWN"}, "layout is 'CHWN'"),
        ((np.zeros((4, 3)), Y * 10**9), None, {}, "class 1000000000 for 4 targets"),
    ],
)
def test_splits_that_do_not_fit_are_refused(train, test, options, message):
    with pytest.raises(ValueError, match=message):
        make_dataset(train, test, "s", **options)


def test_classes_are_numbered_over_both_splits_and_absent_for_real_targets():
    x = np.zeros((4, 3))
    assert make_dataset((x, Y), (x, Y + 1), "s").classes == ("0", "1", "2")
    assert make_dataset((x, Y / 2), None, "s").classes == ()
