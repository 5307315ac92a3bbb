"""The table of translations: an operation's class, and the function that emits ONNX nodes for it.

    @translates(Concat)
    def concat(build: Builder, node: Node, op: Concat) -> str:
        return build.emit("Concat", build.inputs_of(node), axis=op.axis)

It returns the name of the node's output, or a list of names for several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastnn.graph import Node, Op
from fastnn.onnx.export.builder import Builder
from fastnn.onnx.export.errors import unsupported
from fastnn.onnx.export.traced import check_fields

Translation = Callable[[Builder, Node, Any], "str | Sequence[str]"]


@dataclass(frozen=True)
class Row:
    """A translation, and the arguments whose dependence on the batch it knows how to write."""

    translation: Translation
    varying: tuple[str, ...]


TABLE: dict[type[Op], Row] = {}


def translates(*classes: type[Op], varying: Sequence[str] = ()) -> Callable[..., Translation]:
    """Enter a translation into the table; `varying`: arguments that may depend on the batch."""
    def register(translation: Translation) -> Translation:
        for kind in classes:
            TABLE[kind] = Row(translation, tuple(varying))
        return translation

    return register


def translate(build: Builder, node: Node) -> None:
    """Emit the nodes of one operation, and note the names of its outputs.

    Raises UnsupportedError, or ValueError where it depends on the size of the batch.
    """
    row = TABLE.get(type(node.op))
    if row is None:
        known = ", ".join(sorted(kind.__name__ for kind in TABLE))
        raise unsupported(node, f"has no translation. Those known are {known}")
    check_fields(node, build.traced.twin(node), row.varying)
    build.layer = node.scope
    found = row.translation(build, node, node.op)
    names = [found] if isinstance(found, str) else found
    build.names.update(zip(node.outputs, names, strict=False))
