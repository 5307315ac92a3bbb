"""Every case of an operation as an ONNX file: the same values in onnxruntime, or refused."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.nn.parameter import Buffer
from tests.cases import CASES
from tests.onnx.runtime import check

pytest.importorskip("onnx")

# What belongs to training: losses with their targets, random numbers, gradients; and Python.
REFUSED = {"CrossEntropy", "Dropout", "GatherGrad", "MaxPool2dGrad", "NLL", "PlacesOfOffsets",
           "PutAtPlaces", "PythonOp", "Random", "TakeGrad", "Binary"}
LOSSES = {"bce", "bce_logits"}  # rows of Binary
GROUPS = 8


class Function(nn.Module):
    """The function of a case as a model; inputs beside the first may be buffers of it."""

    def __init__(self, build, *others):
        super().__init__()
        self.build, self.count = build, len(others)
        for i, array in enumerate(others):
            setattr(self, f"other{i}", Buffer(array))

    def forward(self, *inputs):
        return self.build(*inputs, *(getattr(self, f"other{i}") for i in range(self.count)))


def outcome(case, path, dynamic):
    """What is wrong with a case: "" if it is right, or refused for a reason that is known."""
    first, *others = case.arrays()
    if first.size == 0:
        return ""
    try:
        if dynamic:
            check(Function(case.build, *others), path, first, sizes=(len(first) + 2,))
        else:
            check(Function(case.build), path, first, *others, dynamic_batch=False)
    except NotImplementedError as error:
        kind = str(error).split("(")[1].split(")")[0]
        known = kind in REFUSED and (kind != "Binary" or str(error).split()[1] in LOSSES)
        return "" if known or "first output alone" in str(error) else f"{case.name}: {error}"
    except ValueError as error:
        return "" if dynamic and "dynamic_batch=False" in str(error) else f"{case.name}: {error}"
    except Exception as error:  # so that all wrong ones are named at once
        return f"{case.name}: {type(error).__name__}: {str(error)[:300]}"
    return ""


@pytest.mark.parametrize("group", range(GROUPS))
def test_values(tmp_path, group):
    wrong = [outcome(case, tmp_path / "net.onnx", False) for case in CASES[group::GROUPS]
             if all(array.size for array in case.arrays())]
    assert not list(filter(None, wrong))


@pytest.mark.parametrize("group", range(GROUPS))
def test_values_for_batches_of_any_size(tmp_path, group):
    """The first input is the batch; a case that depends on its size is refused."""
    wrong = [outcome(case, tmp_path / "net.onnx", True) for case in CASES[group::2 * GROUPS]
             if case.arrays()[0].ndim and all(array.size for array in case.arrays())]
    assert not list(filter(None, wrong))


@pytest.mark.parametrize("function", [
    lambda x: x[:3], lambda x: x[[0, 1, 2]], lambda x: x[:3].reshape(12),
    lambda x: x[1:3], lambda x: x[2], lambda x: fn.index_select(x, 0, np.array([0, 1, 2])),
], ids=range(6))
def test_a_part_of_the_batch(tmp_path, function):
    """It is the same part of any batch that has it, whatever the size that was given."""
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    check(Function(function), tmp_path / "net.onnx", x, sizes=(4, 5))
