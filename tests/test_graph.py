"""Graph: storage order, tracing, rewriting, operators of symbolic tensors."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.context import scope
from fastnn.graph import Graph, as_tensor, constant, leaf
from fastnn.spec import FLOAT, INDEX, ShapeError, Spec, element_strides, logical_view, storage_shape
from tests.harness import run


def _input(number, *shape, dtype=FLOAT):
    return leaf("input", number, Spec(shape, dtype))


def test_rank_4_is_stored_channels_last():
    array = np.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    memory = np.ascontiguousarray(array.transpose(0, 2, 3, 1))
    assert storage_shape(array.shape) == memory.shape == (2, 4, 5, 3)
    assert element_strides(array.shape) == (60, 1, 15, 3)
    np.testing.assert_array_equal(logical_view(memory.reshape(-1), array.shape), array)


@pytest.mark.parametrize("shape", [(), (3,), (2, 5), (2, 3, 4), (2, 3, 4, 5, 6)])
def test_other_ranks_are_row_major(shape):
    array = np.zeros(shape, np.float32)
    assert storage_shape(shape) == shape
    assert element_strides(shape) == tuple(stride // 4 for stride in array.strides)


def test_constants():
    assert constant(2).dtype == FLOAT and constant(2).shape == ()
    assert constant(np.array([1, 2])).dtype == INDEX
    assert constant(np.arange(6.0).reshape(1, 2, 3, 1)).node.op.source.shape == (1, 3, 1, 2)
    source = np.ones(3, np.float32)
    fixed = constant(source)
    source[:] = 5
    assert (fixed.node.op.source == 1).all(), "a constant does not change with its array"
    with pytest.raises(TypeError, match="expected a tensor"):
        as_tensor("text")


def test_trace_keeps_what_outputs_need_in_order():
    x = _input(0, 3)
    a = fn.relu(x)
    unused = fn.exp(x)
    b = a + x
    graph = Graph.trace([x], [b], (), [b])
    assert [node.op.name for node in graph.nodes] == ["relu", "add"]
    assert unused.node not in graph.nodes
    assert graph.forward_nodes == graph.first_update == 2
    assert graph.leaves() == (x,)


def test_rewrite_replaces_and_drops_the_dead():
    x = _input(0, 3)
    y = fn.relu(fn.exp(x)) + fn.tanh(fn.exp(x))
    graph = Graph.trace([x], [y], (), [y])
    before = [node.op.name for node in graph.nodes]

    def rule(node, inputs):
        return inputs if node.op.name == "relu" else None

    after = graph.rewrite(rule)
    assert [node.op.name for node in after.nodes] == ["exp", "exp", "tanh", "add"]
    assert [node.op.name for node in graph.nodes] == before, "the first graph is as it was"
    assert after.first_update == after.forward_nodes == 4


def test_an_output_may_be_an_input_a_constant_or_named_twice():
    x = _input(0, 2, 2)
    c = constant(np.full((2, 2), 3.0))
    y = fn.relu(x)
    graph = Graph.trace([x], [x, c, y, y, y.reshape(4)], (), [y])
    array = np.array([[1, -2], [3, -4]], np.float32)
    results = run(graph, [array])
    expected = [array, np.full((2, 2), 3), array.clip(0), array.clip(0), array.clip(0).ravel()]
    for got, want in zip(results, expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_symbolic_tensors_refuse_what_they_cannot_know():
    x = _input(0, 3)
    with pytest.raises(TypeError, match="truth value"):
        bool(x)
    with pytest.raises(TypeError, match="iterated"):
        list(x)


def test_arrays_leave_arithmetic_to_tensors():
    x = _input(0, 3)
    for value in (np.ones(3, np.float32) + x, np.float32(2) * x, 2 - x, np.ones(3) / x):
        assert value.shape == (3,)
        assert isinstance(value, fn.Tensor)


def test_shape_errors_name_the_layer():
    with scope("block.conv1"), pytest.raises(ShapeError, match=r"^block\.conv1: conv2d"):
        fn.conv2d(_input(0, 1, 3, 8, 8), np.zeros((4, 2, 3, 3)))


BAD = {
    "reshape to another size": lambda x: x.reshape(7),
    "reshape with two -1": lambda x: x.reshape(-1, -1),
    "reshape with negative sizes": lambda x: x.reshape(-2, -6),
    "reshape where -1 does not fit": lambda x: x.reshape(5, -1),
    "an axis out of range": lambda x: x.sum(2),
    "an axis named twice": lambda x: x.mean((0, 0)),
    "the same axis from both ends": lambda x: x.mean((1, -1)),
    "permute out of range": lambda x: x.permute(0, 3),
    "permute with an axis twice": lambda x: x.permute(0, 0),
    "permute with too few axes": lambda x: x.permute(0),
    "transpose out of range": lambda x: x.transpose(0, 2),
    "flatten out of range": lambda x: x.flatten(2),
    "flatten backwards": lambda x: x.flatten(1, 0),
    "expand an axis that is not 1": lambda x: fn.expand(x, 3, 8),
    "expand to a smaller rank": lambda x: fn.expand(x, 4),
    "broadcast": lambda x: x + np.zeros(5, np.float32),
    "too many indices": lambda x: x[0, 0, 0],
    "an index out of range": lambda x: x[3],
    "an empty slice": lambda x: x[2:2],
    "two ellipses": lambda x: x[..., ...],
    "places out of range": lambda x: x[[0, 3]],
    "places below the range": lambda x: x[:, [0, -5]],
    "lists that do not broadcast": lambda x: x[[0, 1], [0, 1, 2]],
    "too many lists": lambda x: x[[0], [0], [0]],
    "a mask of another size": lambda x: x[np.ones(4, bool)],
    "a mask of another shape": lambda x: x[np.ones((3, 5), bool)],
    "index_select out of range": lambda x: fn.index_select(x, 1, [4]),
    "index_select below the range": lambda x: fn.index_select(x, 1, [-1]),
    "index_select by a matrix": lambda x: fn.index_select(x, 1, [[0]]),
    "gather of another rank": lambda x: fn.gather(x, 0, np.array([0])),
    "gather of more than there is": lambda x: fn.gather(x, 0, np.zeros((1, 5), np.int64)),
    "gather out of range": lambda x: fn.gather(x, 0, np.full((1, 4), 3)),
    "take_along_dim of another size": lambda x: fn.take_along_dim(x, np.zeros((2, 1), int), 1),
    "take_along_dim out of range": lambda x: fn.take_along_dim(x, np.full((3, 1), -5), 1),
    "scatter_add of too little": lambda x: fn.scatter_add(x, 0, np.zeros((3, 4), int), x[:2]),
    "index_add of another shape": lambda x: fn.index_add(x, 0, [0, 1], x),
    "embedding of a vector": lambda x: fn.embedding(np.array([0]), x[0]),
    "embedding out of range": lambda x: fn.embedding(np.array([3]), x),
    "one_hot out of range": lambda x: fn.one_hot(constant(np.array([3])), 3),
    "pad of too many axes": lambda x: fn.pad(x, (1,) * 6),
    "pad of half a pair": lambda x: fn.pad(x, (1, 1, 1)),
    "pad by more than there is": lambda x: fn.pad(x, (4, 0), "reflect"),
    "roll of another number of axes": lambda x: fn.roll(x, (1, 2), 0),
    "flip along an axis twice": lambda x: fn.flip(x, (0, -2)),
    "interpolate of a matrix": lambda x: fn.interpolate(x, 3),
    "unfold of a matrix": lambda x: fn.unfold(x, 2),
    "pixel_shuffle of a matrix": lambda x: fn.pixel_shuffle(x, 2),
    "cat of other shapes": lambda x: fn.cat([x, np.zeros((3, 5), np.float32)], 0),
    "cat along no axis": lambda x: fn.cat([x, x], 2),
    "cat of nothing": lambda x: fn.cat([]),
    "matmul": lambda x: x @ x,
    "linear": lambda x: fn.linear(x, np.zeros((5, 3))),
    "linear bias": lambda x: fn.linear(x, np.zeros((5, 4)), np.zeros(4)),
    "conv2d of a matrix": lambda x: fn.conv2d(x, np.zeros((5, 3, 3, 3))),
    "max_pool2d of a matrix": lambda x: fn.max_pool2d(x, 2),
    "softmax over no axis": lambda x: fn.softmax(x, 2),
    "mse_loss": lambda x: fn.mse_loss(x, np.zeros(5, np.float32)),
    "mse_loss of a column and a vector": lambda x: fn.mse_loss(x[:, :1], x[:, 0]),
    "cross_entropy of floats": lambda x: fn.cross_entropy(x, np.zeros(3, np.float32)),
    "cross_entropy with a long target": lambda x: fn.cross_entropy(x, np.zeros(4, np.int64)),
    "batch_norm channels": lambda x: fn.batch_norm(x, np.zeros(3), np.ones(3)),
    "batch_norm without statistics": lambda x: fn.batch_norm(x, None, None),
    "batch_norm of one value": lambda x: fn.batch_norm(x[0:1], None, None, training=True),
    "relu of integers": lambda x: fn.relu(constant(np.arange(3))),
}


@pytest.mark.parametrize("build", BAD.values(), ids=BAD.keys())
def test_bad_shapes(build):
    with pytest.raises(ShapeError):
        build(_input(0, 3, 4))


BAD_IMAGES = {
    "channels": lambda x: fn.conv2d(x, np.zeros((4, 2, 3, 3))),
    "groups": lambda x: fn.conv2d(x, np.zeros((4, 1, 3, 3)), groups=3),
    "bias": lambda x: fn.conv2d(x, np.zeros((4, 3, 3, 3)), np.zeros(3)),
    "window too large": lambda x: fn.conv2d(x, np.zeros((4, 3, 9, 3))),
    "stride 0": lambda x: fn.conv2d(x, np.zeros((4, 3, 3, 3)), stride=0),
    "negative padding": lambda x: fn.conv2d(x, np.zeros((4, 3, 3, 3)), padding=-1),
    "stride of 3 numbers": lambda x: fn.conv2d(x, np.zeros((4, 3, 3, 3)), stride=(1, 1, 1)),
    "a fraction as stride": lambda x: fn.conv2d(x, np.zeros((4, 3, 3, 3)), stride=1.5),
    "same with stride": lambda x: fn.conv2d(x, np.zeros((4, 3, 3, 3)), stride=2, padding="same"),
    "unknown padding": lambda x: fn.conv2d(x, np.zeros((4, 3, 3, 3)), padding="full"),
    "pool padding": lambda x: fn.max_pool2d(x, 2, padding=2),
    "pool window": lambda x: fn.max_pool2d(x, 9),
    "avg_pool padding": lambda x: fn.avg_pool2d(x, 3, padding=2),
    "avg_pool divisor": lambda x: fn.avg_pool2d(x, 2, divisor_override=0),
    "adaptive size 0": lambda x: fn.adaptive_avg_pool2d(x, 0),
}


@pytest.mark.parametrize("build", BAD_IMAGES.values(), ids=BAD_IMAGES.keys())
def test_bad_arguments_for_images(build):
    with pytest.raises(ShapeError):
        build(_input(0, 2, 3, 6, 6))


def test_numpy_integers_are_integers():
    x, two = _input(0, 2, 3, 6, 6), np.int64(2)
    assert fn.max_pool2d(x, two, stride=(two, 1)).shape == (2, 3, 3, 5)
    assert x.reshape(two, np.int32(-1)).shape == (2, 108)
    assert x.sum(np.int64(1)).shape == (2, 6, 6)
    assert x[np.int64(0), :, two].shape == (3, 6)
    with pytest.raises(TypeError):
        x[True]
    with pytest.raises(TypeError):
        x[[0.0, 1.0]]
