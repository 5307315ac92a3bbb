"""What may be fed to a model or a step, and what it becomes."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.engine.inputs import as_input

X = np.arange(12, dtype=np.float32).reshape(4, 3) / 8


class Shared:
    """An array of another library, which has DLPack and nothing else."""

    def __init__(self, array, device=None):
        self.array, self.device = array, device

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.device or self.array.__dlpack_device__()


class Table:
    """As a table of pandas, which NumPy reads by `__array__`."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)


@pytest.mark.parametrize("given", [
    X.astype(np.float64), X.astype(np.float16), X.astype(">f4"), X.tolist(), Table(X), Shared(X),
    np.asfortranarray(X)])
def test_floats_become_float32(given):
    found = as_input(given, "x")
    assert found.dtype == np.float32 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, X)


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i4", ">i8", "u8"])
def test_integers_become_int64_with_their_values(dtype):
    found = as_input(np.arange(5).astype(dtype), "x")
    assert found.dtype == np.int64 and found.tolist() == [0, 1, 2, 3, 4]


def test_true_and_false_are_class_numbers_in_targets_and_else_a_mask():
    given = np.array([True, False])
    for name, dtype in (("x", np.float32), ("input 0", np.float32), ("y", np.int64),
                        ("y[1]", np.int64)):
        found = as_input(given, name)
        assert found.dtype == dtype and found.tolist() == [1, 0]


def test_memory_is_shared_where_it_can_be():
    for given in (X, Shared(X)):
        assert np.shares_memory(as_input(given, "x"), X)


def test_memory_of_another_device_is_refused():
    for device, words in (((2, 0), "a CUDA device"), ((8, 0), "a Metal device"),
                          ((99, 0), "device 99 of DLPack")):
        with pytest.raises(TypeError, match=f"input 0 .* its values are on {words}"):
            nn.Linear(3, 2)(Shared(X, device))


def test_uint8_images_are_not_scaled_silently():
    with pytest.raises(fn.ShapeError, match=r"uint8: write x.astype\(np.float32\) / 255"):
        nn.Linear(3, 2)(X.astype(np.uint8))


@pytest.mark.parametrize("make", [
    nn.MSELoss, nn.L1Loss, nn.SmoothL1Loss, nn.HuberLoss, nn.BCELoss, nn.BCEWithLogitsLoss,
    nn.PoissonNLLLoss, nn.SoftMarginLoss])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.bool_])
def test_losses_of_floats_take_integers_as_targets(make, dtype):
    target = np.array([[0, 1], [1, 0], [1, 1], [0, 0]], dtype)
    losses = []
    for y in (target, target.astype(np.float32)):
        fn.manual_seed(0)
        model = nn.Sequential(nn.Linear(3, 2), nn.Sigmoid())
        step = fn.TrainStep(model, make(), optim.SGD(model.parameters(), lr=0.1))
        losses.append([step(X, y), step(X, y)])
    assert losses[0] == losses[1]


def test_class_losses_take_true_and_false():
    losses = []
    for y in (np.array([True, False, True, True]), np.array([1, 0, 1, 1])):
        fn.manual_seed(0)
        model = nn.Linear(3, 2)
        losses.append(fn.value_and_grad(model, nn.CrossEntropyLoss())(X, y)[0])
    assert losses[0] == losses[1]


def test_a_parameter_is_shared_by_dlpack_and_copied_by_numpy():
    layer = nn.Conv2d(2, 3, 3).eval()
    images = np.ones((1, 2, 4, 4), np.float32)
    before = layer(images)
    copied, shared = np.asarray(layer.weight), np.from_dlpack(layer.weight)
    np.testing.assert_array_equal(copied, shared)
    copied[...] = 0
    np.testing.assert_array_equal(layer(images), before)
    shared *= 2  # seen although its packed weight was kept
    np.testing.assert_allclose(layer(images) - layer.bias.data[:, None, None],
                               2 * (before - layer.bias.data[:, None, None]), rtol=1e-5)
    assert np.shares_memory(np.array(layer.weight, copy=False), shared)
    assert np.asarray(layer.weight, dtype=np.float64).dtype == np.float64


def test_a_parameter_in_forward_is_no_array():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.ones(3))

        def forward(self, x):
            return x * np.from_dlpack(self.weight)

    with pytest.raises(TypeError, match="a plan would keep"):
        Net()(X)
