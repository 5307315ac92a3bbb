"""A layer of fitted preprocessing, so that it is saved with the net and part of each prediction."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np

from fastnn.arguments import instance
from fastnn.data.preprocess import Preprocessor
from fastnn.graph import as_tensor
from fastnn.nn.module import Module
from fastnn.nn.parameter import Buffer
from fastnn.ops.matmul import matmul
from fastnn.spec import ShapeError


class Preprocess(Module):
    """Apply fitted preprocessing: y = (x - mean) / std, or y = (x - mean) matrix.

    The fitted arrays are buffers: `state_dict`, `fn.save` and checkpoints hold them, training
    leaves them alone. Where the net is built to be loaded, say the shape of an example in place of
    fitting. Inputs are floats; pictures of bytes are divided by 255 first, as the preprocessing
    itself does.

    Args:
        preprocessor: a `fastnn.data.Standardize`, `MeanImage`, `ChannelMean`, `Whiten` or `PCA`.
        example_shape: without the batch axis; for one that is not fitted.

    Raises:
        TypeError: `preprocessor` is nothing of the kind. ValueError: it is not fitted and
            `example_shape` is missing. ShapeError: `x` differs from the fitted examples.

    >>> from fastnn import data, nn
    >>> x = np.array([[1.0, 5.0], [3.0, 5.0]])
    >>> net = nn.Sequential(nn.Preprocess(data.Standardize().fit(x)), nn.Linear(2, 1))
    >>> net[0](x)
    array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    >>> sorted(net.state_dict())
    ['0.mean', '0.mean_rest', '0.std', '1.bias', '1.weight']
    """

    def __init__(
        self, preprocessor: Preprocessor, example_shape: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        instance(preprocessor, "preprocessor", Preprocessor)
        if preprocessor.example_shape is None:
            if example_shape is None:
                raise ValueError(f"Preprocess: {preprocessor!r} is not fitted: call fit first, or "
                                 "pass example_shape if its arrays will be loaded")
            preprocessor = copy(preprocessor).blank(example_shape)  # the caller's stays as it is
        self.title = repr(preprocessor)
        steps = preprocessor.steps
        # The mean in two parts: float32 has not enough digits for small differences of large
        # numbers.
        mean = steps.mean.astype(np.float32)
        self.mean, self.mean_rest = Buffer(mean), Buffer((steps.mean - mean).astype(np.float32))
        self.std = None if steps.std is None else Buffer(steps.std.astype(np.float32))
        self.matrix = None if steps.matrix is None else Buffer(steps.matrix.astype(np.float32))
        self.is_reshaped = steps.is_reshaped

    def forward(self, x: Any) -> Any:
        x = as_tensor(x)
        fitted = self.mean.shape
        sizes = x.shape[1:]
        if len(sizes) != len(fitted) or any(
                own not in (1, size) for own, size in zip(fitted, sizes, strict=True)):
            raise ShapeError(f"Preprocess({self.title}): got shape {x.shape}, expected "
                             f"(n, {', '.join(map(str, fitted))})")
        y = x - self.mean - self.mean_rest
        if self.std is not None:
            y = y / self.std
        if self.matrix is None:
            return y
        y = matmul(y.flatten(1), self.matrix)
        return y.reshape(x.shape) if self.is_reshaped else y

    def extra_repr(self) -> str:
        return self.title
