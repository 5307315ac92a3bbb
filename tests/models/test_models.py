"""Nets: names, sizes, shapes, initial values, and that they learn."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import models

# Parameters as published: torchvision's documentation for 1000 classes, He et al. for CIFAR.
COUNTS = [
    (lambda: models.resnet18(1000, stem="imagenet"), 11_689_512),
    (lambda: models.resnet34(1000, stem="imagenet"), 21_797_672),
    (lambda: models.resnet18(), 11_173_962),
    (lambda: models.resnet20(), 269_722),
    (lambda: models.resnet32(), 464_154),
    (lambda: models.resnet44(), 658_586),
    (lambda: models.resnet56(), 853_018),
    (lambda: models.resnet110(), 1_727_962),
    (lambda: models.lenet(), 61_706),
    (lambda: models.mlp(), 669_706),
    (lambda: models.cnn(), 141_418),
    (models.alexnet, 61_100_840),
    (models.alexnet_2012, 60_965_224),  # Caffe's reference model
    (models.squeezenet1_0, 1_248_424),
    (models.squeezenet1_1, 1_235_496),
    (models.densenet121, 7_978_856),
    (models.densenet161, 28_681_000),
    (models.densenet169, 14_149_480),
    (models.densenet201, 20_013_928),
    (models.googlenet, 13_004_888),
    (lambda: models.googlenet(aux_logits=False), 6_624_904),
    (lambda: models.resnet50(1000, stem="imagenet"), 25_557_032),
    (lambda: models.resnet101(1000, stem="imagenet"), 44_549_160),
    (lambda: models.resnet152(1000, stem="imagenet"), 60_192_808),
    (models.mobilenet_v2, 3_504_872),
    (models.mobilenet_v3_small, 2_542_856),
    (models.mobilenet_v3_large, 5_483_032),
    (models.efficientnet_b0, 5_288_548),
    (models.efficientnet_lite0, 4_652_008),
    (models.convnext_tiny, 28_589_128),
    (models.shufflenet_v2, 2_278_604),
]


def parameter_count(model):
    return sum(parameter.size for parameter in model.parameters())


@pytest.mark.parametrize(("make", "count"), COUNTS)
def test_parameter_counts_are_the_published_ones(make, count, unfilled):
    assert parameter_count(make()) == count


@pytest.mark.parametrize("name", models.NAMES)
def test_create_fits_classes_and_channels(name, unfilled):
    model = models.create(name, num_classes=7, in_channels=2, image_size=64)
    output = fn.engine.trace.trace(model, (fn.graph.Spec((2, 2, 64, 64)),)).output
    assert output.shape == (2, 7)


@pytest.mark.parametrize("name", ["mlp", "lenet", "cnn", "resnet20"])
def test_output_is_finite_in_both_modes(name):
    model = models.create(name, in_channels=1, image_size=28)
    x = np.random.default_rng(0).standard_normal((3, 1, 28, 28)).astype(np.float32)
    for mode in (True, False):
        y = model.train(mode)(x)
        assert y.shape == (3, 10)
        assert np.isfinite(y).all()


@pytest.mark.parametrize("name", ["mlp", "lenet"])
def test_images_need_not_be_square(name):
    model = models.create(name, in_channels=1, image_size=(20, 28))
    assert model(np.zeros((1, 1, 20, 28), np.float32)).shape == (1, 10)


def test_image_size_chooses_the_variant():
    assert models.create("resnet18", image_size=32).conv1.kernel_size == (3, 3)
    assert models.create("resnet18", image_size=224).conv1.kernel_size == (7, 7)
    assert len(models.create("vgg11", image_size=32).classifier) == 1


def test_residual_nets_of_any_depth_have_a_name():
    names = [models.FAMILIES["resnet"](number) for number in (1, 3, 18)]
    assert names == ["resnet8", "resnet20", "resnet110"]
    assert parameter_count(models.create("resnet20")) == parameter_count(models.resnet20())
    assert len(models.create("resnet14").layer1) == 2
    for name in ("resnet2", "resnet15", "resnet", "resnet-14"):
        with pytest.raises(ValueError, match=f"unknown model '{name}'.* depth of 6 n"):
            models.create(name)


def test_unknown_name_lists_known_and_close_ones():
    with pytest.raises(ValueError, match="did you mean resnet18") as error:
        models.create("resnet81")
    assert all(name in str(error.value) for name in models.NAMES)
    with pytest.raises(ValueError, match="unknown model 'zzz': Known are mlp"):
        models.create("zzz")


@pytest.mark.parametrize(("call", "message"), [
    (lambda: models.resnet18(stem="mnist"), "stem must be one of"),
    (lambda: models.vgg11(head="mnist"), "head must be one of"),
    (lambda: models.create("vgg11", image_size=28), "at least 32x32"),
    (lambda: models.lenet(image_size=8), "too small"),
    (lambda: models.CifarResNet(21), "6 n \\+ 2"),
])
def test_arguments_that_cannot_work_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_images_name_the_layer():
    with pytest.raises(fn.ShapeError, match="conv1"):
        models.lenet()(np.zeros((1, 3, 28, 28), np.float32))


def test_names_are_torchvisions():
    resnet = models.resnet18().state_dict()
    block = ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var",
             "bn1.num_batches_tracked"]
    assert list(resnet)[:6] == block
    assert list(resnet)[6:12] == [f"layer1.0.{name}" for name in block]
    assert "layer2.0.downsample.0.weight" in resnet
    assert "layer2.0.downsample.1.running_var" in resnet
    assert "layer1.0.downsample.0.weight" not in resnet
    assert list(resnet)[-2:] == ["fc.weight", "fc.bias"]
    assert len(models.resnet34(stem="imagenet").state_dict()) == 218


def test_initial_values_have_the_right_scale():
    fn.manual_seed(0)
    resnet = models.resnet18()
    weight = resnet.layer3.get_submodule("1").conv2.weight.data
    assert abs(weight.std() / np.sqrt(2 / (256 * 9)) - 1) < 0.01
    assert abs(weight.mean()) < 1e-4
    vgg = models.vgg11(head="cifar")
    assert abs(vgg.classifier[0].weight.data.std() - 0.01) < 1e-3
    assert not vgg.features[0].bias.data.any()


def test_same_seed_gives_the_same_net():
    def weights(seed):
        fn.manual_seed(seed)
        return models.cnn().state_dict()["head.weight"].copy()

    assert np.array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


@pytest.mark.parametrize("name", ["mlp", "lenet", "cnn", "resnet20"])
def test_a_few_steps_fit_one_batch(name):
    fn.manual_seed(0)
    model = models.create(name, in_channels=1, image_size=16)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 1, 16, 16)).astype(np.float32), rng.integers(0, 10, 16)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(),
                        fn.optim.Adam(model.parameters(), lr=3e-3))
    losses = [step(x, y) for _ in range(25)]
    assert losses[-1] < 0.5 * losses[0]


def test_alexnet_of_2012_normalises_as_its_paper():
    """b = a / (k + alpha sum a^2) ^ beta over five channels, k 2, alpha 1e-4, beta 0.75."""
    norm = models.alexnet_2012(10, kind="cifar").features[2]
    a = np.random.default_rng(0).random((1, 8, 2, 2)).astype(np.float32) * 30
    sums = np.stack([np.square(a[:, max(0, i - 2):i + 3]).sum(axis=1) for i in range(8)], axis=1)
    np.testing.assert_allclose(norm(a), a / (2 + 1e-4 * sums) ** 0.75, rtol=1e-5)


def test_alexnet_of_2012_begins_with_its_biases():
    model = models.alexnet_2012(10)
    layers = [layer for layer in model.modules() if hasattr(layer, "bias")]
    assert [float(layer.bias.data.mean()) for layer in layers] == [0, 1, 0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(("options", "shape", "message"), [
    ({"kind": "large"}, (1, 3, 64, 64), "kind must be"),
    ({}, (1, 3, 32, 32), "at least 63x63"),
    ({"kind": "cifar"}, (1, 3, 14, 32), "at least 15x15"),
])
def test_alexnet_of_2012_refuses(options, shape, message, unfilled):
    with pytest.raises(ValueError, match=message):
        models.alexnet_2012(10, **options)(np.zeros(shape, np.float32))
