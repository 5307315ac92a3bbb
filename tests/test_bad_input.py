"""Arguments and data that contradict each other: an error that says what came and what fits.

Every layer is called inside of a net, so that the layer's path is part of what is checked.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.graph import constant
from fastnn.spec import ShapeError, Spec

IMAGES = (2, 3, 8, 8)
HUGE = 2**40


class Net(nn.Module):
    """The layer under test is at `body.1`."""

    def __init__(self, layer):
        super().__init__()
        self.body = nn.Sequential(nn.Identity(), layer)

    def forward(self, x):
        return self.body(x)


def run(layer, shape=IMAGES):
    return Net(layer)(np.ones(shape, np.float32))


def refuses(words, make, shape=IMAGES):
    """`make()` is a layer that refuses input of that shape; all words are in its message."""
    layer = make()
    with pytest.raises(ShapeError) as caught:
        run(layer, shape)
    for word in ("body.1: ", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize(("words", "make"), [
    (["max_pool2d", "(9, 9)", str(IMAGES), "padding ((0, 0), (0, 0))"], lambda: nn.MaxPool2d(9)),
    (["avg_pool2d", "(9, 3)", str(IMAGES)], lambda: nn.AvgPool2d((9, 3))),
    (["max_pool2d", "(2, 2) spans (10, 2)", str(IMAGES)], lambda: nn.MaxPool2d(2, 1, 0, (9, 1))),
    (["conv2d", "(11, 11)", str(IMAGES), "padding ((1, 1), (1, 1))"],
     lambda: nn.Conv2d(3, 4, 11, padding=1)),
    (["conv2d", "(3, 3) spans (19, 19)", str(IMAGES)], lambda: nn.Conv2d(3, 4, 3, dilation=9)),
    (["padding (2, 2)", "half of the window (2, 2)"], lambda: nn.MaxPool2d(2, padding=2)),
    (["padding (1, 0)", "half of the window (1, 2)"], lambda: nn.AvgPool2d((1, 2), padding=(1, 0))),
])
def test_a_window_larger_than_its_padded_input(words, make):
    refuses(words, make)


def test_a_window_as_large_as_its_padded_input_is_fine():
    assert run(nn.MaxPool2d(8)).shape == (2, 3, 1, 1)
    assert run(nn.Conv2d(3, 4, 10, padding=1)).shape == (2, 4, 1, 1)


@pytest.mark.parametrize("groups", [2, 3, 5, 0, -1, 1.0, "2", None])
def test_groups_that_do_not_divide_channels(groups):
    with pytest.raises(ShapeError, match="groups"):
        nn.Conv2d(3, 4, 3, groups=groups)
    with pytest.raises(ShapeError, match="group"):
        fn.conv2d(constant(np.ones(IMAGES)), np.ones((4, 3, 3, 3), np.float32), groups=groups)


def test_groups_that_do_not_divide_a_weight():
    with pytest.raises(ShapeError, match=r"3 groups do not divide the 4 .* \(4, 1, 3, 3\)"):
        fn.conv2d(constant(np.ones(IMAGES)), np.ones((4, 1, 3, 3), np.float32), groups=3)


@pytest.mark.parametrize("size", [0, -1, -(2**70), HUGE, 1.5, "3", None])
@pytest.mark.parametrize("make", [
    lambda size: nn.Conv2d(size, 4, 3), lambda size: nn.Conv2d(3, size, 3),
    lambda size: nn.Conv2d(3, 4, size), lambda size: nn.Conv2d(3, 4, (3, size)),
    lambda size: nn.Conv2d(3, 4, 3, stride=size), lambda size: nn.Conv2d(3, 4, 3, dilation=size),
    lambda size: nn.Linear(size, 3), lambda size: nn.Linear(3, size),
    lambda size: nn.BatchNorm2d(size), lambda size: nn.BatchNorm1d(size)])
def test_sizes_of_layers(make, size):
    with pytest.raises(ShapeError, match=r"at least 1 and at most .*, got "):
        make(size)


@pytest.mark.parametrize("make", [
    lambda size: nn.MaxPool2d(size), lambda size: nn.MaxPool2d(2, (1, size)),
    lambda size: nn.MaxPool2d(2, dilation=size), lambda size: nn.AvgPool2d(size),
    lambda size: nn.AvgPool2d(2, (size, 1)), lambda size: nn.AdaptiveAvgPool2d(size),
    lambda size: nn.AdaptiveMaxPool2d(size), lambda size: nn.LPPool2d(2, size)])
@pytest.mark.parametrize("size", [0, -1, HUGE, 1.5])
def test_sizes_of_pooling(make, size):
    refuses([f"{size}"], lambda: make(size))


@pytest.mark.parametrize("divisor", [0, HUGE, -HUGE, 1.5])
def test_divisor_of_pooling(divisor):
    refuses([f"got {divisor}"], lambda: nn.AvgPool2d(2, divisor_override=divisor))


@pytest.mark.parametrize("padding", [-1, (0, -3), HUGE, 0.5, "bogus"])
def test_padding(padding):
    with pytest.raises(ShapeError, match="padding") as caught:
        nn.Conv2d(3, 4, 3, padding=padding)
    assert f"got {padding!r}" in str(caught.value)


def test_arguments_that_no_layer_has_still_say_what_fits():
    x = constant(np.ones(IMAGES))
    for shape, words in [((4, 3, 0, 3), r"\(4, 3, 0, 3\)"), ((0, 3, 3, 3), r"\(0, 3, 3, 3\)"),
                         ((3, 3), r"\(3, 3\)"), ((4, 2, 3, 3), "expected 2")]:
        with pytest.raises(ShapeError, match=words):
            fn.conv2d(x, np.ones(shape, np.float32))
    with pytest.raises(ShapeError, match=r"bias \(5,\)"):
        fn.conv2d(x, np.ones((4, 3, 3, 3), np.float32), np.ones(5, np.float32))
    with pytest.raises(ShapeError, match="needs stride 1"):
        fn.conv2d(x, np.ones((4, 3, 3, 3), np.float32), stride=2, padding="same")


@pytest.mark.parametrize("make", [lambda: nn.Conv2d(3, 4, 3), lambda: nn.BatchNorm2d(3)])
def test_channels_last_data_is_recognised(make):
    refuses(["input (2, 9, 7, 3) has 9 channels, expected 3", "channels-last", "layout='NHWC'"],
            make, (2, 9, 7, 3))
    with pytest.raises(ShapeError) as caught:
        run(make(), (2, 5, 8, 8))
    assert "(2, 5, 8, 8)" in str(caught.value) and "channels-last" not in str(caught.value)


def test_the_hint_for_channels_last_data_is_right():
    x = np.random.default_rng(0).standard_normal((2, 9, 7, 3)).astype(np.float32)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 7 * 5, 2))
    target = np.array([0, 1])
    loss, _ = fn.value_and_grad(net, nn.CrossEntropyLoss())(x.transpose(0, 3, 1, 2), target)
    other, _ = fn.value_and_grad(net, nn.CrossEntropyLoss(), layout="NHWC")(x, target)
    assert loss == other


@pytest.mark.parametrize(("shape", "make"), [
    ((5, 8, 8), lambda: nn.Conv2d(3, 4, 3)), ((8, 8), lambda: nn.MaxPool2d(2)),
    ((6, 5), lambda: nn.BatchNorm2d(5)), (IMAGES, lambda: nn.BatchNorm1d(3)),
    ((2, 3), lambda: nn.Linear(4, 5)), (IMAGES, lambda: nn.Linear(192, 5)),
    ((), lambda: nn.Linear(3, 5)), ((1, 3), lambda: nn.BatchNorm1d(3))])
def test_data_of_another_shape(shape, make):
    refuses([str(shape)], make, shape)


@pytest.mark.parametrize("arguments", [{"eps": float("nan")}, {"eps": float("inf")},
                                       {"momentum": float("nan")}, {"momentum": float("-inf")}])
def test_batch_norm_numbers(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        run(nn.BatchNorm2d(3, **arguments))


def test_a_tensor_that_no_memory_holds():
    with pytest.raises(ShapeError, match=r"body.1: no memory .*\(2, 3, 1073741824, 1073741824\)"):
        run(nn.AdaptiveAvgPool2d(2**30))
    with pytest.raises(ShapeError, match=r"\(3, -1\)"):
        Spec((3, -1))
    with pytest.raises(MemoryError, match="bytes"):
        run(nn.AdaptiveAvgPool2d(2**24))


def _python(code, **environment):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, **environment}, timeout=120)


@pytest.mark.parametrize("level", ["avx9000", "AVX2 ", "baseline,avx2", "../avx2"])
def test_an_unknown_instruction_set(level):
    result = _python("import fastnn", FASTNN_ISA=level)
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: FASTNN_ISA={level!r}") and "it has" in last


@pytest.mark.parametrize("threads", [0, -1, 10_000, 2**70])
def test_a_number_of_threads_that_cannot_be(threads):
    before = fn.get_num_threads()
    with pytest.raises(ValueError, match=f"from 1 to 1024, got {threads}"):
        fn.set_num_threads(threads)
    assert fn.get_num_threads() == before


def test_more_threads_than_processors_give_the_same_bits():
    net, x = nn.Conv2d(3, 64, 3), np.random.default_rng(0).random((4, 3, 40, 40), np.float32)
    one = net(x)
    fn.set_num_threads(100)
    assert net(x).tobytes() == one.tobytes()
