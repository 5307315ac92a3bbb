"""Nets layer by layer: sizes of all values, names and shapes of all parameters, initial values.

The tables are torchvision's and the papers', written out by hand.
"""

import math

import numpy as np
import pytest

import fastnn as fn
from fastnn import models, nn
from fastnn.engine.nesting import flat
from fastnn.engine.trace import trace
from fastnn.graph import Graph
from fastnn.spec import Spec


def operations(model, *shape):
    """(layer, operation, output's shape) of all that is computed, but for copies and views."""
    traced = trace(model, (Spec(shape),))
    graph = Graph.trace(traced.inputs, flat(traced.output), traced.updates, flat(traced.output))
    return [(node.scope, node.op.name, node.outputs[0].shape) for node in graph.nodes
            if node.outputs and node.op.name not in ("from_row_major", "reshape")]


def products(model, *shape):
    """{layer: its output's shape without the batch} of convolutions and linear layers."""
    return {scope: size[1:] for scope, name, size in operations(model, *shape)
            if name in ("conv2d", "linear")}


def shapes(model):
    return {name: np.shape(value) for name, value in model.state_dict().items()}


def norm_shapes(name, width):
    ends = ("weight", "bias", "running_mean", "running_var")
    return {**{f"{name}.{end}": (width,) for end in ends}, f"{name}.num_batches_tracked": ()}


def residual_shapes(first, widths, blocks, classes, projected):
    """The state of a residual net: its first convolution's weight, stages, a linear layer."""
    found = {"conv1.weight": first, **norm_shapes("bn1", first[0])}
    inputs = first[0]
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True), 1):
        for block in range(count):
            at = f"layer{stage}.{block}"
            for i, channels in ((1, inputs), (2, width)):
                found |= {f"{at}.conv{i}.weight": (width, channels, 3, 3),
                          **norm_shapes(f"{at}.bn{i}", width)}
            if projected and inputs != width:
                found |= {f"{at}.downsample.0.weight": (width, inputs, 1, 1),
                          **norm_shapes(f"{at}.downsample.1", width)}
            inputs = width
    return found | {"fc.weight": (classes, inputs), "fc.bias": (classes,)}


def check_shapes(model, expected):
    found = shapes(model)
    assert list(found) == list(expected) and found == expected


def test_resnet_for_large_images(unfilled):
    """torchvision's resnet18 for images of 224x224."""
    model = models.resnet18(1000, stem="imagenet")
    check_shapes(model, residual_shapes((64, 3, 7, 7), (64, 128, 256, 512), (2, 2, 2, 2), 1000,
                                        projected=True))
    expected = {"conv1": (64, 112, 112)}
    for stage, size in enumerate(((64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)), 1):
        expected |= {f"layer{stage}.{block}.conv{i}": size for block in (0, 1) for i in (1, 2)}
        if stage > 1:
            expected[f"layer{stage}.0.downsample.0"] = size
    assert products(model, 2, 3, 224, 224) == {**expected, "fc": (1000,)}
    start = [(name, size[1:]) for _, name, size in operations(model.eval(), 2, 3, 224, 224)[:4]]
    assert start == [("conv2d", (64, 112, 112)), ("batch_norm", (64, 112, 112)),
                     ("relu", (64, 112, 112)), ("max_pool2d", (64, 56, 56))]


def test_resnet_for_small_images(unfilled):
    model = models.resnet18(in_channels=1)
    check_shapes(model, residual_shapes((64, 1, 3, 3), (64, 128, 256, 512), (2, 2, 2, 2), 10,
                                        projected=True))
    sizes = products(model, 2, 1, 32, 32)
    assert [sizes[name] for name in ("conv1", "layer1.1.conv2", "layer2.0.conv1",
                                     "layer3.0.downsample.0", "layer4.1.conv2", "fc")] == [
        (64, 32, 32), (64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4), (10,)]
    assert "max_pool2d" not in [name for _, name, _ in operations(model, 2, 1, 32, 32)]


def test_resnet34(unfilled):
    check_shapes(models.resnet34(1000, stem="imagenet"), residual_shapes(
        (64, 3, 7, 7), (64, 128, 256, 512), (3, 4, 6, 3), 1000, projected=True))


@pytest.mark.parametrize("make, count", [
    (models.resnet20, 3), (models.resnet32, 5), (models.resnet44, 7), (models.resnet56, 9),
    (models.resnet110, 18), (lambda *arguments: models.CifarResNet(8, *arguments), 1)])
def test_resnets_of_cifar(unfilled, make, count):
    """6 n + 2 layers; where the size halves the shortcut takes every second pixel, and zeros."""
    model = make(7, 1)
    check_shapes(model, residual_shapes((16, 1, 3, 3), (16, 32, 64), (count,) * 3, 7,
                                        projected=False))
    sizes = products(model, 2, 1, 32, 28)
    assert len(sizes) == 6 * count + 2
    expected = {"layer1": (16, 32, 28), "layer2": (32, 16, 14), "layer3": (64, 8, 7)}
    assert all(sizes[name] == expected[name.split(".")[0]] for name in sizes
               if name.startswith("layer"))
    assert sizes["conv1"] == (16, 32, 28) and sizes["fc"] == (7,)


