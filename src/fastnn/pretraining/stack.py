"""Layer by layer without labels: stacks of RBMs, and of (denoising) autoencoders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastnn.arguments import choice, integer, real
from fastnn.data.batches import Batches
from fastnn.engine.inputs import as_input
from fastnn.engine.train_step import TrainStep
from fastnn.nn.activation import Sigmoid
from fastnn.nn.classification_losses import BCELoss
from fastnn.nn.containers import Sequential
from fastnn.nn.linear import Linear
from fastnn.nn.module import Module
from fastnn.ops.random import bernoulli
from fastnn.optim.adam import Adam
from fastnn.pretraining.rbm import RBM, VISIBLE
from fastnn.runtime.random import get_rng_state
from fastnn.spec import ShapeError

METHODS = ("rbm", "autoencoder", "denoising")
RATES = {"rbm": 0.05, "autoencoder": 0.001, "denoising": 0.001}


def pretrain(
    x: Any, sizes: Sequence[int], method: str = "rbm", epochs: int = 10, lr: float | None = None,
    batch_size: int = 32, noise: float = 0.3,
    callback: Callable[[int, int, float], Any] | None = None, visible_type: str = "bernoulli",
) -> Sequential:
    """Train linear layers with sigmoids one after the other on x (n, features), without labels.

    Each learns what the layer before makes of x. "rbm": by CD-1, with SGD. "autoencoder": to give
    its input back through a second layer, by binary cross-entropy and Adam. "denoising": to give it
    back from an input of which a share `noise` is set to 0.

    x: values from 0 to 1. sizes: units of each layer. lr: by default 0.05 for RBMs, 0.001 else.
    callback: called with (layer, epoch, error), counted from 1. visible_type: "gaussian" for an x
    of real values of variance 1 (see `data.Standardize`), which RBMs alone can learn; the first of
    them then has a tenth of the rate (Hinton, 2010).

    Returns nn.Sequential of Linear and Sigmoid, to which a head is appended before all of it is
    trained with labels: `net.append(nn.Linear(sizes[-1], classes))`.

    Source: Hinton, Osindero and Teh, "A fast learning algorithm for deep belief nets", 2006; Bengio
    et al., "Greedy layer-wise training of deep networks", 2007; Vincent et al., "Extracting and
    composing robust features with denoising autoencoders", 2008.

    >>> x = np.random.default_rng(0).random((40, 6))
    >>> net = pretrain(x, [5, 3], "denoising", epochs=1)
    >>> net(x.astype(np.float32)).shape
    (40, 3)
    """
    choice(method, "method", METHODS)
    widths = [integer(size, "sizes", "numbers of units from 1 on", 1) for size in sizes]
    if not widths:
        raise ValueError("sizes must hold a layer's number of units at least")
    epochs = integer(epochs, "epochs", "a number from 1 on", 1)
    rate = real(RATES[method] if lr is None else lr, "lr", "a number above 0", np.nextafter(0, 1))
    noise = real(noise, "noise", "a number from 0 to 1", 0, 1)
    is_real = choice(visible_type, "visible_type", VISIBLE) == "gaussian"
    if is_real and method != "rbm":
        raise ValueError(f'visible_type="gaussian" needs method="rbm", got {method!r}')
    values = as_input(x, "x")
    if values.ndim != 2:
        raise ShapeError(f"pretrain: x has shape {values.shape}, expected (n, features)")
    if not is_real and (values.min() < 0 or values.max() > 1):
        raise ValueError(f"pretrain: x has values from {values.min():.4g} to {values.max():.4g}, "
                         "expected 0 to 1")
    layers: list[Module] = []
    for number, width in enumerate(widths, 1):
        def tell(epoch: int, error: float, layer: int = number) -> None:
            if callback is not None:
                callback(layer, epoch, error)

        kind = visible_type if number == 1 else "bernoulli"
        if method == "rbm":
            linear = _by_rbm(values, width, kind, epochs, rate, batch_size, tell)
        else:
            linear = _by_autoencoder(values, width, epochs, rate, batch_size,
                                     noise if method == "denoising" else 0.0, tell)
        layers += [linear, Sigmoid()]
        values = Sequential(linear, Sigmoid())(values)
    return Sequential(*layers)


def _by_rbm(
    x: np.ndarray, width: int, visible_type: str, epochs: int, lr: float, batch_size: int,
    tell: Callable[[int, float], None],
) -> Linear:
    rbm = RBM(x.shape[1], width, visible_type)
    rbm.fit(x, epochs, lr / 10 if visible_type == "gaussian" else lr, batch_size, momentum=0.5,
            callback=tell)
    linear = Linear(x.shape[1], width)
    assert linear.bias is not None
    linear.weight.data[...], linear.bias.data[...] = rbm.weight.data, rbm.hidden_bias.data
    return linear


class _Autoencoder(Module):
    """σ(decoder(σ(encoder(x with a share of its values 0))))."""

    def __init__(self, inputs: int, width: int, noise: float) -> None:
        super().__init__()
        self.encoder, self.decoder, self.noise = Linear(inputs, width), Linear(width, inputs), noise
        self.sigmoid = Sigmoid()

    def forward(self, x: Any) -> Any:
        if self.noise:
            x = x * bernoulli(x, 1 - self.noise)
        return self.sigmoid(self.decoder(self.sigmoid(self.encoder(x))))


def _by_autoencoder(
    x: np.ndarray, width: int, epochs: int, lr: float, batch_size: int, noise: float,
    tell: Callable[[int, float], None],
) -> Linear:
    model = _Autoencoder(x.shape[1], width, noise)
    step = TrainStep(model, BCELoss(), Adam(model.parameters(), lr=lr))
    batches = Batches(x, np.zeros(len(x), np.int64), batch_size,
                      seed=int(get_rng_state()["key"][0]))  # type: ignore[index]
    for epoch in range(epochs):
        losses = [(step(v, v), len(v)) for v, _ in batches.epoch(epoch)]
        tell(epoch + 1, sum(loss * count for loss, count in losses) / len(x))
    return model.encoder
