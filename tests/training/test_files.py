"""fn.save and fn.load: whole files or an error that names the file, never half of anything."""

import json
import os
import pickle
import resource
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn as fn
from fastnn import nn
from fastnn.training.files import reading, write_arrays
from fastnn.training.weights import non_finite


def small_net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Flatten(),
                         nn.Linear(4, 3))


def values(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in model.state_dict().items()}


def same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return list(first) == list(second) and all(
        np.array_equal(first[name], second[name]) for name in first)


def test_save_and_load_give_the_same_bits_in_pytorchs_shapes(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model, other = small_net(), small_net()
    before = values(model)
    fn.save(path, model)
    stored = safetensors.numpy.load_file(path)
    assert same(before, {name: stored[name] for name in before})
    assert stored["0.weight"].shape == (4, 2, 3, 3)
    assert stored["1.num_batches_tracked"].dtype == np.int64
    fn.load(path, other)
    assert same(values(other), before)


def test_a_file_of_the_safetensors_library_loads(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    model = small_net()
    wanted = {name: np.random.default_rng(0).normal(size=array.shape).astype(
        np.float16 if name == "3.bias" else array.dtype)
        for name, array in model.state_dict().items()}
    safetensors.numpy.save_file(wanted, path)
    fn.load(path, model)
    assert same(values(model), wanted)


def written(header: bytes, data: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(dtype: str = "F32", shape: object = (4,), offsets: object = (0, 16)) -> bytes:
    return json.dumps({"x": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}).encode()


HOSTILE = {
    "empty": b"",
    "seven bytes": b"1234567",
    "a pickle": pickle.dumps({"x": 1}),
    "no JSON": written(b"hello wo"),
    "a header longer than the file": written(b"{}", length=10**6),
    "a header of 2**63 bytes": written(b"{}", length=2**63),
    "a header of 2**64 - 1 bytes": written(b"{}", length=2**64 - 1),
    "deep nesting": written(b"[" * 100_000),
    "data cut off": written(entry(), bytes(15)),
    "data too long": written(entry(), bytes(17)),
    "offsets backwards": written(entry(offsets=(16, 0)), bytes(16)),
    "offsets beyond the end": written(entry(offsets=(0, 10**12)), bytes(16)),
    "a negative shape": written(entry(shape=(-4,)), bytes(16)),
    "a shape that overflows": written(entry(shape=(2**62, 4)), bytes(16)),
    "an unknown type": written(entry("object"), bytes(16)),
    "a hole": written(entry(offsets=(4, 20)), bytes(20)),
    "no Unicode": written(b'{"\xff": 1}'),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_damaged_file_is_named_and_changes_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    model = small_net()
    before = values(model)
    with pytest.raises(fn.CheckpointError, match=r"bad\.safetensors"):
        fn.load(path, model)
    assert same(values(model), before)


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_damage_loads_whole_or_not_at_all(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damage") / "w.safetensors"
    model = small_net()
    fn.save(path, model)
    content = bytearray(path.read_bytes())
    header = 8 + struct.unpack("<Q", content[:8])[0]
    place = data.draw(st.integers(0, header - 1))
    content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(content[:data.draw(st.sampled_from([len(content), place, header]))])
    before = values(model)
    try:
        fn.load(path, model)
    except fn.CheckpointError as error:
        assert "w.safetensors" in str(error)
        assert same(values(model), before)


@pytest.mark.parametrize(("change", "message"), [
    (lambda state: state.pop("3.bias"), "without 3.bias"),
    (lambda state: state.update(extra=np.zeros(1)), "unexpected extra"),
    (lambda state: state.update({"3.bias": np.zeros(4, np.float32)}), r"3.bias has shape \(4,\)"),
    (lambda state: state.update({"3.bias": np.zeros(3, np.int64)}), "3.bias has dtype I64"),
    (lambda state: state.update({"1.num_batches_tracked": np.zeros((), np.float32)}),
     "dtype F32, expected I64"),
])
def test_a_file_that_does_not_fit_changes_nothing(tmp_path: Path, change, message) -> None:
    model = small_net()
    state = values(model)
    state["0.weight"] += 1
    change(state)
    safetensors.numpy.save_file(state, tmp_path / "w.safetensors")
    before = values(model)
    with pytest.raises(fn.CheckpointError, match=message):
        fn.load(tmp_path / "w.safetensors", model)
    assert same(values(model), before)


def test_not_strict_takes_what_both_have(tmp_path: Path) -> None:
    model = small_net()
    state = {"3.bias": np.ones(3, np.float32), "other": np.zeros(2)}
    safetensors.numpy.save_file(state, tmp_path / "w.safetensors")
    fn.load(tmp_path / "w.safetensors", model, strict=False)
    assert model.state_dict()["3.bias"].tolist() == [1, 1, 1]


def test_a_missing_file_or_a_folder_is_an_os_error(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(OSError, match=str(path)):
            fn.load(path, small_net())
    with pytest.raises(FileNotFoundError, match="missing/w"):
        fn.save(tmp_path / "missing" / "w", small_net())


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    fn.save(path, small_net())
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"w\.safetensors"):
            fn.save(path, small_net())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.safetensors"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["0.weight", "1.running_var", "3.bias"])
def test_weights_that_are_not_finite_never_replace_a_good_file(
    tmp_path: Path, name: str, value: float
) -> None:
    path = tmp_path / "w.safetensors"
    model = small_net()
    fn.save(path, model)
    before = path.read_bytes()
    model.state_dict()[name].flat[-1] = value
    with pytest.raises(fn.NonFiniteError, match=f"{name} has .* not finite; .*not written"):
        fn.save(path, model)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["w.safetensors"]
    fn.save(path, model, allow_non_finite=True)
    np.testing.assert_array_equal(safetensors.numpy.load_file(path)[name].flat[-1],
                                  np.float32(value))


def test_the_check_of_weights_copies_none_of_them() -> None:
    """Beside a memory budget there is no room."""
    model = nn.Conv2d(64, 128, 5)
    tracemalloc.start()
    try:
        assert non_finite(model.state_dict()) is None
        assert tracemalloc.get_traced_memory()[1] < 30_000
    finally:
        tracemalloc.stop()


def test_scalars_empty_and_strided_arrays_survive(tmp_path: Path) -> None:
    arrays = {"scalar": np.array(3), "empty": np.zeros((0, 4), np.float32),
              "strided": np.arange(12, dtype=np.float32).reshape(3, 4).T}
    write_arrays(tmp_path / "a", arrays, {"note": "é"})
    with reading(tmp_path / "a") as file:
        assert file.metadata == {"note": "é"}
        for name, array in arrays.items():
            assert np.array_equal(file.read(name), array) and file.shape(name) == array.shape
