"""Learning rates over time: step, exponential, 1/t, cosine, warm-up, one-cycle, plateau.

Left: the rate of each schedule over the epochs. Right: a small net trained with each, and at a
constant rate; drawn is the loss of all training pictures after each epoch. The rate that suits the
start is too large for the end. Run it: python examples/notebook/schedules.py
"""

import numpy as np
from lesson import COLORS, DASHES, Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
EXAMPLES, EPOCHS, SEEDS, RATE = lesson.choose((320, 16, 2, 0.08), (2000, 40, 3, 0.03))
BATCH = 32
pictures = data.load_fashion_mnist_small()
scale = data.Standardize().fit(pictures.train[0])
x = scale.transform(pictures.train[0][:EXAMPLES]).reshape(EXAMPLES, -1)
y = pictures.train[1][:EXAMPLES]
S = optim.lr_scheduler


def warm_up(optimizer, steps):
    """Linear for a tenth of the time, then a cosine."""
    tenth = max(1, steps // 10)
    return S.SequentialLR(optimizer, [S.LinearLR(optimizer, 0.02, total_iters=tenth),
                                      S.CosineAnnealingLR(optimizer, steps - tenth)], [tenth])


# Schedules of so many epochs.
SCHEDULES = {
    "constant": lambda o, n: S.ConstantLR(o, 1.0),
    "step": lambda o, n: S.StepLR(o, max(1, n // 3), 0.2),
    "exponential": lambda o, n: S.ExponentialLR(o, 0.02 ** (1 / n)),
    "1/t": lambda o, n: optim.InverseTimeLR(o, 20 / n),
    "cosine": lambda o, n: S.CosineAnnealingLR(o, n),
    "warm-up, cosine": warm_up,
    "one-cycle": lambda o, n: S.OneCycleLR(o, RATE, n),
    "plateau": lambda o, n: S.ReduceLROnPlateau(o, factor=0.3, patience=max(1, n // 20)),
}
LINES = dict(zip(SCHEDULES, zip(("#999999", *COLORS, "#111111"), ("-", *DASHES, "--"),
                                strict=True), strict=True))


def trained(name, seed):
    """(rates, losses) of each epoch."""
    fn.manual_seed(seed)
    model = nn.Sequential(nn.Linear(784, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = optim.SGD(model.parameters(), lr=RATE, momentum=0.9)
    schedule = SCHEDULES[name](optimizer, EPOCHS)
    trainer = fn.Trainer(model, "cross_entropy", optimizer)
    rates, losses = [], []
    for epoch in range(EPOCHS):
        rates.append(optimizer.param_groups[0]["lr"])
        trainer.fit((x, y), epochs=1, batch_size=BATCH, seed=seed * EPOCHS + epoch)
        losses.append(trainer.evaluate((x, y))["loss"])
        schedule.step(*[losses[-1]] if name == "plateau" else [])
    return rates, losses


figure, (left, right) = lesson.figure(1, 2, width=12, height=4.4)
last = {}
for name, (color, dash) in LINES.items():
    runs = [trained(name, seed) for seed in range(SEEDS)]
    rates, losses = runs[0][0], np.mean([run[1] for run in runs], axis=0)
    last[name] = losses[-1]
    left.plot(range(1, EPOCHS + 1), rates, color=color, linestyle=dash, label=name)
    right.semilogy(range(1, EPOCHS + 1), losses, color=color, linestyle=dash, label=name)
left.set(xlabel="epoch", ylabel="learning rate", title="Rates (lines as on the right)")
right.set(xlabel="epoch", ylabel="loss on the training pictures", title="What they lead to")
right.legend(fontsize=8, ncols=2, loc="lower left")
lesson.save(figure)
for name, loss in sorted(last.items(), key=lambda item: item[1]):
    print(f"{name:18}{loss:.4f}")
names = ("constant", "step", "exponential", "inverse", "cosine", "warm_up", "one_cycle", "plateau")
lesson.end(**dict(zip(names, last.values(), strict=True)))
