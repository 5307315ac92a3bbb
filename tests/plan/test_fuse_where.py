"""Where fusion must leave a graph as it is: what else reads a value, and what no kernel takes."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.graph import Graph, constant
from fastnn.ops.boundary import array_input
from fastnn.plan.fusion.fuse import fuse, parts_of_grad_input
from fastnn.runtime.random import streams
from fastnn.spec import Spec
from tests.harness import run
from tests.plan.random_graphs import _weight
from tests.plan.test_fuse_frozen import SHORTCUTS, WIDTH, Net, _check_fused, _graph


@pytest.fixture(autouse=True)
def _winograd():
    fn.set_conv_algorithm("winograd")
    yield
    fn.set_conv_algorithm("auto")


@pytest.mark.parametrize("wanted", [
    lambda norm, parameters: [norm], lambda norm, parameters: [norm, *parameters],
], ids=["alone", "and those before it"])
def test_the_gradient_of_a_norms_output_is_asked_for(wanted):
    """The ReLU's gradient is then a result, and not only what the norm's gradient reads."""
    net = Net(0)
    x = net.rng.standard_normal((3, WIDTH, 6, 5)).astype(np.float32)
    leaf, value = array_input(0, Spec(x.shape), "NCHW")
    with streams():
        norm = net.norm(net.conv(value), True)
        loss = fn.mean(fn.relu(norm) * _weight(net.rng, *norm.shape))
        asked = gradients(loss, wanted(norm, net.parameters))
    graph = Graph.trace([leaf], [loss, *asked], (), [loss])
    assert "batch_norm_relu" not in _check_fused(graph, [x])


@pytest.mark.parametrize("layer", [
    lambda net, x: fn.conv2d(x, net.parameter(_weight(net.rng, WIDTH, WIDTH, 5, 5)), padding=2),
    lambda net, x: fn.conv2d(x, net.parameter(_weight(net.rng, WIDTH, WIDTH, 1, 1)), stride=2),
    lambda net, x: fn.conv2d(x, net.parameter(_weight(net.rng, WIDTH, WIDTH, 1, 1)), padding=1),
    lambda net, x: fn.conv2d(x, net.parameter(_weight(net.rng, WIDTH, 8, 3, 3)), groups=3),
    lambda net, x: fn.conv2d(x, net.parameter(_weight(net.rng, WIDTH, WIDTH, 3, 3)), dilation=2),
], ids=["5x5", "1x1 with stride", "1x1 with padding", "groups", "dilation"])
def test_layers_that_read_no_norm(layer):
    names = _check_fused(*_graph(lambda net, x: layer(net, fn.relu(net.norm(x, True)))))
    assert "batch_norm_relu" in names
    assert not any(name.startswith("batch_norm_relu_conv2d") for name in names)


@pytest.mark.parametrize(("channels", "reads"), [(15, False), (16, True), (17, True)])
def test_rows_of_a_whole_vector_are_read_through_a_norm(channels, reads):
    """By a 1x1 convolution; fewer channels would leave most of a vector empty."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((4, channels, 6, 6)).astype(np.float32)
    weight = generator.standard_normal((8, channels, 1, 1)).astype(np.float32)
    leaf, value = array_input(0, Spec(x.shape), "NCHW")
    ones, zeros = constant(np.ones(channels)), constant(np.zeros(channels))
    y = fn.conv2d(fn.relu(fn.batch_norm(value, None, None, ones, zeros, True)), constant(weight))
    names = {node.op.name for node in fuse(Graph.trace([leaf], [y], (), [y])).nodes}
    assert ("batch_norm_relu_conv2d" in names) == reads and ("conv2d" in names) != reads


def test_a_seam_before_a_transposed_convolution():
    """Its gradient is a convolution, which takes in no shortcut's."""
    def build(net, x):
        x = net.block(net.conv(x), (True, True, True), SHORTCUTS["identity"])
        weight = net.parameter(_weight(net.rng, WIDTH, WIDTH, 3, 3))
        return fn.relu(net.norm(fn.conv_transpose2d(x, weight, padding=1), True) + x)

    names = _check_fused(*_graph(build))
    assert "add_n_relu_backward" in names and "batch_norm_add_relu" in names


@pytest.mark.parametrize("stored", [False, True])
def test_pooling_reads_what_is_stored_anyway(stored):
    def build(net, x):
        y = fn.relu(net.norm(x, True))
        pooled = fn.max_pool2d(y, 2, stride=1)
        return fn.cat([pooled, fn.tanh(y)[:, :, 1:, 1:]], 1) if stored else pooled

    names = _check_fused(*_graph(build))
    assert ("batch_norm_relu_max_pool2d" in names) == (not stored)
    assert ("max_pool2d" in names) == ("batch_norm_relu" in names) == stored


@pytest.mark.parametrize("cut, parts", [
    (lambda g: (g[:, :16], g[:, 16:]), 2), (lambda g: (g[:, 8:24],), 1),
    (lambda g: (g[:, ::2],), 0), (lambda g: (g[:2], g[2:]), 0),
    (lambda g: (g[:, :, 1:],), 0), (lambda g: (g[:, :20], g[:, 12:]), 0),
    (lambda g: (g[:, :16], fn.tanh(g)), 0),
], ids=["channels", "some", "every second", "images", "rows", "twice", "another reader"])
def test_a_gradient_is_made_in_parts_where_only_channels_are_read(cut, parts):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 32, 8, 8)).astype(np.float32)
    leaf, value = array_input(0, Spec(x.shape), "NCHW")
    weight = constant(_weight(rng, 24, 32, 3, 3))
    y = fn.tanh(value)
    loss = fn.mean(fn.conv2d(y, weight, padding=1) * _weight(rng, 4, 24, 8, 8))
    graph = Graph.trace([leaf], list(cut(*gradients(loss, [y]))), (), [loss])
    after = parts_of_grad_input(graph)
    sizes = [n.outputs[0].shape[1] for n in after.nodes if n.op.name == "conv2d_grad_input"]
    assert sizes == ([16] * parts if parts else [32])
    for got, expected in zip(run(after, [x], fused=False), run(graph, [x], fused=False),
                             strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_a_convolution_that_clips_reads_no_norm():
    """No kernel does both; the weight's gradient reads through the norm all the same."""
    names = _check_fused(*_graph(lambda net, x: fn.relu(net.conv(fn.relu(net.norm(x, True))))))
    assert {"batch_norm_relu", "conv2d_relu", "batch_norm_relu_conv2d_grad_weight"} <= names
    assert "batch_norm_relu_conv2d" not in names


def test_a_norm_that_others_read_is_applied_once():
    """At the end of a residual block: the sum reads what is stored in any case."""
    def build(net, x):
        y = net.norm(net.conv(x), True)
        return fn.relu(y + x) * fn.tanh(y)

    assert "batch_norm_add_relu" not in _check_fused(*_graph(build))
