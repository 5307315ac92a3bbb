"""Pooling layers beside PyTorch's: what they print, values, places, and sizes at the edges."""

import numpy as np
import pytest

import fastnn as fn
from tests.parity.compare import assert_close, torch

pytestmark = pytest.mark.parity

LAYERS = [
    ("MaxPool1d", (3,), {"stride": 2, "padding": 1}), ("MaxPool1d", (2,), {"ceil_mode": True}),
    ("MaxPool2d", ((3, 2),), {"dilation": 2}), ("MaxPool2d", (3, 2, 1, 1, False, True), {}),
    ("MaxPool2d", (17,), {"stride": 1}),
    ("AvgPool1d", (3,), {}), ("AvgPool2d", (2, 3), {}), ("AvgPool2d", (2,), {"padding": 1}),
    ("AdaptiveAvgPool1d", (3,), {}), ("AdaptiveAvgPool2d", ((None, 2),), {}),
    ("AdaptiveMaxPool1d", (4,), {}), ("AdaptiveMaxPool2d", ((5, None),), {}),
    ("AdaptiveMaxPool2d", (1,), {}),
    ("LPPool1d", (2, 3), {}), ("LPPool2d", (2, 3), {"stride": 2, "ceil_mode": True}),
]


def _image(name, batch=(2,)):
    shape = (3, 20) if name.endswith("1d") else (3, 20, 18)
    return np.random.default_rng(0).standard_normal(batch + shape).astype(np.float32)


@pytest.mark.parametrize(("name", "arguments", "options"), LAYERS, ids=lambda value: str(value))
@pytest.mark.parametrize("batch", [(2,), ()])
def test_layers(name, arguments, options, batch):
    ours = getattr(fn.nn, name)(*arguments, **options)
    theirs = getattr(torch.nn, name)(*arguments, **options)
    assert repr(ours) == repr(theirs)
    x = _image(name, batch)
    expected = theirs(torch.from_numpy(x))
    assert_close(ours(x), expected, 1e-5)


@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("batch", [(2,), ()])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"stride": 3}])
def test_there_and_back(axes, batch, options):
    x = _image(f"{axes}d", batch)
    results = []
    for library, value in ((fn, x), (torch, torch.from_numpy(x))):
        down = getattr(library.nn, f"MaxPool{axes}d")(3, return_indices=True, **options)
        back = getattr(library.nn, f"MaxUnpool{axes}d")(3, **options)
        y, places = down(value)
        assert str(places.dtype).endswith("int64")
        unpool = getattr(library if library is fn else torch.nn.functional, f"max_unpool{axes}d")
        # With padding, places may lie outside of the size that is usual: then both refuse.
        usual = [] if "padding" in options else [back(y, places)]
        results.append((repr(back), y, places, *usual, unpool(
            y, places, 3, options.get("stride"), options.get("padding", 0), x.shape[-axes:])))
    assert results[0][0] == results[1][0]
    for ours, theirs in zip(results[0][1:], results[1][1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["max", "avg"])
def test_sizes_with_ceil_mode(size, kind):
    """The same sizes, or both refuse."""
    x = np.random.default_rng(0).standard_normal((1, 2, size, 5)).astype(np.float32)
    for kernel, stride, padding in np.ndindex(6, 5, 3):
        if 2 * padding > kernel:
            continue
        arguments = (kernel + 1, stride + 1, padding)
        name = f"{kind}_pool2d"
        try:
            theirs = getattr(torch.nn.functional, name)(
                torch.from_numpy(x), *arguments, ceil_mode=True)
        except RuntimeError:
            with pytest.raises(fn.ShapeError):
                getattr(fn, name)(x, *arguments, ceil_mode=True)
        else:
            assert_close(getattr(fn, name)(x, *arguments, ceil_mode=True), theirs, 1e-5)


def test_places_from_outside_are_checked():
    y, places = np.ones((1, 2, 3, 3), np.float32), np.full((1, 2, 3, 3), 36)
    with pytest.raises(ValueError, match=r"indices are from 36 .* an image of \(6, 6\)"):
        fn.nn.MaxUnpool2d(2)(y, places)
    with pytest.raises(fn.ShapeError, match="indices"):
        fn.nn.MaxUnpool2d(2)(y, y)
    with pytest.raises(fn.ShapeError, match="output_size"):
        fn.max_unpool2d(y, places, 2, output_size=(9, 6))


@pytest.mark.parametrize("fused", ["norm", "alone"])
def test_places_behind_a_norm(fused):
    """Max-pooling that reads through a norm still says where its maxima are."""
    class Net(fn.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = fn.nn.BatchNorm2d(16)

        def forward(self, x):
            x = fn.relu(self.norm(x)) if fused == "norm" else x
            return fn.max_pool2d(x, 2, return_indices=True)

    x = np.random.default_rng(0).standard_normal((2, 16, 8, 8)).astype(np.float32)
    net = Net()
    net.eval()
    y, places = net(x)
    z = np.maximum(x / np.sqrt(1 + 1e-5), 0) if fused == "norm" else x
    expected, others = torch.nn.functional.max_pool2d(
        torch.from_numpy(z.astype(np.float32)), 2, return_indices=True)
    assert_close(y, expected, 1e-5)
    np.testing.assert_array_equal(places, others)
