"""Modules called with arrays in a budget: micro-batches have the bits of the whole batch."""

from weakref import ref

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.engine.inference import inference_of
from fastnn.engine.memory_limit import within
from fastnn.models.resnet import BasicBlock
from fastnn.models.resnet_cifar import PlainShortcut
from fastnn.runtime.process_memory import resident_bytes
from fastnn.spec import Spec
from tests.fresh import in_a_fresh_process
from tests.nets import NETS, batch, batch_for, make


class Forward(nn.Module):
    """A net whose forward is a function of (net, x)."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def _unet(net, x):
    down = fn.relu(net.down(x))
    middle = fn.relu(net.middle(fn.max_pool2d(down, 2)))
    return net.head(fn.cat([down, net.up(middle)], 1)) * 2.0 + 1.0


def _sequence(net, x):
    """(n, 8, 8) rows of 8 through one linear map, weighted by a softmax over them."""
    rows = x[:, 0].reshape(x.shape[0], 8, 8)
    scores = fn.softmax(net.score(rows), 1)
    return (rows.permute(0, 2, 1) * scores.permute(0, 2, 1)).sum(2), net.score(rows).flatten(1)


def wide():
    """Winograd for a whole batch of 64, and not for a few."""
    return nn.Sequential(nn.Conv2d(2, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(),
                         nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
                         BasicBlock(32, 64, 2, PlainShortcut), nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(64, 5))


SPLIT = {
    **NETS, "wide": wide,
    "unet": lambda: Forward(_unet, down=nn.Conv2d(2, 16, 3, padding=1),
                            middle=nn.Conv2d(16, 32, 3, padding=1),
                            up=nn.ConvTranspose2d(32, 16, 2, stride=2), head=nn.Conv2d(32, 3, 1)),
    "comparisons": lambda: Forward(
        lambda net, x: net.head((x.detach() > 0.0) * x).flatten(1), head=nn.Conv2d(2, 3, 3)),
    "sequence": lambda: Forward(_sequence, score=nn.Linear(8, 1)),
    "products": lambda: Forward(
        lambda net, x: (fn.bmm(x.flatten(2), x.flatten(2).transpose(1, 2)).flatten(1)
                        @ net.mix + fn.einsum("ni,oi->no", x.flatten(1), net.wide)),
        mix=nn.Parameter(np.random.default_rng(1).standard_normal((4, 300))),
        wide=nn.Parameter(np.random.default_rng(2).standard_normal((300, 128)))),
    "two inputs": lambda: Forward(lambda net, x, y: (fn.tanh(x + y), net.part(y) - 1.0),
                                  part=nn.AvgPool2d(2)),
}


def arrays_for(name, count=64):
    x = batch_for(name, count)[0]
    return (x, batch(count, 1)[0]) if name == "two inputs" else (x,)


def flat(value):
    return list(value) if isinstance(value, tuple) else [value]


def by_micro_batches(model, inputs, count):
    specs = tuple(Spec(x.shape) for x in inputs)
    known = inference_of(model)
    assert known._can_be_split(specs)
    return flat(known._by_micro_batches(inputs, specs, count, None))


@pytest.mark.parametrize("name", SPLIT)
def test_micro_batches_have_the_bits_of_the_whole(name):
    fn.manual_seed(0)
    model = SPLIT[name]()
    inputs = arrays_for(name)
    model(*inputs)  # moves running statistics
    model.eval()
    expected = flat(model(*inputs))
    for count in (2, 3, 7, 16, 63, 64):
        found = by_micro_batches(model, inputs, count)
        for one, other in zip(expected, found, strict=True):
            assert one.shape == other.shape and one.tobytes() == other.tobytes(), count


NOT_SPLIT = {
    "mean of the batch": lambda net, x: x - x.mean(0, keepdim=True),
    "batch statistics": lambda net, x: fn.batch_norm(x, None, None, training=True),
    "softmax over the batch": lambda net, x: fn.softmax(x.flatten(1), 0),
    "gram matrix": lambda net, x: x.flatten(1) @ x.flatten(1).transpose(0, 1),
    "rows as columns": lambda net, x: fn.matmul(x.flatten(2).transpose(1, 2), x.flatten(2)[0]),
    "pairs": lambda net, x: x.mean((1, 2, 3)) + x.flatten(1)[:, :1],
    "reversed": lambda net, x: x[::-1] + x,
    "some": lambda net, x: x[:2],
    "joined": lambda net, x: fn.cat([x, x], 0),
    "one scale for all": lambda net, x: x / x.shape[0],
    "place": lambda net, x: x + np.arange(1.0 * x.shape[0]).reshape(-1, 1, 1, 1),
    "rows of a table": lambda net, x: x.flatten(1)[:, :3] + net.table[: x.shape[0]],
    "scalar": lambda net, x: fn.mean(x),
    "folded": lambda net, x: x.reshape(x.shape[0] // 2, 2, 2, 64),
    "function": lambda net, x: Python.apply(x),
    "training": lambda net, x: fn.relu(x),
}


class Python(fn.Function):
    @staticmethod
    def forward(ctx, x):
        return x - x.mean()


@pytest.mark.parametrize("name", NOT_SPLIT)
def test_what_looks_at_other_examples_is_not_split(name):
    model = Forward(NOT_SPLIT[name], table=nn.Parameter(np.ones((8, 3))))
    model.train(name == "training")
    x = batch(8)[0]
    model(x)
    assert not inference_of(model)._can_be_split((Spec(x.shape),))


def test_examples_must_come_first_in_all_inputs():
    model = SPLIT["two inputs"]().eval()
    assert not inference_of(model)._can_be_split((Spec((4, 2, 8, 8)), Spec((1, 2, 8, 8))))
    assert not inference_of(model)._can_be_split((Spec((1, 2, 8, 8)), Spec((1, 2, 8, 8))))


@pytest.mark.parametrize("split", [False, True])
def test_inputs_are_let_go(split):
    model = wide().eval()
    x = batch(8)[0]
    known = ref(x)
    for _ in range(2):
        if split:
            by_micro_batches(model, (x,), 3)
        else:
            model(x)
    del x
    assert known() is None


@in_a_fresh_process
def test_a_batch_that_does_not_fit_is_split():
    model = wide().eval()
    x = batch(4000)[0]
    small = model(x[:100])
    limit = resident_bytes() + (5 << 20)
    with within(limit):
        found = [model(x) for _ in range(2)]
    assert resident_bytes() <= limit
    assert inference_of(model)._splits
    expected = model(x)
    assert all(each.tobytes() == expected.tobytes() for each in found)
    assert resident_bytes() > limit
    assert not np.isnan(small).any()
    with within("3MiB"), pytest.raises(fn.MemoryBudgetError, match="too small"):
        model(x)
    model.train()  # not cut: refused with less than the whole needs
    with within(limit - (3 << 20)), pytest.raises(fn.MemoryBudgetError):
        model(x)


@in_a_fresh_process
def test_an_evaluation_that_does_not_fit_has_the_same_figures():
    x, y = batch(24000)
    model = make("residual")
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(label_smoothing=0.1),
                         optim.SGD(model.parameters(), lr=0.1))
    limit = resident_bytes() + (30 << 20)
    trainer.train_step.memory_budget = limit
    found = [trainer.evaluate((x, y), batch_size=20000) for _ in range(2)]
    assert resident_bytes() <= limit
    trainer.train_step.memory_budget = None
    assert found == [trainer.evaluate((x, y), batch_size=20000)] * 2
    assert resident_bytes() > limit
