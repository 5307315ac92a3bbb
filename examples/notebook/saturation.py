"""Activations and their health: who saturates, who dies, and whose gradients share a sign.

First row: the values of the third hidden layer of a deep net at the start, with the share that is
saturated, for weights three times as large as they should be. Below, left: units that are dead from
the start where biases are negative, and stay so; a positive bias avoids it, a leaky ReLU mends it.
Right: of the weights into a unit, the share whose gradients (for one example) have the same sign:
all of them behind a sigmoid or a ReLU, whose outputs are positive; a good half behind a tanh, which
is centred. Run it: python examples/notebook/saturation.py
"""

import numpy as np
from lesson import COLORS, DASHES, Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
EPOCHS, EXAMPLES, RATE = *lesson.choose((6, 500), (15, 2000)), 0.1
pictures = data.load_fashion_mnist_small()
x = data.Standardize().fit_transform(pictures.train[0][:EXAMPLES]).reshape(EXAMPLES, -1)
y = pictures.train[1][:EXAMPLES]


def net(activation, depth=4, width=64, scale=1.0, bias=0.0, seed=0):
    """Linear layers with an activation between; He's variance, times scale²."""
    fn.manual_seed(seed)
    layers, inputs = [], 784
    for _ in range(depth):
        layers += [nn.Linear(inputs, width), activation()]
        inputs = width
    model = nn.Sequential(*layers, nn.Linear(width, 10))
    for layer in layers[::2]:
        nn.init.kaiming_normal_(layer.weight)
        layer.weight.data[...] *= scale
        nn.init.constant_(layer.bias, bias)
    return model


def draw_values(axes):
    """Histograms of a hidden layer's values where weights are large."""
    shares = {}
    for place, kind in zip(axes, (nn.Sigmoid, nn.Tanh, nn.ReLU, nn.LeakyReLU), strict=True):
        row = fn.inspect(net(kind, scale=3.0), x[:200])["5"]
        place.stairs(row.counts / row.counts.sum(), row.edges, fill=True, color=COLORS[0])
        saturated = "no flat part" if row.saturated is None else f"saturated {row.saturated:.0%}"
        place.set(title=f"{kind.__name__}: {saturated}", xlabel="value", ylabel="share of values")
        shares[kind.__name__] = row.saturated or 0.0
    return shares


def dead_while_training(activation, bias):
    """(the share of dead units of the worst layer after each epoch, the accuracy at the end)."""
    model, look = net(activation, 2, bias=bias), fn.insight.Inspect(x, y)
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=RATE),
                         callbacks=[look])
    trainer.fit((x, y), epochs=EPOCHS, batch_size=50, seed=0)
    # A leaky ReLU has no flat part: by its formula no unit is ever dead.
    shares = [max((row.dead or 0.0) for row in report) for _, report in look.reports]
    return shares, trainer.evaluate((x, y))["accuracy"]


def same_sign(kind):
    """Of the gradients into units of the second layer, but zeros: the share of one sign."""
    model = net(kind, depth=2, scale=0.5)
    find = fn.value_and_grad(model, nn.CrossEntropyLoss())
    shares = []
    for example in range(40):
        grad = find(x[example:example + 1], y[example:example + 1])[1]["2.weight"]
        positive, negative = (grad > 0).sum(1), (grad < 0).sum(1)
        moved = positive + negative > 0
        shares.append((np.maximum(positive, negative)[moved] / (positive + negative)[moved]).mean())
    return float(np.mean(shares))


figure, axes = lesson.figure(2, 4, width=13, height=6)
shares = draw_values(axes[0])
for place in axes[1]:
    place.remove()
grid = axes[0, 0].get_gridspec()
left, right = figure.add_subplot(grid[1, :2]), figure.add_subplot(grid[1, 2:])
runs = {"ReLU, bias -2": (nn.ReLU, -2.0), "ReLU, bias 0": (nn.ReLU, 0.0),
        "ReLU, bias +1": (nn.ReLU, 1.0), "leaky ReLU, bias -2": (nn.LeakyReLU, -2.0)}
dead, accuracy = {}, {}
for number, (name, (kind, bias)) in enumerate(runs.items()):
    dead[name], accuracy[name] = dead_while_training(kind, bias)
    left.plot(dead[name], label=f"{name}: accuracy {accuracy[name]:.0%}", marker="os^d"[number],
              color=COLORS[number], linestyle=DASHES[number])
    print(f"{name:20s} dead at the start {dead[name][0]:.1%}, at the end {dead[name][-1]:.1%}, "
          f"accuracy {accuracy[name]:.3f}")
left.set(title="Dead units of the worst layer", xlabel="epoch", ylabel="share of units",
         ylim=(-0.03, 1.03))
left.legend(loc="center right", fontsize=9)
signs = {kind.__name__: same_sign(kind) for kind in (nn.Sigmoid, nn.ReLU, nn.Tanh)}
right.barh(list(signs), list(signs.values()), color=COLORS[0], height=0.5)
for row, share in enumerate(signs.values()):
    right.text(share + 0.01, row, f"{share:.0%}", va="center")
right.set(title="Weights into a unit whose gradients have one sign", xlim=(0, 1.1),
          xlabel="share, for one example at a time; 50% is the least")
right.invert_yaxis()
lesson.save(figure)
lesson.end(sigmoid_saturated=shares["Sigmoid"], tanh_saturated=shares["Tanh"],
           dead_below=dead["ReLU, bias -2"][-1], dead_above=dead["ReLU, bias +1"][-1],
           accuracy_below=accuracy["ReLU, bias -2"], accuracy_above=accuracy["ReLU, bias +1"],
           accuracy_leaky=accuracy["leaky ReLU, bias -2"], sigmoid_sign=signs["Sigmoid"],
           tanh_sign=signs["Tanh"])
