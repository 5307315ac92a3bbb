"""Nets that the benchmark does not run, against twins in PyTorch: what they compute.

The other nets, with gradients and steps, are in `test_nets.py`.
"""

import numpy as np
import pytest

import fastnn as fn

# compare first: it skips the tests where PyTorch is not installed
from tests.parity.compare import assert_close, copy_weights, torch
from tests.parity.test_nets import scatter_norms

from bench.peers.torch_nets import Block  # isort: skip

pytestmark = pytest.mark.parity
functional = torch.nn.functional


class ResNet(torch.nn.Module):
    """With ImageNet's stem: a 7x7 convolution and pooling, both of stride 2."""

    def __init__(self, blocks):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = torch.nn.BatchNorm2d(64)
        inputs = 64
        for i, (width, count) in enumerate(zip((64, 128, 256, 512), blocks, strict=True), 1):
            stage = [Block(inputs, width, 2 if i > 1 else 1, plain=False)]
            stage += [Block(width, width, 1, plain=False) for _ in range(count - 1)]
            self.add_module(f"layer{i}", torch.nn.Sequential(*stage))
            inputs = width
        self.fc = torch.nn.Linear(512, 10)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.max_pool2d(x, 3, stride=2, padding=1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class CNN(torch.nn.Module):
    def __init__(self):
        super().__init__()
        layers, inputs = [], 1
        for width in (32, None, 64, 64, None, 128):
            if width is None:
                layers.append(torch.nn.MaxPool2d(2))
                continue
            layers += [torch.nn.Conv2d(inputs, width, 3, padding=1, bias=False),
                       torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
            inputs = width
        self.features = torch.nn.Sequential(*layers)
        self.head = torch.nn.Linear(1152, 10)

    def forward(self, x):
        return self.head(functional.adaptive_avg_pool2d(self.features(x), 3).flatten(1))


class VGG(torch.nn.Module):
    """For small images."""

    def __init__(self, layers):
        super().__init__()
        modules, inputs = [], 3
        for width in layers:
            if width is None:
                modules.append(torch.nn.MaxPool2d(2))
                continue
            modules += [torch.nn.Conv2d(inputs, width, 3, padding=1),
                        torch.nn.BatchNorm2d(width), torch.nn.ReLU()]
            inputs = width
        self.features = torch.nn.Sequential(*modules)
        self.classifier = torch.nn.Sequential(torch.nn.Linear(512, 10))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


CASES = {
    "cnn": (fn.models.cnn, CNN, (4, 1, 28, 25)),
    "resnet18": (lambda: fn.models.resnet18(stem="imagenet"), lambda: ResNet((2, 2, 2, 2)),
                 (2, 3, 64, 75)),
    "resnet34": (lambda: fn.models.resnet34(stem="imagenet"), lambda: ResNet((3, 4, 6, 3)),
                 (2, 3, 64, 64)),
    "vgg13": (fn.models.vgg13, lambda: VGG((64, 64, None, 128, 128, None, 256, 256, None, 512, 512,
                                            None, 512, 512, None)), (2, 3, 64, 40)),
    "vgg16": (fn.models.vgg16, lambda: VGG((64, 64, None, 128, 128, None, 256, 256, 256, None, 512,
                                            512, 512, None, 512, 512, 512, None)), (2, 3, 32, 32)),
}


@pytest.mark.parametrize("name", CASES)
def test_outputs_in_training_and_in_use(name):
    """With the same weights; a net in training is compared without its dropout."""
    make, make_twin, shape = CASES[name]
    fn.manual_seed(0)
    model = make()
    scatter_norms(model, 0)
    twin = copy_weights(model, make_twin())
    for module in model.modules():
        if isinstance(module, fn.nn.Dropout):
            module.p = 0.0
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for training in (True, False):
        with torch.no_grad():
            expected = twin.train(training)(torch.from_numpy(x))
        assert_close(model.train(training)(x), expected, what=f"output, training {training}")
