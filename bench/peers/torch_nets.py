"""The nets of `fastnn.models`, written in PyTorch by hand, with the same names of parameters.

The benchmark runs them beside ours, and the parity tests compare with them. ReLUs and the sums of
residual blocks are in place: PyTorch's ResNet-18 is 6% faster with it, the others as fast.
"""

from functools import partial

import torch
from torch import nn
from torch.nn import functional

relu = partial(functional.relu, inplace=True)


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)

    def forward(self, x):
        x = functional.max_pool2d(relu(self.conv1(x)), 2)
        x = functional.max_pool2d(relu(self.conv2(x)), 2)
        x = relu(self.fc1(x.flatten(1)))
        return self.fc3(relu(self.fc2(x)))


class VGG11(nn.Module):
    def __init__(self):
        super().__init__()
        layers, inputs = [], 3
        for width in (64, None, 128, None, 256, 256, None, 512, 512, None, 512, 512, None):
            if width is None:
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width),
                           nn.ReLU(inplace=True)]
                inputs = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(512, 10))

    def forward(self, x):
        return self.classifier(functional.adaptive_avg_pool2d(self.features(x), 1).flatten(1))


class Block(nn.Module):
    """A residual block; `plain` gives the shortcut without parameters."""

    def __init__(self, inputs, outputs, stride, plain):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.stride, self.extra, self.downsample = stride, outputs - inputs, None
        if self.extra and not plain:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        if self.downsample is not None:
            x = self.downsample(x)
        elif self.extra:
            x = functional.pad(x[:, :, :: self.stride, :: self.stride],
                               (0, 0, 0, 0, 0, self.extra))
        y += x
        return relu(y)


class ResNet(nn.Module):
    """widths[0] is the stem's; each stage has `count` blocks."""

    def __init__(self, widths, count, plain):
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.stages = len(widths)
        inputs = widths[0]
        for number, width in enumerate(widths, 1):
            blocks = [Block(inputs, width, 1 if number == 1 else 2, plain)]
            blocks += [Block(width, width, 1, plain) for _ in range(count - 1)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            inputs = width
        self.fc = nn.Linear(inputs, 10)

    def forward(self, x):
        x = relu(self.bn1(self.conv1(x)))
        for number in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return self.fc(functional.adaptive_avg_pool2d(x, 1).flatten(1))


class MLP(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Flatten(), nn.Linear(784, 512), nn.ReLU(inplace=True), nn.Linear(512, 512),
            nn.ReLU(inplace=True), nn.Linear(512, 10))


class DoubleConv(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))


class UNet(nn.Module):
    """With batch normalisation, for sizes that are multiples of 16."""

    def __init__(self, num_classes=10, in_channels=3, width=64):
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.encoder = nn.ModuleList(
            DoubleConv(*pair) for pair in zip([in_channels, *widths], widths, strict=False))
        self.bottleneck = DoubleConv(widths[-1], 2 * widths[-1])
        self.upsample = nn.ModuleList(
            nn.ConvTranspose2d(2 * outputs, outputs, 2, stride=2) for outputs in reversed(widths))
        self.decoder = nn.ModuleList(
            DoubleConv(2 * outputs, outputs) for outputs in reversed(widths))
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, x):
        skips = []
        for block in self.encoder:
            skips.append(block(x))
            x = functional.max_pool2d(skips[-1], 2)
        x = self.bottleneck(x)
        for upsample, block in zip(self.upsample, self.decoder, strict=True):
            x = block(torch.cat([skips.pop(), upsample(x)], 1))
        return self.head(x)


TWINS = {
    "mlp": MLP,
    "mlp-small": lambda: nn.Sequential(
        nn.Linear(10, 46), nn.ReLU(inplace=True), nn.Linear(46, 10)),
    "lenet": LeNet,
    "vgg11": VGG11,
    "resnet18": lambda: ResNet((64, 128, 256, 512), 2, plain=False),
    "resnet20": lambda: ResNet((16, 32, 64), 3, plain=True),
    "unet": UNet,
}
