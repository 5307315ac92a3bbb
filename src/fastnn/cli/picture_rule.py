"""How files of pictures become examples of a run: kept in run.json, applied in prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.data.central import central_pictures
from fastnn.data.pictures import CHANNELS, Headers, Pictures


@dataclass(frozen=True)
class PictureRule:
    """How files of pictures become examples: as those that the run was trained on.

    size: (height, width), mode: "L" or "RGB", of what the net reads. central: whether it gets the
    central square of a picture, scaled, or all of it, squeezed into the size.
    """

    size: tuple[int, int]
    mode: str
    central: bool

    def read(self, paths: Sequence[Path]) -> np.ndarray:
        """Bytes (n, channels, height, width). Raises ValueError for what is no picture; OSError."""
        reader = Pictures(self.size, self.mode, True, self.central)
        return reader.read([(path, 0) for path in paths], paths[0].parent)[0]

    def fit(self, x: np.ndarray) -> np.ndarray:
        """Arrays of pictures made ready as for a run of a pretrained net; others as they are."""
        if not self.central or x.dtype != np.uint8 or x.ndim != 4 or x.shape[1] not in (1, 3) or (
                x.shape[2:] == self.size and x.shape[1] == CHANNELS[self.mode]):
            return x
        return central_pictures(np.repeat(x, 3, axis=1) if x.shape[1] == 1 else np.asarray(x),
                                self.size[0])

    def check_size(self, path: Path) -> None:
        """Raise ValueError for a picture that is not of the size already."""
        size = Headers(None, self.mode).read([(path, 0)], path.parent)[0].shape[2:]
        if size != self.size:
            raise ValueError(f"{path}: is {size[0]} pixels high and {size[1]} wide, the net reads "
                             f"{self.size[0]} and {self.size[1]}")

    def __str__(self) -> str:
        way = "the central square, scaled" if self.central else "squeezed"
        colours = "grey" if self.mode == "L" else "colours"
        return f"{way} to {self.size[0]} x {self.size[1]}, {colours}"


def written_rule(x: np.ndarray, central: bool) -> dict[str, Any] | None:
    """What run.json says of pictures (n, channels, height, width); None for other examples."""
    modes = {channels: mode for mode, channels in CHANNELS.items()}
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[1] not in modes:
        return None
    return {"size": list(x.shape[2:]), "mode": modes[x.shape[1]], "central": central}


def read_rule(content: Any, shape: tuple[int, ...]) -> PictureRule | None:
    """What `written_rule` wrote; shape: of an example. ValueError, KeyError, TypeError for less."""
    if content is None:
        return None
    height, width = (int(size) for size in content["size"])
    rule = PictureRule((height, width), str(content["mode"]), content["central"] is True)
    if (CHANNELS[rule.mode], height, width) != shape:
        raise ValueError(f"pictures are {rule}, example_shape is {list(shape)}")
    return rule
