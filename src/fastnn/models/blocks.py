"""What mobile nets are built of: convolution with norm and activation, squeeze and excitation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastnn import nn

Activation = Callable[[], nn.Module]
Norm = Callable[[int], nn.Module]


def divisible(channels: float, divisor: int = 8) -> int:
    """The nearest multiple of `divisor`, but at least one and never less than 9/10 of `channels`.

    >>> [divisible(channels) for channels in (3, 18, 24, 30)]
    [8, 24, 24, 32]
    """
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * channels else nearest + divisor


def conv_norm(
    inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1,
    activation: Activation | None = nn.ReLU, norm: Norm = nn.BatchNorm2d,
) -> nn.Sequential:
    """A convolution that keeps the size at stride 1, its norm, and an activation if there is one.
    """
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, norm(outputs), *([activation()] if activation else []))


class SqueezeExcitation(nn.Module):
    """Every channel times a factor, which two small layers find from the means of all channels.

    y = x * gate(fc2(activation(fc1(mean of x over the image)))).
    (Hu, Shen and Sun, "Squeeze-and-excitation networks", 2018)

    channels: of the input. squeezed: channels between the two layers.
    """

    def __init__(
        self, channels: int, squeezed: int, activation: Activation = nn.ReLU,
        gate: Activation = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)
        self.activation, self.scale_activation = activation(), gate()

    def forward(self, x: Any) -> Any:
        squeezed = self.activation(self.fc1(self.avgpool(x)))
        return x * self.scale_activation(self.fc2(squeezed))


def initialise(module: nn.Module) -> None:
    """Convolutions as He et al. (2015), by fan-out, linear layers Gaussian of 0.01, biases 0.

    For `Module.apply`.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    elif isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=0.01)
    if isinstance(module, (nn.Conv2d, nn.Linear)) and module.bias is not None:
        nn.init.zeros_(module.bias)
