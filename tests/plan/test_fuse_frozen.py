"""Fusion where each norm by itself is trained or frozen, as in fine-tuning, and terms broadcast."""

import itertools

import numpy as np
import pytest

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.graph import Graph, constant
from fastnn.ops.boundary import array_input
from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.fusion.spread import spread_gradient
from fastnn.runtime.random import streams
from fastnn.spec import Spec
from tests.harness import run
from tests.plan.random_graphs import _weight

WIDTH = 24


@pytest.fixture(autouse=True)
def _winograd():
    """Its layers are those that fuse with the norms beside them."""
    fn.set_conv_algorithm("winograd")
    yield
    fn.set_conv_algorithm("auto")


class Net:
    """Parameters and layers of a net that is written as it is traced."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.parameters = []

    def parameter(self, value):
        self.parameters.append(constant(value.astype(np.float32)))
        return self.parameters[-1]

    def conv(self, x, size=3):
        return fn.conv2d(x, self.parameter(_weight(self.rng, WIDTH, x.shape[1], size, size)),
                         padding=size // 2)

    def norm(self, x, trained):
        """By the batch's statistics, or by running ones that are far from these."""
        mean, var = (None, None) if trained else (
            self.rng.uniform(-1, 1, WIDTH), self.rng.uniform(0.3, 3, WIDTH))
        weight = self.rng.uniform(0.5, 2, WIDTH)
        bias = weight * self.rng.choice([-2, 2], WIDTH)  # few values at a ReLU's edge
        return fn.batch_norm(x, mean, var, self.parameter(weight), self.parameter(bias),
                             training=trained)

    def block(self, x, trained, shortcut, relu=True):
        y = self.norm(self.conv(x), trained[0])
        y = self.norm(self.conv(fn.relu(y) if relu else y), trained[1])
        return fn.relu(shortcut(self, x, y, trained[2]))


SHORTCUTS = {
    "identity": lambda net, x, y, trained: y + x,
    "first": lambda net, x, y, trained: x + y,
    "projected": lambda net, x, y, trained: net.norm(net.conv(x, 1), trained) + y,
    "a pixel": lambda net, x, y, trained: y + x.mean((2, 3), keepdim=True),
    "a channel": lambda net, x, y, trained: x.mean((1,), keepdim=True) + y,
    "an example": lambda net, x, y, trained: y + x.mean((0,), keepdim=True),
}


def _graph(build, seed=0):
    """The graph of a net's output and all gradients of a loss; arrays for it."""
    net = Net(seed)
    x = net.rng.standard_normal((3, WIDTH, 6, 5)).astype(np.float32)
    leaf, value = array_input(0, Spec(x.shape), "NCHW")
    with streams():
        y = build(net, value)
        loss = fn.mean(y * net.rng.standard_normal(y.shape).astype(np.float32))
        results = [y, *gradients(loss, [value, *net.parameters])]
    return Graph.trace([leaf], results, (), [loss]), [x]


def _check_fused(graph, arrays):
    """As the graph without fusion but for rounding; the names of its operations."""
    after = fuse(graph)
    for i, (got, expected) in enumerate(zip(run(after, arrays, fused=False),
                                            run(graph, arrays, fused=False), strict=True)):
        error, scale = (np.sqrt(np.mean(np.square(a, dtype=np.float64)))
                        for a in (got - expected, expected))
        assert error <= 2e-5 * scale, f"output {i}: off by {error / scale:.1e}"
    return {node.op.name for node in after.nodes}


@pytest.mark.parametrize("shortcut", SHORTCUTS)
def test_norms_trained_and_frozen_in_every_combination(shortcut):
    """Two blocks, so that there is a seam between them; with a ReLU inside, and without."""
    names = set()
    for *trained, relu in itertools.product([False, True], repeat=4):
        def build(net, x, trained=trained, relu=relu):
            x = net.block(net.conv(x), trained[::-1], SHORTCUTS["identity"])
            return net.block(x, trained, SHORTCUTS[shortcut], relu)

        names |= _check_fused(*_graph(build, seed=int(relu)))
    assert "conv2d_grad_input_and_batch_norm_sums" in names  # what a frozen norm must not get
    assert "batch_norm_backward" in names


@pytest.mark.parametrize("axes, spread", [((2, 3), True), ((1, 2, 3), False), ((0, 2, 3), False)])
def test_a_gradient_is_spread_where_channels_and_images_have_their_own(axes, spread):
    """Behind it filters of 1x1; what is the same in all channels or images is left as it was."""
    graph, arrays = _graph(lambda net, x: fn.mean(net.conv(fn.tanh(x), 1), axes, keepdim=True))
    pixels = [n.inputs[0].shape for n in spread_gradient(graph).nodes
              if n.op.name == "conv2d_grad_input"]
    assert pixels == [(3, WIDTH, 1, 1) if spread else (3, WIDTH, 6, 5)]
    _check_fused(graph, arrays)
