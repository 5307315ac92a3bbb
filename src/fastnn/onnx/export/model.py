"""An ONNX model, made of a traced model: nodes, inputs and outputs with their shapes, checked."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from fastnn.graph import Tensor
from fastnn.onnx.export.builder import BATCH, Builder
from fastnn.onnx.export.table import translate
from fastnn.onnx.export.traced import Traced
from fastnn.onnx.package import onnx
from fastnn.spec import Spec
from fastnn.version import VERSION

FAMILIES = ("layers", "norms", "places", "pointwise", "pooling", "reductions", "shapes")
for _family in FAMILIES:  # which fill the table
    import_module(f"fastnn.onnx.export.{_family}")

IR_VERSIONS = {17: 8, 18: 8, 19: 9, 20: 9, 21: 10, 22: 10, 23: 11}  # of the file, for each opset
MOST_BYTES = 2**31 - 1  # of a protobuf file


def exported(
    traced: Traced, specs: Sequence[Spec], opset: int, inputs: Sequence[str],
    outputs: Sequence[str],
) -> Any:
    """The model as onnx's ModelProto, checked; inputs and outputs are named."""
    build = Builder(traced, opset)
    build.taken.update([*inputs, *outputs])
    build.names.update(zip(traced.graph.inputs, inputs, strict=True))
    for node in traced.graph.nodes:
        translate(build, node)
    build.layer = ""
    _name_outputs(build, outputs)
    build.without_dead(outputs)
    package, helper = onnx(), onnx().helper
    graph = helper.make_graph(
        [helper.make_node(node.kind, node.inputs, node.outputs, name=node.name, **node.attributes)
         for node in build.nodes],
        "fastnn",
        [_value(name, spec.shape, spec, traced) for name, spec in zip(inputs, specs, strict=True)],
        [_output(build, name, tensor)
         for name, tensor in zip(outputs, traced.graph.outputs, strict=True)],
        [package.numpy_helper.from_array(values, name)
         for name, values in build.initializers.items()])
    model = helper.make_model(
        graph, producer_name="fastnn", producer_version=VERSION,
        opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSIONS[opset])
    if model.ByteSize() > MOST_BYTES:
        raise ValueError(f"onnx.save: the model takes {model.ByteSize()} bytes, more than the 2 GB "
                         "that one ONNX file holds")
    package.checker.check_model(model, full_check=True)
    return model


def _name_outputs(build: Builder, outputs: Sequence[str]) -> None:
    """Give the outputs their names; one that is an input, a weight or another output is copied."""
    used = set[str]()
    made = {name for node in build.nodes for name in node.outputs}
    for name, tensor in zip(outputs, build.traced.graph.outputs, strict=True):
        old = build.name_of(tensor)
        if old in made and old not in used:
            build.rename(old, name)
            build.names = {t: name if n == old else n for t, n in build.names.items()}
            made.add(name)
        else:
            copy = build.emit("Identity", [old])
            build.rename(copy, name)
        used.add(name)


def _value(name: str, shape: Sequence[Any], spec: Spec, traced: Traced) -> Any:
    package = onnx()
    sizes = [BATCH, *shape[1:]] if traced.batch[0] != traced.batch[1] else list(shape)
    return package.helper.make_tensor_value_info(
        name, package.helper.np_dtype_to_tensor_dtype(spec.dtype), sizes)


def _output(build: Builder, name: str, tensor: Tensor) -> Any:
    """An output, with the batch as its symbol; a size that depends on it otherwise is unknown."""
    sizes: list[Any] = []
    for first, second in zip(*build.traced.shapes(tensor), strict=True):
        is_batch = (first, second) == build.traced.batch and first != second
        sizes.append(BATCH if is_batch else first if first == second else None)
    helper = onnx().helper
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(tensor.dtype), sizes)
