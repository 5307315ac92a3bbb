"""Module: attributes, state, modes, calling."""

import copy
import gc
import weakref
from typing import NamedTuple

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.spec import ShapeError
from tests.nets import NETS, batch_for, make


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3, bias=False)
        self.bn = nn.BatchNorm2d(3)
        self.body = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
        self.scale = nn.Parameter(np.ones(2))

    def forward(self, x):
        return self.body(fn.relu(self.bn(self.conv(x))).mean((2, 3))) * self.scale


NAMES = ["scale", "conv.weight", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var",
         "bn.num_batches_tracked", "body.0.weight", "body.0.bias", "body.2.weight", "body.2.bias"]


def test_state_dict_has_pytorchs_names_shapes_and_order():
    state = Net().state_dict()
    assert list(state) == NAMES
    assert state["conv.weight"].shape == (3, 2, 3, 3)
    assert state["bn.num_batches_tracked"].shape == ()
    assert state["bn.num_batches_tracked"].dtype == np.int64
    assert {v.dtype for k, v in state.items() if "tracked" not in k} == {np.dtype(np.float32)}


def test_named_parameters_modules_and_buffers():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == [n for n in NAMES if "_" not in n]
    assert [name for name, _ in net.named_buffers()] == [n for n in NAMES if "_" in n]
    assert [name for name, _ in net.named_modules()] == [
        "", "conv", "bn", "body", "body.0", "body.1", "body.2"]
    assert net.get_submodule("body.2") is net.body[2]
    with pytest.raises(KeyError, match="nose"):
        net.get_submodule("body.nose")


def test_shared_modules_are_walked_once_and_saved_under_each_name():
    net = nn.Module()
    net.a = nn.Linear(2, 2)
    net.b = net.a
    assert [name for name, _ in net.named_parameters()] == ["a.weight", "a.bias"]
    assert list(net.state_dict()) == ["a.weight", "a.bias", "b.weight", "b.bias"]


def test_a_replaced_layer_keeps_its_place():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5))
    net[0] = nn.Linear(3, 4, bias=False)
    setattr(net, "2", nn.Linear(4, 2))
    assert [name for name, _ in net.named_parameters()] == ["0.weight", "2.weight", "2.bias"]
    assert net(np.ones((1, 3), np.float32)).shape == (1, 2)


def test_attributes_change_kind():
    net = nn.Module()
    net.thing = nn.Parameter(np.ones(2))
    net.thing = 3
    assert net.thing == 3 and not list(net.parameters())
    net.thing = nn.Linear(1, 1)
    assert [name for name, _ in net.named_parameters()] == ["thing.weight", "thing.bias"]
    del net.thing
    assert not list(net.parameters())
    with pytest.raises(AttributeError, match="thing"):
        _ = net.thing
    net.register_buffer("table", np.arange(3))
    net.register_parameter("none", None)
    assert list(net.state_dict()) == ["table"] and net.none is None


def test_super_init_comes_first():
    class Late(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="super"):
        Late()


def test_load_state_dict():
    source, target = Net(), Net()
    source(np.random.default_rng(0).standard_normal((2, 2, 5, 5)).astype(np.float32))
    target.load_state_dict({name: value.astype(np.float64)
                            for name, value in source.state_dict().items()})
    for name, value in source.state_dict().items():
        assert value.tobytes() == target.state_dict()[name].tobytes(), name
    assert target.state_dict()["bn.num_batches_tracked"] == 1


@pytest.mark.parametrize(("change", "error"), [
    (lambda s: s.pop("conv.weight"), KeyError),
    (lambda s: s.update(extra=np.ones(1)), KeyError),
    (lambda s: s.update({"body.2.bias": np.ones(3)}), ShapeError),
    (lambda s: s.update({"body.2.bias": np.ones((2, 1))}), ShapeError),
    (lambda s: s.update({"body.2.bias": np.array(["a", "b"])}), TypeError),
    (lambda s: s.update({"body.2.bias": np.array([1j, 2])}), TypeError),
])
def test_loading_is_all_or_nothing(change, error):
    net = Net()
    before = {name: value.copy() for name, value in net.state_dict().items()}
    state = {name: value + 1 for name, value in before.items()}
    change(state)
    with pytest.raises(error, match=r"conv\.weight|extra|body\.2\.bias"):
        net.load_state_dict(state)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_loading_without_strict_takes_what_fits():
    net = Net()
    net.load_state_dict({"scale": np.array([5, 6]), "other": np.ones(1)}, strict=False)
    np.testing.assert_array_equal(net.scale.data, [5, 6])
    with pytest.raises(ShapeError):
        net.load_state_dict({"scale": np.ones(3)}, strict=False)


def test_state_is_a_view_that_training_and_loading_share():
    net = Net()
    weight = net.state_dict()["conv.weight"]
    net.load_state_dict({"conv.weight": np.full((3, 2, 3, 3), 2.0)}, strict=False)
    assert (weight == 2).all()


