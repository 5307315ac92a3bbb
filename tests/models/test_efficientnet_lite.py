"""EfficientNet-Lite0: sizes, TensorFlow's padding, and that it folds and fuses as its kin."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import models, nn
from fastnn.models.efficientnet_lite import SameConv2d
from tests.models.test_architectures import operations


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7, 8), (5, 4), (1, 2)])
def test_same_padding_is_tensorflows(kernel, stride, size):
    """ceil(size / stride) outputs, from windows that begin (total // 2) before the image."""
    conv = SameConv2d(2, 3, kernel, stride)
    x = np.random.default_rng(0).standard_normal((2, 2, *size)).astype(np.float32)
    y = conv(x)
    assert y.shape == (2, 3, *(-(-side // stride) for side in size))
    rows, columns = ([max((-(-side // stride) - 1) * stride + kernel - side, 0)] for side in size)
    top, left = rows[0] // 2, columns[0] // 2
    wide = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (top, kernel), (left, kernel)))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            window = wide[:, :, i * stride:i * stride + kernel, j * stride:j * stride + kernel]
            np.testing.assert_allclose(
                y[:, :, i, j], np.einsum("nchw,ochw->no", window, conv.weight.data), atol=1e-5)


def test_sizes_of_stages(unfilled):
    model = models.efficientnet_lite0().eval()
    sizes = [size[1:3] for scope, name, size in operations(model, 2, 3, 224, 224)
             if name == "conv2d" and ("project" in scope or "stem" in scope or "head" in scope)]
    stages = [(32, 112), (16, 112), *[(24, 56)] * 2, *[(40, 28)] * 2, *[(80, 14)] * 3,
              *[(112, 14)] * 3, *[(192, 7)] * 4, (320, 7), (1280, 7)]
    assert sizes == stages


def test_images_of_other_sizes_and_heads(unfilled):
    model = models.create("efficientnet_lite0", 5, 1, 33)
    assert fn.engine.trace.trace(model, (fn.graph.Spec((2, 1, 33, 65)),)).output.shape == (2, 5)


def test_constants_and_rates(unfilled):
    model = models.efficientnet_lite0()
    assert {(m.eps, m.momentum) for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == {
        (1e-3, 0.01)}
    rates = [m.p for m in model.modules() if isinstance(m, nn.StochasticDepth)]
    np.testing.assert_allclose(rates, 0.2 * np.arange(16) / 16)
    assert not any(isinstance(m, (nn.SiLU, nn.Sigmoid)) for m in model.modules())


def test_norms_fold_into_the_convolutions():
    fn.manual_seed(0)
    model = models.efficientnet_lite0(num_classes=10).eval()
    x = np.random.default_rng(0).standard_normal((1, 3, 40, 40)).astype(np.float32)
    apart = model(x)
    np.testing.assert_allclose(model.eval(fold=True)(x), apart, atol=1e-5)
