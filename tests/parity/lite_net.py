"""EfficientNet-Lite0 written with torch.nn, to compare with."""

from tests.parity.compare import torch

# kernel, stride, expansion, inputs, outputs of every block: table 1 of the paper
BLOCKS = [(3, 1, 1, 32, 16), (3, 2, 6, 16, 24), (3, 1, 6, 24, 24), (5, 2, 6, 24, 40),
          (5, 1, 6, 40, 40), (3, 2, 6, 40, 80), *[(3, 1, 6, 80, 80)] * 2, (5, 1, 6, 80, 112),
          *[(5, 1, 6, 112, 112)] * 2, (5, 2, 6, 112, 192), *[(5, 1, 6, 192, 192)] * 3,
          (3, 1, 6, 192, 320)]


class Conv(torch.nn.Conv2d):
    """TensorFlow's "SAME": the image is padded first."""

    def forward(self, x):
        pads = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size, self.stride, strict=True):
            outputs = (size + stride - 1) // stride
            total = max(0, (outputs - 1) * stride + kernel - size)
            pads += [total // 2, total - total // 2]
        return super().forward(torch.nn.functional.pad(x, pads))


def conv(inputs, outputs, kernel, stride=1, groups=1):
    return Conv(inputs, outputs, kernel, stride, groups=groups, bias=False)


def norm(channels):
    return torch.nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(torch.nn.Module):
    def __init__(self, kernel, stride, expansion, inputs, outputs):
        super().__init__()
        wide = expansion * inputs
        if expansion > 1:
            self._expand_conv, self._bn0 = conv(inputs, wide, 1), norm(wide)
        self._depthwise_conv, self._bn1 = conv(wide, wide, kernel, stride, wide), norm(wide)
        self._project_conv, self._bn2 = conv(wide, outputs, 1), norm(outputs)

    def forward(self, x):
        y = x
        if hasattr(self, "_expand_conv"):
            y = torch.nn.functional.relu6(self._bn0(self._expand_conv(y)))
        y = torch.nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return y + x if y.shape == x.shape else y


class Lite(torch.nn.Module):
    def __init__(self, classes):
        super().__init__()
        self._conv_stem, self._bn0 = conv(3, 32, 3, 2), norm(32)
        self._blocks = torch.nn.ModuleList(Block(*block) for block in BLOCKS)
        self._conv_head, self._bn1 = conv(320, 1280, 1), norm(1280)
        self._fc = torch.nn.Linear(1280, classes)

    def forward(self, x):
        x = torch.nn.functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = torch.nn.functional.relu6(self._bn1(self._conv_head(x)))
        return self._fc(x.mean((2, 3)))
