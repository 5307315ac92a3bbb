"""A folder of images by class, with what goes wrong in such folders."""

import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from fastnn.data import load_image_folder
from fastnn.data.central import central_pictures


def write_images(folder, classes=("cat", "ant"), count=10, size=(6, 5), mode="RGB"):
    generator = np.random.default_rng(len(str(folder.name)))
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            shape = (*size, 3) if mode == "RGB" else size
            pixels = generator.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return folder


def test_classes_are_sorted_and_the_split_is_by_class(tmp_path):
    write_images(tmp_path)
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    (tmp_path / ".hidden").mkdir()
    data = load_image_folder(tmp_path)
    assert data.classes == ("ant", "cat") and data.skipped == ()
    assert data.train[0].shape == (16, 3, 6, 5) and data.train[0].dtype == np.uint8
    assert np.bincount(data.train[1]).tolist() == [8, 8]
    assert np.bincount(data.test[1]).tolist() == [2, 2]


def test_pixels_are_those_of_the_files(tmp_path):
    write_images(tmp_path, ("a", "b"), count=2)
    data = load_image_folder(tmp_path, test_fraction=0)
    assert data.test is None
    for number, name in enumerate(("a/000", "a/001", "b/000", "b/001")):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert np.array_equal(data.train[0][number], np.asarray(image).transpose(2, 0, 1))


def test_the_split_depends_on_the_seed_alone(tmp_path):
    write_images(tmp_path)
    first, again = load_image_folder(tmp_path, seed=1), load_image_folder(tmp_path, seed=1)
    other = load_image_folder(tmp_path, seed=2)
    assert np.array_equal(first.test[0], again.test[0])
    assert not np.array_equal(first.test[0], other.test[0])
    everything = np.concatenate([first.train[0], first.test[0]])
    assert len(np.unique(everything.reshape(20, -1), axis=0)) == 20


def test_train_and_test_folders(tmp_path):
    write_images(tmp_path / "train", ("a", "b", "c"), count=3)
    write_images(tmp_path / "test", ("a", "c"), count=2)
    data = load_image_folder(tmp_path)
    assert data.train[1].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert data.test[1].tolist() == [0, 0, 2, 2]
    write_images(tmp_path / "test", ("zebra",), count=1)
    with pytest.raises(ValueError, match="zebra: no such class in training"):
        load_image_folder(tmp_path)


def test_one_size_and_mode_for_all(tmp_path):
    write_images(tmp_path, ("a",), count=2, size=(6, 5), mode="L")
    write_images(tmp_path, ("b",), count=2, size=(9, 9), mode="RGB")
    assert load_image_folder(tmp_path).train[0].shape[1:] == (1, 6, 5)
    data = load_image_folder(tmp_path, size=(4, 8), mode="RGB")
    assert data.train[0].shape[1:] == (3, 4, 8)


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "16 bit"])
def test_a_broken_image_is_left_out_and_named(tmp_path, damage):
    write_images(tmp_path)
    broken = tmp_path / "ant" / "000.png"
    if damage == "16 bit":
        Image.fromarray(np.full((6, 5), 40_000, np.uint16)).save(broken)
    else:
        content = broken.read_bytes()
        broken.write_bytes({"truncated": content[:-40], "empty": b"", "text": b"hello"}[damage])
    with pytest.warns(UserWarning, match=r"ant.000\.png: cannot be read.*left out"):
        data = load_image_folder(tmp_path, size=(6, 5), test_fraction=0)
    assert data.skipped == (str(broken),) and len(data.train[0]) == len(data.train[1]) == 19
    with pytest.raises(ValueError, match=r"ant.000\.png: cannot be read"):
        load_image_folder(tmp_path, strict=True, test_fraction=0)


def test_an_image_of_too_many_pixels_is_left_out(tmp_path, monkeypatch):
    write_images(tmp_path)
    Image.new("RGB", (40, 40)).save(tmp_path / "cat" / "999.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.warns(UserWarning, match=r"999\.png: cannot be read.*decompression bomb"):
        assert len(load_image_folder(tmp_path).skipped) == 1


def test_folders_without_images_are_named(tmp_path):
    with pytest.raises(ValueError, match="expected one sub-folder"):
        load_image_folder(tmp_path)
    write_images(tmp_path, ("a",), count=2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: no image, expected \.bmp"):
        load_image_folder(tmp_path)
    (tmp_path / "empty").rmdir()
    for path in (tmp_path / "a").iterdir():
        path.write_bytes(b"")
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(ValueError, match="none of 2 images can be read"),
    ):
        load_image_folder(tmp_path)


@pytest.mark.parametrize(
    "options", [{"mode": "CMYK"}, {"size": (0, 4)}, {"size": (4,)}, {"test_fraction": 1.0}]
)
def test_options_out_of_range(tmp_path, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} is .*, expected"):
        load_image_folder(tmp_path, **options)


def test_without_pillow_the_message_says_what_to_install(tmp_path, monkeypatch):
    write_images(tmp_path, count=1)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"pip install 'fastnn\[images\]'"):
        load_image_folder(tmp_path)


