"""Max-pooling with places, int64 numbers row * width + column of an image; and what goes by them.

For windows of more places than a byte can name, for adaptive pooling, and for what a user asks for
by `return_indices`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastnn.graph import Call, ClassNumbers, Node, Op, Tensor, apply
from fastnn.ops.windows import Pair, check_images
from fastnn.spec import INDEX, ShapeError, Spec

Dims = tuple[int, ...]


@dataclass(frozen=True)
class MaxPlaces(Op):
    """y = the largest value of each window; second output: its place, the first at a tie.

    windows: kernel, stride, padding and dilation along both axes; kernel 0: a bin of adaptive
    pooling. size: of y.
    """

    windows: Dims
    size: Pair

    @property
    def name(self) -> str:
        return "max_places"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        check_images("max pooling", inputs[0])
        shape = (*inputs[0].shape[:2], *self.size)
        return (Spec(shape), Spec(shape, INDEX))

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        height, width = node.inputs[0].shape[2:]
        return (apply(AddAtPlaces((height, width)), grads[0], node.outputs[1]),)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        n, c, h, w = node.inputs[0].shape
        return [Call("max_pool2d_places", (node.inputs[0], *node.outputs),
                     (n, h, w, c, *self.windows, *self.size))]


@dataclass(frozen=True)
class PlacesOfOffsets(Op):
    """Places from the one-byte offsets that `MaxPool2d` stores. windows: as in MaxPlaces."""

    windows: Dims
    image: Pair

    @property
    def name(self) -> str:
        return "places_of_offsets"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        return (Spec(inputs[0].shape, INDEX),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (None,)

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return not any(of_batch[1:])

    def lower(self, node: Node) -> list[Call]:
        n, c, oh, ow = node.inputs[0].shape
        return [Call("places_of_offsets", (*node.inputs, *node.outputs),
                     (n, *self.image, c, *self.windows, oh, ow))]


class _ByPlaces(Op):
    """Inputs: values, and places of the same batch and channels."""

    def check(self, values: Spec, places: Spec) -> None:
        """Raise ShapeError unless they fit."""
        check_images(self.name, values)
        if places.dtype != INDEX or len(places.shape) != 4:
            raise ShapeError(f"{self.name}: places must be int64 of rank 4, got {places.dtype} of "
                             f"shape {places.shape}")
        if places.shape[:2] != values.shape[:2]:
            raise ShapeError(f"{self.name}: places of shape {places.shape} do not fit values of "
                             f"shape {values.shape}")

    def by_example(self, node: Node, of_batch: Sequence[bool]) -> bool:
        return all(of_batch)


@dataclass(frozen=True)
class AddAtPlaces(_ByPlaces):
    """x = the sum of y over the pixels with each place."""

    size: Pair

    @property
    def name(self) -> str:
        return "add_at_places"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        self.check(*inputs)
        return (Spec((*inputs[0].shape[:2], *self.size)),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        return (apply(ReadAtPlaces(), grads[0], node.inputs[1]), None)

    def lower(self, node: Node) -> list[Call]:
        return [_call(self.name, node, node.outputs[0])]


@dataclass(frozen=True)
class PutAtPlaces(AddAtPlaces):
    """x = the y of the last pixel with each place, 0 where there is none."""

    @property
    def name(self) -> str:
        return "put_at_places"

    def class_numbers(self, node: Node) -> ClassNumbers:
        """Places are checked where they come from outside."""
        height, width = self.size
        return ClassNumbers(node.inputs[1], height * width, 0, 0, f"an image of {self.size}")


@dataclass(frozen=True)
class ReadAtPlaces(_ByPlaces):
    """y = x[place]."""

    @property
    def name(self) -> str:
        return "read_at_places"

    def infer(self, *inputs: Spec) -> tuple[Spec, ...]:
        self.check(*inputs)
        return (Spec(inputs[1].shape),)

    def vjp(
        self, node: Node, grads: Sequence[Tensor], wanted: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        height, width = node.inputs[0].shape[2:]
        return (apply(AddAtPlaces((height, width)), grads[0], node.inputs[1]), None)

    def lower(self, node: Node) -> list[Call]:
        return [_call(self.name, node, node.inputs[0])]


def _call(name: str, node: Node, image: Tensor) -> Call:
    n, c, oh, ow = node.inputs[1].shape
    return Call(name, (*node.inputs, *node.outputs),
                (n, oh * ow, image.shape[2] * image.shape[3], c))
