"""AlexNet, SqueezeNet, DenseNet, GoogLeNet and U-Net: sizes, outputs, initial values, budgets.

Their values and names are compared with torchvision's in tests/parity/test_torchvision.py.
"""

import math

import numpy as np
import pytest

import fastnn as fn
from fastnn import models, nn
from fastnn.engine.trace import trace
from fastnn.spec import Spec
from tests.fresh import in_a_fresh_process

LEAST = {"alexnet": 63, "squeezenet1_0": 21, "squeezenet1_1": 17,
         "densenet121": 29, "googlenet": 15}


def output_shape(model, *shape):
    return trace(model, (Spec(shape),)).output.shape


@pytest.mark.parametrize("name", LEAST)
def test_the_smallest_images(name, unfilled):
    """The least size works, and one pixel less on a side is refused, by the net and by `create`."""
    least = LEAST[name]
    model = models.create(name, image_size=least)
    assert output_shape(model, 2, 3, least, least + 3) == (2, 10)
    said = f"at least {least}x{least}, got {least + 1}x{least - 1}"
    with pytest.raises(fn.ShapeError, match=said):
        output_shape(model, 2, 3, least + 1, least - 1)
    with pytest.raises(ValueError, match=f"{name} needs images of {said}"):
        models.create(name, image_size=(least + 1, least - 1))


@pytest.mark.parametrize("make", [models.squeezenet1_1, models.densenet121, models.googlenet])
def test_what_is_no_batch_of_images_is_refused(make, unfilled):
    with pytest.raises(fn.ShapeError, match=r"expected \(batch, .* a single image: x\[None\]"):
        output_shape(make(), 3, 64, 64)


def test_arguments_reach_their_layers(unfilled):
    def rates(model):
        return [module.p for module in model.modules() if isinstance(module, nn.Dropout)]

    assert rates(models.alexnet(dropout=0.1)) == [0.1, 0.1]
    assert rates(models.squeezenet1_0()) == [0.5]
    assert rates(models.googlenet(dropout=0.1, dropout_aux=0.3)) == [0.3, 0.3, 0.1]
    assert rates(models.googlenet()) == [0.7, 0.7, 0.2]
    assert set(rates(models.densenet121(drop_rate=0.2))) == {0.2}
    with pytest.raises(ValueError, match="version must be one of"):
        models.SqueezeNet("2_0")
    with pytest.raises(ValueError, match="in_channels=3"):
        models.googlenet(in_channels=1, transform_input=True)


def test_googlenet_has_three_outputs_in_training_alone(unfilled):
    model, x = models.googlenet(5), Spec((2, 3, 32, 32))
    output = trace(model, (x,)).output
    assert isinstance(output, models.GoogLeNetOutputs)
    assert output._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [tensor.shape for tensor in output] == [(2, 5)] * 3
    assert trace(model.eval(), (x,)).output.shape == (2, 5)
    assert output_shape(models.googlenet(5, aux_logits=False), *x.shape) == (2, 5)


