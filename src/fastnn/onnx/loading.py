"""`fn.onnx.load`: a module from an ONNX file."""

from __future__ import annotations

import difflib
from typing import Any

from fastnn.files.regular import Path
from fastnn.onnx.graph_module import OnnxModule
from fastnn.onnx.operators import OPERATORS
from fastnn.onnx.package import UnsupportedError, onnx

OPSETS = 7, 23
KNOWN_ONLY = ("Constant", "ConstantOfShape", "Range", "NonZero", "EyeLike")  # of what is known


def load(path: Path) -> OnnxModule:
    """The model of an ONNX file, as a module that runs and trains.

    Its floating-point initializers are parameters with the file's names, so `state_dict`, `fn.save`
    and optimizers see them. Shapes are those of the arrays that it is called with; what the graph
    computes of shapes alone is computed once. It is in eval mode.

    Raises:
        ImportError: the package onnx is missing. ValueError: the file is truncated or no ONNX file,
            its external data are missing, its graph has a circle, or its opset is below 7 or
            above 23. NotImplementedError: an operator that is not known, with its node, its opset
            and the names that are near. OSError: the file cannot be read.

    Source: the ONNX specification, https://onnx.ai.

    >>> import tempfile, numpy as np, fastnn as fn
    >>> net = fn.nn.Sequential(fn.nn.Linear(4, 3), fn.nn.ReLU())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fn.onnx.save(net, f"{folder}/net.onnx", np.zeros((1, 4), np.float32))
    ...     again = fn.onnx.load(f"{folder}/net.onnx")
    >>> x = np.ones((2, 4), np.float32)
    >>> bool(np.allclose(again(x), net(x)))
    True
    >>> list(again.state_dict())
    ['0.weight', '0.bias']
    """
    proto = _read(path)
    opset = next((each.version for each in proto.opset_import if each.domain in ("", "ai.onnx")), 0)
    if not OPSETS[0] <= opset <= OPSETS[1]:
        raise ValueError(f"{path}: its operators are of opset {opset}; {OPSETS[0]} to {OPSETS[1]} "
                         "are known")
    for node in proto.graph.node:
        _check_known(path, node, opset)
    if proto.graph.sparse_initializer:
        raise UnsupportedError(f"{path}: sparse initializers are not there")
    module: OnnxModule = OnnxModule(proto.graph, opset).eval()
    return module


def _read(path: Path) -> Any:
    package = onnx()
    with open(path, "rb") as stream:  # an OSError names the file
        stream.read(1)
    try:
        proto = package.load(str(path))
        package.checker.check_model(proto)
    except Exception as error:  # protobuf's and the checker's have no common class
        if isinstance(error, FileNotFoundError) or "should be stored in" in str(error):
            raise ValueError(f"{path}: its external data are missing: {error}") from error
        raise ValueError(f"{path}: no valid ONNX file, or a part of one: "
                         f"{str(error).splitlines()[0] if str(error) else error!r}") from error
    return proto


def _check_known(path: Path, node: Any, opset: int) -> None:
    if node.domain in ("", "ai.onnx") and (node.op_type in OPERATORS or node.op_type in KNOWN_ONLY):
        return
    where = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
    name = f" (node {node.name!r})" if node.name else ""
    near = difflib.get_close_matches(node.op_type, OPERATORS, 3)
    raise UnsupportedError(
        f"{path}: operator {where}{name} of opset {opset} is not known; "
        + (f"near are {', '.join(near)}; " if near else "")
        + f"known are {', '.join(sorted({*OPERATORS, *KNOWN_ONLY}))}")
