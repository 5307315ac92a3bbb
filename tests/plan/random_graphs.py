"""Random graphs: views, in-place chains, fan-outs, several outputs, all with gradients."""

import numpy as np

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.graph import Graph
from fastnn.ops.add_n import add_n
from fastnn.ops.boundary import array_input
from fastnn.runtime.random import streams
from fastnn.spec import Spec
from tests.cases.function import SinCos


def _weight(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32) / 3


IMAGE_OPS = [
    lambda rng, x, y: fn.relu(x),
    lambda rng, x, y: fn.tanh(x),
    lambda rng, x, y: x + y,
    lambda rng, x, y: x * fn.sigmoid(y),
    lambda rng, x, y: x - x,
    lambda rng, x, y: add_n([x, y, x]),
    lambda rng, x, y: fn.relu(fn.conv2d(x, _weight(rng, 4, 4, 3, 3), padding=1)),
    lambda rng, x, y: fn.batch_norm(x, None, None, training=True),
    lambda rng, x, y: fn.relu(fn.batch_norm(x, None, None, _weight(rng, 4), training=True)),
    lambda rng, x, y: fn.max_pool2d(x, 3, stride=1, padding=1),
    lambda rng, x, y: fn.dropout(x, 0.4),
    lambda rng, x, y: x.reshape(2, 120).reshape(2, 4, 5, 6) * 0.5,
    lambda rng, x, y: fn.linear(x.flatten(1), _weight(rng, 120, 120)).reshape(2, 4, 5, 6),
    lambda rng, x, y: fn.cat([x[:, 2:], y[:, :2]], 1),
    lambda rng, x, y: x + y.mean((2, 3), keepdim=True),
    lambda rng, x, y: fn.softmax(x, 1),
    lambda rng, x, y: fn.maximum(x, y),
    lambda rng, x, y: SinCos.apply(x, _weight(rng, 4, 1, 1))[rng.integers(2)],
    lambda rng, x, y: x.permute(0, 1, 2, 3),
    lambda rng, x, y: fn.relu(x.reshape(-1)).reshape(8, 30).reshape(2, 4, 5, 6),
]


def random_graph(seed: int, length: int = 14) -> tuple[Graph, list[np.ndarray]]:
    """A graph with a loss, some values and gradients of both inputs, and arrays for it."""
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal((2, 4, 5, 6)).astype(np.float32) for _ in range(2)]
    raw, values = [], []
    for number, array in enumerate(arrays):
        leaf, tensor = array_input(number, Spec(array.shape), "NCHW")
        raw.append(leaf)
        values.append(tensor)
    wanted = list(values)
    with streams():
        for _ in range(length):
            recent = values[-4:]
            x, y = (recent[rng.integers(len(recent))] for _ in range(2))
            values.append(IMAGE_OPS[rng.integers(len(IMAGE_OPS))](rng, x, y))
        loss = add_n([fn.mean(value * value) for value in values[-3:]])
    kept = [values[i] for i in rng.choice(len(values), 2)]
    results = [loss, *gradients(loss, wanted), *kept]
    return Graph.trace(raw, results, (), [loss, *values]), arrays
