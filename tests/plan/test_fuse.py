"""Fusion: each rewrite gives the same bits as the graph without it, and happens where it should."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.engine.inference import inference_of
from fastnn.graph import Graph, constant
from fastnn.ops.boundary import array_input
from fastnn.plan.fusion.fuse import (
    EXACT,
    PARTS,
    batch_norm_add_relu,
    batch_norm_relu,
    conv_statistics,
    fuse,
    gradient_sums,
    joined_inputs,
    norm_as_it_is_read,
    parts_as_they_are_read,
    shortcut_gradient,
    sum_gradient,
    transposed_bias,
)
from fastnn.plan.fusion.spread import spread_gradient
from fastnn.runtime.random import streams
from fastnn.spec import Spec
from tests.cases import CASES
from tests.harness import run, same_bits, trace_case
from tests.nets import NETS, batch_for, make
from tests.plan.random_graphs import _weight, random_graph


@pytest.mark.parametrize("rewrite", EXACT, ids=lambda rewrite: rewrite.__name__)
def test_each_rewrite_keeps_all_bits(rewrite):
    for case in CASES:
        traced = trace_case(case)
        after = rewrite(traced.graph)
        if [n.op for n in after.nodes] != [n.op for n in traced.graph.nodes]:
            before = run(traced.graph, traced.arrays, fused=False)
            assert same_bits(before, run(after, traced.arrays, fused=False)), case.name
    for seed in range(100, 130):
        graph, arrays = random_graph(seed)
        before = run(graph, arrays, fused=False)
        assert same_bits(before, run(rewrite(graph), arrays, fused=False)), f"seed {seed}"


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("rewrite", [conv_statistics, gradient_sums])
def test_sums_of_a_producer(rewrite, relu):
    """The unfused graph but for rounding: two Winograd layers with a norm between and behind."""
    graph, arrays = _norms_between_convolutions(relu)
    after = rewrite(batch_norm_relu(graph))
    assert any(n.op.name.startswith(("conv2d_stats", "conv2d_grad_input_and"))
               for n in after.nodes)
    _same_but_for_rounding(graph, after, arrays)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_seam_of_two_blocks(stride):
    """The shortcut joins the gradient in the convolution, first or second term of the sum."""
    graph, arrays = _blocks(stride)
    before = sum_gradient(batch_norm_add_relu(batch_norm_relu(graph)))
    after = shortcut_gradient(before)
    count = [sum(n.op.name == name for n in after.nodes) for name in (
        "conv2d_grad_input_add_relu_and_batch_norm_sums", "add_n_relu_backward",
        "batch_norm_grad_input")]
    assert count == [2, 0, 2], "the norms behind them compute no sums of their own"
    _same_but_for_rounding(graph, after, arrays)


def test_both_norms_at_the_end_of_a_block():
    """A projected shortcut's norm is applied where the block ends: the same bits."""
    graph, arrays = _blocks(2)
    before = batch_norm_relu(graph)
    after = batch_norm_add_relu(before)
    names = [node.op.name for node in after.nodes]
    assert names.count("batch_norms_add_relu") == 1
    assert names.count("batch_norm_add_relu") == 2
    assert "batch_norm" not in names
    assert same_bits(run(before, arrays, fused=False), run(after, arrays, fused=False))


@pytest.mark.parametrize("average", [
    lambda y: fn.mean(y, (2, 3)), lambda y: fn.adaptive_avg_pool2d(y, 1).flatten(1)])
