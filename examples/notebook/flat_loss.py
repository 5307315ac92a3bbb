"""The loss looks flat while the accuracy rises; and later it rises while the accuracy holds.

A prediction is right as soon as the right class is a little ahead, which the loss hardly notices.
Left: a net at a small learning rate, whose accuracy climbs while its loss stays near log 10.
Middle: the margins, the right class's probability less the best other one, early and late. Right:
the same net trained far too long: on other pictures the loss climbs, as the net grows too sure of
what it gets wrong, and the accuracy stays. Run it: python examples/notebook/flat_loss.py
"""

import numpy as np
from lesson import COLORS, DASHES, Lesson

import fastnn as fn
from fastnn import data, nn, optim
from fastnn.metrics import margins

lesson = Lesson(__doc__)
EXAMPLES, SLOW, LONG = lesson.choose((800, 12, 40), (2000, 40, 120))
pictures = data.load_fashion_mnist_small()
scale = data.Standardize().fit(pictures.train[0])
x = scale.transform(pictures.train[0][:EXAMPLES]).reshape(EXAMPLES, -1)
y = pictures.train[1][:EXAMPLES]
held = scale.transform(pictures.test[0]).reshape(len(pictures.test[0]), -1), pictures.test[1]
MEASURES = ["accuracy", "margin", "ece"]


def net():
    """A hidden layer, and outputs that begin near 0."""
    fn.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 200), nn.ReLU(), nn.Linear(200, 10))
    nn.init.normal_(model[-1].weight, 0, 0.01)
    return model


def trained(model, optimizer, epochs, watched):
    """The history of a fit: loss, accuracy, margin, calibration, of both sets."""
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optimizer, metrics=MEASURES,
                         callbacks=watched)
    return trainer.fit((x, y), validation=held, epochs=epochs, batch_size=EXAMPLES // 16,
                       seed=0)


class Margins(fn.training.Callback):
    """The margins of all training pictures after some epochs."""

    def __init__(self, epochs):
        self.epochs, self.kept = epochs, {}

    def on_epoch_end(self, trainer):
        if trainer.epoch in self.epochs:
            self.kept[trainer.epoch] = margins(trainer.model(x), y)


model = net()
early, late = 5, SLOW
watch = Margins((early, late))
slow = trained(model, optim.SGD(model.parameters(), lr=0.003), SLOW, [watch])
model = net()
long = trained(model, optim.Adam(model.parameters(), lr=2e-3), LONG, [])

figure, (left, middle, right) = lesson.figure(1, 3, width=13, height=4)


def draw(axes, history, prefix, title):
    """Loss, on the left axis, and accuracy, on the right one."""
    epochs = [record["epoch"] for record in history]
    axes.plot(epochs, [record[f"{prefix}loss"] for record in history], color=COLORS[0],
              label="loss")
    other = axes.twinx()
    other.plot(epochs, [record[f"{prefix}accuracy"] for record in history], color=COLORS[1],
               linestyle=DASHES[1], label="accuracy")
    other.set(ylim=(0, 1), ylabel="accuracy")
    other.grid(visible=False)
    axes.set(title=title, xlabel="epoch", ylabel="loss", ylim=(0, None))
    lines = axes.get_lines() + other.get_lines()
    axes.legend(lines, [line.get_label() for line in lines], loc="lower right")


draw(left, slow, "", "Slow start: training pictures")
draw(right, long, "validation_", "Too long: other pictures")
for number, (epoch, found) in enumerate(watch.kept.items()):
    middle.hist(found, bins=40, range=(-0.3, 0.5), histtype="stepfilled" if number else "step",
                color=COLORS[number], alpha=0.6 if number else 1, linewidth=1.5,
                label=f"epoch {epoch}: {(found > 0).mean():.0%} above 0")
middle.axvline(0, color="#333333", linewidth=0.8)
middle.set(title="Margins: right class less the best other", xlabel="margin",
           ylabel="pictures", xlim=(-0.3, 0.5))
middle.legend(fontsize=9)
lesson.save(figure)

first, then = slow[0], slow[early - 1]
losses = np.array([record["validation_loss"] for record in long])
best = int(losses.argmin())
print(f"slow: loss {np.log(10):.3f} before; after {early} epochs {then['loss']:.3f}, accuracy "
      f"{then['accuracy']:.3f}; after {late} {slow[-1]['loss']:.3f}, {slow[-1]['accuracy']:.3f}")
for place in (best, len(long) - 1):
    record = long[place]
    print(f"long, epoch {place + 1}: loss {record['validation_loss']:.3f}, accuracy "
          f"{record['validation_accuracy']:.3f}, calibration error {record['validation_ece']:.3f}")
lesson.end(early_loss_drop=1 - then["loss"] / np.log(10), early_accuracy=then["accuracy"],
           late_loss=slow[-1]["loss"], long_best_loss=losses[best], long_last_loss=losses[-1],
           long_best_accuracy=long[best]["validation_accuracy"],
           long_last_accuracy=long[-1]["validation_accuracy"],
           long_best_ece=long[best]["validation_ece"], long_last_ece=long[-1]["validation_ece"])
