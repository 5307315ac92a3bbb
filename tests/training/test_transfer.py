"""Transfer: a new head, what is frozen stays in every bit, and cached features change nothing."""

import copy
from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

X = np.random.default_rng(0).standard_normal((24, 3, 8, 8)).astype(np.float32)
Y = np.arange(24) % 3


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv, self.bn = nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs)

    def forward(self, x: Any) -> Any:
        return fn.relu(self.bn(self.conv(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(np.zeros((3, 1, 1), np.float32))
        self.stem, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
        self.blocks = nn.Sequential(Block(4, 6), Block(6, 8))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(nn.Dropout(0.5), nn.Linear(8, 10))

    def forward(self, x: Any) -> Any:
        x = self.pool(self.blocks(fn.relu(self.norm(self.stem(x + self.shift)))))
        return self.classifier(x.flatten(1))


def net() -> Net:
    fn.manual_seed(0)
    model = Net()
    for _ in range(3):  # running statistics of their own
        model(X * 2 + 1)
    return model


def state(model: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.copy() for name, value in model.state_dict().items()}


def changed(model: nn.Module, before: dict[str, np.ndarray]) -> set[str]:
    """The layers whose parameters or statistics are not what they were."""
    return {name.rpartition(".")[0] or name for name, value in model.state_dict().items()
            if not np.array_equal(value, before[name])}


def trained(model: nn.Module, x: np.ndarray, groups: Any) -> fn.Trainer:
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(groups, lr=0.1, momentum=0.9))
    trainer.fit((x, Y), epochs=3, batch_size=8, seed=3)
    return trainer


def test_the_head_is_new_and_the_rest_as_it_was() -> None:
    model = net()
    before = state(model)
    task = fn.transfer(model, 3)
    assert task.head_path == "classifier.1" and model.classifier[1] is task.head
    assert task.head.weight.shape == (3, 8)
    assert changed(model, {**before, "classifier.1.weight": task.head.weight.data,
                           "classifier.1.bias": task.head.bias.data}) == set()
    assert [block.path for block in task.blocks] == ["stem", "blocks.0", "blocks.1"]
    assert model(X).shape == (24, 3)


def test_what_is_frozen_stays_in_every_bit_with_its_statistics() -> None:
    model = net()
    task = fn.transfer(model, 3)
    before = state(model)
    trained(model, X, task.groups(0.1))
    assert changed(model, before) == {"classifier.1"}


def test_a_head_trained_on_cached_features_has_the_bits_of_one_trained_in_the_net() -> None:
    model = net()
    task = fn.transfer(model, 3)
    start = state(model)
    whole = trained(model, X, task.groups(0.1))
    expected = state(model)
    model.load_state_dict(start)
    features = task.features(X, batch_size=8)
    assert features.shape == (24, 8)
    head = trained(task.head, features, task.head.parameters())
    assert [each["loss"] for each in head.history] == [each["loss"] for each in whole.history]
    assert changed(model, expected) == set()
    np.testing.assert_allclose(task.features(X, batch_size=5), features, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(task.head(features), model.eval()(X),
                               rtol=1e-5)


@pytest.mark.parametrize(("blocks", "expected"), [
    (0, set()), (1, {"blocks.1.conv", "blocks.1.bn"}),
    (2, {"blocks.1.conv", "blocks.1.bn", "blocks.0.conv", "blocks.0.bn"}),
    ("blocks.1", {"blocks.1.conv", "blocks.1.bn"}),
    ("blocks", {"blocks.1.conv", "blocks.1.bn", "blocks.0.conv", "blocks.0.bn"}),
    ("blocks.1.bn", {"blocks.1.conv", "blocks.1.bn"}),
    (None, {"blocks.1.conv", "blocks.1.bn", "blocks.0.conv", "blocks.0.bn", "stem", "norm",
            "shift"}),
])
def test_thawing_by_number_and_by_path(blocks: Any, expected: set[str]) -> None:
    model = net()
    task = fn.transfer(model, 3).thaw(blocks)
    before = state(model)
    trained(model, X, task.groups(0.1))
    assert changed(model, before) == {"classifier.1", *expected}
    assert model.classifier[0].training == bool(expected)  # dropout in front of the head
    task.freeze()
    before = state(model)
    trained(model, X, task.groups(0.1))
    assert changed(model, before) == {"classifier.1"}


def test_rates_fall_from_the_head_on() -> None:
    model = net()
    task = fn.transfer(model, 3)
    assert [(len(each["params"]), each["lr"]) for each in task.groups(0.8)] == [(2, 0.8)]
    task.thaw(2)
    groups = task.groups(0.8, decay=0.5, weight_decay=0.1)
    assert [(len(each["params"]), each["lr"], each["weight_decay"]) for each in groups] == \
        [(4, 0.2, 0.1), (4, 0.4, 0.1), (2, 0.8, 0.1)]
    task.thaw()
    assert [len(each["params"]) for each in task.groups(0.8)] == [5, 4, 4, 2]


def test_copies_stay_frozen_and_evaluation_leaves_all_as_it_is() -> None:
    model = net()
    task = fn.transfer(model, 3).thaw(1)
    copied = copy.deepcopy(model).train()
    assert not copied.norm.training and copied.blocks[1].bn.training and copied.training
    model.train()
    modes = [module.training for module in model.modules()]
    task.features(X)
    assert [module.training for module in model.modules()] == modes


def test_nets_of_models_with_the_head_named_or_found() -> None:
    task = fn.transfer(fn.models.create("resnet18", 10, 3, 32), 5)
    assert task.head_path == "fc"
    assert [block.path for block in task.blocks][:2] == ["conv1", "layer1.0"]
    plain = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2))
    task = fn.transfer(plain, 5, head="0")
    assert task.head.bias is None and task.head.weight.shape == (5, 3)
    assert "0" in repr(task) and "head" in repr(task)


def test_a_net_that_goes_on_after_its_head_has_no_features_to_train_the_head_alone_on() -> None:
    task = fn.transfer(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.LogSoftmax(1)), 3)
    with pytest.raises(ValueError, match="Sequential goes on after its head '1'"):
        task.features(np.ones((2, 3), np.float32))


