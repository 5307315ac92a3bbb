"""The module of an ONNX graph: its weights are parameters, its nodes run in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnn.graph import as_tensor
from fastnn.nn.module import Module
from fastnn.nn.parameter import Buffer, Parameter
from fastnn.onnx.operators import OPERATORS
from fastnn.onnx.operators.call import Call
from fastnn.onnx.package import UnsupportedError
from fastnn.spec import ShapeError

# Inputs that are settings, not weights: bounds, exponents, scales, shares.
SETTINGS = {"Clip": (1, 2), "Pad": (1, 2, 3), "Resize": (1, 2, 3), "Upsample": (1,), "Pow": (1,),
            "Dropout": (1, 2)}
STATISTICS = {"BatchNormalization": (3, 4)}
# Inputs that are weights even where a file keeps them in nodes named Constant.
WEIGHTS = {"Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (1, 2), "MatMul": (0, 1),
           "BatchNormalization": (1, 2), "InstanceNormalization": (1, 2), "PRelu": (1,),
           "LayerNormalization": (1, 2), "GroupNormalization": (1, 2), "Add": (0, 1),
           "Mul": (0, 1)}


class Weights(Module):
    """Weights whose names begin alike: "conv1.weight" is weight in conv1."""

    def forward(self, *inputs: Any) -> Any:
        raise TypeError("these are the weights of a part of an ONNX graph, not a layer")


class OnnxModule(Module):
    """What `fn.onnx.load` returns: call it as any module, with the file's inputs in their order.

    Initializers of floats, and constants that are read as weights, are parameters under the file's
    names, dots as in `state_dict`; means and variances of batch norms are buffers. `train()` and
    `eval()` decide what batch norms and dropout do, whatever the file was exported for.
    input_names, output_names: the file's.
    """

    def __init__(self, graph: Any, opset: int) -> None:
        super().__init__()
        import onnx
        from onnx import numpy_helper

        self.opset = opset
        nodes = [_Node(node, opset, onnx.helper.get_attribute_value) for node in graph.node]
        initial = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
        constants = {node.outputs[0]: node.run({}, False)[node.outputs[0]]
                     for node in nodes if node.kind == "Constant"}
        self._nodes = [node for node in nodes if node.kind != "Constant"]
        self.input_names = [value.name for value in graph.input if value.name not in initial]
        self.output_names = [value.name for value in graph.output]
        kinds = _kinds(self._nodes)
        self._constants: dict[str, np.ndarray] = {}
        self._homes: dict[str, tuple[Module, str]] = {}
        for name, array in (*initial.items(), *constants.items()):
            kind = kinds.get(name, "weight" if name in initial else "setting")
            if array.dtype.kind != "f" or kind == "setting" or (
                    name in constants and array.size == 1):
                self._constants[name] = array
            else:
                made = Buffer if kind == "statistic" else Parameter
                self._homes[name] = self._own(name, made(array.astype(np.float32)))

    def _own(self, name: str, value: Parameter | Buffer) -> tuple[Module, str]:
        """Register a weight under its name, by parts; (the module that has it, its name there)."""
        home: Module = self
        *parts, last = name.split(".") if all(name.split(".")) else [name.replace(".", "_")]
        for part in parts:
            inner = home._modules.get(part)
            if not isinstance(inner, Weights):
                inner = Weights()
                home._modules[part] = inner
            home = inner
        (home._parameters if isinstance(value, Parameter) else home._buffers)[last] = value
        return home, last

    def forward(self, *inputs: Any) -> Any:
        if len(inputs) != len(self.input_names):
            raise TypeError(f"the graph takes {len(self.input_names)} inputs, "
                            f"{', '.join(self.input_names)}; got {len(inputs)}")
        values: dict[str, Any] = dict(zip(self.input_names, inputs, strict=True))
        values |= self._constants
        for name, (home, last) in self._homes.items():
            values[name] = home._parameters.get(last, home._buffers.get(last))
        for node in self._nodes:
            values.update(node.run(values, self.training))
        found = [as_tensor(values[name]) for name in self.output_names]
        return found[0] if len(found) == 1 else tuple(found)

    def extra_repr(self) -> str:
        return (f"{len(self._nodes)} operators of opset {self.opset}, "
                f"inputs {', '.join(self.input_names)}, outputs {', '.join(self.output_names)}")


class _Node:
    """A node of the file, and how it is computed: by NumPy where all that it reads is known."""

    def __init__(self, proto: Any, opset: int, read: Any) -> None:
        self.kind, self.name, self.opset = proto.op_type, proto.name, opset
        self.inputs, self.outputs = list(proto.input), list(proto.output)
        self.attributes = {each.name: _plain(read(each)) for each in proto.attribute}
        self._proto = proto

    def run(self, values: Mapping[str, Any], training: bool) -> dict[str, Any]:
        """{name of an output: its value}."""
        given = [values[name] if name else None for name in self.inputs]
        if all(value is None or isinstance(value, np.ndarray) for value in given):
            found = self._known(given)
        else:
            call = Call(self.kind, self.name, self.opset, self.attributes, given,
                        sum(map(bool, self.outputs)), training)
            try:
                if self.kind not in OPERATORS:
                    raise call.unsupported("its inputs must be known before the model runs")
                result = OPERATORS[self.kind](call)
            except (ShapeError, ValueError, TypeError) as error:
                if isinstance(error, UnsupportedError) or str(error).startswith("onnx.load"):
                    raise
                raise type(error)(f"{call.where}: {error}") from error
            found = result if isinstance(result, tuple) else (result,)
        return {name: value for name, value in zip(self.outputs, found, strict=False) if name}

    def _known(self, given: Sequence[Any]) -> Sequence[Any]:
        """The outputs of arrays, by onnx's own reference."""
        from onnx.reference import ReferenceEvaluator

        names = [name for name in self.inputs if name]
        evaluator = ReferenceEvaluator(self._proto, opsets={"": self.opset})
        found = evaluator.run(None, dict(zip(names, [value for value in given if value is not None],
                                             strict=True)))
        return [np.asarray(value) for value in found]


def _plain(value: Any) -> Any:
    """Attributes as Python's and NumPy's: texts, numbers, lists; protobufs as they are."""
    if isinstance(value, bytes):
        return value.decode()
    return list(value) if isinstance(value, (tuple, list)) else value


def _kinds(nodes: Sequence[_Node]) -> dict[str, str]:
    """What values are by where they are read: weights, settings, or statistics."""
    found = {}
    for table, word in ((WEIGHTS, "weight"), (STATISTICS, "statistic"), (SETTINGS, "setting")):
        for node in nodes:
            for place in table.get(node.kind, ()):
                if place < len(node.inputs):
                    found[node.inputs[place]] = word
    return found