@pytest.mark.parametrize("size, groups, stays", [(1, 1, False), (1, 2, False), (3, 1, True)])
def test_an_average_sends_its_gradient_through_1x1_filters_once(average, size, groups, stays):
    """Made for one pixel, then spread; larger filters see the edges of the image."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((3, 8, 9, 7)).astype(np.float32)]
    leaf, x = array_input(0, Spec(arrays[0].shape), "NCHW")
    weights = [constant(_weight(rng, 8, 8, 3, 3)),
               constant(_weight(rng, 10, 8 // groups, size, size))]
    with streams():
        y = average(fn.conv2d(fn.conv2d(x, weights[0], padding=1), weights[1], groups=groups,
                              padding=size // 2))
        loss = fn.mean(y * _weight(rng, *y.shape))
        graph = Graph.trace([leaf], [loss, *gradients(loss, [*weights, x])], (), [loss])
    after = spread_gradient(graph)
    pixels = [n.inputs[0].shape[2:] for n in after.nodes if n.op.name == "conv2d_grad_input"]
    assert pixels == [(9, 7) if stays else (1, 1), (9, 7)]
    _same_but_for_rounding(graph, after, arrays)


def _same_but_for_rounding(graph, after, arrays):
    before = run(graph, arrays, fused=False)
    for got, expected in zip(run(after, arrays, fused=False), before, strict=True):
        scale = np.sqrt(np.mean(expected.astype(np.float64) ** 2))
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5 * scale)


def test_a_norm_is_applied_as_it_is_read():
    """The same bits, and no batch norm between the two layers any more."""
    graph, arrays = _norms_between_convolutions(True)
    before = batch_norm_relu(graph)
    after = norm_as_it_is_read(before)
    count = [sum(n.op.name == "batch_norm_relu" for n in g.nodes) for g in (before, after)]
    assert count == [2, 1]  # the last one is read by the loss
    assert same_bits(run(before, arrays, fused=False), run(after, arrays, fused=False))


def _head(*readers, channels=24):
    """A norm and a ReLU that 1x1 filters read, and what else reads them."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((5, channels, 11, 13)).astype(np.float32)]
    leaf, x = array_input(0, Spec(arrays[0].shape), "NCHW")
    norm = [1 + _weight(rng, channels), _weight(rng, channels)]
    parameters = [constant(_weight(rng, 10, channels, 1, 1)), constant(_weight(rng, 10))]
    with streams():
        y = fn.relu(fn.batch_norm(x, None, None, *norm, training=True))
        results = [fn.conv2d(y, *parameters), *(reader(y) for reader in readers)]
        loss = fn.mean(results[0] * _weight(rng, *results[0].shape))
        for result in results[1:]:
            loss = loss + fn.mean(result * _weight(rng, *result.shape))
    outputs = [loss, *gradients(loss, [x, *parameters])]
    return Graph.trace([leaf], outputs, (), [loss]), arrays


@pytest.mark.parametrize("readers, stored", [
    ((), False), ((lambda y: fn.max_pool2d(y, 2),), False), ((fn.tanh,), True),
    ((lambda y: fn.conv2d(y, np.ones((3, 24, 1, 1)), stride=2),), True)],
    ids=["alone", "with pooling", "with tanh", "with stride 2"])
def test_1x1_filters_read_through_a_norm(readers, stored):
    """The same bits; what others read in the forward pass is stored, the weight gradient aside."""
    graph, arrays = _head(*readers)
    before = batch_norm_relu(graph)
    after = norm_as_it_is_read(before)
    names = [node.op.name for node in after.nodes]
    assert ("batch_norm_relu" in names) == stored
    assert ("batch_norm_relu_conv2d" in names) == (not stored)
    assert names.count("batch_norm_relu_conv2d_grad_weight") == 1
    assert same_bits(run(before, arrays, fused=False), run(after, arrays, fused=False))


def test_few_channels_are_normed_apart():
    names = [node.op.name for node in fuse(_head(channels=8)[0]).nodes]
    assert "batch_norm_relu" in names and "batch_norm_relu_conv2d" not in names


