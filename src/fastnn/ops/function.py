"""User-defined operations, in Python, on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from fastnn.graph import Call, Node, Op, Tensor, apply_all, as_tensor
from fastnn.spec import Shape, ShapeError, Spec


@dataclass(frozen=True, eq=False)
class PythonOp(Op):
    """Runs `run(arrays) -> arrays`; the executor calls it between kernels."""

    replayable: ClassVar[bool] = False  # a user's function may give another result on another call

    label: str
    specs: tuple[Spec, ...]
    run: Callable[..., Any]
    gradient: Callable[[Node, Sequence[Tensor]], Sequence[Tensor | None]] | None = None

    @property
    def name(self) -> str:
        return self.label

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return self.specs

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        if self.gradient is None:
            forward = self.label.removesuffix("_backward")
            raise TypeError(f"the gradient of {forward} has no gradient: its backward computes on "
                            "arrays; written with functions of fastnn it would have one")
        return self.gradient(node, grads)

    def lower(self, node: Node) -> list[Call]:
        return [Call("python", (*node.inputs, *node.outputs))]


def lent_bytes(nodes: Iterable[Node]) -> int:
    """Bytes outside of the arena for the largest Python function: copies of its inputs and its
    outputs."""
    return max((sum(tensor.bytes for tensor in (*node.inputs, *node.outputs))
                for node in nodes if isinstance(node.op, PythonOp)), default=0)


class Function:
    """Base class of an operation with its own forward and backward, on NumPy arrays.

    forward(ctx, *inputs) returns an array (or a tuple); backward(ctx, *grads) returns the gradient
    of each input (None for none). `ctx.save(...)` is not needed: backward gets inputs and outputs
    as ctx.inputs and ctx.outputs. Override `output_shapes` when shapes differ from the first
    input's. Keyword arguments of `apply` are given to both as ctx.<name>.

    The arrays are read-only copies, which the code may keep. While it runs, other threads may use
    models, and so may the code itself. NumPy may use all of its threads.

    >>> import numpy as np
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, dy):
    ...         return 3 * ctx.inputs[0] ** 2 * dy
    >>> Cube.apply(np.ones((2, 3), np.float32)).shape
    (2, 3)
    """

    class Context:
        """What forward and backward get beside their arrays."""

        inputs: tuple[np.ndarray, ...] = ()
        outputs: tuple[np.ndarray, ...] = ()

    @staticmethod
    def forward(ctx: Any, *inputs: np.ndarray) -> Any:
        """The output, from arrays."""
        raise NotImplementedError("a Function needs a forward")

    @staticmethod
    def backward(ctx: Any, *grads: np.ndarray) -> Any:
        """The gradients of the inputs."""
        raise NotImplementedError("a Function needs a backward")

    @staticmethod
    def output_shapes(*shapes: Shape) -> Shape | list[Shape]:
        """The shape of the output, or a list of several."""
        return shapes[0]

    @classmethod
    def apply(cls, *inputs: Any, **arguments: Any) -> Any:
        """Use the operation in a graph."""
        tensors = [as_tensor(value) for value in inputs]
        shapes = cls.output_shapes(*(tensor.shape for tensor in tensors))
        several = isinstance(shapes, list)
        specs = tuple(Spec(tuple(shape)) for shape in (shapes if several else [shapes]))  # type: ignore[arg-type]
        count = len(tensors)

        def context(arrays: Sequence[np.ndarray] = ()) -> Any:
            ctx = cls.Context()
            ctx.inputs = tuple(arrays[:count])
            ctx.outputs = tuple(arrays[count:count + len(specs)])
            for name, value in arguments.items():
                setattr(ctx, name, value)
            return ctx

        def run(*arrays: np.ndarray) -> Any:
            return _as_arrays(cls, cls.forward(context(arrays), *arrays), specs)

        def run_backward(*arrays: np.ndarray) -> Any:
            grads = cls.backward(context(arrays), *arrays[count + len(specs):])
            return _as_arrays(cls, grads, tuple(tensor.spec for tensor in tensors), zero=True)

        def gradient(node: Node, grads: Sequence[Tensor]) -> Sequence[Tensor | None]:
            op = PythonOp(f"{cls.__name__}_backward", tuple(t.spec for t in tensors), run_backward)
            return apply_all(op, *node.inputs, *node.outputs, *grads)

        outputs = apply_all(PythonOp(cls.__name__, specs, run, gradient), *tensors)
        return outputs if several else outputs[0]


def _as_arrays(
    function: type[Function], values: Any, specs: tuple[Spec, ...], zero: bool = False
) -> list[np.ndarray]:
    arrays = list(values) if isinstance(values, (tuple, list)) else [values]
    if len(arrays) != len(specs):
        raise ShapeError(f"{function.__name__} returned {len(arrays)} values, expected "
                         f"{len(specs)}")
    for i, (value, spec) in enumerate(zip(arrays, specs, strict=True)):
        missing = value is None and zero
        arrays[i] = np.zeros(spec.shape, spec.dtype) if missing else np.asarray(value)
        if arrays[i].shape != spec.shape:
            raise ShapeError(f"{function.__name__} returned shape {arrays[i].shape}, expected "
                             f"{spec.shape}")
    return arrays