def test_googlenet_standardises_its_input_anew():
    """Images of known pixels, standardised in the one way or the other, give the same."""
    pixels = np.random.default_rng(0).uniform(0, 1, (2, 3, 32, 32))
    mean = np.reshape([0.485, 0.456, 0.406], (1, 3, 1, 1))
    deviation = np.reshape([0.229, 0.224, 0.225], (1, 3, 1, 1))
    model = models.googlenet(5).eval()
    expected = model(((pixels - 0.5) / 0.5).astype(np.float32))
    other = models.googlenet(5, transform_input=True).eval()
    other.load_state_dict(model.state_dict())
    found = other(((pixels - mean) / deviation).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_loss_of_three_outputs_trains_all_of_a_googlenet():
    model = models.googlenet(3)
    step = fn.TrainStep(model, lambda out, y: fn.cross_entropy(out.logits, y) + 0.3 * (
        fn.cross_entropy(out.aux_logits1, y) + fn.cross_entropy(out.aux_logits2, y)),
        fn.optim.SGD(model.parameters(), lr=0.1))
    before = {name: value.copy() for name, value in model.state_dict().items()}
    rng = np.random.default_rng(0)
    assert np.isfinite(step(rng.standard_normal((4, 3, 32, 32)), np.arange(4) % 3))
    for name in ("conv1.conv.weight", "aux1.fc1.weight", "aux2.fc2.weight", "fc.weight"):
        assert (model.state_dict()[name] != before[name]).any(), name


@pytest.mark.parametrize("size", [(16, 16), (35, 50), (31, 17)])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_unet_keeps_every_size(size, batch_norm):
    model = models.unet(3, 2, width=4, batch_norm=batch_norm)
    assert model(np.zeros((2, 2, *size), np.float32)).shape == (2, 3, *size)


def test_unet_names_and_sizes():
    """As documented: the encoder from full size down, the decoder from the smallest size up."""
    state = models.unet(3, 2, width=4, depth=2, batch_norm=False).state_dict()
    widths = {"encoder.0": (2, 4), "encoder.1": (4, 8), "bottleneck": (8, 16),
              "decoder.0": (16, 8), "decoder.1": (8, 4)}
    expected = {f"{name}.conv{i}.{end}": shape for name, (inputs, outputs) in widths.items()
                for i, first in ((1, inputs), (2, outputs))
                for end, shape in (("weight", (outputs, first, 3, 3)), ("bias", (outputs,)))}
    for level, (inputs, outputs) in enumerate(((16, 8), (8, 4))):
        expected |= {f"upsample.{level}.weight": (inputs, outputs, 2, 2),
                     f"upsample.{level}.bias": (outputs,)}
    expected |= {"head.weight": (3, 4, 1, 1), "head.bias": (3,)}
    assert {name: np.shape(value) for name, value in state.items()} == expected


def test_unet_learns_a_class_for_each_pixel():
    """Whether a pixel's neighbourhood is bright: half its loss after a few steps."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 1, 20, 20)).astype(np.float32)
    y = (x[:, 0] + np.roll(x[:, 0], 1, 1) > 0).astype(np.int64)
    model = models.unet(width=4, depth=2)
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.Adam(model.parameters(), lr=1e-2))
    losses = [step(x, y) for _ in range(30)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("arguments", [{"width": 0}, {"depth": 0}, {"depth": 1.5}])
def test_a_unet_without_levels_or_channels_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        models.unet(**arguments)
    with pytest.raises(fn.ShapeError, match="UNet needs images of at least 4x4, got 4x3"):
        output_shape(models.unet(width=2, depth=2), 1, 1, 4, 3)


def deviation(values, expected):
    assert abs(values.std() / expected - 1) < 5 / math.sqrt(2 * values.size)


@pytest.mark.parametrize("make, of_conv, of_linear", [
    (models.squeezenet1_1, lambda fan_in: math.sqrt(2 / fan_in), None),
    (lambda: models.DenseNet(16, (2, 2), 64), lambda fan_in: math.sqrt(2 / fan_in), None),
    (lambda: models.googlenet(10), lambda fan_in: 0.01, 0.01),
    (lambda: models.unet(width=16, depth=2), lambda fan_in: math.sqrt(2 / fan_in), None),
], ids=["squeezenet", "densenet", "googlenet", "unet"])
def test_initial_values(make, of_conv, of_linear):
    fn.manual_seed(1)
    model = make()
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d):
            weight = module.weight.data
            last = name == "classifier.1"  # SqueezeNet's
            deviation(weight, 0.01 if last else of_conv(math.prod(weight.shape[1:])))
            assert module.bias is None or not module.bias.data.any()
        elif isinstance(module, nn.ConvTranspose2d):
            deviation(module.weight.data, math.sqrt(2 / module.in_channels))
            assert not module.bias.data.any()
        elif isinstance(module, nn.Linear) and of_linear:
            deviation(module.weight.data, of_linear)
        elif isinstance(module, nn.Linear):
            assert not module.bias.data.any()


def trained(make, shape, budget=None):
    """(losses of three steps, the state then, the step)"""
    fn.manual_seed(0)
    model = make()
    step = fn.TrainStep(model, nn.CrossEntropyLoss(),
                        fn.optim.SGD(model.parameters(), lr=0.1, momentum=0.9),
                        memory_budget=budget)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(np.float32)
    y = rng.integers(0, 2, shape[:1] if isinstance(model, models.DenseNet)
                     else (shape[0], *shape[2:]))
    losses = [step(x, y) for _ in range(3)]
    return losses, {name: value.tobytes() for name, value in model.state_dict().items()}, step


def same_bits_in_half_the_memory(make, shape):
    losses, state, step = trained(make, shape)
    plan = step.plan(shape)
    del step
    budget = plan.peak_bytes - plan.layout.arena_bytes // 2
    assert plan.min_bytes <= budget
    found, other, step = trained(make, shape, budget)
    tight = step.plan(shape)
    assert tight.recomputed and tight.layout.arena_bytes <= 0.5 * plan.layout.arena_bytes
    assert found == losses and other == state


@in_a_fresh_process
def test_a_densenet_in_half_the_memory():
    same_bits_in_half_the_memory(
        lambda: models.DenseNet(8, (4, 4), 16, num_classes=2), (64, 3, 64, 64))


@in_a_fresh_process
def test_a_unet_in_half_the_memory():
    same_bits_in_half_the_memory(lambda: models.unet(width=8, depth=2), (16, 1, 96, 96))
