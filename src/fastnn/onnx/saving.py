"""`fn.onnx.save`: a model as an ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastnn.arguments import flag, instance, integer
from fastnn.engine.inputs import as_input
from fastnn.engine.nesting import flat
from fastnn.files.regular import Path
from fastnn.files.write import replacing
from fastnn.nn.module import Module
from fastnn.onnx.export.model import IR_VERSIONS, exported
from fastnn.onnx.export.traced import traced
from fastnn.onnx.package import onnx
from fastnn.runtime.locks import process_lock
from fastnn.spec import ShapeError, Spec
from fastnn.training.evaluation import in_use


def save(
    model: Module, path: Path, x: Any, *, opset: int = 17,
    input_names: Sequence[str] | None = None, output_names: Sequence[str] | None = None,
    dynamic_batch: bool = True, fold_batch_norm: bool = False,
) -> None:
    """Write a model as an ONNX file that other runtimes run, as it is in eval mode.

    The file's weights have the names and shapes of `state_dict`. The model itself is unchanged.

    Args:
        model: the module.
        path: the file, replaced all or nothing.
        x: inputs of the shape that the model takes, of which only shapes and types are read: an
            array, or a tuple of arrays where forward takes several.
        opset: the version of ONNX's operators, 17 to 23.
        input_names: by default "input", or "input_0", "input_1", ...
        output_names: by default "output", or "output_0", ...; of nested outputs in order.
        dynamic_batch: the first axis of all inputs may have any size, called "batch" in the file;
            else the file is for batches of x's size.
        fold_batch_norm: batch norms become part of the convolution or linear layer before them.

    Raises:
        ImportError: the package onnx is missing. TypeError, ValueError, ShapeError: arguments that
            are none, or a model that depends on the size of the batch. NotImplementedError: an
            operation that has no translation; it is named, with its layer. OSError: the file
            cannot be written. Nothing is written after an error.

    Source: the ONNX specification, https://onnx.ai.

    >>> import tempfile, numpy as np, fastnn as fn
    >>> net = fn.nn.Sequential(fn.nn.Linear(4, 3), fn.nn.ReLU())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fn.onnx.save(net, f"{folder}/net.onnx", np.zeros((1, 4), np.float32))
    """
    instance(model, "model", Module)
    number = integer(opset, "opset", f"a version from {min(IR_VERSIONS)} to {max(IR_VERSIONS)}",
                     min(IR_VERSIONS), max(IR_VERSIONS))
    dynamic, fold = flag(dynamic_batch, "dynamic_batch"), flag(fold_batch_norm, "fold_batch_norm")
    onnx()  # before any work
    specs = _specs(x, dynamic)
    inputs = _names(input_names, "input", len(specs))
    with process_lock, in_use(model):
        found = traced(model, specs, dynamic, fold)
        outputs = _names(output_names, "output", len(flat(found.output)))
        twice = {*inputs} & {*outputs}
        if twice:
            raise ValueError(f"input_names and output_names share {sorted(twice)}")
        proto = exported(found, specs, number, inputs, outputs)
    with replacing(path) as stream:
        stream.write(proto.SerializeToString())


def _specs(x: Any, dynamic: bool) -> list[Spec]:
    """The specs of the inputs, which share the batch if it is dynamic."""
    several = isinstance(x, tuple)
    arrays = [as_input(value, f"x[{i}]" if several else "x")
              for i, value in enumerate(x if several else (x,))]
    batches = {array.shape[:1] for array in arrays}
    if dynamic and (len(batches) != 1 or () in batches):
        raise ShapeError("onnx.save: the inputs must share their first axis, the batch, got "
                         f"{[array.shape for array in arrays]}; or set dynamic_batch=False")
    return [Spec(array.shape, array.dtype) for array in arrays]


def _names(given: Sequence[str] | None, word: str, count: int) -> list[str]:
    """The names of inputs or outputs, checked."""
    if given is None:
        return [word] if count == 1 else [f"{word}_{i}" for i in range(count)]
    names = [given] if isinstance(given, str) else list(given)
    if len(names) != count or len(set(names)) < count or not all(
            isinstance(name, str) and name for name in names):
        raise ValueError(f"{word}_names must be {count} different name(s), got {given!r:.80}")
    return names
