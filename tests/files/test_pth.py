"""PyTorch's files, made by hand: what is read, and what is refused by its name."""

import os
import pickle
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.files import pickles
from fastnn.files.pth import read_state_dict
from tests.files.pth import legacy_file, name, storage, tensor, value, whole, zip_file

ARRAYS = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7, np.int64),
          "c": np.array([1.5, -2.0], np.float16), "d": np.array([True, False]),
          "e": np.array([1e300, 2.0]), "f": np.zeros((0, 3), np.float32)}


def both(items: bytes | dict[str, object], memory: dict[str, bytes],
         counts: dict[str, int] | None = None) -> tuple[bytes, bytes]:
    """The same object in a file of each format."""
    pickled = items if isinstance(items, bytes) else value(items)
    return zip_file(pickled + b".", memory), legacy_file(pickled + b".", memory, counts)


def read(tmp_path: Path, content: bytes) -> dict[str, np.ndarray]:
    (tmp_path / "net.pth").write_bytes(content)
    return read_state_dict(tmp_path / "net.pth")


def refused(tmp_path: Path, content: bytes) -> str:
    with pytest.raises(fn.CheckpointError, match=r"net\.pth: ") as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    return str(caught.value)


@pytest.mark.parametrize("number", [0, 1])
def test_all_types_are_read_as_they_are(tmp_path: Path, number: int) -> None:
    made, memory = whole(ARRAYS)
    counts = {str(place): array.size for place, array in enumerate(ARRAYS.values())}
    found = read(tmp_path, both(made, memory, counts)[number])
    assert list(found) == list(ARRAYS)
    for key, array in ARRAYS.items():
        assert found[key].dtype == array.dtype
        np.testing.assert_array_equal(found[key], array)


def test_bfloat16_is_the_upper_half_of_a_float32(tmp_path: Path) -> None:
    exact = np.array([1.0, -2.5, 3e38, np.inf], np.float32)
    halves = (exact.view(np.uint32) >> 16).astype("<u2")
    found = read(tmp_path, zip_file(value({"w": tensor(storage("0", "BFloat16Storage", 4), (4,),
                                                        (1,))}) + b".", {"0": halves.tobytes()}))
    np.testing.assert_array_equal(found["w"], (halves.astype(np.uint32) << 16).view(np.float32))


@pytest.mark.parametrize("number", [0, 1])
def test_strides_offsets_and_shared_storages(tmp_path: Path, number: int) -> None:
    memory = np.arange(12, dtype=np.float32)
    shared = storage("0", "f4", 12)
    items = {"rows": tensor(shared, (3, 4), (4, 1)), "turned": tensor(shared, (4, 3), (1, 4)),
             "part": tensor(shared, (2, 2), (4, 2), 5), "same": tensor(shared, (5, 2), (0, 1), 10),
             "none": tensor(shared, (0, 4), (4, 1), 12)}
    found = read(tmp_path, both(items, {"0": memory.tobytes()})[number])
    grid = memory.reshape(3, 4)
    for key, wanted in (("rows", grid), ("turned", grid.T), ("part", grid[1:, 1::2]),
                        ("same", np.tile(memory[10:], (5, 1))), ("none", grid[:0])):
        np.testing.assert_array_equal(found[key], wanted)


def test_big_endian_files(tmp_path: Path) -> None:
    wanted = np.arange(3, dtype=np.float32)
    item = value({"w": tensor(storage("0", "f4", 3), (3,), (1,))}) + b"."
    content = {"0": wanted.astype(">f4").tobytes()}
    np.testing.assert_array_equal(read(tmp_path, zip_file(item, content, b"big"))["w"], wanted)
    legacy = legacy_file(item, content, little=False)
    count = (3).to_bytes(8, "little")
    legacy = legacy.replace(count, count[::-1])
    np.testing.assert_array_equal(read(tmp_path, legacy)["w"], wanted)


W = tensor(storage("0", "f4", 2), (2,), (1,))
X = tensor(storage("0", "f4", 2), (1,), (1,))
ORDERED = name("collections.OrderedDict") + b")R(" + value("w") + W + b"u}" + value("_metadata") \
    + b"}sb"


