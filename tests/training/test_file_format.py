"""The safetensors format to the letter: sizes of all types, and where data begin."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

import fastnn as fn
from fastnn.training.files import reading, write_arrays
from tests.training.test_files import entry, written


@pytest.mark.parametrize(("kind", "bits"), [
    ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("BOOL", 8), ("U8", 8), ("I8", 8), ("F8_E5M2", 8),
    ("F8_E4M3", 8), ("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("I16", 16),
    ("U16", 16), ("F16", 16), ("BF16", 16), ("I32", 32), ("U32", 32), ("F32", 32), ("I64", 64),
    ("U64", 64), ("F64", 64), ("C64", 64)])
def test_every_type_has_its_size(tmp_path: Path, kind: str, bits: int) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(written(entry(kind, offsets=(0, bits // 2)), bytes(bits // 2)))
    with reading(path) as file:
        assert file.shape("x") == (4,)
    for wrong in (bits // 2 + 1, bits // 2 - 1):
        path.write_bytes(written(entry(kind, offsets=(0, wrong)), bytes(wrong)))
        with pytest.raises(fn.CheckpointError, match=f"x, {kind} of shape .* does not fill"), \
                reading(path):
            pass


@pytest.mark.parametrize("name", ["x", "xy", "xyz", "weight", "a longer name"])
def test_data_are_aligned(tmp_path: Path, name: str) -> None:
    write_arrays(tmp_path / "w.safetensors", {name: np.ones(3, np.float32)})
    content = (tmp_path / "w.safetensors").read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    assert length % 8 == 0 and len(content) == 8 + length + 12
    assert length < 8 + len(json.dumps({name: {"dtype": "F32", "shape": [3], "data_offsets":
                                               [0, 12]}}, separators=(",", ":")))


def test_a_header_that_is_too_large_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most that the format holds may be written."""
    arrays, path = {"x": np.ones(3, np.float32)}, tmp_path / "w.safetensors"
    write_arrays(path, arrays)
    length = struct.unpack("<Q", path.read_bytes()[:8])[0]
    path.unlink()
    monkeypatch.setattr("fastnn.training.files.MOST_HEADER_BYTES", length - 1)
    with pytest.raises(ValueError, match=f"take {length} bytes, the format holds {length - 1}"):
        write_arrays(path, arrays)
    assert not path.exists()
    monkeypatch.setattr("fastnn.training.files.MOST_HEADER_BYTES", length)
    write_arrays(path, arrays)
    assert path.exists()


@pytest.mark.parametrize(("shape", "is_whole"), [
    ([1] * 32, True), ([1] * 33, False), ([0, 2**63 - 1], True), ([0, 2**63], False),
    ([0, 2**64], False), ([0, -1], False), ([0, 1.0], False), ([0, True], False), (0, False)])
def test_shapes_that_an_array_can_have(tmp_path: Path, shape: object, is_whole: bool) -> None:
    path, size = tmp_path / "w.safetensors", 4 * (shape == [1] * 32 or shape == [1] * 33)
    path.write_bytes(written(entry("F32", shape, (0, size)), bytes(size)))
    if is_whole:
        with reading(path) as file:
            assert list(file.shape("x")) == shape
    else:
        with pytest.raises(fn.CheckpointError, match="x has the shape"), reading(path):
            pass
