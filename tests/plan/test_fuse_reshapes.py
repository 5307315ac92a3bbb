"""1-D layers as 2-D ones: what lies between two reshapes moves in front, and both go."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.graph import Graph
from fastnn.ops.boundary import array_input
from fastnn.ops.reshape import Reshape
from fastnn.plan.fusion.reshapes import elementwise_before_reshapes
from fastnn.spec import Spec
from tests.harness import run, same_bits


class Block(nn.Module):
    """A residual block of 1-D layers."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv1d(width, width, 3, padding=1), nn.BatchNorm1d(width)
        self.conv2, self.norm2 = nn.Conv1d(width, width, 3, padding=1), nn.BatchNorm1d(width)

    def forward(self, x):
        y = fn.relu(self.norm1(self.conv1(x)))
        return fn.relu(self.norm2(self.conv2(y)) + x)


BATCH = 7


def _copies(graph):
    """Shapes that are copied between images and anything else, without those of weights."""
    return [node.outputs[0].shape for node in graph.nodes
            if isinstance(node.op, Reshape) and node.op.view_of(node) is None
            and node.outputs[0].shape[0] == BATCH]


def test_a_net_of_1d_layers_copies_its_input_alone():
    """And is fused as one of 2-D layers is."""
    model = nn.Sequential(nn.Conv1d(3, 8, 5), nn.ReLU(), Block(8), nn.MaxPool1d(2), nn.GELU(),
                          nn.Conv1d(8, 16, 3, stride=2), nn.AvgPool1d(2), Block(16),
                          nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, 5))
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    graph = step.plan((BATCH, 3, 50)).graph
    assert _copies(graph) == [(BATCH, 3, 1, 50)]
    names = [node.op.name for node in graph.nodes]
    assert names.count("conv2d_relu") == 1 and names.count("batch_norm_add_relu") == 2
    assert names.count("batch_norm_relu") == names.count("batch_norm_relu_backward") == 2


def _traced(build, shape=(BATCH, 3, 4, 6)):
    leaf, value = array_input(0, Spec(shape), "NHWC")
    results = build(value)
    graph = Graph.trace([leaf], results, (), results)
    x = np.random.default_rng(0).standard_normal((shape[0], *shape[2:], shape[1]), np.float32)
    after = elementwise_before_reshapes(graph)
    assert same_bits(run(graph, [x], fused=False), run(after, [x], fused=False))
    return after


def _flat(x):
    return fn.flatten(x, 1)


@pytest.mark.parametrize(("build", "order"), [
    (lambda x: [fn.relu(_flat(x))], ["relu", "reshape"]),
    (lambda x: [fn.relu(_flat(x) + _flat(fn.tanh(x)))], ["tanh", "add", "relu", "reshape"]),
    (lambda x: [fn.tanh(fn.exp(_flat(x)).reshape(x.shape))], ["exp", "tanh"]),
    (lambda x: [fn.exp(_flat(x)).reshape(x.shape), _flat(x)], ["exp", "reshape"]),
    # a copy more than now
    (lambda x: [(lambda y: fn.relu(y) + fn.sum(y, 1, keepdim=True))(_flat(x))],
     ["reshape", "relu", "sum", "add"]),
    (lambda x: (lambda y: [y, fn.relu(y)])(_flat(x)), ["reshape", "relu"]),
    (lambda x: (lambda a, b, c: [c + (a + b), a, b, c])(
        _flat(x), _flat(fn.tanh(x)), _flat(fn.exp(x))),
     ["reshape", "tanh", "reshape", "exp", "reshape", "add", "add"]),
    # another shape of images, or a value that is no image
    (lambda x: [_flat(x) + _flat(fn.tanh(x.reshape(BATCH, 6, 4, 3)))],
     ["reshape", "reshape", "tanh", "reshape", "reshape", "add"]),
    (lambda x: [fn.relu(_flat(x) + _flat(x).reshape(6 * BATCH, 12).reshape(BATCH, 72))],
     ["reshape", "reshape", "reshape", "reshape", "add", "relu"]),
], ids=["relu", "sum of two", "there and back", "read in both shapes", "read twice", "results",
        "all are read", "two shapes", "no image"])
def test_what_moves(build, order):
    assert [node.op.name for node in _traced(build).nodes] == order


def test_a_dropped_value_is_still_dropped():
    """Nothing moves past it: else what is held in its place would be no dropped value."""
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv1d(4, 8, 3), nn.Conv1d(8, 4, 3)

        def forward(self, x):
            return self.conv2(fn.tanh(fn.plan.drop(self.conv1(x))))

    model = Net()
    step = fn.TrainStep(model, nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    pins = [node.origin.pin for node in step.plan((BATCH, 4, 64)).graph.nodes]
    assert "drop" in pins


def test_a_kept_value_stays_as_it_is():
    """The pinned value is what it was, and nothing moves past it."""
    after = _traced(lambda x: [fn.relu(fn.plan.keep(_flat(x)))])
    assert [node.op.name for node in after.nodes] == ["reshape", "relu"]
    after = _traced(lambda x: [fn.tanh(fn.plan.keep(fn.relu(_flat(x)))).reshape(x.shape)])
    assert [(node.op.name, node.origin.pin) for node in after.nodes] == [
        ("relu", "keep"), ("tanh", None)]
