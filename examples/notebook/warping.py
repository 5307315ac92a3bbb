"""A net warps space until its last layer, which is a linear classifier, can draw its line.

Each row follows the plane of the inputs, with a grid on it, through the hidden layers of a net. In
the last column the classes lie on two sides of a line: the softmax layer on top is as accurate as
scikit-learn's logistic regression, fitted to the same features, while that model on the inputs
fails. With two units in each layer a ring cannot be opened: space can be bent, not torn (Olah,
2014). The GIF shows the spirals unwind in training. Run it: python examples/notebook/warping.py
"""

import io
from itertools import pairwise

import numpy as np
from lesson import COLORS, INK, Lesson, plt
from PIL import Image
from sklearn.datasets import make_circles
from sklearn.linear_model import LogisticRegression

import fastnn as fn
from fastnn import nn, optim

lesson = Lesson(__doc__)
EPOCHS, FRAMES, SEEDS = lesson.choose((120, 4, (1,)), (300, 40, (1, 0, 2, 3, 4)))
LIMIT, LINES, POINTS = 1.6, 13, 150
rows = np.stack(np.meshgrid(*(np.linspace(-LIMIT, LIMIT, n) for n in (POINTS, LINES))), -1)
GRID = np.concatenate([rows, rows[..., ::-1]]).reshape(-1, 2).astype(np.float32)
CASES = (("circles, layers of 3 units", "circles", (3, 3, 3), 1),
         ("spirals, layers of 16, 16, 2 units", "spirals", (16, 16, 2), 0),
         ("circles, layers of 2 units: fails", "circles", (2, 2, 2), 1))


def points(kind, seed, count=600):
    """(x, y): points of the plane, in two rings or two arms."""
    if kind == "circles":
        x, y = make_circles(count, noise=0.07, factor=0.4, random_state=seed)
        return x.astype(np.float32), y.astype(np.int64)
    generator, y = np.random.default_rng(seed), np.arange(count) % 2
    radius = np.sqrt(generator.uniform(0.04, 1, count))
    angle = radius * 2.5 * np.pi + np.pi * y
    x = 1.4 * radius * np.stack([np.cos(angle), np.sin(angle)])
    return (x.T + generator.normal(scale=0.03, size=(count, 2))).astype(np.float32), y


def view(values):
    """(middle, directions): two coordinates of features, for more than two those that vary most."""
    if values.shape[1] == 2:
        return np.zeros(2), np.eye(2)
    middle = values.mean(0)
    return middle, np.linalg.svd(values - middle, full_matrices=False)[2][:2].T


def draw(place, values, y, grid, last=None):
    """Points of two classes, the lines of the grid, and where the last layer is undecided."""
    middle, directions = view(values)
    for line in ((grid - middle) @ directions).reshape(2 * LINES, POINTS, 2):
        place.plot(*line.T, color="#b8b8b8", linewidth=0.6, linestyle="-", zorder=1)
    for number, marker in enumerate("o^"):
        seen = (values[y == number][:200] - middle) @ directions
        place.scatter(*seen.T, s=9, marker=marker, color=COLORS[number], linewidth=0, zorder=2)
    place.set(xticks=[], yticks=[])
    if last is not None:
        w, b = (each.data[1] - each.data[0] for each in (last.weight, last.bias))
        box, w, b = place.axis(), w @ directions, b + middle @ w
        start = -b * w / (w @ w)  # the point of the line next to the origin
        place.axline(start, start + [-w[1], w[0]], color=INK, linestyle="--")
        place.axis(box)


def frame(net, x, y, epoch):
    """One picture of the GIF: the last hidden layer, in few colours."""
    figure, place = plt.subplots(figsize=(3, 3.2), dpi=80)
    written = io.BytesIO()
    draw(place, fn.features(net, x, "5"), y, fn.features(net, GRID, "5"))
    place.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), title=f"spirals, layer 3, epoch {epoch}")
    figure.savefig(written, format="png")
    plt.close(figure)
    palette = Image.new("P", (1, 1))
    colors = *COLORS[:2], INK, "#ffffff", "#b8b8b8", "#dddddd"
    palette.putpalette(b"".join(bytes.fromhex(each[1:]) for each in colors))
    return Image.open(written).convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE)


def train(kind, widths, seed, frames=()):
    """A trained net with its points, accuracies on others, and pictures of some epochs."""
    (x, y), (xt, yt), pictures = points(kind, seed), points(kind, seed + 100), []
    fn.manual_seed(seed)
    pairs = [(nn.Linear(a, b), nn.Tanh()) for a, b in pairwise((2, *widths))]
    net = nn.Sequential(*(layer for pair in pairs for layer in pair), nn.Linear(widths[-1], 2))
    optimizer = optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.02)
    trainer = fn.Trainer(net, "cross_entropy", optimizer, callbacks=[
        lambda t: pictures.append(frame(net, x, y, t.epoch)) if t.epoch in frames else None])
    trainer.fit((x, y), epochs=EPOCHS, batch_size=50, seed=seed)
    features, unseen = (fn.features(net, each, "5") for each in (x, xt))
    return net, x, y, pictures, {
        "net": trainer.evaluate((xt, yt))["accuracy"],
        "on_features": LogisticRegression(C=1e4).fit(features, y).score(unseen, yt),
        "on_inputs": LogisticRegression().fit(x, y).score(xt, yt)}


figure, axes = lesson.figure(3, 4, width=10.5, height=8)
found = {}
for row, (title, kind, widths, seed) in zip(axes, CASES, strict=True):
    epochs = set(np.geomspace(1, EPOCHS, FRAMES).round()) if kind == "spirals" else ()
    net, x, y, pictures, found[kind, widths[0]] = train(kind, widths, seed, epochs)
    scores = found[kind, widths[0]]
    values, grids = (fn.features(net, each, ["1", "3", "5"]) for each in (x, GRID))
    draw(row[0], x, y, GRID)
    row[0].set(title=title, xlabel=f"a linear model here: {scores['on_inputs']:.1%}")
    for place, layer, width in zip(row[1:], values, widths, strict=True):
        draw(place, values[layer], y, grids[layer], net[6] if layer == "5" else None)
        place.set_title(f"layer {int(layer) // 2 + 1}" + f": {width} units in 2-D" * (width > 2))
    row[3].set_xlabel(f"softmax layer: {scores['net']:.1%}\n"
                      f"a linear model here: {scores['on_features']:.1%}")
    if pictures:
        pictures[0].save(lesson.path(".gif"), save_all=True, append_images=pictures[1:], loop=0,
                         duration=[120] * (len(pictures) - 1) + [2500])
lesson.save(figure)
best = max(train("circles", (2, 2, 2), seed)[-1]["net"] for seed in SEEDS)
lesson.end(narrow_best=best, **{f"{kind}_{width}_{name}": value for (kind, width), scores
                                in found.items() for name, value in scores.items()})
