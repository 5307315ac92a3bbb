"""Optimizers on a ravine and at a saddle, the damped ball, and rates that decay.

First row: the ways of six optimizers down a ravine whose walls are 50 times steeper than its
floor, and off a saddle. Second row: momentum as a ball that rolls in a bowl and comes to rest, for
three momenta; and gradient descent on noisy gradients, which bounces at the bottom with a constant
rate, and settles with one that decays. Run it: python examples/notebook/trajectories.py
"""

import numpy as np
from lesson import COLORS, DASHES, Lesson

import fastnn as fn
from fastnn import nn, optim

lesson = Lesson(__doc__)
OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.037),
    "momentum": lambda p: optim.SGD(p, lr=0.005, momentum=0.9),
    "Nesterov": lambda p: optim.SGD(p, lr=0.005, momentum=0.9, nesterov=True),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.6),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.05),
    "Adam": lambda p: optim.Adam(p, lr=0.15),
}


def ravine(p):
    """(p0² + 50 p1²) / 2: its least is 0, at 0."""
    return np.array([p[0], 50 * p[1]]), (p[0] ** 2 + 50 * p[1] ** 2) / 2


def saddle(p):
    """(p0² - p1²) / 2 + p1⁴ / 4: a saddle at 0, the least of -1/4 at p1 = ±1."""
    return np.array([p[0], -p[1] + p[1] ** 3]), (p[0] ** 2 - p[1] ** 2) / 2 + p[1] ** 4 / 4


def way(make, function, start, steps, noise=0.0, schedule=None, seed=0):
    """The places that an optimizer visits, and the values there."""
    place = nn.Parameter(np.array(start, np.float32))
    optimizer = make([place])
    decay = None if schedule is None else schedule(optimizer)
    random = np.random.default_rng(seed)
    places, values = [place.data.copy()], [function(place.data)[1]]
    for _ in range(steps):
        grad = function(place.data)[0] + noise * random.normal(size=2)
        optimizer.step([grad.astype(np.float32)])
        if decay is not None:
            decay.step()
        places.append(place.data.copy())
        values.append(function(place.data)[1])
    return np.array(places), np.array(values)


def draw(axes, function, start, steps, title):
    """The ways over contour lines, and the steps that each takes to be near the least value."""
    x, y = np.meshgrid(np.linspace(-4.5, 1.5, 100), np.linspace(-1.4, 1.4, 100))
    z = function(np.stack([x, y]))[1]
    axes.contour(x, y, z, levels=np.quantile(z, np.linspace(0.02, 0.95, 14)), colors="#b6bdc6",
                 linewidths=0.7)
    least, counts = z.min(), {}
    for number, (name, make) in enumerate(OPTIMIZERS.items()):
        places, values = way(make, function, start, steps)
        near = np.flatnonzero(values < least + 0.01)
        counts[name] = int(near[0]) if len(near) else steps
        axes.plot(*places.T, color=COLORS[number], linestyle=DASHES[number],
                  label=f"{name}: {counts[name] if len(near) else f'over {steps}'} steps")
        axes.plot(*places[-1], marker="o", markersize=5, color=COLORS[number])
    axes.set(title=title, xlabel="first parameter", ylabel="second parameter", xlim=(-4.5, 1.5),
             ylim=(-1.4, 1.4))
    axes.legend(fontsize=8, loc="lower left", ncols=2)
    return counts


fn.manual_seed(0)
figure, ((upper_left, upper_right), (ball, settling)) = lesson.figure(2, 2, width=13, height=8.4)
on_ravine = draw(upper_left, ravine, (-4, 1), 300, "A ravine")
off_saddle = draw(upper_right, saddle, (-4, 1e-4), 300, "A saddle at (0, 0), from beside its ridge")

ends = {}
for number, momentum in enumerate((0.0, 0.9, 0.99)):
    places, values = way(lambda p, mu=momentum: optim.SGD(p, lr=0.01, momentum=mu), ravine, (-4, 0),
                         lesson.choose(400, 800))
    ball.plot(places[:400, 0], color=COLORS[number], linestyle=DASHES[number],
              label=f"momentum {momentum}")
    ends[momentum] = float(np.abs(places[150:400, 0]).max())
ball.set(title="The damped ball: along the floor of the ravine", xlabel="step",
         ylabel="first parameter")
ball.legend()

left = {}
RATES = {"constant rate": None,
         "exponential decay": lambda o: optim.lr_scheduler.ExponentialLR(o, 0.985),
         "1/t": lambda o: optim.lr_scheduler.InverseTimeLR(o, 0.1),
         "cosine": lambda o: optim.lr_scheduler.CosineAnnealingLR(o, 400)}
for number, (name, schedule) in enumerate(RATES.items()):
    values = np.mean([way(lambda p: optim.SGD(p, lr=0.02), ravine, (-1, 0.5), 400, 4.0, schedule,
                          seed)[1] for seed in range(lesson.choose(3, 20))], axis=0)
    left[name] = float(values[-50:].mean())
    settling.semilogy(values, color=COLORS[number], linestyle=DASHES[number], linewidth=1,
                      label=f"{name}: {left[name]:.2g}")
settling.set(title="Noisy gradients: bouncing, and settling with a decay", xlabel="step",
             ylabel="mean value; in the legend, of the last 50")
settling.legend(loc="upper right")
lesson.save(figure)
print({"ravine": on_ravine, "saddle": off_saddle, "last 50": left})
lesson.end(ravine_sgd=on_ravine["SGD"], ravine_momentum=on_ravine["momentum"],
           ravine_nesterov=on_ravine["Nesterov"], ravine_adam=on_ravine["Adam"],
           saddle_sgd=off_saddle["SGD"], saddle_adam=off_saddle["Adam"],
           ball_still=ends[0.9], ball_rolling=ends[0.99], constant=left["constant rate"],
           decayed=left["exponential decay"], inverse=left["1/t"])