def test_a_shortcut_without_parameters():
    """The block's value where its convolutions give nothing: every second pixel, then zeros."""
    block = models.resnet20().layer2[0].eval()
    block.conv2.weight.data = np.zeros(block.conv2.weight.shape, np.float32)
    x = np.random.default_rng(0).standard_normal((2, 16, 5, 6)).astype(np.float32)
    y = block(x)
    assert y.shape == (2, 32, 3, 3)
    np.testing.assert_array_equal(y[:, :16], np.maximum(x[:, :, ::2, ::2], 0))
    assert not y[:, 16:].any()


VGG = {11: "64 M 128 M 256 256 M 512 512 M 512 512 M",
       13: "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
       16: "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
       19: "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M"}
VGG_COUNTS = {  # torchvision's, with batch norm
    11: 132_868_840, 13: 133_053_736, 16: 138_365_992, 19: 143_678_248}


@pytest.mark.parametrize("depth", VGG)
def test_vgg_for_large_images(unfilled, depth):
    model = getattr(models, f"vgg{depth}_bn")()
    assert sum(parameter.size for parameter in model.parameters()) == VGG_COUNTS[depth]
    expected, sizes, place, inputs, side = {}, {}, 0, 3, 224
    for width in VGG[depth].split():
        if width == "M":
            place, side = place + 1, side // 2
            continue
        inputs, before = int(width), inputs
        expected |= {f"features.{place}.weight": (inputs, before, 3, 3),
                     f"features.{place}.bias": (inputs,),
                     **norm_shapes(f"features.{place + 1}", inputs)}
        sizes[f"features.{place}"] = (inputs, side, side)
        place += 3
    linear = {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}
    for i, shape in linear.items():
        expected |= {f"classifier.{i}.weight": shape, f"classifier.{i}.bias": shape[:1]}
        sizes[f"classifier.{i}"] = shape[:1]
    check_shapes(model, expected)
    assert products(model, 2, 3, 224, 224) == sizes
    head = [(scope, name) for scope, name, _ in operations(model, 2, 3, 224, 224)
            if scope.startswith("classifier")]
    assert [name for _, name in head] == [
        "linear", "relu", "dropout", "linear", "relu", "dropout", "linear"]
    assert [model.classifier[i].p for i in (2, 5)] == [0.5, 0.5]
    assert products(model, 1, 3, 64, 96)["classifier.0"] == (4096,)  # pooled to 7x7


@pytest.mark.parametrize("depth, count", [(11, 9_231_114), (13, 9_416_010), (16, 14_728_266),
                                          (19, 20_040_522)])
def test_vgg_for_small_images(unfilled, depth, count):
    model = getattr(models, f"vgg{depth}")()
    assert sum(parameter.size for parameter in model.parameters()) == count
    assert shapes(model)["classifier.0.weight"] == (10, 512)
    assert list(products(model, 2, 3, 32, 32).values())[-2:] == [(512, 2, 2), (10,)]


def test_cnn():
    model = models.cnn()
    assert sum(parameter.size for parameter in model.parameters()) == 141_418
    expected = {}
    for place, width, inputs in ((0, 32, 1), (4, 64, 32), (7, 64, 64), (11, 128, 64)):
        expected |= {f"features.{place}.weight": (width, inputs, 3, 3),
                     **norm_shapes(f"features.{place + 1}", width)}
    check_shapes(model, {**expected, "head.weight": (10, 1152), "head.bias": (10,)})
    names = [name for _, name, _ in operations(model.eval(), 2, 1, 28, 28)]
    layer = ["conv2d", "batch_norm", "relu"]
    assert names == [*layer, "max_pool2d", *layer, *layer, "max_pool2d", *layer,
                     "adaptive_avg_pool2d", "linear"]
    assert products(model, 2, 1, 28, 28) == {
        "features.0": (32, 28, 28), "features.4": (64, 14, 14), "features.7": (64, 14, 14),
        "features.11": (128, 7, 7), "head": (10,)}
    assert model.dropout.p == 0.2
    assert "dropout" in [name for _, name, _ in operations(model.train(), 2, 1, 28, 28)]
    small = models.cnn(num_classes=3, in_channels=2, width=4, dropout=0.5)
    assert shapes(small)["features.11.weight"] == (16, 8, 3, 3) and small.dropout.p == 0.5
    assert products(small, 2, 2, 4, 4)["head"] == (3,)


@pytest.mark.parametrize("size, padding, inputs", [
    (28, 2, 400), (32, 0, 400), (36, 0, 576), ((28, 40), 2, 16 * 5 * 8), (12, 2, 16),
    ((32, 33), 0, 400)])
