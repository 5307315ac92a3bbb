"""How a convolution is computed: the setting, the rule, what the graph says, and equal results."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn._kernels import registry
from fastnn.ops.conv_algorithm import conv_way
from fastnn.ops.conv_kernels import KERNELS
from fastnn.ops.convolution import Convolution
from fastnn.ops.pack_weight import PACKINGS
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
    (sizes(128, 32, 32, 64, 64, (3, 3), pad=(1, 1, 1, 1)), "auto", "winograd"),
    (sizes(128, 32, 32, 64, 64, (3, 3), pad=(1, 1, 1, 1)), "direct", "general"),
    (sizes(128, 32, 32, 3, 64, (3, 3), pad=(1, 1, 1, 1)), "auto", "padded"),
    (sizes(128, 32, 32, 3, 64, (3, 3), pad=(1, 1, 1, 1)), "winograd", "winograd"),
    (sizes(128, 2, 2, 512, 512, (3, 3), pad=(1, 1, 1, 1)), "auto", "general"),
    (sizes(1, 4, 4, 512, 512, (3, 3), pad=(1, 1, 1, 1)), "auto", "general"),
    (sizes(128, 32, 32, 64, 64, (3, 3), (2, 2), (1, 1, 1, 1)), "auto", "winograd"),
    (sizes(128, 32, 32, 16, 32, (3, 3), (2, 2), (1, 1, 1, 1)), "auto", "winograd"),
    (sizes(128, 32, 32, 256, 32, (3, 3), (2, 2), (1, 1, 1, 1)), "auto", "general"),
    (sizes(24, 48, 16, 270, 43, (3, 3), (2, 2)), "auto", "general"),
    (sizes(128, 224, 224, 3, 64, (3, 3), (2, 2), (1, 1, 1, 1)), "auto", "padded"),
    (sizes(128, 4, 4, 512, 512, (3, 3), (2, 2), (1, 1, 1, 1)), "auto", "general"),
    (sizes(4, 8, 8, 256, 512, (3, 3), (2, 2), (1, 1, 1, 1)), "auto", "general"),
    (sizes(128, 32, 32, 64, 64, (3, 3), (2, 1), (1, 1, 1, 1)), "winograd", "general"),
    (sizes(128, 32, 32, 64, 64, (3, 3), (3, 3), (1, 1, 1, 1)), "winograd", "general"),
    (sizes(128, 32, 32, 64, 64, (5, 5), pad=(2, 2, 2, 2)), "winograd", "general"),
    (sizes(128, 32, 32, 64, 64, (3, 3), pad=(1, 1, 1, 1)), "blas", "blas"),
    (sizes(128, 32, 32, 64, 64, (1, 1)), "blas", "blas"),
    (sizes(128, 32, 32, 64, 64, (5, 3), (2, 1), dilation=(1, 2), groups=64), "blas", "blas"),
    (sizes(128, 32, 32, 64, 64, (1, 1)), "auto", "linear"),
])
def test_rule(d, algorithm, expected):
    assert conv_way(algorithm, d[:16], "forward") == expected


LENET = (sizes(64, 28, 28, 1, 6, (5, 5), pad=(2, 2, 2, 2)), sizes(64, 14, 14, 6, 16, (5, 5)))


@pytest.mark.parametrize(("d", "part", "expected"), [
    (LENET[0], "forward", "planar"), (LENET[0], "grad_weight", "planar"),
    (LENET[1], "forward", "padded"), (LENET[1], "grad_input", "planar"),
    (LENET[1], "grad_weight", "padded"),
    (sizes(64, 28, 9, 1, 6, (3, 3), pad=(1, 1, 1, 1)), "forward", "padded"),
    (sizes(64, 28, 28, 1, 6, (5, 5), (2, 2)), "forward", "padded"),
    (sizes(8, 28, 28, 32, 32, (3, 3), groups=8), "forward", "planar"),
    (sizes(8, 28, 28, 32, 32, (3, 3), groups=8), "grad_input", "planar"),
    (sizes(8, 28, 28, 32, 32, (3, 3), groups=8), "grad_weight", "padded"),
    (sizes(8, 28, 28, 32, 64, (3, 3), groups=32), "forward", "depthwise"),
    (sizes(64, 28, 28, 65, 6, (5, 5)), "forward", ("general", "inner")),  # by vectors' lengths
    (sizes(64, 28, 28, 3, 6, (1, 1)), "forward", "linear"),
    (sizes(64, 28, 28, 32, 32, (1, 1), (2, 2)), "grad_input", "general"),
])
@pytest.mark.parametrize("algorithm", ["auto", "direct"])
def test_few_channels(d, part, expected, algorithm):
    assert conv_way(algorithm, d[:16], part) in np.atleast_1d(expected)


def test_every_combination_has_a_kernel_and_every_kernel_a_combination():
    families = ("conv2d_", "planar_", "winograd_", "blas_")
    packing = {name for kernel, found in PACKINGS.items()
               for name in (f"{kernel}_packed", found.kernel)}
    assert set(KERNELS.values()) | packing == {name for name in registry.names()
                                     if name.startswith(families)}


def test_a_graph_says_what_will_run():
    """Each convolution has its way from the first rewrite on, and a printed plan shows it."""
    model = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
                          nn.Conv2d(64, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
                          nn.Conv2d(64, 64, 1), nn.Conv2d(64, 64, 3, padding=1, groups=64),
                          nn.Flatten(1), nn.Linear(64 * 256, 3))
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.0))
    plan = step.plan((8, 3, 16, 16))
    ways = [(node.op.way, node.op.direction) for node in plan.graph.nodes
            if isinstance(node.op, Convolution)]
    assert ways == [("padded", "forward"), ("winograd", "forward"), ("linear", "forward"),
                    ("depthwise", "forward"), ("depthwise", "grad_weight"),
                    ("depthwise", "grad_input"), ("linear", "grad_weight"),
                    ("linear", "grad_input"), ("winograd", "grad_weight"),
                    ("winograd", "grad_input"), ("padded", "grad_weight")]
    assert all(f" {way} " in str(plan) for way, _ in ways)


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


def _grads(model, algorithm, threads, x, y):
    fn.set_conv_algorithm(algorithm)
    fn.set_num_threads(threads)
    return fn.value_and_grad(model, nn.CrossEntropyLoss())(x, y)


def test_blas_and_direct_agree():
    """A net with all of a convolution's arguments; the same bits at any number of threads."""
    fn.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=2, padding=(2, 1)), nn.ReLU(), nn.Conv2d(16, 24, 1), nn.ReLU(),
        nn.Conv2d(24, 24, 3, padding=2, dilation=2, groups=4), nn.ReLU(),
        nn.ConvTranspose2d(24, 8, 3, stride=2), nn.Flatten(1), nn.Linear(8 * 33 * 31, 5))
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 3, 32, 32), dtype=np.float32), np.arange(6) % 5
    loss, grads = _grads(model, "direct", 2, x, y)
    for threads in (1, 2, 3):
        blas_loss, blas_grads = _grads(model, "blas", threads, x, y)
        if threads == 1:
            first = blas_grads
            np.testing.assert_allclose(blas_loss, loss, rtol=1e-5)
        for name, grad in grads.items():
            rms = np.sqrt(np.mean(grad ** 2))  # sums of up to a few thousand terms of float32
            np.testing.assert_allclose(blas_grads[name], grad, rtol=0, atol=3e-5 * rms,
                                       err_msg=name)
            np.testing.assert_array_equal(blas_grads[name], first[name], err_msg=name)


def test_a_step_through_blas():
    model = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1),
                          nn.Flatten(1), nn.Linear(4 * 64, 3))
    start = {name: array.copy() for name, array in model.state_dict().items()}
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4, 8, 8, 8), dtype=np.float32), np.arange(4) % 3
    losses = {}
    for algorithm in ("direct", "blas"):
        fn.set_conv_algorithm(algorithm)
        model.load_state_dict(start)
        optimizer = fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer)
        losses[algorithm] = [step(x, y) for _ in range(8)]
        ways = {name.split("_")[0] for name in _kernels(step, x.shape)}
        ways &= {"conv2d", "planar", "winograd", "blas"}
        assert (ways == {"blas"}) == (algorithm == "blas")
        assert ("blas" in ways) == (algorithm == "blas")
    assert losses["direct"][-1] < 0.5 * losses["direct"][0]
    np.testing.assert_allclose(losses["blas"], losses["direct"], rtol=1e-4)