def test_train_and_eval():
    net = Net()
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert net.train().bn.training and net.body[1].training
    net.requires_grad_(False)
    assert not any(p.requires_grad for p in net.parameters())


def test_changing_modes_does_not_plan_again(monkeypatch):
    traces = []

    class Noting(Net):
        def forward(self, x):
            traces.append(self.training)
            self.last_shape = x.shape
            return super().forward(x)

    net, x = Noting(), np.random.default_rng(0).standard_normal((2, 2, 5, 5)).astype(np.float32)
    for _ in range(4):
        net.train()(x)
        net.eval()(x)
    assert traces == [True, False]
    net(np.concatenate([x, x]))
    assert len(traces) == 3
    net.body[2] = nn.Linear(4, 7)
    net.scale = nn.Parameter(np.ones(7))
    assert net(x).shape == (2, 7) and len(traces) == 4


def test_outputs_keep_their_nesting_in_each_mode():
    class Several(nn.Module):
        def forward(self, x):
            return (x + 1, (x * 2,)) if self.training else x - 1

    net, x = Several(), np.ones((2, 3), np.float32)
    for _ in range(2):
        first, (second,) = net.train()(x)
        assert (first == 2).all() and (second == 2).all()
        assert isinstance(net.eval()(x), np.ndarray)


def test_named_outputs_keep_their_names():
    """For a caller, a loss and hooks alike."""
    class Pair(NamedTuple):
        main: object
        extra: object

    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.p = nn.Parameter(np.ones(3))

        def forward(self, x):
            return Pair(x + self.p, x * self.p)

    net, x, seen = Two(), np.full((2, 3), 2, np.float32), []
    output = net(x)
    assert isinstance(output, Pair) and (output.main == 3).all() and (output.extra == 2).all()
    loss, _ = fn.value_and_grad(net, lambda out, y: (out.main + y * out.extra).sum())(x, x)
    assert loss == 6 * (3 + 2 * 2)
    net.register_forward_hook(lambda module, inputs, output: seen.append(output.extra))
    net(x)
    assert len(seen) == 1


def test_outputs_that_are_no_computation():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.p = nn.Parameter(np.full(2, 3.0))

        def forward(self, x):
            return x, self.p, np.ones(2), self.p * 2

    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    net = Odd()
    same, p, one, twice = net(x)
    np.testing.assert_array_equal(same, x)
    assert same is not x and (p == 3).all() and (one == 1).all() and (twice == 6).all()
    net.p.data = [1, 2]
    np.testing.assert_array_equal(net(x)[3], [2, 4])


def test_a_called_module_is_freed():
    net = Net()
    net(np.ones((2, 2, 5, 5), np.float32))
    known = weakref.ref(net)
    del net
    gc.collect()
    assert known() is None


@pytest.mark.parametrize("name", NETS)
def test_a_copy_is_independent(name):
    net = make(name)
    x, _ = batch_for(name)
    twin = copy.deepcopy(net)
    np.testing.assert_array_equal(net.eval()(x), twin.eval()(x))
    before = net(x)
    for parameter in twin.parameters():
        parameter.data = parameter.data + 1
    np.testing.assert_array_equal(net(x), before)
    assert not np.array_equal(twin(x), before)


def test_repr():
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.ReLU())) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): ReLU()\n)")
    assert "kernel_size=(3, 3)" in repr(nn.Conv2d(1, 2, 3))


def test_containers():
    net = nn.Sequential({"a": nn.Linear(2, 3), "b": nn.ReLU()}).append(nn.Linear(3, 1))
    assert [name for name, _ in net.named_children()] == ["a", "b", "2"]
    assert len(net) == 3 and net[-1] is net.get_submodule("2") and len(net[:2]) == 2
    assert [type(m).__name__ for m in net] == ["Linear", "ReLU", "Linear"]
    layers = nn.ModuleList([nn.ReLU()]).append(nn.Tanh())
    assert len(layers) == 2 and isinstance(layers[1], nn.Tanh)
    with pytest.raises(TypeError, match="modules"):
        nn.Sequential(nn.ReLU(), len)


@pytest.mark.parametrize("bad", [lambda: nn.Parameter(["a"]), lambda: nn.Parameter(1j),
                                 lambda: nn.Parameter(None)])
def test_parameters_are_numbers(bad):
    with pytest.raises(TypeError, match="numbers"):
        bad()


def test_parameters_of_any_shape_start_aligned():
    for shape in [(), (1,), (3, 5), (7, 3, 3, 3), (2, 3, 4, 5, 6)]:
        values = np.random.default_rng(0).standard_normal(shape)
        parameter = nn.Parameter(values)
        np.testing.assert_array_equal(parameter.data, values.astype(np.float32))
        assert parameter.memory.ctypes.data % 64 == 0
        assert parameter.shape == shape and parameter.dtype == np.float32
    with pytest.raises(ShapeError, match="expected shape"):
        nn.Parameter(np.ones(3)).data = np.ones(4)


