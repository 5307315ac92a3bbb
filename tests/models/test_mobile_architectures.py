"""Mobile nets and ConvNeXt: sizes of stages, rates, initial values, as in the papers' tables.

That names and shapes of all parameters, and what is computed, are torchvision's is tested in
`tests/parity/test_torchvision.py`.
"""

import math

import numpy as np
import pytest

import fastnn as fn
from fastnn import models, nn
from fastnn.engine.by_example import by_example
from fastnn.engine.nesting import flat
from fastnn.engine.trace import trace
from fastnn.graph import Graph
from fastnn.models import efficientnet, mobilenet_v3
from fastnn.spec import Spec
from tests.fresh import in_a_fresh_process
from tests.models.test_architectures import operations, products

# The output of each net's stages for images of 224x224; before the head they are averaged.
STAGES = {
    "mobilenet_v2": ("features", [
        (32, 112), (16, 112), (24, 56), (24, 56), (32, 28), (32, 28), (32, 28), (64, 14),
        (64, 14), (64, 14), (64, 14), (96, 14), (96, 14), (96, 14), (160, 7), (160, 7), (160, 7),
        (320, 7), (1280, 7)]),
    "mobilenet_v3_small": ("features", [
        (16, 112), (16, 56), (24, 28), (24, 28), (40, 14), (40, 14), (40, 14), (48, 14), (48, 14),
        (96, 7), (96, 7), (96, 7), (576, 7)]),
    "mobilenet_v3_large": ("features", [
        (16, 112), (16, 112), (24, 56), (24, 56), (40, 28), (40, 28), (40, 28), (80, 14),
        (80, 14), (80, 14), (80, 14), (112, 14), (112, 14), (160, 7), (160, 7), (160, 7),
        (960, 7)]),
    "efficientnet_b0": ("features", [
        (32, 112), (16, 112), (24, 56), (40, 28), (80, 14), (112, 14), (192, 7), (320, 7),
        (1280, 7)]),
    "convnext_tiny": ("features", [
        (96, 56), (96, 56), (192, 28), (192, 28), (384, 14), (384, 14), (768, 7), (768, 7)]),
    "shufflenet_v2_x1_0": ("", [
        (24, 112), (24, 56), (116, 28), (232, 14), (464, 7), (1024, 7)]),
    "resnet50": ("", [(64, 112), (64, 56), (256, 56), (512, 28), (1024, 14), (2048, 7)]),
}


def made(name, **options):
    stem = {"stem": "imagenet"} if name.startswith("resnet") else {}
    return getattr(models, name)(**stem, **options)


@pytest.mark.parametrize("name", STAGES)
def test_sizes_of_stages(unfilled, name):
    inside, expected = STAGES[name]
    last = {}  # what each child computes last
    for scope, _, size in operations(made(name).eval(), 2, 3, 224, 224):
        place = scope.removeprefix(inside).strip(".").split(".")[0]
        if (scope.startswith(inside) and place not in ("", "bn1") and len(size) == 4
                and size[2] > 1):
            last[place] = size[1:3]
    assert list(last.values()) == expected


@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("shape", [(2, 1, 64, 96), (1, 1, 33, 32)])
def test_images_of_other_sizes(unfilled, name, shape):
    sizes = products(made(name, num_classes=5, in_channels=1), *shape)
    assert list(sizes.values())[-1] == (5,)


def test_convnext_needs_32_pixels_a_side(unfilled):
    with pytest.raises(fn.ShapeError, match="ConvNeXt needs images of at least 32x32, got 31x64"):
        models.ConvNeXt((8,), (1,))(np.zeros((1, 3, 31, 64), np.float32))
    with pytest.raises(ValueError, match="convnext_tiny needs images of at least 32x32, got 28x28"):
        models.create("convnext_tiny", image_size=28)


def rates(model):
    return [module.p for module in model.modules() if isinstance(module, nn.StochasticDepth)]


def test_the_deeper_a_block_the_more_often_it_is_skipped(unfilled):
    np.testing.assert_allclose(rates(models.efficientnet_b0()), 0.2 * np.arange(16) / 16)
    np.testing.assert_allclose(rates(models.convnext_tiny()), np.linspace(0, 0.1, 18))
    assert not any(rates(models.convnext_tiny(stochastic_depth_prob=0.0)))
    names = [name for _, name, _ in operations(
        models.efficientnet_b0(stochastic_depth_prob=0.5), 2, 3, 64, 64)]
    assert names.count("random_uniform") == 9  # of blocks with a shortcut, all but none's rate is 0
    assert "random_uniform" not in [name for _, name, _ in operations(
        models.efficientnet_b0().eval(), 2, 3, 64, 64)]


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"])
def test_dropout_before_the_last_layer(unfilled, name):
    (layer,) = (m for m in made(name, dropout=0.3).classifier if isinstance(m, nn.Dropout))
    assert layer.p == 0.3 and made(name).classifier[-2].p == 0.2


