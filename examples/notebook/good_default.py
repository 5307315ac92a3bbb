"""Is Adam a good default? Five optimizers on five problems, over a grid of learning rates.

Each trains for a fixed number of steps with each rate. Drawn is how much larger its last loss is
than the best of all on that problem: with one rate for all problems, the one that suits them best
together; and with the best rate for each. A good default does well with one.
Run it: python examples/notebook/good_default.py
"""

import numpy as np
from lesson import Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
STEPS, SEEDS, PER_DECADE, KEPT = lesson.choose((100, 1, 1, 3), (200, 2, 2, 5))
RATES = [10 ** (-power / PER_DECADE) for power in range(-PER_DECADE // 2, 4 * PER_DECADE + 1)]
OPTIMIZERS = {
    "SGD": lambda p, lr: optim.SGD(p, lr=lr),
    "momentum": lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9),
    "Adagrad": lambda p, lr: optim.Adagrad(p, lr=lr),
    "RMSprop": lambda p, lr: optim.RMSprop(p, lr=lr),
    "Adam": lambda p, lr: optim.Adam(p, lr=lr),
}
pictures, random = data.load_fashion_mnist_small(), np.random.default_rng(0)
images = data.Standardize().fit(pictures.train[0]).transform(pictures.train[0][:600])
labels = pictures.train[1][:600]
flat = images.reshape(600, -1)


def deep(activation, init):
    """Six layers of 50."""
    layers = [nn.Linear(784, 50), activation()]
    for _ in range(4):
        layers += [nn.Linear(50, 50), activation()]
    for layer in layers[::2]:
        init(layer.weight)
    return nn.Sequential(*layers, nn.Linear(50, 10))


def words():
    """Bags of 400 words, most of them rare, and classes drawn with the odds that they hint at."""
    chances = 1 / np.arange(1, 401)
    found = random.random((3000, 400)) < 5 * chances / (1 + 5 * chances)
    scores = found @ random.standard_normal((400, 4)) + random.gumbel(size=(3000, 4))
    return found.astype(np.float32), scores.argmax(axis=1)


# name: (makes a net, inputs, classes)
PROBLEMS = {
    "raw scales": (lambda: nn.Linear(784, 10),
                   flat * (10 ** random.uniform(-1.5, 0.5, 784)).astype(np.float32), labels),
    "rare words": (lambda: nn.Linear(400, 4), *words()),
    "ReLU net": (lambda: nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10)),
                 flat, labels),
    "deep tanh": (lambda: deep(nn.Tanh, nn.init.xavier_normal_), flat, labels),
    "conv, norm": (lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2),
        nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 36, 10)), images, labels),
}


def last_loss(make_net, make_optimizer, lr, x, y):
    """The loss of all examples after the steps, at most that of guessing."""
    guess, losses = np.log(y.max() + 1), []
    for seed in range(SEEDS):
        fn.manual_seed(seed)
        model = make_net()
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), make_optimizer(model.parameters(), lr))
        order = np.random.default_rng(seed)
        try:
            for _ in range(STEPS):
                batch = order.integers(0, len(x), 50)
                step(x[batch], y[batch])
            loss = fn.value_and_grad(model, nn.CrossEntropyLoss())(x, y)[0]
        except fn.NonFiniteError:
            loss = np.inf
        losses.append(min(loss, guess))
    return np.mean(losses)


names = list(PROBLEMS)[:KEPT]
found = np.array([[[last_loss(PROBLEMS[problem][0], make, lr, *PROBLEMS[problem][1:])
                    for lr in RATES] for problem in names] for make in OPTIMIZERS.values()])
best = found.min(axis=(0, 2))[:, None]  # of each problem
worse = found / best  # (optimizers, problems, rates)
together = np.exp(np.log(worse).mean(axis=1))  # the geometric mean over problems
one = together.argmin(axis=1)
tables = {"one rate for all problems": worse[np.arange(len(worse)), :, one],
          "the best rate for each": worse.min(axis=2)}
figure, axes = lesson.figure(1, 2, width=11.5, height=3.8)
for ax, (title, table) in zip(axes, tables.items(), strict=True):
    ax.imshow(np.log(np.minimum(table, 10)), cmap="Greys", vmin=0, vmax=np.log(20), aspect="auto")
    for (row, column), value in np.ndenumerate(table):
        ax.text(column, row, f"{value:.1f}" if value < 100 else ">100", ha="center", va="center",
                color="white" if value > 5 else "black")
    rates = [f"{name}, {RATES[place]:.2g}" for name, place in zip(OPTIMIZERS, one, strict=True)]
    ax.set(xticks=range(len(names)), xticklabels=names, yticks=range(len(OPTIMIZERS)),
           yticklabels=list(OPTIMIZERS) if "best" in title else rates,
           title=f"Loss over the best loss: {title}")
    ax.grid(visible=False)
lesson.save(figure)
keys = [name.lower() for name in OPTIMIZERS]
for title, table in tables.items():
    print(f"\n{title:26}" + "".join(f"{name:>12}" for name in names))
    for name, row in zip(OPTIMIZERS, table, strict=True):
        print(f"{name:26}" + "".join(f"{value:12.2f}" for value in row))
lesson.end(**{f"{key}_one": value for key, value in zip(keys, together.min(1), strict=True)},
           **{f"{key}_best": np.exp(np.log(worse.min(2)).mean(1))[place]
              for place, key in enumerate(keys)},
           **{f"{key}_rate": RATES[place] for key, place in zip(keys, one, strict=True)})
