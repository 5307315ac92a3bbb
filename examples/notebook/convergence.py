"""How much faster does a net with ReLU converge than one with tanh or sigmoid?

The notebook says "e.g. 6x", as Krizhevsky, Sutskever and Hinton (2012) found for a convolutional
net on CIFAR-10. Here the same convolutional net learns Fashion-MNIST with each activation, each
at the best of three learning rates, from weights that suit it; what counts is the steps until the
training loss has fallen to 0.6. Run it: python examples/notebook/convergence.py
"""

import numpy as np
from lesson import Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
EXAMPLES, EPOCHS, SEEDS, RATES = lesson.choose((1000, 10, 1, (0.1,)),
                                               (4000, 10, 1, (0.1, 0.05, 0.02)))
GOAL = 0.6
pictures = data.load_fashion_mnist_small()
x = data.Standardize().fit_transform(pictures.train[0][:EXAMPLES])
y = pictures.train[1][:EXAMPLES]
GAINS = {"ReLU": ("relu", nn.ReLU), "leaky ReLU": ("leaky_relu", nn.LeakyReLU),
         "tanh": ("tanh", nn.Tanh), "sigmoid": ("sigmoid", nn.Sigmoid)}


def losses(name, rate, seed):
    """The loss of each step, smoothed over about 20 of them."""
    fn.manual_seed(seed)
    gain, activation = GAINS[name]
    model = nn.Sequential(nn.Conv2d(1, 16, 5, stride=2), activation(), nn.Conv2d(16, 32, 3, 2),
                          activation(), nn.Flatten(), nn.Linear(800, 64),
                          activation(), nn.Linear(64, 10))
    for layer in model:
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_normal_(layer.weight, nn.init.calculate_gain(gain))
            nn.init.zeros_(layer.bias)
    step = fn.TrainStep(model, nn.CrossEntropyLoss(),
                        optim.SGD(model.parameters(), lr=rate, momentum=0.9))
    smooth, found = None, []
    for epoch in range(EPOCHS):
        for batch in data.Batches(x, y, 50, seed=seed).epoch(epoch):
            try:
                loss = step(*batch)
            except fn.NonFiniteError:
                return [*found, *[np.inf] * (EPOCHS * EXAMPLES // 50 - len(found))]
            smooth = loss if smooth is None else 0.95 * smooth + 0.05 * loss
            found.append(smooth)
    return found


def steps_to_goal(run):
    """How many steps it takes; all of them and more where it does not get there."""
    reached = np.flatnonzero(np.array(run) < GOAL)
    return int(reached[0]) + 1 if len(reached) else np.inf


figure, axes = lesson.figure(1, 1, width=8, height=4)
found = {}
for name in GAINS:
    runs = {rate: [losses(name, rate, seed) for seed in range(SEEDS)] for rate in RATES}
    counts = {rate: float(np.mean([steps_to_goal(run) for run in each]))
              for rate, each in runs.items()}
    best = min(counts, key=lambda rate: (counts[rate], runs[rate][0][-1]))
    found[name] = counts[best]
    steps = "not reached" if np.isinf(found[name]) else f"{found[name]:.0f} steps"
    axes.plot(np.mean(runs[best], 0), label=f"{name}, learning rate {best}: {steps}")
    print(f"{name:12s} learning rate {best}: {steps} to a loss of {GOAL}")
axes.axhline(GOAL, color="#333333", linewidth=0.8, linestyle=":")
axes.set(xlabel="steps of 50 pictures", ylabel="training loss, smoothed", ylim=(0, 2.4),
         title="The same net, four activations, each with weights and rate that suit it")
axes.legend()
lesson.save(figure)
most = EPOCHS * EXAMPLES // 50
lesson.end(**{f"{name.replace(' ', '_').lower()}_steps": min(count, most + 1)
              for name, count in found.items()}, steps=most)
