"""summary: shapes, parameters and multiply-adds of every layer."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=False)
        self.bn = nn.BatchNorm2d(6)
        self.shared = nn.Conv2d(6, 6, 1)
        self.head = nn.Linear(6, 5)
        self.unused = nn.Linear(2, 2)

    def forward(self, x, y):
        x = self.shared(fn.relu(self.bn(self.conv(x))))
        x = self.shared(x).mean((2, 3))
        return self.head(x) @ y, x


def test_figures_are_those_of_the_formulas():
    net = Net()
    net.bn.requires_grad_(False)
    net.unused.weight.requires_grad = False
    found = fn.summary(net, (8, 4, 10, 12), (5, 7))
    rows = {row.path: row for row in found.rows}
    assert list(rows) == ["", "conv", "bn", "shared", "head", "unused"]
    assert rows[""].shapes == ((8, 7), (8, 6)) and rows["unused"].shapes == ()
    assert rows["conv"].shapes == ((8, 6, 10, 12),)
    assert rows["conv"].multiply_adds == 8 * 6 * 10 * 12 * 2 * 9
    assert rows["shared"].multiply_adds == 2 * 8 * 6 * 10 * 12 * 6
    assert rows["head"].multiply_adds == 8 * 6 * 5
    assert rows[""].multiply_adds == 8 * 5 * 7  # its own product
    assert found.multiply_adds == sum(row.multiply_adds for row in found.rows)
    assert rows["conv"].activation_bytes == 4 * 8 * 6 * 10 * 12
    assert [rows[name].parameters for name in ("conv", "bn", "shared", "head")] == [108, 12, 42, 35]
    assert found.parameters == 108 + 12 + 42 + 35 + 6
    assert found.trained == found.parameters - 12 - 4
    assert found.buffers == 13 and found.input_shapes == ((8, 4, 10, 12), (5, 7))
    lines = str(found).splitlines()
    assert "bn: BatchNorm2d" in lines[4] and "  no " in lines[4]
    assert "unused: Linear" in lines[7] and lines[7].split()[2:5] == ["-", "6", "2"]


def test_nothing_is_computed_and_inputs_may_be_arrays():
    net = Net()
    before = {name: value.copy() for name, value in net.state_dict().items()}
    shapes = fn.summary(net, (8, 4, 10, 12), (5, 7))
    assert str(fn.summary(net, np.ones((8, 4, 10, 12)), np.ones((5, 7)))) == str(shapes)
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    embedded = nn.Sequential(nn.Identity())
    assert fn.summary(embedded, np.arange(3)).input_shapes == ((3,),)


def test_an_input_may_be_a_tuple():
    class Pair(nn.Module):
        def forward(self, pair):
            return pair[0] + pair[1]

    assert fn.summary(Pair(), ((2, 3), (2, 3))).rows[0].shapes == ((2, 3),)


def test_a_known_net_has_its_known_figures():
    model = fn.models.resnet18(num_classes=1000, stem="imagenet").eval()
    found = fn.summary(model, (1, 3, 224, 224))
    assert found.parameters == 11_689_512
    assert found.multiply_adds == 1_814_073_344  # He et al., 2015, say 1.8 billion


def test_what_is_refused():
    with pytest.raises(TypeError, match="model must be"):
        fn.summary(3, (1, 2))
    with pytest.raises(TypeError, match="needs the shape of an input"):
        fn.summary(Net())
    with pytest.raises(fn.ShapeError):
        fn.summary(nn.Linear(3, 4), (2, 5))
