"""A grid of pictures: shapes, scales, titles, errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fastnn.insight import picture_grid

pytest.importorskip("matplotlib")


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (5, 3, 6, 9), (4, 7, 7), (100, 3, 4, 2)])
def test_every_picture_is_drawn_with_its_title(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    figure = picture_grid(x, [f"title {i}" for i in range(len(x))], str(tmp_path / "g.png"))
    axes = figure.axes[0]
    assert len(axes.images) == len(x)
    assert [text.get_text() for text in axes.texts] == [f"title {i}" for i in range(len(x))]
    expected = x[-1] if len(shape) == 3 else x[-1, 0] if shape[1] == 1 else x[-1].transpose(1, 2, 0)
    np.testing.assert_array_equal(axes.images[-1].get_array(), expected)
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


def test_numbers_of_any_range_are_stretched() -> None:
    figure = picture_grid(np.array([[[-1.0, 0.0], [1.0, np.nan]], [[3.0, 3.0], [3.0, 3.0]]]))
    drawn = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    assert drawn[0].tolist() == [[0, 128], [255, 128]] and drawn[1].tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize(("x", "options", "words"), [
    (np.zeros((2, 4, 8, 8)), {}, "x has shape"), (np.zeros((0, 8, 8)), {}, "x has shape"),
    (np.zeros(3), {}, "x has shape"), (np.full((1, 2, 2), "a"), {}, "expected numbers"),
    (np.zeros((2, 8, 8)), {"titles": ["one"]}, "titles are 1, expected one for each of 2"),
    (np.zeros((2, 8, 8)), {"colors": ["r"] * 3}, "colors are 3"),
    (np.zeros((2, 8, 8)), {"columns": 0}, "columns must be"),
    (np.zeros((2, 8, 8)), {"path": "g.txt"}, "ends in .png")])
def test_errors(x: np.ndarray, options: dict[str, Any], words: str) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        picture_grid(x, **options)