def _joined(sizes=(20, 24)):
    """A Winograd layer of joined inputs, behind a norm that pooling reads too."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((8, size, 14, 17)).astype(np.float32) for size in sizes]
    pairs = [array_input(i, Spec(array.shape), "NCHW") for i, array in enumerate(arrays)]
    norms = [(1 + _weight(rng, size), _weight(rng, size)) for size in sizes]
    weight = constant(_weight(rng, 32, sum(sizes), 3, 3))
    with streams():
        parts = [fn.relu(fn.batch_norm(x, None, None, *norm, training=True))
                 for (_, x), norm in zip(pairs, norms, strict=True)]
        y = fn.conv2d(fn.cat(parts, 1), weight, padding=1)
        pooled = fn.max_pool2d(parts[0], 2)
        loss = fn.mean(y * _weight(rng, *y.shape)) + fn.mean(pooled * _weight(rng, *pooled.shape))
    results = [loss, *gradients(loss, [weight, *(x for _, x in pairs)])]
    return Graph.trace([leaf for leaf, _ in pairs], results, (), [loss]), arrays


@pytest.mark.parametrize("rewrite", PARTS, ids=lambda rewrite: rewrite.__name__)
def test_gradients_of_joined_inputs_part_by_part(rewrite):
    """The whole but for rounding, and nothing joined or cut apart as large as the images."""
    graph, arrays = _joined()
    after = rewrite(graph)
    name = "conv2d_grad_weight" if rewrite is PARTS[0] else "conv2d_grad_input"
    assert sum(n.op.name == name for n in graph.nodes) == 1
    assert sum(n.op.name == name for n in after.nodes) == 2
    before = run(graph, arrays, fused=False)
    for got, expected in zip(run(after, arrays, fused=False), before, strict=True):
        scale = np.sqrt(np.mean(expected.astype(np.float64) ** 2))
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5 * scale)
    small = rewrite(_joined((20, 4))[0])  # Winograd computes the whole, but not the second part
    assert sum(n.op.name == name for n in small.nodes) == 1


def test_nothing_joined_is_kept_for_the_backward_pass():
    graph = fuse(_joined()[0])
    backward = graph.nodes[graph.forward_nodes:]
    assert not any(t.node.op.name == "cat" and t.ndim == 4 and t.shape[0] == 8
                   for node in backward for t in node.inputs)
    assert not any(t.node.op.name == "batch_norm_relu" for node in backward for t in node.inputs)
    assert sum(n.op.name == "batch_norm_relu_conv2d_grad_weight" for n in backward) == 2
    assert not any(node.op.name == "slice" and node.outputs[0].shape[0] == 8 for node in backward)


def test_joined_inputs_are_read_where_they_are():
    """The same bits with parts and their norms read in place, and by pooling as well."""
    graph, arrays = _joined((32, 24))
    graph = batch_norm_relu(graph)
    for rewrite in PARTS:
        graph = rewrite(graph)
    after = norm_as_it_is_read(joined_inputs(graph))
    names = [node.op.name for node in after.nodes]
    assert "batch_norm_relu_joined_conv2d" in names
    assert "batch_norm_relu_max_pool2d" in names
    assert not any(name in ("batch_norm_relu", "max_pool2d") for name in names)
    assert not any(n.op.name == "cat" and n.outputs[0].shape[0] == 8 for n in after.nodes)
    assert same_bits(run(graph, arrays, fused=False), run(after, arrays, fused=False))


def test_an_odd_first_part_is_joined_as_before():
    assert any(n.op.name == "cat" and n.outputs[0].shape[0] == 8 for n in fuse(_joined()[0]).nodes)


def test_parts_of_a_gradient_are_made_when_they_are_read():
    """Each right before its first reader; the same bits."""
    graph, arrays = _joined((40, 32))
    before = PARTS[1](batch_norm_relu(graph))
    after = parts_as_they_are_read(before)
    parts = [node for node in after.nodes if node.op.name == "conv2d_grad_input"]
    assert len(parts) == 2
    for part in parts:
        place = after.nodes.index(part)
        assert part.outputs[0] in set(after.nodes[place + 1].inputs)
    assert len(after.nodes) == len(before.nodes)
    assert same_bits(run(before, arrays, fused=False), run(after, arrays, fused=False))


def test_a_transposed_convolution_adds_its_bias():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 24, 5, 7)).astype(np.float32)
    leaf, value = array_input(0, Spec(x.shape), "NCHW")
    parameters = [constant(_weight(rng, 24, 16, 2, 2)), constant(_weight(rng, 16))]
    y = fn.conv_transpose2d(value, *parameters, stride=2)
    loss = fn.mean(y * _weight(rng, *y.shape))
    graph = Graph.trace([leaf], [loss, y, *gradients(loss, [value, *parameters])], (), [loss])
    after = transposed_bias(graph)
    names = [node.op.name for node in after.nodes]
    assert "conv_transpose2d_bias" in names and "conv_transpose2d" not in names
    assert same_bits(run(graph, [x], fused=False), run(after, [x], fused=False))


def _norms_between_convolutions(relu):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((8, 20, 14, 17)).astype(np.float32)]
    leaf, x = array_input(0, Spec(arrays[0].shape), "NCHW")
    y, weights = x, []
    with streams():
        for shape in ((32, 20, 3, 3), (24, 32, 3, 3)):
            weights.append(constant(_weight(rng, *shape)))
            y = fn.conv2d(y, weights[-1], padding=1)
            y = fn.batch_norm(y, None, None, 1 + _weight(rng, shape[0]), _weight(rng, shape[0]),
                              training=True)
            y = fn.relu(y) if relu else y
        loss = fn.mean(y * _weight(rng, *y.shape))
    results = [loss, y, *gradients(loss, [x, *weights])]
    return Graph.trace([leaf], results, (), [loss]), arrays


def _blocks(stride):
    """Three residual blocks; the second one strides and projects its shortcut."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((64, 24, 16, 16)).astype(np.float32)]
    leaf, x = array_input(0, Spec(arrays[0].shape), "NCHW")
    weights = []

    def layer(y, k, size, step):
        weights.append(constant(_weight(rng, k, y.shape[1], size, size)))
        y = fn.conv2d(y, weights[-1], stride=step, padding=size // 2)
        return fn.batch_norm(y, None, None, 1 + _weight(rng, k), _weight(rng, k), training=True)

    y = x
    with streams():
        for k, step in ((24, 1), (32, stride), (32, 1)):
            short = y if (k, step) == (y.shape[1], 1) else layer(y, k, 1, step)
            y = fn.relu(layer(fn.relu(layer(y, k, 3, step)), k, 3, 1) + short)
        loss = fn.mean(y * _weight(rng, *y.shape))
    return Graph.trace([leaf], [loss, y, *gradients(loss, [x, *weights])], (), [loss]), arrays


def _names(name, training=True):
    model = make(name).train(training)
    x, _ = batch_for(name)
    if not training:
        model(x)
        return [step.node.op.name for step in _last_plan(model).steps]
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters()))
    return [s.node.op.name for s in step.plan(x.shape).steps]


