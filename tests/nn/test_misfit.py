"""A state dict of another net: all that does not fit in one error, and the nearest names."""

import time

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.nn.misfit import differences, misfit


def net():
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))


def state(**changes):
    """A state that fits, with names exchanged (a text) or arrays in their place."""
    found = {}
    for name, array in net().state_dict().items():
        change = changes.get(name.replace(".", "_"), array)
        found[change if isinstance(change, str) else name] = \
            array if isinstance(change, str) else change
    return found


@pytest.mark.parametrize(("changes", "error", "words"), [
    ({"0_weight": "fc.weight"}, KeyError,
     "without 0.weight and with unexpected fc.weight; nearest names: 0.weight and fc.weight"),
    ({"0_weight": np.zeros((2, 3)), "0_bias": "b"}, KeyError,
     "without 0.bias and with unexpected b; 0.weight has shape (2, 3), expected (3, 2)"),
    ({"0_weight": np.zeros((2, 3)), "0_bias": np.zeros(2)}, fn.ShapeError,
     "0.weight has shape (2, 3), expected (3, 2), 0.bias has shape (2,), expected (3,)"),
    ({"0_weight": np.zeros(())}, fn.ShapeError, "0.weight has shape (), expected (3, 2)"),
])
def test_what_does_not_fit_is_told_and_nothing_changes(changes, error, words):
    model = net()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    with pytest.raises(error) as caught:
        model.load_state_dict(state(**changes))
    assert f"state_dict does not fit Sequential: {words}" in str(caught.value)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_not_strict_leaves_names_aside_but_not_shapes():
    model = net()
    found = model.load_state_dict(state(**{"0_weight": "fc.weight"}), strict=False)
    assert found == (["0.weight"], ["fc.weight"])
    with pytest.raises(fn.ShapeError, match=r"0\.bias has shape \(2,\), expected \(3,\)$"):
        model.load_state_dict(state(**{"0_weight": "w", "0_bias": np.zeros(2)}), strict=False)


def test_the_nearest_name_has_the_same_last_part_if_one_has():
    own = {"layer1.conv.weight": (1,)}
    near = {"layer1.conv.bias": (1,), "stage1.convolution.weight": (1,)}
    assert misfit(own, near).endswith("layer1.conv.weight and stage1.convolution.weight")
    assert misfit({"a": ()}, {"zzzz": ()}) == "without a and with unexpected zzzz"


def test_long_lists_are_cut():
    own = {f"a{number}": (1,) for number in range(7)}
    assert misfit(own, {}) == "without a0, a1, a2, a3, a4 and 2 more"
    assert misfit(own, own | {"a1": (2,)}) == "a1 has shape (2,), expected (1,)"
    assert misfit(own, own) == "" and misfit(own, {}, strict=False) == ""


def test_counts_of_batches_are_not_missed():
    assert differences({"bn.num_batches_tracked": ()}, {}) == ([], [])


def test_large_nets_are_compared_soon():
    names = {f"layers.{number}.attention.weight": (1,) for number in range(20_000)}
    start = time.process_time()
    misfit({f"module.{name}": shape for name, shape in names.items()}, names)
    assert time.process_time() - start < 5
