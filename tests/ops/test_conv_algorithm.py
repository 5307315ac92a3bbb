"""The choice of a convolution's algorithm: the setting, the rule, and equal results."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.ops.conv_algorithm import conv_kernel
from tests._kernels.test_conv2d import sizes


@pytest.fixture(autouse=True)
def _auto_again():
    yield
    fn.set_conv_algorithm("auto")


def test_unknown():
    with pytest.raises(ValueError, match="unknown convolution algorithm 'fft'; there are auto"):
        fn.set_conv_algorithm("fft")
    assert fn.get_conv_algorithm() == "auto"


@pytest.mark.parametrize(("d", "algorithm", "expected"), [
    (sizes(128, 32, 32, 64, 64, (3, 3), pad=(1, 1, 1, 1)), "auto", "winograd_forward"),
    (sizes(128, 32, 32, 64, 64, (3, 3), pad=(1, 1, 1, 1)), "direct", "conv2d_forward"),
    (sizes(128, 32, 32, 3, 64, (3, 3), pad=(1, 1, 1, 1)), "auto", "conv2d_forward"),
    (sizes(128, 32, 32, 3, 64, (3, 3), pad=(1, 1, 1, 1)), "winograd", "winograd_forward"),
    (sizes(128, 2, 2, 512, 512, (3, 3), pad=(1, 1, 1, 1)), "auto", "conv2d_forward"),
    (sizes(1, 4, 4, 512, 512, (3, 3), pad=(1, 1, 1, 1)), "auto", "conv2d_forward"),
    (sizes(128, 32, 32, 64, 64, (3, 3), (2, 2), (1, 1, 1, 1)), "winograd", "conv2d_forward"),
    (sizes(128, 32, 32, 64, 64, (5, 5), pad=(2, 2, 2, 2)), "winograd", "conv2d_forward"),
])
def test_rule(d, algorithm, expected):
    fn.set_conv_algorithm(algorithm)
    assert conv_kernel(d, "forward") == expected


LENET = (sizes(64, 28, 28, 1, 6, (5, 5), pad=(2, 2, 2, 2)), sizes(64, 14, 14, 6, 16, (5, 5)))


@pytest.mark.parametrize(("d", "part", "expected"), [
    (LENET[0], "forward", "planar"), (LENET[0], "grad_weight", "planar"),
    (LENET[1], "forward", "conv2d"), (LENET[1], "grad_input", "planar"),
    (LENET[1], "grad_weight", "conv2d"),
    (sizes(64, 28, 9, 1, 6, (3, 3), pad=(1, 1, 1, 1)), "forward", "conv2d"),
    (sizes(64, 28, 28, 1, 6, (5, 5), (2, 2)), "forward", "conv2d"),
    (sizes(64, 28, 28, 65, 6, (5, 5)), "forward", "conv2d"),
    (sizes(64, 28, 28, 3, 6, (1, 1)), "forward", "conv2d"),
])
@pytest.mark.parametrize("algorithm", ["auto", "direct"])
def test_few_channels(d, part, expected, algorithm):
    fn.set_conv_algorithm(algorithm)
    assert conv_kernel(d, part) == f"{expected}_{part}"


def _kernels(step, shape):
    return {call.kernel for part in step.plan(shape).steps for call in part.calls}


def test_a_step_follows_the_setting():
    model = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 4, 3), nn.Flatten(1),
                          nn.Linear(4 * 36, 3))
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.0))
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 8, 8, 8), dtype=np.float32), np.arange(4) % 3
    losses = {}
    for algorithm in ("direct", "winograd", "direct"):
        fn.set_conv_algorithm(algorithm)
        losses.setdefault(algorithm, set()).add(step(x, y))
        assert ("winograd_grad_weight" in _kernels(step, x.shape)) == (algorithm == "winograd")
    assert len(losses["direct"]) == 1
    np.testing.assert_allclose(min(losses["direct"]), min(losses["winograd"]), rtol=1e-6)