def _last_plan(model):
    return inference_of(model)._cache._last[1].plan


def test_rewrites_happen():
    names = _names("residual")
    assert names.count("batch_norm_relu") == names.count("batch_norm_relu_backward") == 2
    assert names.count("batch_norm_add_relu") == 2
    assert names.count("add_n_relu_backward") == 1
    assert names.count("conv2d_relu") == 1
    assert "linear_relu" in _names("mlp")


@pytest.mark.parametrize("name", NETS)
def test_no_places_are_stored_where_no_gradient_is(name):
    names = _names(name, training=False)
    assert "max_pool2d" not in names
    assert ("max_pool2d_infer" in names) == (name != "mlp")


def _graph(build, rng):
    x = fn.graph.leaf("input", 0, fn.graph.Spec((2, 3, 4, 5)))
    outputs = build(x)
    return Graph.trace([x], outputs, (), outputs)


@pytest.mark.parametrize("build", [
    lambda x, w: (lambda y: [fn.relu(y), y])(fn.conv2d(x, w)),
    lambda x, w: (lambda y: [fn.relu(y) + fn.tanh(y)])(fn.conv2d(x, w)),
    lambda x, w: (lambda y: [fn.relu(y), fn.relu(y)])(fn.conv2d(x, w)),
], ids=["output", "another reader", "two relus"])
def test_a_value_that_others_read_is_not_fused_away(build):
    rng = np.random.default_rng(0)
    weight = _weight(rng, 4, 3, 3, 3)
    graph = _graph(lambda x: build(x, weight), rng)
    assert [n.op.name for n in fuse(graph).nodes] == [n.op.name for n in graph.nodes]
