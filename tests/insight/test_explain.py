"""Values and gradients on the edges of small graphs, against the chain rule by hand."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn


def edge(flow, source, target):
    """(value, gradient) of the edge between two labels."""
    (found,) = (edge for edge in flow if flow.places[edge.source].label == source
                and flow.places[edge.target].label == target)
    return float(found.value), float(found.grad)


def test_add_distributes_max_routes_multiply_swaps():
    flow = fn.explain(lambda x, y, z, w: (x * y + fn.maximum(z, w)) * 2, 3.0, -4.0, 2.0, -1.0)
    assert edge(flow, "x", "mul") == (3, -8) and edge(flow, "y", "mul") == (-4, 6)
    assert edge(flow, "mul", "add") == (-12, 2) and edge(flow, "maximum", "add") == (2, 2)
    assert edge(flow, "z", "maximum") == (2, 2) and edge(flow, "w", "maximum") == (-1, 0)
    assert edge(flow, "add", "mul 2") == (-10, 2) and edge(flow, "mul 2", "output") == (-20, 1)


def test_a_value_that_goes_several_ways_has_a_gradient_on_each():
    flow = fn.explain(lambda x: x * x + fn.exp(x), 2.0)
    assert [float(edge.grad) for edge in flow["x"]] == pytest.approx([2, 2, np.exp(2)])
    assert float(flow.grad("x")) == pytest.approx(4 + np.exp(2))


def test_a_net_has_the_gradients_of_value_and_grad():
    fn.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.MaxPool2d(2),
                          nn.Flatten(), nn.Linear(8, 2))
    x = np.random.default_rng(0).standard_normal((3, 1, 6, 6)).astype(np.float32)
    state = {name: array.copy() for name, array in model.state_dict().items()}
    key = fn.get_rng_state()
    flow = fn.explain(model, x)
    _, grads = fn.value_and_grad(model, lambda output, y: output.sum())(x, np.zeros(3))
    for name, grad in grads.items():
        np.testing.assert_allclose(flow.grad(name), grad, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(flow.grad("input"), fn.grad(lambda x: model(x).sum())(x),
                               rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(flow["5: linear"][0].value, model(x), rtol=1e-5)
    np.testing.assert_allclose(flow["linear"][0].grad, 1)
    assert all(np.array_equal(array, state[name]) for name, array in state.items())
    assert fn.get_rng_state() == key


def test_gradients_are_slopes():
    def f(x, y):
        return fn.sigmoid(x * y - 0.5) / (1 + y * y)

    flow = fn.explain(f, 0.7, -1.3)
    for place, name in enumerate(("x", "y")):
        ends = []
        for step in (1e-2, -1e-2):
            point = [0.7, -1.3]
            point[place] += step
            ends.append(float(fn.explain(f, *point)["div"][0].value))
        assert float(flow.grad(name)) == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=1e-3)


def test_what_no_gradient_reaches_has_none():
    flow = fn.explain(lambda x: fn.floor(x) + x, 1.5)
    assert flow["x"][0].value == 1.5 and float(flow.grad("x")) == 1
    (table,) = [line for line in str(flow).splitlines() if line.startswith("floor")]
    assert table.split()[2:4] == ["()", "1"]


def test_class_numbers_and_several_inputs_and_outputs():
    flow = fn.explain(lambda scores, y: (scores * 2, nn.CrossEntropyLoss()(scores, y)),
                      np.zeros((2, 3), np.float32), np.array([0, 2]))
    labels = [place.label for place in flow.places]
    assert {"scores", "y", "output 0", "output 1"} <= set(labels)
    assert all(edge.grad is None for edge in flow["y"])


def test_it_draws_every_place_and_edge(tmp_path):
    pytest.importorskip("matplotlib")
    flow = fn.explain(lambda x: x * x + fn.exp(x), 2.0)
    figure = flow.plot()
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert {"x", "mul", "exp", "add", "output", "7.39"} <= texts
    figure.savefig(tmp_path / "flow.png")


@pytest.mark.parametrize("call, error, message", [
    (lambda: fn.explain(3, 1.0), TypeError, "module or a function"),
    (lambda: fn.explain(fn.models.resnet18(), np.zeros((1, 3, 32, 32), np.float32)), ValueError,
     "up to 60: explain a part"),
    (lambda: fn.explain(lambda x: x, 1.0)["y"], KeyError, "there are x, output"),
    (lambda: fn.explain(nn.Linear(3, 2), np.zeros((1, 4), np.float32)), ValueError, "linear"),
])
def test_bad_calls_are_refused_by_name(call, error, message):
    with pytest.raises(error, match=message):
        call()
