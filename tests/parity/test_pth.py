"""Files that torch.save writes, in both formats: every type, stride and nesting, and what it runs.

Compared with what torch.load reads.
"""

import argparse

import numpy as np
import pytest

import fastnn as fn
from fastnn import models, nn
from fastnn.files.pth import read_state_dict
from tests.parity.compare import array, copy_weights, torch

pytestmark = pytest.mark.parity

FORMATS = [True, False]  # zip, and legacy
TYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32,
         torch.int16, torch.int8, torch.uint8, torch.bool]


@pytest.fixture(params=FORMATS, ids=["zip", "legacy"])
def save(request, tmp_path):
    """Write a value as PyTorch does; the path of the file."""
    def written(value, **options):
        torch.save(value, tmp_path / "net.pth", _use_new_zipfile_serialization=request.param,
                   **options)
        return tmp_path / "net.pth"
    return written


def same(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        wanted = array(tensor.float() if tensor.dtype == torch.bfloat16 else tensor)
        assert found[name].dtype == wanted.dtype
        np.testing.assert_array_equal(found[name], wanted)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_types(save, protocol):
    torch.manual_seed(0)
    state = {str(kind): (9 * torch.randn(3, 4)).to(kind) for kind in TYPES}
    state |= {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 3), "none": torch.zeros(2, 0)}
    same(read_state_dict(save(state, pickle_protocol=protocol)), state)


def test_unsigned_types_without_a_storage_of_their_own(tmp_path):
    state = {name: torch.tensor([1, 2, 60000], dtype=getattr(torch, name))
             for name in ("uint16", "uint32", "uint64")}
    torch.save(state, tmp_path / "net.pth")
    same(read_state_dict(tmp_path / "net.pth"), state)


def test_strides_and_shared_storages(save):
    base = torch.arange(24.0).reshape(2, 3, 4)
    state = {"base": base, "turned": base.permute(2, 0, 1), "part": base[:, 1:, ::2],
             "last": base[1, 2, 3], "same": base[:1, :1, :1].expand(5, 6, 7),
             "channels": torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
             "parameter": torch.nn.Parameter(base[0].T), "other": torch.zeros(2)}
    same(read_state_dict(save(state)), state)


def test_whole_checkpoints(save):
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.randn(2, 3, 8, 8)).sum().backward()
    optimizer.step()
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    state = net.state_dict()
    rest = {"epoch": 3, "best": torch.tensor(0.5), "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(), "loss": np.float64(0.25), "seed": np.int64(3),
            "shape": torch.Size([1, 2]), "device": torch.device("cpu"), "dtype": torch.float16,
            "seen": {1, 2}, "rng": torch.get_rng_state(), "bytes": b"\x00\xff", "none": None}
    for key in ("state_dict", "model", "model_state_dict"):
        same(read_state_dict(save({**rest, key: state})), state)
    same(read_state_dict(save(dict(net.named_parameters()))), dict(net.named_parameters()))


@pytest.mark.parametrize("wrapped", ["plain", "data_parallel"])
def test_a_net_computes_the_same(save, wrapped):
    fn.manual_seed(0)
    ours, source = models.lenet(), models.lenet()
    twin = torch.nn.Module()
    for name, value in source.state_dict().items():
        owner, _, last = name.rpartition(".")
        place = twin
        for part in owner.split("."):
            if not hasattr(place, part):
                place.add_module(part, torch.nn.Module())
            place = getattr(place, part)
        place.register_parameter(last, torch.nn.Parameter(torch.from_numpy(np.array(value))))
    net = torch.nn.DataParallel(twin) if wrapped == "data_parallel" else twin
    assert wrapped == "plain" or all(name.startswith("module.") for name in net.state_dict())
    fn.load(save({"model": net.state_dict(), "epoch": 1}), ours)
    x = np.random.default_rng(0).standard_normal((2, 1, 28, 28)).astype(np.float32)
    np.testing.assert_array_equal(ours(x), source(x))


def test_types_become_float32(save):
    model, twin = nn.Linear(3, 2), torch.nn.Linear(3, 2)
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        state = {name: value.to(kind) for name, value in twin.state_dict().items()}
        fn.load(save(state), model)
        for name, value in state.items():
            np.testing.assert_array_equal(model.state_dict()[name], array(value.float()))


def test_our_weights_go_there_and_back(save):
    model, again = nn.Linear(3, 2), nn.Linear(3, 2)
    fn.load(save(copy_weights(model, torch.nn.Linear(3, 2)).state_dict()), again)
    np.testing.assert_array_equal(again.weight.data, model.weight.data)


@pytest.mark.parametrize(("value", "words"), [
    (torch.nn.Linear(2, 3), r"run torch\.nn\.modules\.linear\.Linear: refused"),
    ({"w": torch.zeros(2), "args": argparse.Namespace(lr=1)}, r"run argparse\.Namespace: refused"),
    ({"w": torch.zeros(2), "x": np.zeros(3)}, r"run numpy\.\S+\._reconstruct: refused"),
    ({"w": torch.zeros(2).to_sparse()}, r"run torch\._utils\._rebuild_sparse_tensor: refused"),
    (torch.zeros(2), "found a single tensor"), ([torch.zeros(2)], "found a list"),
    ({"epoch": 3}, "no tensors by name"),
])
def test_what_is_refused(save, value, words):
    with pytest.raises(fn.CheckpointError, match=words):
        read_state_dict(save(value))


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_program_is_refused(tmp_path):
    torch.jit.script(torch.nn.Linear(2, 3)).save(tmp_path / "net.pth")
    with pytest.raises(fn.CheckpointError, match="it is a TorchScript program, not weights"):
        read_state_dict(tmp_path / "net.pth")


def test_complex_numbers_have_no_place_in_a_net(save):
    path = save({"weight": torch.zeros(2, 3, dtype=torch.complex64), "bias": torch.zeros(2)})
    with pytest.raises(fn.CheckpointError, match="weight has dtype c8, expected float32"):
        fn.load(path, nn.Linear(3, 2))
