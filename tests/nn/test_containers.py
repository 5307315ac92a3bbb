"""Containers: as PyTorch's in contents, names and text; and what they refuse."""

import copy

import numpy as np
import pytest

from fastnn import nn

X = np.ones((2, 3), np.float32)


def linears(count):
    return [nn.Linear(3, 3) for _ in range(count)]


def test_sequential_as_a_list():
    a, b, c, d = linears(4)
    net = nn.Sequential(a, b)
    assert net.append(c) is net and net.extend([d]) is net and list(net) == [a, b, c, d]
    assert net.insert(1, d) is net and list(net) == [a, d, b, c, d]
    assert [name for name, _ in net.named_children()] == list("01234")
    assert net.pop(1) is d and net.pop() is d and list(net) == [a, b, c]
    del net[0]
    assert list(net) == [b, c] and next(iter(net.state_dict())) == "0.weight"
    del net[:]
    assert len(net) == 0
    net += nn.Sequential(a, b)
    both = net + nn.Sequential(c)
    assert list(both) == [a, b, c] and list(net) == [a, b]
    assert list(nn.Sequential(a) * 3) == list(3 * nn.Sequential(a)) == [a, a, a]
    assert a in net and c not in net
    net.insert(-1, d)
    assert list(net) == [a, d, b]
    with pytest.raises(IndexError, match="no place 9 among 3"):
        net.insert(9, d)
    with pytest.raises(IndexError, match="no module 3 of 3"):
        _ = net[3]


def test_a_slice_of_a_sequential_keeps_its_names():
    net = nn.Sequential({"first": nn.Linear(3, 4), "act": nn.ReLU(), "last": nn.Linear(4, 2)})
    assert list(net[1:].state_dict()) == ["last.weight", "last.bias"]
    assert list(net[::2].state_dict())[2] == "last.weight"
    assert net[:2](X).shape == (2, 4)


def test_module_list_as_a_list():
    a, b, c = linears(3)
    layers = nn.ModuleList([a])
    layers += [b]
    assert layers.extend(nn.ModuleList([c])) is layers and list(layers) == [a, b, c]
    assert list(layers.insert(0, c)) == [c, a, b, c]
    assert list(layers[1:3]) == [a, b] and isinstance(layers[1:3], nn.ModuleList)
    assert list(layers[:1] + [b]) == [c, b]
    del layers[0], layers[-1]
    assert list(layers) == [a, b]
    layers[-1] = c
    assert list(layers) == [a, c] and layers.pop(0) is a and len(nn.ModuleList()) == 0
    with pytest.raises(TypeError, match="a list of modules, got 3"):
        layers.extend(3)
    with pytest.raises(TypeError, match=r"ModuleList takes modules, got .* as '1'"):
        layers.append(3)
    with pytest.raises(NotImplementedError):
        layers(X)


def test_module_dict_as_a_dict():
    a, b, c = linears(3)
    heads = nn.ModuleDict({"a": a, "b": b})
    heads["c"] = c
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"]
    assert list(heads.values()) == [a, b, c] and dict(heads.items())["b"] is b
    assert heads.a is heads["a"] and "b" in heads and "z" not in heads and len(heads) == 3
    assert heads.pop("a") is a and "a" not in heads
    heads.update([("b", c), ("d", a)])
    assert dict(heads.items()) == {"b": c, "c": c, "d": a}
    assert [name for name, _ in heads.named_parameters()] == [
        "b.weight", "b.bias", "d.weight", "d.bias"]
    del heads["b"]
    heads.clear()
    assert len(heads) == 0 and len(nn.ModuleDict([("x", a)])) == 1
    for wrong, error in ((lambda: heads.update({"x": 3}), TypeError),
                         (lambda: heads.update(3), TypeError),
                         (lambda: heads.update([3]), TypeError),
                         (lambda: heads.update({"pop": a}), KeyError),
                         (lambda: heads.update({"a.b": a}), KeyError),
                         (lambda: heads["none"], KeyError)):
        with pytest.raises(error):
            wrong()


def test_parameter_lists_and_dicts():
    one, two = nn.Parameter(np.ones(2)), nn.Parameter(np.ones((2, 3)))
    values = nn.ParameterList([one, np.zeros(3)])
    assert values.append(two) is values and len(values) == 3 and values[-1] is two
    assert [value.shape for value in values] == [(2,), (3,), (2, 3)]
    assert list(values.state_dict()) == ["0", "1", "2"]
    assert len(values[1:]) == 2 and values[1:][1] is two
    values[0] = np.zeros(5)
    assert values[0].shape == (5,) and values.pop(0).shape == (5,) and len(values) == 2
    values += [one]
    assert values[2] is one

    named = nn.ParameterDict({"left": one})
    named["right"] = np.zeros(4)
    assert named.left is one and list(named) == ["left", "right"] and "left" in named
    assert list(reversed(named)) == ["right", "left"] and named.get("none", 3) == 3
    assert named.setdefault("left", 1) is one and named.setdefault("new", np.ones(1)).shape == (1,)
    assert (named | nn.ParameterDict({"left": two}))["left"] is two
    assert list(named.copy()) == ["left", "right", "new"] and named.popitem()[0] == "new"
    assert named.pop("left") is one and list(named.keys()) == ["right"]
    assert [value.shape for _, value in named.items()] == [(4,)]
    del named["right"]
    named.update({"x": 1.0})
    named.clear()
    assert not len(named)


