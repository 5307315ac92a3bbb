"""fn.save and fn.load: whole files or an error that names the file, never half of anything."""

import json
import os
import pickle
import re
import resource
import struct
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import fastnn as fn
from fastnn import nn
from fastnn.training.files import ArrayFile, reading, write_arrays
from fastnn.training.weights import non_finite
from tests.files.pth import legacy_file


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


def accepted(path: Path) -> bool:
    try:
        with reading(path):
            return True
    except fn.CheckpointError:
        return False


def accepted_by_the_library(path: Path) -> bool:
    try:
        with safetensors.safe_open(path, "numpy"):
            return True
    except (safetensors.SafetensorError, ValueError):
        return False


@pytest.mark.parametrize("text", [b"{}", b"{} ", b"", b"{", b"[]"])
def test_the_shortest_headers(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(written(text))
    assert accepted(path) == accepted_by_the_library(path) == text.startswith(b"{}")


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_headers_are_taken_and_refused_as_by_the_formats_own_library(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    count = st.integers(-1, 6)
    kinds = st.sampled_from(["F32", "F32", "F16", "BF16", "I64", "BOOL", "U8", "x", 3])
    header, end = {}, 0
    for number in range(data.draw(st.integers(0, 3))):
        kind, shape = data.draw(kinds), data.draw(st.lists(count, max_size=3))
        size = max(0, int(np.prod(shape, dtype=np.int64))) * {
            "F32": 4, "F16": 2, "BF16": 2, "I64": 8}.get(kind, 1)
        places = [end, end + size]
        if data.draw(st.integers(0, 5)) == 0:
            places = data.draw(st.lists(st.integers(0, 40), min_size=1, max_size=3))
        header[f"a{number}"] = {"dtype": kind, "shape": shape, "data_offsets": places}
        end += size
    if data.draw(st.booleans()):
        header["__metadata__"] = data.draw(st.sampled_from(
            [{}, {"a": "b"}, {"a": 1}, {"a": None}, [], "text"]))
    text = json.dumps(header).encode() + b" " * data.draw(st.integers(0, 9))
    path = tmp_path_factory.mktemp("header") / "w.safetensors"
    path.write_bytes(written(text, bytes(end + data.draw(st.sampled_from([0, 0, 0, 1, -1])))
                             if end else b""))
    assert accepted(path) == accepted_by_the_library(path), header


@pytest.mark.parametrize("kind", ["BF16", "F16"])
def test_half_precision_becomes_float32_exactly(tmp_path: Path, kind: str) -> None:
    """Every value that 16 bits can have, NaN, infinities and subnormals too."""
    bits = np.arange(2**16, dtype=np.uint16)
    header = json.dumps({"weight": {"dtype": kind, "shape": [256, 256],
                                    "data_offsets": [0, 2**17]}}).encode()
    (tmp_path / "w").write_bytes(written(header, bits.tobytes()))
    model = nn.Linear(256, 256, bias=False)
    fn.load(tmp_path / "w", model)
    expected = bits.view(np.float16).astype(np.float32) if kind == "F16" else \
        (bits.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_array_equal(model.weight.data.ravel(), expected)


@pytest.mark.parametrize("kind", ["BF16", "F16"])
def test_half_precision_is_pytorchs(tmp_path: Path, kind: str) -> None:
    torch = pytest.importorskip("torch")
    bits = np.arange(2**16, dtype=np.uint16)
    header = json.dumps({"weight": {"dtype": kind, "shape": [256, 256],
                                    "data_offsets": [0, 2**17]}}).encode()
    (tmp_path / "w").write_bytes(written(header, bits.tobytes()))
    model = nn.Linear(256, 256, bias=False)
    fn.load(tmp_path / "w", model)
    name = {"BF16": torch.bfloat16, "F16": torch.float16}[kind]
    peer = torch.from_numpy(bits.view(np.int16).copy()).view(name).float().numpy()
    np.testing.assert_array_equal(model.weight.data.ravel(), peer)


def test_a_float64_that_float32_cannot_hold_changes_nothing(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    state = {name: array.astype(np.float64) + 1 for name, array in values(model).items()}
    state["1.bias"][0] = 1e300
    safetensors.numpy.save_file(state, tmp_path / "w")
    before = values(model)
    with pytest.raises(fn.CheckpointError, match=r"1\.bias has a value that is too large"):
        fn.load(tmp_path / "w", model)
    assert same(values(model), before)


def test_a_file_that_is_cut_short_while_it_is_read_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No signal ends the process, as it would where the file is mapped."""
    path = tmp_path / "w"
    model = nn.Sequential(*[nn.Linear(64, 64) for _ in range(4)])
    fn.save(path, model)
    before = values(model)
    read = ArrayFile.read

    def cut(file: ArrayFile, name: str) -> np.ndarray:
        if name == "1.weight":
            os.truncate(path, path.stat().st_size // 2)
        return read(file, name)

    for parameter in model.parameters():
        parameter.data[...] = 7
    before = values(model)
    monkeypatch.setattr(ArrayFile, "read", cut)
    with pytest.raises(fn.CheckpointError, match=r"w: .* cannot be read: the file was cut short"):
        fn.load(path, model)
    assert same(values(model), before)


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "w")
    model = nn.Linear(2, 2)
    trainer = fn.Trainer(model, nn.MSELoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    for act in (lambda: fn.load(tmp_path / "w", model), lambda: trainer.resume(tmp_path / "w"),
                lambda: fn.save(tmp_path / "w", model), lambda: trainer.save(tmp_path / "w")):
        with pytest.raises(OSError, match=r"a FIFO, not a regular file.*w"):
            act()
    with pytest.raises(OSError, match="a device"):
        fn.load("/dev/zero", model)


FOREIGN = {
    "empty": (b"", "not a safetensors file but an empty file"),
    "page": (b"\n <!DOCTYPE html><html><body>404</body>", "a web page: the download went wrong"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "git lfs pull"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file"),
    "onnx": (b"\x08\x07\x12\x07pytorch\x1a\x032.0", "an ONNX model"),
    "gzip": (b"\x1f\x8b\x08\x00" + bytes(30), "a gzip file: unpack it first"),
    "tar": (bytes(257) + b"ustar" + bytes(250), "a tar archive: unpack it first"),
    "json": (b'{"metadata": {}, "weight_map": {"a": "b"}}', "JSON text"),
    "pickle": (pickle.dumps({"a": 1}), "a pickle that torch.save did not write"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_kind_is_told(tmp_path: Path, kind: str) -> None:
    content, words = FOREIGN[kind]
    (tmp_path / "net.bin").write_bytes(content)
    with pytest.raises(fn.CheckpointError, match=re.escape(words)) as caught:
        fn.load(tmp_path / "net.bin", small_net())
    assert "net.bin: not a safetensors file but" in str(caught.value)


def test_arrays_of_numpy_are_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", x=np.zeros(3))
    np.save(tmp_path / "w.npy", np.zeros(3))
    for name, words in (("w.npz", "an .npz file of NumPy"), ("w.npy", "an .npy file")):
        with pytest.raises(fn.CheckpointError, match=words):
            fn.load(tmp_path / name, small_net())


def test_an_optimizers_pytorch_file_is_no_checkpoint_to_resume(tmp_path: Path) -> None:
    model = small_net()
    (tmp_path / "c.pth").write_bytes(legacy_file(b"}."))
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(fn.CheckpointError, match=r"c\.pth: .* a PyTorch file: fn\.load reads its"):
        trainer.resume(tmp_path / "c.pth")


def test_loading_takes_time_in_proportion_to_the_number_of_arrays(tmp_path: Path) -> None:
    """17,508 arrays took 27.5 s, with lists where each name was looked for; now below a second."""
    least = []
    for layers in (1000, 8000):
        model = nn.Sequential(*[nn.Linear(1, 1) for _ in range(layers)])
        fn.save(tmp_path / "w", model)
        seconds = []
        for _ in range(3):
            start = time.process_time()
            fn.load(tmp_path / "w", model)
            seconds.append(time.process_time() - start)
        least.append(min(seconds))
    assert least[1] < 2 * 8 * least[0]


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
