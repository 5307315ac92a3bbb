"""Channels moved to the last axis and back: views, where two reorders would copy."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.graph import Graph
from fastnn.ops.boundary import array_input
from fastnn.plan.fusion.reshapes import elementwise_before_reshapes
from fastnn.plan.fusion.rows import pixels_as_rows
from fastnn.spec import Spec
from tests.harness import run, same_bits

SHAPE = (3, 4, 5, 6)


def rewritten(build, shape=SHAPE):
    """The names of the operations that are left, without views; the bits are the same."""
    leaf, value = array_input(0, Spec(shape), "NHWC" if len(shape) == 4 else "plain")
    results = build(value)
    graph = Graph.trace([leaf], results, (), results)
    stored = (shape[0], *shape[2:], shape[1]) if len(shape) == 4 else shape
    x = np.random.default_rng(0).standard_normal(stored, np.float32)
    after = elementwise_before_reshapes(pixels_as_rows(graph))
    assert same_bits(run(graph, [x], fused=False), run(after, [x], fused=False))
    return [node.op.name for node in after.nodes if node.op.view_of(node) is None]


def last(x):
    return x.permute(0, 2, 3, 1)


def back(x):
    return x.permute(0, 3, 1, 2)


@pytest.mark.parametrize(("build", "names"), [
    (lambda x: [last(x).reshape(-1, 4)], []),
    (lambda x: [last(x).reshape(3, -1)], []),
    (lambda x: [last(x).reshape(3, 30, 4)], []),
    (lambda x: [back(fn.exp(last(x).reshape(-1, 4)).reshape(3, 5, 6, 4))], ["exp"]),
    (lambda x: [back(last(x).reshape(-1, 4).reshape(3, 6, 5, 4))], []),
    # an activation between
    (lambda x: [back(fn.exp(last(x).reshape(-1, 2).reshape(3, 5, 6, 4)).reshape(-1, 2)
                     .reshape(3, 5, 6, 4))], ["exp"]),
    # others read what was permuted, too
    (lambda x: [last(x).reshape(-1, 4), last(x)], ["permute"]),
    # another order; an image again, as rows in between
    (lambda x: [x.permute(0, 3, 2, 1).reshape(-1, 4)], ["permute", "reshape"]),
    (lambda x: [last(x).reshape(3, 5, 4, 6)], ["reshape"]),
    (lambda x: [back(x.reshape(-1, 4).reshape(3, 5, 6, 4))], ["reshape"]),
    (lambda x: [x.reshape(3, 6, 5, 4).permute(0, 3, 1, 2)], ["reshape"]),
])
def test_what_is_a_view(build, names):
    assert rewritten(build) == names


def test_rows_become_images():
    assert rewritten(lambda x: [back(x.reshape(3, 5, 6, 4))], (90, 4)) == []


def test_what_is_kept_or_dropped_stays():
    """A pinned value is computed as it was written."""
    assert rewritten(lambda x: [fn.plan.keep(last(x)).reshape(-1, 4)]) == ["permute", "reshape"]
    assert rewritten(lambda x: [fn.plan.keep(last(x).reshape(-1, 4))]) == ["permute", "reshape"]


def test_a_block_of_convnext_copies_nothing():
    """Written as for PyTorch: linear layers, GELU and layer norm on the last axis."""
    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
            self.norm = nn.LayerNorm(channels)
            self.expand = nn.Linear(channels, 4 * channels)
            self.project = nn.Linear(4 * channels, channels)

        def forward(self, x):
            y = self.norm(last(self.depthwise(x)))
            return x + back(self.project(fn.gelu(self.expand(y))))

    model = nn.Sequential(nn.Conv2d(3, 16, 4, 4), Block(16), Block(16), nn.AdaptiveAvgPool2d(1),
                          nn.Flatten(), nn.Linear(16, 5))
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    kernels = [call.kernel for step_ in step.plan((7, 3, 32, 32)).steps for call in step_.calls]
    assert kernels.count("copy") == 1  # the images, which come as NCHW
    x = np.random.default_rng(0).standard_normal((7, 3, 32, 32)).astype(np.float32)
    assert model.eval()(x).shape == (7, 5)