def test_lenet(size, padding, inputs):
    """Small images are padded, as the paper's; 5x5 filters, halved twice."""
    model = models.lenet(image_size=size)
    assert model.conv1.padding == padding or model.conv1.padding == (padding, padding)
    check_shapes(model, {
        "conv1.weight": (6, 1, 5, 5), "conv1.bias": (6,), "conv2.weight": (16, 6, 5, 5),
        "conv2.bias": (16,), "fc1.weight": (120, inputs), "fc1.bias": (120,),
        "fc2.weight": (84, 120), "fc2.bias": (84,), "fc3.weight": (10, 84), "fc3.bias": (10,)})
    height, width = size if isinstance(size, tuple) else (size, size)
    names = [name for _, name, _ in operations(model, 2, 1, height, width)]
    layer = ["conv2d", "relu", "max_pool2d"]
    assert names == [*layer, *layer, "linear", "relu", "linear", "relu", "linear"]


def test_lenet_needs_12_pixels_a_side():
    for size in (11, (12, 11), (11, 32)):
        with pytest.raises(fn.ShapeError, match="12 or more"):
            models.lenet(image_size=size)


def test_mlp():
    check_shapes(models.mlp(), {
        "1.weight": (512, 784), "1.bias": (512,), "3.weight": (512, 512), "3.bias": (512,),
        "5.weight": (10, 512), "5.bias": (10,)})
    model = models.mlp(3, 2, (4, 5), hidden=[7])
    check_shapes(model, {"1.weight": (7, 40), "1.bias": (7,), "3.weight": (3, 7), "3.bias": (3,)})
    assert [name for _, name, _ in operations(model, 2, 2, 4, 5)] == ["linear", "relu", "linear"]
    assert shapes(models.mlp(3, 2, 4, hidden=[])) == {"1.weight": (3, 32), "1.bias": (3,)}


def _normal(values, std):
    """Gaussian of mean 0: the deviation within five times its own error, and tails."""
    assert values.std() == pytest.approx(std, rel=5 / math.sqrt(2 * values.size))
    assert abs(values.mean()) < 5 * std / math.sqrt(values.size)
    assert np.abs(values).max() > 2.2 * std


def _uniform(values, bound):
    assert 0.9 * bound < np.abs(values).max() <= bound


@pytest.mark.parametrize("make", [
    lambda: models.resnet18(stem="imagenet"), models.resnet20, models.cnn, models.vgg11,
    models.lenet, models.mlp], ids=["resnet18", "resnet20", "cnn", "vgg11", "lenet", "mlp"])
def test_initial_values_of_every_layer(make):
    """Convolutions as He et al., by fan-out; LeNet's and all linear layers as PyTorch's, or VGG's.
    """
    fn.manual_seed(1)
    model = make()
    plain = isinstance(model, models.LeNet)
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.data
            outputs, inputs, height, width = weight.shape
            if plain:
                _uniform(weight, 1 / math.sqrt(inputs * height * width))
            else:
                _normal(weight, math.sqrt(2 / (outputs * height * width)))
            if module.bias is not None and not plain:
                assert not module.bias.data.any(), name
        elif isinstance(module, nn.Linear):
            if isinstance(model, models.VGG):
                _normal(module.weight.data, 0.01)
                assert not module.bias.data.any(), name
            else:
                _uniform(module.weight.data, 1 / math.sqrt(module.weight.shape[1]))
                assert module.bias.data.any(), name
        elif isinstance(module, nn.BatchNorm2d):
            assert (module.weight.data == 1).all() and not module.bias.data.any(), name


@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
@pytest.mark.parametrize("size, kernel", [
    (None, 3), (111, 3), (112, 7), ((300, 111), 3), ((112, 300), 7)])
def test_the_shorter_side_chooses_the_stem(unfilled, name, size, kernel):
    assert models.create(name, image_size=size).conv1.kernel_size == (kernel, kernel)


@pytest.mark.parametrize("name", ["vgg11", "vgg13", "vgg16", "vgg19"])
def test_the_shorter_side_chooses_the_head(unfilled, name):
    for size, layers in ((None, 1), (32, 1), ((111, 200), 1), (112, 7)):
        assert len(models.create(name, image_size=size).classifier) == layers
    with pytest.raises(ValueError, match="at least 32x32"):
        models.create(name, image_size=(64, 31))


@pytest.mark.parametrize("name, classes, channels, key, shape", [
    ("mlp", 5, 2, "1.weight", (512, 2 * 28 * 28)), ("lenet", 5, 2, "fc1.weight", (120, 400)),
    ("cnn", 5, 2, "features.0.weight", (32, 2, 3, 3)),
    ("vgg11", 5, 2, "features.0.weight", (64, 2, 3, 3)),
    ("resnet34", 5, 2, "layer3.5.conv2.weight", (256, 256, 3, 3)),
    ("resnet26", 5, 2, "layer3.3.conv2.weight", (64, 64, 3, 3))])
def test_create_by_name_without_a_size(unfilled, name, classes, channels, key, shape):
    state = shapes(models.create(name, classes, channels))
    assert state[key] == shape
    assert list(state.values())[-1] == (classes,)
    assert next(iter(state.values()))[1] in (channels, channels * 28 * 28)
