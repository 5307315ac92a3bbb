"""How far initial weights carry signals: statistics through deep nets, for each initialisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn.arguments import integer
from fastnn.engine.inputs import NonFiniteError
from fastnn.insight.inspect import inspect
from fastnn.nn import init
from fastnn.nn.activation import Tanh
from fastnn.nn.containers import Sequential
from fastnn.nn.linear import Linear
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.picture import COLORS, new_figure, plain
from fastnn.runtime.random import generator, get_rng_state, manual_seed, set_rng_state

DASHES = ("-", "--", "-.", ":", (0, (6, 1)), (0, (3, 1, 1, 1, 1, 1)))
SMALLEST = 1e-12  # of what is drawn: a signal of 0 has no place on a logarithmic axis
CLASSES = 10
INITS: dict[str, Callable[[Any], Any]] = {
    "constant 0.1": lambda weight: init.constant_(weight, 0.1),
    "normal, std 0.01": lambda weight: init.normal_(weight, 0.0, 0.01),
    "normal, std 0.3": lambda weight: init.normal_(weight, 0.0, 0.3),
    "Xavier": init.xavier_normal_,
    "He": lambda weight: init.kaiming_normal_(weight, nonlinearity="relu"),
    "orthogonal": init.orthogonal_,
}


@dataclass(frozen=True)
class Carried:
    """One initialisation in a net of one depth.

    std: the standard deviation of each activation's values, from the first to the last. grad_std:
    that of the loss's gradient in them. flat: the share of values at which the activation is flat.
    All are infinite where float32 overflows.
    """

    name: str
    depth: int
    std: np.ndarray = field(repr=False)
    grad_std: np.ndarray = field(repr=False)
    flat: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Scan:
    """What `scan` found; `str` gives a table, `plot()` a picture, `[name, depth]` one of them."""

    found: tuple[Carried, ...]
    activation: str

    def __getitem__(self, key: tuple[str, int]) -> Carried:
        for each in self.found:
            if (each.name, each.depth) == key:
                return each
        raise KeyError(f"no {key}; there are {[(each.name, each.depth) for each in self.found]}")

    def __str__(self) -> str:
        lines = [f"{'initialisation':20s} {'depth':>5s}  {'std first':>10s} {'std last':>10s}  "
                 f"{'grad first':>10s} {'grad last':>10s}  {'flat last':>9s}"]
        lines += [f"{each.name:20s} {each.depth:5d}  {each.std[0]:10.3g} {each.std[-1]:10.3g}  "
                  f"{each.grad_std[0]:10.3g} {each.grad_std[-1]:10.3g}  {each.flat[-1]:9.1%}"
                  for each in self.found]
        return "\n".join(lines)

    def plot(self) -> Any:
        """A matplotlib Figure: values above, gradients below, a column for each depth."""
        depths = list(dict.fromkeys(each.depth for each in self.found))
        figure = new_figure(4.2 * len(depths), 6.4)
        axes = figure.subplots(2, len(depths), squeeze=False, sharey="row")
        for column, depth in enumerate(depths):
            for number, each in enumerate(e for e in self.found if e.depth == depth):
                style = {"color": COLORS[number % len(COLORS)], "label": each.name,
                         "linestyle": DASHES[number % len(DASHES)]}
                layers = np.arange(1, depth + 1)
                axes[0, column].semilogy(layers, np.maximum(each.std, SMALLEST), **style)
                axes[1, column].semilogy(layers, np.maximum(each.grad_std, SMALLEST), **style)
            axes[0, column].set_title(f"{depth} layers of {self.activation}", loc="left")
            axes[1, column].set_xlabel("layer")
            for place in axes[:, column]:
                plain(place)
        axes[0, 0].set_ylabel("standard deviation of values")
        axes[1, 0].set_ylabel("... of the loss's gradient in them")
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6,
                      frameon=False)
        return figure


def scan(
    inits: Mapping[str, Callable[[Any], Any]] | None = None,
    activation: Callable[[], Module] = Tanh, depths: Sequence[int] = (10, 20, 50),
    width: int = 100, examples: int = 200, seed: int = 0,
) -> Scan:
    """How values and gradients fare through deep nets, for each initialisation.

    Nets of linear layers of one width with an activation behind each, biases 0, see Gaussian inputs
    and random classes. Where the standard deviation of values falls to 0 with depth, or that of
    gradients on the way back, nothing is learned; where values grow, activations saturate or
    overflow.

    inits: {name: function that fills a weight}; by default constant, small and large random,
    Xavier, He, orthogonal. activation: makes one, such as `nn.ReLU`. Deterministic; the random
    state is as before.

    Returns a Scan: `print(scan)`, `scan["Xavier", 50].std`, `scan.plot()`.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010; He et al., "Delving deep into rectifiers", 2015.

    >>> found = scan({"small": lambda weight: init.normal_(weight, 0, 0.01)}, depths=(10,))
    >>> bool(found["small", 10].std[-1] < 1e-6)
    True
    """
    width = integer(width, "width", "an integer from 1 on", 1)
    examples = integer(examples, "examples", "an integer from 2 on", 2)
    sizes = [integer(depth, "depths", "integers from 1 on", 1) for depth in depths]
    chosen = INITS if inits is None else dict(inits)
    if not chosen or not sizes:
        raise ValueError("scan needs an initialisation and a depth at least")
    state = get_rng_state()
    try:
        found = tuple(_carried(name, fill, activation, depth, width, examples, seed)
                      for depth in sizes for name, fill in chosen.items())
    finally:
        set_rng_state(state)
    return Scan(found, type(activation()).__name__)


def _carried(
    name: str, fill: Callable[[Any], Any], activation: Callable[[], Module], depth: int, width: int,
    examples: int, seed: int,
) -> Carried:
    manual_seed(seed)
    model = Sequential(*(layer for _ in range(depth) for layer in (
        Linear(width, width), activation())), Linear(width, CLASSES))
    for layer in model:
        if isinstance(layer, Linear):
            fill(layer.weight)
            layer.bias = Parameter(np.zeros(layer.out_features, np.float32))
    x = generator().standard_normal((examples, width), np.float32)
    y = generator().integers(0, CLASSES, examples)
    try:
        report = inspect(model, x, y)
    except NonFiniteError:  # float32 overflows on the way
        return Carried(name, depth, *(np.full(depth, np.inf) for _ in range(3)))
    rows = [report[str(2 * place + 1)] for place in range(depth)]
    return Carried(name, depth, np.array([row.std for row in rows]),
                   np.array([row.grad_std or 0.0 for row in rows]),
                   np.array([row.saturated or 0.0 for row in rows]))
