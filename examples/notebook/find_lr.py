"""A learning-rate finder: one short trial of growing rates against training with each of them.

Above, the loss of a small convolutional net while the rate grows from step to step, for two
optimizers: flat, falling, erratic. Below, the test accuracy after training anew with each of many
rates: the suggestion, a tenth of the rate of the least loss, is among the good ones, and one
epoch's work finds it. Run it: python examples/notebook/find_lr.py
"""

import numpy as np
from lesson import COLORS, INK, Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
EXAMPLES, EPOCHS, POWERS, STEPS, TESTS = lesson.choose((960, 1, 5, 60, 400),
                                                       (4000, 3, 13, 100, 1000))
KINDS = {"SGD with momentum": lambda p, lr: optim.SGD(p, lr, momentum=0.9),
         "Adam": lambda p, lr: optim.Adam(p, lr)}
LEAST, MOST = 1e-5, 10.0


def trainer_of(make, lr, seed=0):
    """A trainer of a new net."""
    fn.manual_seed(seed)
    net = nn.Sequential(nn.Conv2d(1, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(),
                        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 25, 10))
    return fn.Trainer(net, nn.CrossEntropyLoss(), make(net.parameters(), lr), callbacks=[])


def accuracy(make, lr, train, test):
    """Test accuracy after training with one rate; 0.1, a guess, if it diverged."""
    trainer = trainer_of(make, lr)
    try:
        trainer.fit(train, epochs=EPOCHS, batch_size=32, seed=0)
    except fn.NonFiniteError:
        return 0.1
    return trainer.evaluate(test)["accuracy"]


pictures = data.load_fashion_mnist_small()
scale = data.Standardize().fit(pictures.train[0])
train = scale.transform(pictures.train[0])[:EXAMPLES], pictures.train[1][:EXAMPLES]
test = scale.transform(pictures.test[0])[:TESTS], pictures.test[1][:TESTS]
rates = np.geomspace(LEAST, MOST, POWERS)
figure, axes = lesson.figure(2, 2, width=10, height=6.4, sharex=True)
results = {}
for (above, below), (name, make) in zip(axes.T, KINDS.items(), strict=True):
    found = fn.find_lr(trainer_of(make, 0.01), train, LEAST, MOST, STEPS, batch_size=32, seed=0)
    print(f"{name}\n{found}")
    above.semilogx(found.lrs, np.where(np.isfinite(found.losses), found.losses, np.nan), ".",
                   color=COLORS[5], markersize=4, label="loss of a batch")
    above.semilogx(found.lrs, found.smoothed, "-", color=COLORS[0], label="smoothed")
    above.axvline(found.suggestion, color=COLORS[1], linestyle="--",
                  label=f"suggestion: {found.suggestion:.2g}")
    above.axvline(found.minimum, color=INK, linestyle=":", label=f"least loss: {found.minimum:.2g}")
    above.set(title=f"{name}: the trial, {len(found.lrs)} steps", ylabel="loss", ylim=(0, 5))
    above.legend(loc="upper left", fontsize=8)
    each = [accuracy(make, lr, train, test) for lr in rates]
    own = accuracy(make, found.suggestion, train, test)
    below.semilogx(rates, each, "o-", color=COLORS[2], label="each rate")
    below.plot(found.suggestion, own, "D", color=COLORS[1], markersize=9,
               label=f"the suggestion: {own:.3f}")
    below.axvline(found.minimum, color=INK, linestyle=":")
    below.set(title=f"{name}: trained with each rate", xlabel="learning rate", ylim=(0, 1),
              ylabel=f"test accuracy, {EPOCHS} epoch{'s' if EPOCHS > 1 else ''}")
    below.legend(loc="lower left", fontsize=8)
    short = "sgd" if "SGD" in name else "adam"
    results |= {f"{short}_suggestion": found.suggestion, f"{short}_minimum": found.minimum,
                f"{short}_accuracy": own, f"{short}_best": max(each), f"{short}_last": each[-1]}
    print("accuracies", {f"{lr:.1g}": round(value, 3) for lr, value in zip(rates, each,
                                                                                 strict=True)})
lesson.save(figure)
lesson.end(**results)