@pytest.mark.parametrize("items", [
    {"state_dict": {"w": W}, "epoch": 3, "best": X},
    {"model": {"w": W}, "optimizer": {"state": {}}},
    {"w": W, "model": {"name": "net"}, "net": 3},
    {"model": {"state_dict": {"w": W}}}, {"model_state_dict": {"w": W}, "args": {"lr": 0.1}},
    {"w": W, "epoch": 1, "name": "net", "history": [0.5, 0.25]}, ORDERED,
    {"w": name("torch._utils._rebuild_parameter") + value((W, True, value({}))) + b"R"},
    {"state_dict": ORDERED, "size": name("torch.Size") + value(((1, 2),)) + b"R"},
    {"w": W, "best": name("numpy.core.multiarray.scalar") + value((
        name("numpy.dtype") + value(("f8", False, True)) + b"R"
        + value((3, "<", None, None, None, -1, -1, 0)) + b"b",
        name("_codecs.encode") + value(("\x00" * 8, "latin1")) + b"R")) + b"R"},
    {"w": W, "seen": name("__builtin__.set") + value(([1, 2],)) + b"R"},
])
def test_a_state_dict_is_found_in_a_checkpoint(tmp_path: Path, items: object) -> None:
    for content in both(value(items), {"0": np.array([1, 2], np.float32).tobytes()}):
        found = read(tmp_path, content)
        assert list(found) == ["w"]
        np.testing.assert_array_equal(found["w"], [1, 2])


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_all_protocols(tmp_path: Path, protocol: int) -> None:
    """What Python's own writer makes of numbers, texts and containers, beside a tensor."""
    things = {"int": 3, "large": 2**70, "negative": -5, "float": 0.1, "truth": [True, False, None],
              "text": "ж\n'x", "bytes": b"\x00\xff", "nested": {"a": ({}, [], (1, 2, 3, 4))},
              "long": list(range(2000)), "again": "text"}
    things["shared"] = things["nested"]
    content = pickle.dumps(things, protocol)
    path = tmp_path / "p"
    path.write_bytes(content)
    names = {"_codecs.encode": lambda text, _: text.encode("latin1"),
             "__builtin__.bytes": bytes}
    with path.open("rb") as stream:
        machine = pickles.Pickles(stream, len(content), names, lambda _: None)
        assert machine.read() == things
        assert machine.room == 0


