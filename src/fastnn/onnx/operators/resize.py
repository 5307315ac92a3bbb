"""Resize and Upsample: along each axis a matrix, known when the model is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.graph import as_tensor, constant
from fastnn.onnx.operators.call import Call
from fastnn.ops import names as fn

NEAREST: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor, "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


def resize(call: Call) -> Any:
    """Resize of opsets 10 to 19."""
    x = as_tensor(call[0])
    first = 1 if call.opset < 11 else 2
    axes = [axis % x.ndim for axis in call.attribute("axes", list(range(x.ndim)))]
    scales = call.get(first)
    if call.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise call.unsupported("keep_aspect_ratio_policy")
    if scales is not None and np.size(scales):
        factors = [float(value) for value in call.known(first)]
        sizes = [int(np.floor(x.shape[axis] * factor))
                 for axis, factor in zip(axes, factors, strict=True)]
    else:
        sizes = [int(value) for value in call.known(3)]
        factors = [size / x.shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    coordinates = call.attribute("coordinate_transformation_mode",
                                 "asymmetric" if call.opset < 11 else "half_pixel")
    rounding = call.attribute("nearest_mode",
                              "floor" if call.opset < 11 else "round_prefer_floor")
    return _resized(call, x, axes, sizes, factors, coordinates, rounding)


def upsample(call: Call) -> Any:
    """Upsample of opsets 7 and 9."""
    x = as_tensor(call[0])
    factors = [float(value) for value in (
        call.attribute("scales") if call.opset < 9 else call.known(1))]
    sizes = [int(np.floor(size * factor)) for size, factor in zip(x.shape, factors, strict=True)]
    return _resized(call, x, list(range(x.ndim)), sizes, factors, "asymmetric", "floor")


def _resized(
    call: Call, x: Any, axes: list[int], sizes: list[int], factors: list[float],
    coordinates: str, rounding: str,
) -> Any:
    mode = call.attribute("mode", "nearest")
    if call.attribute("antialias", 0):
        raise call.unsupported("antialias=1")
    for axis, size, factor in zip(axes, sizes, factors, strict=True):
        if size == x.shape[axis] and factor == 1:
            continue
        places = _places(call, coordinates, x.shape[axis], size, factor)
        if mode == "nearest":
            chosen = np.clip(NEAREST[rounding](places), 0, x.shape[axis] - 1).astype(np.int64)
            x = fn.index_select(x, axis, chosen)
            continue
        cubic = mode == "cubic"
        matrix = _matrix(places, x.shape[axis], call.attribute("cubic_coeff_a", -0.75)
                         if cubic else None, bool(call.attribute("exclude_outside", 0)))
        x = fn.moveaxis(fn.matmul(fn.moveaxis(x, axis, -1), constant(matrix.T)), -1, axis)
    return x


def _places(call: Call, mode: str, size: int, new: int, factor: float) -> np.ndarray:
    """Where each new place lies among the old ones."""
    at = np.arange(new, dtype=np.float64)
    if mode == "align_corners":
        return at * ((size - 1) / (factor * size - 1)) if new > 1 else np.zeros(1)
    if mode == "asymmetric":
        return at / factor
    if mode == "half_pixel" or (mode == "pytorch_half_pixel" and new > 1):
        return (at + 0.5) / factor - 0.5
    if mode == "pytorch_half_pixel":
        return np.zeros(1)
    if mode == "half_pixel_symmetric":
        return size / 2 * (1 - new / (factor * size)) + (at + 0.5) / factor - 0.5
    raise call.unsupported(f"coordinate_transformation_mode={mode!r}")


def _matrix(places: np.ndarray, size: int, a: float | None, excludes: bool) -> np.ndarray:
    """(new, old): what each new value takes of each old one; a: of cubic weights, None if linear.

    Source of the cubic weights: Keys, "Cubic convolution interpolation for digital image
    processing" (1981).
    """
    low = np.floor(places).astype(np.int64)
    part = places - low
    if a is None:
        taps = {0: 1 - part, 1: part}
    else:
        near = [(((a + 2) * t - (a + 3)) * t) * t + 1 for t in (part, 1 - part)]
        far = [((a * t - 5 * a) * t + 8 * a) * t - 4 * a for t in (part + 1, 2 - part)]
        taps = {-1: far[0], 0: near[0], 1: near[1], 2: far[1]}
    matrix = np.zeros((len(places), size))
    rows = np.arange(len(places))
    for shift, weight in taps.items():
        column = low + shift
        inside = (column >= 0) & (column < size)
        weight = np.where(inside, weight, 0.0) if excludes else weight
        np.add.at(matrix, (rows, np.clip(column, 0, size - 1)), weight)
    return matrix / matrix.sum(axis=1, keepdims=True) if excludes else matrix
