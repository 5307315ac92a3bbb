"""U-Net (Ronneberger et al., 2015): a class for each pixel."""

from __future__ import annotations

from typing import Any

import fastnn.ops.pointwise as pointwise
from fastnn import nn
from fastnn.models.sizes import check_images
from fastnn.ops.concat import cat
from fastnn.ops.windows import whole_number

relu = pointwise.FUNCTIONS["relu"]


class DoubleConv(nn.Module):
    """Two 3x3 convolutions that keep the size, each with ReLU and, if wanted, a norm before it."""

    def __init__(self, inputs: int, outputs: int, batch_norm: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not batch_norm)
        self.bn1: nn.Module = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=not batch_norm)
        self.bn2: nn.Module = nn.BatchNorm2d(outputs) if batch_norm else nn.Identity()

    def forward(self, x: Any) -> Any:
        return relu(self.bn2(self.conv2(relu(self.bn1(self.conv1(x))))))


class UNet(nn.Module):
    """Down by pooling and up again, with what each size had on the way down; see `unet`."""

    def __init__(
        self, num_classes: int = 2, in_channels: int = 1, width: int = 64, depth: int = 4,
        batch_norm: bool = True, dropout: float = 0.0,
    ) -> None:
        super().__init__()
        width, depth = whole_number(width, "width"), whole_number(depth, "depth")
        widths = [width << level for level in range(depth)]
        self.least = 1 << depth  # pixels a side
        self.encoder = nn.ModuleList(
            DoubleConv(inputs, outputs, batch_norm)
            for inputs, outputs in zip([in_channels, *widths], widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)
        self.bottleneck = DoubleConv(widths[-1], 2 * widths[-1], batch_norm)
        upwards = widths[::-1]
        self.upsample = nn.ModuleList(
            nn.ConvTranspose2d(2 * outputs, outputs, 2, stride=2) for outputs in upwards)
        self.decoder = nn.ModuleList(
            DoubleConv(2 * outputs, outputs, batch_norm) for outputs in upwards)
        self.head = nn.Conv2d(width, num_classes, 1)
        self.apply(_initialise)

    def forward(self, x: Any) -> Any:
        check_images("UNet", x, self.least)
        skips = []
        for block in self.encoder:
            skips.append(block(x))
            x = self.pool(skips[-1])
        x = self.bottleneck(self.dropout(x))
        for upsample, block in zip(self.upsample, self.decoder, strict=True):
            skip = skips.pop()
            # An odd size has lost its last row or column to the pooling.
            x = block(cat([skip, upsample(x, output_size=skip.shape[2:])], 1))
        return self.head(x)


def _initialise(module: nn.Module) -> None:
    """The paper's: deviations of sqrt(2 / n) for n values that an output is summed of; no shifts.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
    elif isinstance(module, nn.ConvTranspose2d):  # its windows do not overlap
        nn.init.normal_(module.weight, std=(2 / module.in_channels) ** 0.5)
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
        nn.init.zeros_(module.bias)


def unet(
    num_classes: int = 2, in_channels: int = 1, width: int = 64, depth: int = 4,
    batch_norm: bool = True, dropout: float = 0.0,
) -> UNet:
    """U-Net: logits (N, num_classes, H, W) for images (N, in_channels, H, W).

    num_classes: outputs for each pixel. in_channels: the input's. width: channels at full size;
    each of the `depth` halvings of the size doubles them. batch_norm: between each convolution and
    its ReLU; the paper had none. dropout: at the end of the way down.

    Convolutions are padded, so that sizes stay: any size from 2**depth a side on will do, and
    targets of `cross_entropy` are classes (N, H, W). The paper's have no padding, and lose 92
    pixels at each side. In a state_dict `encoder.0` and `decoder.3` work at full size.

    Raises ShapeError for smaller images. Source: Ronneberger, Fischer and Brox, "U-Net:
    convolutional networks for biomedical image segmentation", 2015.

    >>> import numpy as np
    >>> net = unet(num_classes=3, width=4)
    >>> net(np.zeros((2, 1, 50, 33), np.float32)).shape
    (2, 3, 50, 33)
    >>> sum(parameter.size for parameter in unet(batch_norm=False).parameters())
    31030658
    """
    return UNet(num_classes, in_channels, width, depth, batch_norm, dropout)
