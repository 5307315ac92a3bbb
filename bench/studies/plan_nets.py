"""Nets for measurements of the planner: five kinds of graph, a ResNet-50, a very deep ResNet."""

import numpy as np

import fastnn as fn
from fastnn import nn


class Block(nn.Module):
    """Conv-BN-ReLU-conv-BN, plus what came in, ReLU."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        return fn.relu(self.bn2(self.conv2(fn.relu(self.bn1(self.conv1(x))))) + x)


def deep_resnet(layers=1000, channels=16):
    """A residual net of so many layers at one resolution."""
    blocks = [Block(channels) for _ in range((layers - 2) // 2)]
    return nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), *blocks, nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(channels, 10))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions with a skip (He et al., 2015)."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if stride == 1 and inputs == outputs else nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = fn.relu(self.bn2(self.conv2(fn.relu(self.bn1(self.conv1(x))))))
        return fn.relu(self.bn3(self.conv3(y)) + self.shortcut(x))


def resnet50(classes=1000):
    """ResNet-50 for images of 224 pixels."""
    layers = [nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
              nn.MaxPool2d(3, 2, padding=1)]
    channels = 64
    for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for number in range(count):
            layers.append(Bottleneck(channels, width, stride if number == 0 else 1))
            channels = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(channels, classes))


class DenseNet(nn.Module):
    """Two dense blocks with a transition (Huang et al., 2017)."""

    def __init__(self, growth=12, depth=6):
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 3, padding=1, bias=False)
        self.norms, self.convs = nn.ModuleList(), nn.ModuleList()
        channels = 24
        for _ in range(2):
            for _ in range(depth):
                self.norms.append(nn.BatchNorm2d(channels))
                self.convs.append(nn.Conv2d(channels, growth, 3, padding=1, bias=False))
                channels += growth
        self.depth, self.head = depth, nn.Linear(channels, 10)

    def forward(self, x):
        x = self.stem(x)
        for number, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            if number == self.depth:
                x = fn.avg_pool2d(x, 2)
            x = fn.cat([x, conv(fn.relu(norm(x)))], 1)
        return self.head(fn.adaptive_avg_pool2d(x, 1).flatten(1))


class UNet(nn.Module):
    """Three levels down and up with skips (Ronneberger et al., 2015), then a mean as the class."""

    def __init__(self, width=16):
        super().__init__()
        self.down, self.up, self.rise = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        channels = 3
        for level in range(3):
            self.down.append(self._pair(channels, width << level))
            channels = width << level
        self.bottom = self._pair(channels, 2 * channels)
        for level in reversed(range(3)):
            self.rise.append(nn.ConvTranspose2d(width << level + 1, width << level, 2, stride=2))
            self.up.append(self._pair(width << level + 1, width << level))
        self.head = nn.Conv2d(width, 10, 1)

    @staticmethod
    def _pair(inputs, outputs):
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(), nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, x):
        skips = []
        for pair in self.down:
            skips.append(pair(x))
            x = fn.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for rise, pair in zip(self.rise, self.up, strict=True):
            x = pair(fn.cat([rise(x), skips.pop()], 1))
        return self.head(x).mean((2, 3))


def deep_mlp(width=1024):
    """Twelve layers with dropout."""
    layers = [nn.Flatten(), nn.Linear(3072, width)]
    for _ in range(10):
        layers += [nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, width)]
    return nn.Sequential(*layers, nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 10))


def random_batch(shape):
    """Images and classes; the same ones each time."""
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape, dtype=np.float32), rng.integers(0, 10, shape[0])


# name: (net, shape of the batch)
FIVE = {
    "resnet18": (lambda: fn.models.create("resnet18"), (32, 3, 32, 32)),
    "vgg16": (lambda: fn.models.create("vgg16"), (32, 3, 32, 32)),
    "densenet": (DenseNet, (32, 3, 32, 32)),
    "unet": (UNet, (8, 3, 96, 96)),
    "mlp": (deep_mlp, (1024, 3, 32, 32)),
}
HEADLINES = {
    "deep": (deep_resnet, (16, 3, 32, 32)),
    "resnet50": (resnet50, (16, 3, 224, 224)),
    "unet": (UNet, (16, 3, 160, 160)),
}
