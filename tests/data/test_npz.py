""".npz files, honest, damaged and hostile."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.data import load_npz

X = np.arange(24, dtype=np.float32).reshape(6, 4)
Y = np.arange(6) % 3


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("unpickled",))


def test_all_keys(tmp_path):
    names = np.array(["ant", "bee", "cow"])
    np.savez(tmp_path / "d.npz", x_train=X, y_train=Y, x_test=X[:2], y_test=Y[:2], classes=names)
    data = load_npz(tmp_path / "d.npz")
    assert np.array_equal(data.train[0], X) and np.array_equal(data.test[1], Y[:2])
    assert data.classes == ("ant", "bee", "cow") and data.source.endswith("d.npz")


def test_x_and_y_alone_and_other_arrays_ignored(tmp_path):
    np.savez(tmp_path / "d.npz", x=X, y=Y, other=np.array([None]))
    data = load_npz(tmp_path / "d.npz")
    assert data.test is None and data.classes == ("0", "1", "2")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, "no array y, expected x_train"),
        ({"x_train": X, "y": Y}, "no array y_train"),
        ({"x": X, "y": Y, "x_test": X}, "no array y_test"),
        ({"images": X}, "no array x or y"),
        ({"x": X, "y": Y, "classes": np.arange(3)}, "classes is int64"),
        ({"x": X, "y": Y, "classes": np.array(["a", "b"])}, r"class 2 .*expected 0\.\.1"),
        ({"x": X, "y": Y[:5]}, "number of examples"),
        ({"x": X, "y": np.array([Bomb()] * 6)}, "cannot read array y, expected plain numbers"),
    ],
)
def test_wrong_contents_are_named(tmp_path, arrays, message):
    path = tmp_path / "wrong.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        load_npz(path)
    assert "wrong.npz" in str(caught.value)


def test_a_pickle_is_not_loaded(tmp_path):
    path = tmp_path / "pickle.npz"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match=r"pickle\.npz: expected an \.npz file"):
        load_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", pickle.dumps(Bomb()))
    with pytest.raises(ValueError, match="cannot read array x"):
        load_npz(path)


def test_a_header_that_promises_too_much(tmp_path):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**18)}
    )
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:
        archive.writestr("x.npy", stream.getvalue())
    with pytest.raises(ValueError, match=r"huge\.npz: cannot read array x"):
        load_npz(tmp_path / "huge.npz")


def small_file():
    stream = io.BytesIO()
    np.savez_compressed(stream, x=X, y=Y)
    return stream.getvalue()


CONTENT = small_file()


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 255), st.booleans())
def test_damage_gives_data_or_a_value_error(tmp_path_factory, position, byte, truncate):
    content = bytearray(CONTENT[:position] if truncate else CONTENT)
    if not truncate:
        content[position] = byte
    path = tmp_path_factory.mktemp("npz") / "damaged.npz"
    path.write_bytes(content)
    try:
        load_npz(path)
    except ValueError as error:
        assert "damaged.npz" in str(error)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        load_npz(tmp_path / "none.npz")


def test_an_array_that_expands_beyond_what_deflate_can(tmp_path):
    """A header that promises more than is there is refused before anything is allocated."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": (2**33, 4)})
    with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", stream.getvalue() + bytes(1000))
    with pytest.raises(ValueError, match=r"b\.npz: cannot read array x.*bytes promised"):
        load_npz(tmp_path / "b.npz")
    with zipfile.ZipFile(tmp_path / "c.npz", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x.npy", stream.getvalue())
    with pytest.raises(ValueError, match=r"in another way than numpy\.savez"):
        load_npz(tmp_path / "c.npz")
