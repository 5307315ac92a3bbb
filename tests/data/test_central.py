"""The central square of pictures, in one size."""

import numpy as np
import pytest
from PIL import Image

from fastnn.data import central_pictures


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_a_square_of_the_size_is_as_it_was() -> None:
    picture = noise(8, 8, 3)
    np.testing.assert_array_equal(central_pictures(picture, 8)[0], picture.transpose(2, 0, 1))
    batch = noise(3, 3, 8, 8)
    found = central_pictures(batch, 8)
    np.testing.assert_array_equal(found, batch)
    assert not np.may_share_memory(found, batch)


@pytest.mark.parametrize("shape", [(8, 14, 3), (14, 8, 3)])
def test_the_middle_is_taken(shape: tuple[int, int, int]) -> None:
    picture = noise(*shape)
    middle = picture[3:11] if shape[0] > shape[1] else picture[:, 3:11]
    np.testing.assert_array_equal(central_pictures(picture, 8)[0], middle.transpose(2, 0, 1))
    np.testing.assert_array_equal(central_pictures(picture, 4, 0.5)[0],
                                  middle[2:6, 2:6].transpose(2, 0, 1))


def test_all_kinds_of_pictures(tmp_path) -> None:
    picture = noise(20, 30, 3)
    image = Image.fromarray(picture)
    image.save(tmp_path / "a.png")
    wanted = central_pictures(picture, 8)
    for kind in (str(tmp_path / "a.png"), tmp_path / "a.png", image, [picture],
                 (tmp_path / "a.png",), iter([image]), picture.transpose(2, 0, 1)[None]):
        np.testing.assert_array_equal(central_pictures(kind, 8), wanted)
    assert central_pictures([picture, image, noise(9, 9)], 8).shape == (3, 3, 8, 8)
    assert central_pictures([], 8).shape == (0, 3, 8, 8)
    grey = central_pictures(noise(9, 9), 8)[0]
    assert (grey == grey[0]).all()


def test_modes_and_orientation_of_files(tmp_path) -> None:
    image = Image.fromarray(noise(8, 8, 3))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(central_pictures(tmp_path / "turned.png", 8)[0],
                                  np.rot90(np.asarray(image), -1).transpose(2, 0, 1))
    for mode in ("P", "LA", "RGBA", "1", "CMYK"):
        image.convert(mode).save(tmp_path / "m.tif")
        assert central_pictures(tmp_path / "m.tif", 8).shape == (1, 3, 8, 8)


@pytest.mark.parametrize(("pictures", "error", "words"), [
    (3, TypeError, "pictures must be paths, pictures of Pillow or arrays, got int"),
    ([None], TypeError, "picture 0 must be a path"),
    ([noise(4, 4), np.zeros((4, 4, 3))], ValueError, r"picture 1 is an array \(4, 4, 3\) of float"),
    (noise(4, 4, 4), ValueError, r"picture 0 is an array \(4, 4, 4\)"),
    (noise(0, 4, 3), ValueError, r"picture 0 is an array \(0, 4, 3\)"),
    (noise(2, 4, 4, 3), ValueError, r"expected \(n, 3, height, width\) of uint8"),
    (np.zeros((2, 3, 4, 4)), ValueError, "of float64, expected"),
    ("nowhere.png", FileNotFoundError, "nowhere.png"),
])
def test_what_is_no_picture(pictures, error, words) -> None:
    with pytest.raises(error, match=words):
        central_pictures(pictures, 8)


def test_sizes_and_files_that_do_not_fit(tmp_path) -> None:
    with pytest.raises(ValueError, match="size must be a number of pixels from 1 on"):
        central_pictures(noise(4, 4), 0)
    with pytest.raises(ValueError, match=r"share must be a number above 0, up to 1, got 1\.5"):
        central_pictures(noise(4, 4), 4, 1.5)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"bad\.png: cannot be read as an image"):
        central_pictures(tmp_path / "bad.png", 8)
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png: .* more than 8 bits"):
        central_pictures(tmp_path / "deep.png", 8)