def test_what_editors_and_archivers_leave_is_passed_over(tmp_path):
    write_images(tmp_path, ("a", "b"), count=1)
    for stray in ("a/.ipynb_checkpoints/000-checkpoint.png", "a/._000.png", "b/__MACOSX/000.png",
                  "b/deep/.hidden/more/000.png", "__MACOSX/a/._000.png", ".git/x.png"):
        (tmp_path / stray).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / stray).write_bytes((tmp_path / "a" / "000.png").read_bytes())
    (tmp_path / "b" / "folder.png").mkdir()
    (tmp_path / "b" / "Thumbs.db").write_bytes(b"no image")
    with warnings.catch_warnings(action="error"):
        data = load_image_folder(tmp_path, test_fraction=0)
    assert data.classes == ("a", "b") and data.train[1].tolist() == [0, 1]
    assert data.skipped == ()


def test_pictures_in_folders_within_a_class_count(tmp_path):
    write_images(tmp_path, ("a",), count=1)
    write_images(tmp_path / "a", ("inner",), count=2)
    assert len(load_image_folder(tmp_path, test_fraction=0).train[0]) == 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pictures_are_taken_as_seen(tmp_path, orientation, suffix):
    """Four corners of one colour each; the turns and mirrors are those of the EXIF standard."""
    seen = np.zeros((16, 32, 3), np.uint8)
    seen[:8, :16], seen[:8, 16:], seen[8:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    as_stored = {  # what the camera writes, so that the viewer's turn gives `seen`
        1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1), 6: lambda p: np.rot90(p, 1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1), 8: lambda p: np.rot90(p, -1)}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "a").mkdir()
    stored = Image.fromarray(np.ascontiguousarray(as_stored(seen)))
    stored.save(tmp_path / "a" / f"1.{suffix}", exif=exif, **(
        {"quality": 100, "subsampling": 0} if suffix == "jpg" else {}))
    loaded = load_image_folder(tmp_path, test_fraction=0).train[0][0].transpose(1, 2, 0)
    assert loaded.shape == seen.shape
    assert np.abs(loaded.astype(int) - seen).max() < 12


def test_other_kinds_of_pictures(tmp_path):
    """Palettes, CMYK, animations and grey with alpha become RGB; 16 bits do not."""
    (tmp_path / "a").mkdir()
    red = Image.new("RGB", (4, 4), (255, 0, 0))
    palette = red.convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    palette.save(tmp_path / "a" / "1.png", transparency=bytes([0, 128, 255, 255]))
    red.convert("CMYK").save(tmp_path / "a" / "2.jpg", quality=100)
    red.save(tmp_path / "a" / "3.gif", save_all=True,
             append_images=[Image.new("RGB", (4, 4), (0, 0, 255))])
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a" / "4.png")
    Image.new("LA", (4, 4), (255, 10)).save(tmp_path / "a" / "5.png")
    Image.fromarray(np.full((4, 4), 40_000, np.uint16)).save(tmp_path / "a" / "6.png")
    with pytest.warns(UserWarning) as warned:
        data = load_image_folder(tmp_path, mode="RGB", test_fraction=0)
    assert [str(w.message).count("more than 8 bits") for w in warned] == [1]
    assert data.skipped == (str(tmp_path / "a" / "6.png"),)
    expected = np.array([[255, 0, 0]] * 4 + [[255, 255, 255]])
    assert np.abs(data.train[0][:, :, 1, 1].astype(int) - expected).max() < 4


def test_central_squares_are_those_of_central_pictures(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    data = load_image_folder(tmp_path, (16, 16), "RGB", test_fraction=0, central=True)
    expected = central_pictures(pixels, 16)
    np.testing.assert_array_equal(data.train[0], np.concatenate([expected, expected]))
    for size, mode in (((16, 20), "RGB"), (None, "RGB"), ((16, 16), "L")):
        with pytest.raises(ValueError, match="central needs a square size and mode 'RGB'"):
            load_image_folder(tmp_path, size, mode, central=True)