def test_models_of_containers_are_planned_anew_when_they_change():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers, self.heads = nn.ModuleList(linears(2)), nn.ModuleDict({"a": linears(1)[0]})
            self.scales = nn.ParameterDict({"s": np.ones(3)})
            self.shifts = nn.ParameterList([np.zeros(3)])

        def forward(self, x):
            for layer in self.layers:
                x = layer(x)
            for head in self.heads.values():
                x = head(x)
            for scale in self.scales.values():
                x = x * scale
            for shift in self.shifts:
                x = x + shift
            return x

    net = Net()
    y = net(X)
    net.shifts.append(np.ones(3))
    np.testing.assert_allclose(net(X), y + 1, rtol=1e-5)
    net.shifts.pop()
    net.scales["two"] = np.full(3, 2.0)
    np.testing.assert_allclose(net(X), y * 2, rtol=1e-5)
    del net.scales["two"]
    net.heads["a"] = nn.Identity()
    assert not np.allclose(net(X), y)
    net.heads.clear()
    del net.layers[1]
    np.testing.assert_allclose(net(X), net.layers[0](X), rtol=1e-5)
    np.testing.assert_array_equal(copy.deepcopy(net)(X), net(X))


def test_unflatten_and_identity():
    x = np.arange(24, dtype=np.float32).reshape(2, 12)
    assert nn.Unflatten(1, (3, -1))(x).shape == (2, 3, 4)
    assert nn.Unflatten(-1, (2, 2, 3))(x).shape == (2, 2, 2, 3)
    np.testing.assert_array_equal(nn.Sequential(nn.Unflatten(1, (3, 2, 2)), nn.Flatten())(x), x)
    for sizes in ((5, -1), (3, 3), (-1, -1), (0, -1)):
        with pytest.raises(ValueError, match="Unflatten: axis 1 of size 12"):
            nn.Unflatten(1, sizes)(x)
    with pytest.raises(TypeError, match="unflattened_size"):
        nn.Unflatten(1, 3)
    np.testing.assert_array_equal(nn.Identity(3, any="thing")(x), x)


def built(library):
    """The same net of either library, of layers whose text this checks."""
    linear, relu = library.Linear, library.ReLU
    return library.Sequential(
        library.Flatten(), library.Flatten(0, 2), library.Unflatten(1, (2, 5)), library.Identity(4),
        library.ModuleList([linear(2, 3) for _ in range(3)] + [relu()] + [linear(2, 3)]),
        library.ModuleList([library.Sequential(linear(1, 1), relu()) for _ in range(2)]),
        library.ModuleDict({"one": relu(), "two": library.ModuleList()}),
        library.ModuleDict(), library.Sequential(), library.Bilinear(2, 3, 4, bias=False)
        if hasattr(library, "Bilinear") and hasattr(nn, "Bilinear") else relu(),
        library.Sequential(linear(2, 2, bias=False), library.Sequential(relu())))


def test_text_is_pytorchs():
    torch = pytest.importorskip("torch")
    assert repr(built(nn)) == repr(built(torch.nn))
    for shapes in (((2, 3), (4,)), ((5,),), ()):
        ours = nn.ParameterList([np.ones(shape) for shape in shapes])
        theirs = torch.nn.ParameterList([torch.ones(shape) for shape in shapes])
        assert repr(ours) == repr(theirs).replace("torch.", "")
        ours = nn.ParameterDict({f"p{shape[0]}": np.ones(shape) for shape in shapes})
        theirs = torch.nn.ParameterDict({f"p{shape[0]}": torch.ones(shape) for shape in shapes})
        assert repr(ours) == repr(theirs).replace("torch.FloatTensor", "float32").replace(
            "torch.", "")


def test_text_of_an_extra_repr_of_several_lines():
    class Net(nn.Module):
        def extra_repr(self):
            return "a=1\nb=2"

    net = Net()
    assert repr(net) == "Net(\n  a=1\n  b=2\n)"
    net.inner = nn.ReLU()
    assert repr(net) == "Net(\n  a=1\n  b=2\n  (inner): ReLU()\n)"