class Runs:
    """A pickle of this runs a command."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch owned",)


REDUCED = pickle.dumps(Runs(), 2)[2:-1]


@pytest.mark.parametrize(("items", "words"), [
    ({"w": W, "x": REDUCED}, "it wants to run posix.system: refused"),
    ({"w": W, "x": pickle.dumps(Runs(), 4)[2 + 9:-1]}, "it wants to run posix.system: refused"),
    ({"w": W, "x": name("builtins.eval") + value(("1",)) + b"R"}, "run builtins.eval: refused"),
    ({"w": W, "args": name("argparse.Namespace") + b")R"}, "run argparse.Namespace: refused"),
    ({"w": W, "m": name("torch.nn.modules.linear.Linear") + b")\x81"},
     "run torch.nn.modules.linear.Linear: refused"),
    ({"w": W, "x": b"(" + value("x") + b"iposix\nsystem\n"}, "make an object of posix.system"),
    ({"w": W, "x": b"(" + name("torch.Size") + b"o"}, "make an object of a class: refused"),
    ({"w": W, "x": b"\x82\x01"}, "name in the reader's own register: refused"),
    ({"w": W, "x": b"\x97"}, "read memory beside the file: refused"),
    ({"w": W, "x": W + b")R"}, "calls what is no function"),
    ({"w": W, "x": name("torch.float32") + b")R"}, "calls what is no function"),
    ({"w": W, "x": W + b"}b"}, "gives a state to what has none"),
    ({"w": W, "x": name("torch._utils._rebuild_tensor_v2") + value((1,)) + b"R"},
     "arguments that do not fit"),
    ({"w": W, (1, 2): 3}, "a key of class tuple"),
    ({"epoch": 3, "loss": [W]}, "no tensors by name; found a dict with epoch, loss"),
    ([W], "expected a state dict, found a list"), (W, "found a single tensor"),
    ({"w": tensor(storage("0", "f4", 2), (3,), (1,))}, r"of shape (3,) and stride (1,)"),
    ({"w": tensor(storage("0", "f4", 2), (1,), (1,), 2)}, "from number 2 on, and 8 bytes"),
    ({"w": tensor(storage("0", "f4", 2), (2,), (-1,))}, "whose stride is no tuple"),
    ({"w": tensor(storage("0", "f4", 2), (True,), (1,))}, "whose shape is no tuple"),
    ({"w": tensor(storage("0", "f4", 2), (1,) * 33, (1,) * 33)}, "up to 32 integers"),
    ({"w": tensor(storage("0", "f4", 2), (2**61, 2**61), (0, 0))}, "too large for any memory"),
    ({"w": tensor(storage("0", "f4", 2**61), (1,), (1,))}, "bytes"),
    ({"w": tensor(storage("0", "f4", 3), (1,), (1,))}, "storage"),
    ({"w": tensor(storage("0", "QInt8Storage", 3), (1,), (1,))}, "run torch.QInt8Storage: refused"),
    ({"w": tensor(storage("0", "f4", 2, ("0", 0, 1)), (1,), (1,))}, "a part of another one"),
])
def test_what_is_refused(tmp_path: Path, items: object, words: str) -> None:
    for content in both(value(items), {"0": bytes(8)}):
        assert words in refused(tmp_path, content)
    assert not (tmp_path / "owned").exists() and not Path("owned").exists()


@pytest.mark.parametrize(("content", "words"), [
    (zip_file(value({"w": W}) + b".", {"0": bytes(8)}, pack=zipfile.ZIP_DEFLATED), "is compressed"),
    (zip_file(value({"w": W}) + b".", {"1": bytes(8)}), "storage 0 has 0 bytes, expected 8"),
    (zip_file(value({"w": W}) + b".", {"0": bytes(8)}, order=b"middle"), "neither little nor big"),
    (zip_file(value({"w": W}) + b".", {"0": bytes(8)})[:-30], "not a whole PyTorch file"),
    (zip_file(value({"w": W}), {"0": bytes(8)}), "ends 1 bytes too early"),
    (zip_file(b"\x80\x09}.", {}), "protocol 9"), (zip_file(b"\xff.", {}), "unknown instruction"),
    (zip_file(b"N0.", {}), "takes a value that is not there"),
    (zip_file(b"NN.", {}), "before all of it is put together"),
    (zip_file(b"h\x05.", {}), "recalls number 5"), (zip_file(b"t.", {}), "no mark"),
    (zip_file(b"X\xff\xff\xff\x7f.", {}), "a text of 2147483647 bytes"),
    (zip_file(b"\x8b\xff\xff\xff\xff.", {}), "a text of -1 bytes"),
    (zip_file(b"I" + b"9" * 5000 + b"\n.", {}), "more than 1000 digits"),
    (legacy_file(value({"w": W}) + b".", {"0": bytes(8)})[:-1], "storage 0 is not whole"),
    (legacy_file(value({"w": W}) + b".", {"0": bytes(8)}, {"0": 2**62}), "storage 0 is not whole"),
    (legacy_file(value({"w": W}) + b".", {"1": bytes(8)}), "not that of its tensors"),
    (legacy_file(value({"w": W}) + b".", {"0": bytes(8)}, little=None), "its order of bytes"),
])
def test_damaged_files(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in refused(tmp_path, content)


@pytest.mark.parametrize("pickled", [
    b"(" * 100_000 + b".", b"]" * 200_000 + b"a" * 199_999 + b".",
    b")" + b"\x85" * 300_000 + b".", b"}" + b"\x8c\x01a}" * 100_000 + b"s" * 100_000 + b".",
    b")" + b"2\x86" * 200 + b"}" + b"22" + b"ss.",  # a tuple of 2^200 parts
    b"}2\x8c\x01a2" + b"s" * 3 + b".", b"]2a.",  # within themselves
    value({"w": W}) + b"0" + b"(" + b"K\x01" * 100_000 + b"t" + b"0" + value({"w": W}) + b".",
], ids=range(8))
def test_nesting_and_repeating_ends_soon(tmp_path: Path, pickled: bytes) -> None:
    """No recursion: what is deep or endless is put together, and is no state dict."""
    (tmp_path / "net.pth").write_bytes(zip_file(pickled, {"0": bytes(8)}))
    tracemalloc.start()
    try:
        read_state_dict(tmp_path / "net.pth")
    except fn.CheckpointError as error:
        assert len(str(error)) < 500
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 200 << 20


def test_a_pickle_may_take_so_many_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickles, "MOST_STEPS", 100)
    assert "more than 100 steps" in refused(tmp_path, zip_file(b"N0" * 51 + b"N.", {}))


def test_numbers_that_repeat_take_no_memory(tmp_path: Path) -> None:
    """A tensor of 2^50 zeros, stored in four bytes, is told by its shape before it is filled."""
    weight = tensor(storage("0", "f4", 1), (2**40, 2**10), (0, 0))
    large = zip_file(value({"weight": weight}) + b".", {"0": bytes(4)})
    assert read(tmp_path, large)["weight"].shape == (2**40, 2**10)
    with pytest.raises(fn.CheckpointError, match=r"weight has shape \(1099511627776, 1024\)"):
        fn.load(tmp_path / "net.pth", nn.Linear(2, 3, bias=False))


def files_of(arrays: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
    made, memory = whole(arrays)
    counts = {str(place): array.size for place, array in enumerate(arrays.values())}
    return both(made, memory, counts)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
def test_fn_load_takes_both_formats_and_wrapped_models(
    tmp_path: Path, number: int, prefix: str
) -> None:
    source, model = nn.Linear(2, 3), nn.Linear(2, 3)
    arrays = {prefix + key: array for key, array in source.state_dict().items()}
    (tmp_path / "net.pth").write_bytes(files_of(arrays)[number])
    fn.load(tmp_path / "net.pth", model)
    for key, array in source.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[key], array)


def test_types_become_the_models(tmp_path: Path) -> None:
    model = nn.BatchNorm1d(2)
    arrays = {"weight": np.array([1, 2], np.float16), "bias": np.array([0.1, 1e-50]),
              "running_mean": np.ones(2, np.float32), "running_var": np.ones(2, np.float32),
              "num_batches_tracked": np.array(3, np.int32)}
    path = tmp_path / "net.pth"
    path.write_bytes(files_of(arrays)[0])
    fn.load(path, model)
    np.testing.assert_array_equal(model.bias.data, np.array([0.1, 0], np.float32))
    assert model.num_batches_tracked.data == 3
    before = {key: array.copy() for key, array in model.state_dict().items()}
    for key, bad, words in (("bias", np.array([0.0, 1e39]), "bias has a value that is too large"),
                            ("bias", np.array([1, 2]), "bias has dtype i8, expected float32"),
                            ("num_batches_tracked", np.array(2.0), "dtype f8, expected int64"),
                            ("bias", np.zeros(3, np.float32), r"bias has shape \(3,\), expected")):
        path.write_bytes(files_of(arrays | {"weight": np.zeros(2, np.float32), key: bad})[1])
        with pytest.raises(fn.CheckpointError, match=rf"net\.pth: .*{words}"):
            fn.load(path, model)
        for own, array in model.state_dict().items():
            np.testing.assert_array_equal(array, before[own])


def test_another_architecture_is_told_with_the_nearest_names(tmp_path: Path) -> None:
    arrays = {"fc.weight": np.zeros((3, 2), np.float32), "fc.bias": np.zeros(4, np.float32)}
    path = tmp_path / "net.pth"
    path.write_bytes(files_of(arrays)[0])
    with pytest.raises(fn.CheckpointError) as caught:
        fn.load(path, nn.Linear(2, 3))
    assert str(caught.value).endswith(
        "net.pth: does not fit the model: without weight, bias and with unexpected fc.weight, "
        "fc.bias; nearest names: weight and fc.weight, bias and fc.bias")
    model = nn.Sequential(nn.Linear(2, 3))
    with pytest.raises(fn.CheckpointError, match="nearest names"):
        fn.load(path, model)
    before = model[0].weight.data.copy()
    fn.load(path, model, strict=False)
    np.testing.assert_array_equal(model[0].weight.data, before)
