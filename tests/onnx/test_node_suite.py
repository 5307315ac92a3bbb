"""ONNX's own cases of each operator: equal, or refused by name; never silently wrong."""

from collections import Counter

import numpy as np
import pytest

import fastnn as fn

onnx = pytest.importorskip("onnx")
suite = pytest.importorskip("onnx.backend.test.case.node")

from fastnn.onnx.graph_module import OnnxModule  # noqa: E402
from fastnn.onnx.loading import KNOWN_ONLY, OPSETS  # noqa: E402
from fastnn.onnx.operators import OPERATORS  # noqa: E402

TYPES = {1, 6, 7, 9}  # float32, int32, int64, bool
SETTINGS = {"min", "max", "ratio", "r", "scales", "roi", "sizes", "value", "t", "training_mode",
            "constant_value"}
FREE = {"Gather", "GatherElements", "Where"}  # whose integers may be computed
PASS = 640


def cases():
    """Those in float32 whose operators are known."""
    for case in suite.collect_testcases(None):
        graph = case.model.graph
        kinds = {value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
        known = all(node.op_type in {*OPERATORS, *KNOWN_ONLY} and node.domain in ("", "ai.onnx")
                    for node in graph.node)
        if known and kinds <= TYPES and 1 in {value.type.tensor_type.elem_type
                                              for value in graph.input}:
            yield case


def run(case, inputs):
    """What the graph of a case computes; inputs that are settings are constants of it."""
    graph = onnx.GraphProto()
    graph.CopyFrom(case.model.graph)
    given = {value.name: np.asarray(array)
             for value, array in zip(graph.input, inputs, strict=False)}
    free = {node.op_type for node in graph.node} & FREE
    for name, array in given.items():
        if not free and (array.dtype.kind in "iu" or name in SETTINGS):
            graph.initializer.append(onnx.numpy_helper.from_array(array, name))
    opset = next(each.version for each in case.model.opset_import
                 if each.domain in ("", "ai.onnx"))
    module = OnnxModule(graph, min(opset, OPSETS[1])).eval()
    found = module(*(given[name] for name in module.input_names))
    return found if isinstance(found, tuple) else (found,)


@pytest.mark.filterwarnings("ignore")
def test_every_case_is_equal_or_refused():

    results, wrong = Counter(), []
    for case in cases():
        for inputs, expected in case.data_sets:
            try:
                found = run(case, inputs)
            except (NotImplementedError, fn.ShapeError, TypeError, ValueError, ArithmeticError):
                results["refused"] += 1
                continue
            equal = all(np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-3, atol=1e-5,
                                                                  equal_nan=True)
                        for a, b in zip(found, expected, strict=False))
            results["passed" if equal else "wrong"] += 1
            if not equal:
                wrong.append(case.name)
    assert not wrong
    assert results["passed"] >= PASS, results