def test_errors_change_nothing() -> None:
    model = net()
    before, layers = state(model), dict(model.named_modules())
    for arguments, error, words in (
        ((model, 1), ValueError, "classes must be an integer from 2 on, got 1"),
        ((model, "3"), TypeError, "classes must be an integer from 2 on, got '3'"),
        ((model, 3, "classifer.1"), ValueError, "head is 'classifer.1', and Net has no module of "
         "that path; the nearest are 'classifier.1'"),
        ((model, 3, "stem"), ValueError, "head is 'stem', a Conv2d of Net"),
        ((nn.Linear(3, 2), 3, ""), ValueError, "expected the path of a Linear inside of it"),
        ((nn.Sequential(nn.ReLU()), 3), ValueError, "Sequential has no Linear inside"),
        ((fn, 3), TypeError, "model must be of class Module"),
    ):
        with pytest.raises(error, match=words):
            fn.transfer(*arguments)
    assert dict(model.named_modules()) == layers and changed(model, before) == set()
    assert all(parameter.requires_grad for parameter in model.parameters())
    task = fn.transfer(model, 3)
    with pytest.raises(ValueError, match="blocks must be an integer from 0 to 3, or a path, got 4"):
        task.thaw(4)
    with pytest.raises(ValueError, match=r"blocks is 'block', .* nearest are 'blocks'"):
        task.thaw("block")
    with pytest.raises(ValueError, match=r"'classifier\.1', which is no part of the body"):
        task.thaw("classifier.1")
    assert all(block.is_frozen for block in task.blocks)
