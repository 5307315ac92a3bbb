"""The nets of the benchmark in JAX: functions of a scope, which holds parameters and statistics.

Images are channels-last, which XLA's CPU code prefers.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Scope:
    """Parameters and running statistics in the order of use: made at first, read later."""

    def __init__(self, parameters=None, statistics=None):
        self.making = parameters is None
        self.parameters, self.statistics = parameters or [], statistics or []
        self.new_statistics, self._next = [], 0
        self._rng = np.random.default_rng(0)

    def parameter(self, *shape, start=None):
        """The next parameter: `start` everywhere, or normal with He's scale."""
        if self.making:
            scale = np.sqrt(2 / np.prod(shape[:-1]))
            values = (self._rng.standard_normal(shape) * scale if start is None
                      else np.full(shape, start))
            self.parameters.append(jnp.asarray(values, jnp.float32))
        self._next += 1
        return self.parameters[self._next - 1]

    def track(self, mean, variance):
        """Move the next running statistics."""
        if self.making:
            self.statistics.append((jnp.zeros_like(mean), jnp.ones_like(variance)))
        old = self.statistics[len(self.new_statistics)]
        self.new_statistics.append(tuple(0.9 * a + 0.1 * b
                                         for a, b in zip(old, (mean, variance), strict=True)))


def conv(s, x, outputs, kernel, stride=1, padding=0, bias=True):
    y = lax.conv_general_dilated(
        x, s.parameter(kernel, kernel, x.shape[-1], outputs), (stride, stride),
        [(padding, padding)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return y + s.parameter(outputs, start=0.0) if bias else y


def norm(s, x):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    s.track(mean, variance)
    scale = s.parameter(x.shape[-1], start=1.0) * lax.rsqrt(variance + 1e-5)
    return (x - mean) * scale + s.parameter(x.shape[-1], start=0.0)


def linear(s, x, outputs):
    return x @ s.parameter(x.shape[-1], outputs) + s.parameter(outputs, start=0.0)


def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


relu = jax.nn.relu


def lenet(s, x):
    x = pool(relu(conv(s, x, 6, 5, padding=2)))
    x = pool(relu(conv(s, x, 16, 5)))
    return mlp((120, 84))(s, x)


def vgg11(s, x):
    for width in (64, None, 128, None, 256, 256, None, 512, 512, None, 512, 512, None):
        x = relu(norm(s, conv(s, x, width, 3, padding=1))) if width else pool(x)
    return linear(s, x.mean((1, 2)), 10)


def block(s, x, width, stride, plain):
    y = relu(norm(s, conv(s, x, width, 3, stride, 1, bias=False)))
    y = norm(s, conv(s, y, width, 3, 1, 1, bias=False))
    extra = width - x.shape[-1]
    if extra and plain:
        x = jnp.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (0, extra)))
    elif extra:
        x = norm(s, conv(s, x, width, 1, stride, bias=False))
    return relu(x + y)


def resnet(widths, count, plain):
    def forward(s, x):
        x = relu(norm(s, conv(s, x, widths[0], 3, 1, 1, bias=False)))
        for number, width in enumerate(widths):
            for place in range(count):
                x = block(s, x, width, 2 if number and not place else 1, plain)
        return linear(s, x.mean((1, 2)), 10)

    return forward


def mlp(hidden):
    def forward(s, x):
        x = x.reshape(x.shape[0], -1)
        for width in hidden:
            x = relu(linear(s, x, width))
        return linear(s, x, 10)

    return forward


NETS = {
    "lenet": lenet,
    "mlp": mlp((512, 512)),
    "mlp-small": mlp((46,)),
    "vgg11": vgg11,
    "resnet18": resnet((64, 128, 256, 512), 2, plain=False),
    "resnet20": resnet((16, 32, 64), 3, plain=True),
}