def test_norms_have_the_papers_constants(unfilled):
    for name, eps, momentum in (("mobilenet_v2", 1e-5, 0.1), ("mobilenet_v3_large", 1e-3, 0.01),
                                ("efficientnet_b0", 1e-5, 0.1)):
        assert {(m.eps, m.momentum) for m in made(name).modules()
                if isinstance(m, nn.BatchNorm2d)} == {(eps, momentum)}
    assert {m.eps for m in made("convnext_tiny").modules() if isinstance(m, nn.LayerNorm)} == {1e-6}


def test_width_of_mobilenet_v2(unfilled):
    half = models.mobilenet_v2(width_mult=0.5)
    assert half.features[0][0].weight.shape[0] == 16
    assert half.classifier[1].weight.shape == (1000, 1280)
    assert models.mobilenet_v2(width_mult=1.4).classifier[1].weight.shape == (1000, 1792)


def deviation(weight):
    return float(np.std(weight.data, dtype=np.float64))


@pytest.mark.parametrize("name", ["mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0"])
def test_initial_values_of_mobile_nets(name):
    """Convolutions as He et al., by fan-out; no biases."""
    fn.manual_seed(1)
    for layer, module in made(name, num_classes=100).named_modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight
            expected = math.sqrt(2 / (weight.shape[0] * math.prod(weight.shape[2:])))
            assert deviation(weight) == pytest.approx(
                expected, rel=5 / math.sqrt(2 * weight.size)), layer
        elif isinstance(module, nn.Linear) and name == "efficientnet_b0":
            assert 0.099 < np.abs(module.weight.data).max() <= 0.1
        elif isinstance(module, nn.Linear):
            assert deviation(module.weight) == pytest.approx(0.01, rel=0.05), layer
        if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
            assert not module.bias.data.any(), layer


def test_initial_values_of_convnext():
    fn.manual_seed(1)
    model = models.ConvNeXt((16, 32), (1, 1))
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            assert deviation(module.weight) == pytest.approx(0.02, rel=0.2)
            assert not module.bias.data.any()
    assert (model.features[1][0].layer_scale.data == np.float32(1e-6)).all()


SMALL = {
    "mobilenet_v2": lambda: models.mobilenet_v2(4, width_mult=0.25),
    "mobilenet_v3": lambda: models.MobileNetV3(mobilenet_v3.SMALL[:5], 16, 4),
    "efficientnet": lambda: models.EfficientNet(efficientnet.B0[:2], 4, dropout=0.5,
                                                stochastic_depth_prob=0.8),
    "convnext": lambda: models.ConvNeXt((16, 32), (1, 2), 4, 3, 0.8, 0.1),
    "shufflenet": lambda: models.ShuffleNetV2((2, 2, 2), (8, 16, 32, 64, 64), 4),
}


def trained(make, budget=None):
    """(losses of two steps, the state then, the plan)"""
    fn.manual_seed(0)
    model = make()
    step = fn.TrainStep(model, nn.CrossEntropyLoss(),
                        fn.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
                        memory_budget=budget)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 3, 32, 32)).astype(np.float32)
    losses = [step(x, np.arange(64) % 4) for _ in range(2)]
    state = {name: value.tobytes() for name, value in model.state_dict().items()}
    return losses, state, step.plan(x.shape)


def same_bits_in_less_memory(make):
    losses, state, plan = trained(make)
    found, other, tight = trained(make, plan.min_bytes)
    assert tight.recomputed and tight.layout.arena_bytes < plan.layout.arena_bytes
    assert found == losses and other == state


@in_a_fresh_process
def test_an_efficientnet_has_the_same_bits_in_less_memory():
    """Also where examples skip branches at random."""
    same_bits_in_less_memory(SMALL["efficientnet"])


@in_a_fresh_process
def test_a_convnext_has_the_same_bits_in_less_memory():
    same_bits_in_less_memory(SMALL["convnext"])


@pytest.mark.parametrize("name", SMALL)
def test_a_batch_in_use_can_be_split(name):
    model = SMALL[name]().eval()
    traced = trace(model, (Spec((6, 3, 64, 64)),))
    graph = Graph.trace(traced.inputs, flat(traced.output), traced.updates, flat(traced.output))
    assert by_example(graph, 6)
