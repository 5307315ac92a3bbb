"""Batch norm makes a net less sensitive to initial weights and learning rates.

The same net of eight layers learns Fashion-MNIST over a grid: initial weights from a hundredth of
He's to ten times, learning rates from 0.001 to 1. Left without batch norm, right with it; written
in each cell is the training accuracy. Then: gamma and beta after training, which began as 1 and 0,
and what small batches do to it. Run it: python examples/notebook/batch_norm.py
"""

import numpy as np
from lesson import Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
SCALES, RATES, STEPS, DEPTH = lesson.choose(
    ((0.03, 1.0, 10.0), (0.003, 0.03, 0.3), 40, 6),
    ((0.01, 0.1, 0.3, 1.0, 3.0, 10.0), (0.001, 0.01, 0.03, 0.1, 0.3, 1.0), 200, 8))
pictures = data.load_fashion_mnist_small()
x = data.Standardize().fit_transform(pictures.train[0][:2000]).reshape(2000, -1)
y = pictures.train[1][:2000]


def net(normalised, scale):
    """DEPTH linear layers of 64 units with ReLU, with batch norm or without."""
    fn.manual_seed(0)
    layers, inputs = [], 784
    for _ in range(DEPTH - 1):
        layers += [nn.Linear(inputs, 64), *[nn.BatchNorm1d(64)] * normalised, nn.ReLU()]
        inputs = 64
    model = nn.Sequential(*layers, nn.Linear(64, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data[...] *= scale
            nn.init.zeros_(layer.bias)
    return model


def accuracy(normalised, scale, rate, batch=100, steps=STEPS):
    """(training accuracy after some steps, the net)."""
    model = net(normalised, scale)
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=rate))
    order = np.random.default_rng(0)
    try:
        for _ in range(steps):
            chosen = order.choice(len(x), batch, replace=False)
            step(x[chosen], y[chosen])
    except fn.NonFiniteError:  # it diverged
        return 0.1, model
    return float((model.eval()(x).argmax(1) == y).mean()), model


figure, axes = lesson.figure(1, 2, width=12, height=4.6, sharey=True)
grids = {}
for place, normalised in zip(axes, (False, True), strict=True):
    grid = np.array([[accuracy(normalised, scale, rate)[0] for rate in RATES] for scale in SCALES])
    grids[normalised] = grid
    place.imshow(grid, cmap="gray", vmin=0, vmax=1.15, aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        place.text(column, row, f"{value:.2f}", ha="center", va="center",
                   color="white" if value < 0.55 else "black")
    place.set_xticks(range(len(RATES)), RATES)
    place.set_yticks(range(len(SCALES)), SCALES)
    place.grid(visible=False)
    name = "With batch norm" if normalised else "Without batch norm"
    place.set(xlabel="learning rate", title=f"{name}: {(grid > 0.7).mean():.0%} of the cells "
              "above 0.7")
axes[0].set_ylabel("initial weights, times He's")
lesson.save(figure)

_, model = accuracy(True, 1.0, 0.1)
gamma = np.concatenate([layer.weight.data for layer in model if isinstance(layer, nn.BatchNorm1d)])
beta = np.concatenate([layer.bias.data for layer in model if isinstance(layer, nn.BatchNorm1d)])
print(f"gamma began as 1: now {gamma.min():.2f} to {gamma.max():.2f}; "
      f"beta began as 0: now {beta.min():.2f} to {beta.max():.2f}")
small, large = (accuracy(True, 1.0, 0.1, batch, steps)[0]
                for batch, steps in ((2, STEPS * 2), (100, STEPS * 2)))
print(f"with batches of 2: accuracy {small:.3f}; of 100, as many steps: {large:.3f}")
good = {key: float((grid > lesson.choose(0.5, 0.7)).mean()) for key, grid in grids.items()}
lesson.end(share_without=good[False], share_with=good[True], gamma_spread=gamma.std(),
           beta_spread=beta.std(), batch_of_two=small, batch_of_100=large)
