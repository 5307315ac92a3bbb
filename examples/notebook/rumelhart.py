"""The nets of 1986: XOR, symmetry and the encoder, by back-propagation and momentum.

Rumelhart, Hinton and Williams trained nets of a few sigmoid units by gradient descent over all
examples at once. Here are three of them with the same method. XOR needs a hidden layer, and
gets stuck from some starts; the symmetry net finds weights that mirror each other; the 8-3-8
encoder finds a code of three bits. Run it: python examples/notebook/rumelhart.py
"""

from itertools import pairwise, product

import numpy as np
from lesson import COLORS, Lesson

import fastnn as fn
from fastnn import nn, optim

lesson = Lesson(__doc__)
STARTS = lesson.choose(6, 40)


def trained(sizes, x, y, epochs, seed, rate, momentum=0.9):
    """A net of sigmoid units after so many steps over all examples, and the loss of each step."""
    fn.manual_seed(seed)
    layers = [layer for inputs, outputs in pairwise(sizes)
              for layer in (nn.Linear(inputs, outputs), nn.Sigmoid())]
    model = nn.Sequential(*layers)
    for parameter in model.parameters():
        nn.init.uniform_(parameter, -1, 1)
    step = fn.TrainStep(model, nn.MSELoss(),
                        optim.SGD(model.parameters(), lr=rate, momentum=momentum))
    return model, [step(x, y) for _ in range(epochs)]


figure, (left, middle, right) = lesson.figure(1, 3, width=13, height=4)

x = np.array(list(product((0, 1), repeat=2)), np.float32)
y = (x[:, :1] != x[:, 1:]).astype(np.float32)
solved = 0
for seed in range(STARTS):
    model, losses = trained((2, 2, 1), x, y, 3000, seed, 1.0)
    right_answers = bool(((model(x) > 0.5) == (y > 0.5)).all())
    solved += right_answers
    left.semilogy(losses, color=COLORS[0] if right_answers else COLORS[1],
                  linestyle="-" if right_answers else "--", linewidth=1)
left.plot([], [], color=COLORS[0], label=f"solved: {solved} of {STARTS} starts")
left.plot([], [], color=COLORS[1], linestyle="--", label=f"stuck: {STARTS - solved}")
left.set(title="XOR, two hidden units", xlabel="step over all 4 examples",
         ylabel="mean squared error")
left.legend(loc="center right")
print(f"XOR: {solved} of {STARTS} starts solve it")

x = np.array(list(product((0, 1), repeat=6)), np.float32)
y = (x == x[:, ::-1]).all(1, keepdims=True).astype(np.float32)
best, symmetry, weights = np.inf, 0.0, np.zeros((2, 6))
for seed in range(lesson.choose(3, 8)):
    model, losses = trained((6, 2, 1), x * 2 - 1, y, lesson.choose(3000, 6000), seed, 0.5)
    if losses[-1] < best:
        best, weights = losses[-1], model[0].weight.data
        symmetry = float(((model(x * 2 - 1) > 0.5) == (y > 0.5)).mean())
largest = np.abs(weights).max()
middle.imshow(weights, cmap="gray", vmin=-largest, vmax=largest)
for (row, column), value in np.ndenumerate(weights):
    middle.text(column, row, f"{value:.1f}", ha="center", va="center",
                color="white" if value < 0 else "black")
middle.set(title=f"Symmetry: {symmetry:.0%} of 64 patterns", xlabel="weights from input",
           ylabel="hidden unit", xticks=range(6), xticklabels=range(1, 7), yticks=(0, 1))
middle.grid(visible=False)
mirrored = float(-np.corrcoef(weights[:, :3].ravel(), weights[:, :2:-1].ravel())[0, 1])
print(f"symmetry: accuracy {symmetry:.3f}, correlation of mirrored weights {-mirrored:.3f}")

x = np.eye(8, dtype=np.float32)
model, losses = trained((8, 3, 8), x, x, 6000, 0, 3.0)
code = fn.features(model, x, "1")
right.imshow(code, cmap="gray", vmin=0, vmax=1, aspect="auto")
for (row, column), value in np.ndenumerate(code):
    right.text(column, row, f"{value:.2f}", ha="center", va="center",
               color="white" if value < 0.5 else "black")
encoded = float((model(x).argmax(1) == np.arange(8)).mean())
codes = len(np.unique(code > 0.5, axis=0))
right.set(title=f"Encoder 8-3-8: {codes} codes for 8 inputs", xlabel="hidden unit", ylabel="input",
          xticks=range(3))
right.grid(visible=False)
print(f"encoder: {encoded:.0%} come back, {codes} different codes of 3 bits")
lesson.save(figure)
lesson.end(xor_share=solved / STARTS, symmetry=symmetry, mirrored=mirrored, encoded=encoded,
           codes=codes)
