"""Why a model cannot be exported; each names the operation and its layer."""

from __future__ import annotations

from fastnn.graph import Node
from fastnn.onnx.package import UnsupportedError

INSTEAD = "export for batches of one size, with dynamic_batch=False"


def place(node: Node) -> str:
    """An operation, and its layer if it has one."""
    return f"{node.op.name} in layer {node.scope!r}" if node.scope else node.op.name


def unsupported(node: Node, why: str) -> UnsupportedError:
    """The error for an operation that is not translated."""
    where = f" in layer {node.scope!r}" if node.scope else ""
    shapes = " and ".join(str(tensor.shape) for tensor in node.inputs)
    return UnsupportedError(f"onnx.save: {node.op.name} ({type(node.op).__name__}){where}, of "
                            f"{shapes or 'nothing'}, {why}")


def of_batch(node: Node, what: str) -> ValueError:
    """The error for what depends on the size of the batch."""
    return ValueError(f"onnx.save: {place(node)} depends on the size of the batch, by {what}; "
                      f"{INSTEAD}")