def test_keywords_reach_forward_inside_a_forward_alone():
    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.ConvTranspose2d(1, 1, 2, stride=2)

        def forward(self, x):
            return self.up(x, output_size=(5, 4))

    x = np.ones((1, 1, 2, 2), np.float32)
    assert Outer()(x).shape == (1, 1, 5, 4)
    with pytest.raises(TypeError, match="takes no keywords, got output_size"):
        Outer().up(x, output_size=(5, 4))


def test_walks_with_a_prefix_and_without_what_is_inside():
    net = Net()
    assert [name for name, _ in net.named_parameters("model")][:2] == [
        "model.scale", "model.conv.weight"]
    assert [name for name, _ in net.named_parameters(recurse=False)] == ["scale"]
    assert list(net.parameters(recurse=False)) == [net.scale] and not list(net.buffers(False))
    assert list(net.buffers()) == [value for _, value in net.named_buffers()]
    assert [name for name, _ in net.bn.named_buffers("bn", recurse=False)] == [
        "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"]
    assert [name for name, _ in net.named_modules(prefix="m")][:2] == ["m", "m.conv"]
    net.again = net.conv
    net.twice = net.bn
    assert [name for name, _ in net.named_parameters(remove_duplicate=False)][-3:] == [
        "again.weight", "twice.weight", "twice.bias"]
    assert [name for name, _ in net.named_buffers(remove_duplicate=False)][-1] == (
        "twice.num_batches_tracked")
    assert [name for name, _ in net.named_modules(remove_duplicate=False)][-2:] == [
        "again", "twice"]
    assert next(iter(net.state_dict(prefix="net."))) == "net.scale"


def test_parts_by_path():
    net = Net()
    assert net.get_parameter("body.0.weight") is net.body[0].weight
    assert net.get_buffer("bn.running_mean") is net.bn.running_mean
    assert net.get_parameter("scale") is net.scale and net.get_submodule("") is net
    for wrong, said in ((lambda: net.get_parameter("bn.running_mean"), "bias"),
                        (lambda: net.get_buffer("bn.weight"), "running_mean"),
                        (lambda: net.get_parameter("no.weight"), "'no' is missing")):
        with pytest.raises(KeyError, match=said):
            wrong()
    assert {"scale", "conv", "forward", "training"} <= set(dir(net))
    assert "running_var" in dir(net.bn) and "0" not in dir(net.body)


def test_a_buffer_that_is_not_persistent_is_not_saved():
    class Shift(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("table", np.arange(3.0), persistent=False)
            self.register_buffer("kept", np.ones(3))

        def forward(self, x):
            return x + self.table * self.kept

    net = nn.Sequential(Shift())
    assert list(net.state_dict()) == ["0.kept"]
    assert [name for name, _ in net.named_buffers()] == ["0.table", "0.kept"]
    twin = copy.deepcopy(net)
    assert list(twin.state_dict()) == ["0.kept"]
    np.testing.assert_array_equal(twin(np.zeros(3)), [0, 1, 2])
    net[0].register_buffer("table", np.ones(3))
    assert "0.table" in net.state_dict() and "0.table" not in twin.state_dict()
    net[0].register_buffer("none", None)
    assert net[0].none is None


def test_loading_says_what_it_left_out():
    net = Net()
    state = dict(net.state_dict())
    loaded = net.load_state_dict(state)
    assert loaded == ([], []) and repr(loaded) == "<All keys matched successfully>"
    state["other"] = state.pop("scale")
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert (missing, unexpected) == (["scale"], ["other"])
    assert "missing_keys=['scale']" in repr(net.load_state_dict(state, strict=False))


def test_names_of_parts():
    net = nn.Module()
    net.register_module("part", nn.ReLU())
    net.add_module("nothing", None)
    net.size = 3
    assert net.nothing is None and isinstance(net.part, nn.ReLU)
    for register, value in ((net.add_module, nn.ReLU()), (net.register_buffer, np.ones(1)),
                            (net.register_parameter, nn.Parameter(np.ones(1)))):
        for name, said in (("size", "already"), ("forward", "already"), ("", "no dot"),
                           ("a.b", "no dot")):
            with pytest.raises(KeyError, match=said):
                register(name, value)
    net.register_parameter("part2", None)
    net.register_parameter("part2", nn.Parameter(np.ones(1)))
    assert net.part2.shape == (1,)


@pytest.mark.parametrize(("name", "said"), [
    ("zero_grad", "TrainStep"), ("cuda", "computes on the CPU"), ("half", "in float32"),
    ("float", "leave the call out"), ("register_full_backward_hook", "register_forward_hook"),
    ("compile", "leave the call out")])
def test_habits_of_modules(name, said):
    with pytest.raises(AttributeError, match=said):
        getattr(nn.Linear(1, 1), name)
