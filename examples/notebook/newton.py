"""Newton's step: one step solves a quadratic, without a learning rate. Why nets can't afford it.

Left: a badly scaled quadratic (linear regression on two features of very different size); gradient
descent creeps along the valley, one Newton step lands in the minimum. Right: what the Hessian of a
net costs in bytes, measured for small nets and drawn on to nets of today; a product with the
Hessian costs about as much as two gradients. Run it: python examples/notebook/newton.py
"""

import time

import numpy as np
from lesson import COLORS, INK, Lesson

import fastnn as fn
from fastnn import nn, optim, second_order
from fastnn.second_order.full_batch import FullBatch

lesson = Lesson(__doc__)
generator = np.random.default_rng(0)
x = generator.normal(size=(200, 2)) * [1.0, 0.25]
y = x @ [[1.0], [3.0]]
START = np.array([[-1.5, -1.0]], np.float32)


def fresh():
    model = nn.Linear(2, 1, bias=False)
    model.weight.data[...] = START
    return model


def descent(rate, steps):
    """The places that gradient descent visits, and the losses there."""
    model = fresh()
    step = fn.TrainStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=rate))
    places, losses = [START[0]], []
    for _ in range(steps):
        losses.append(step(x, y))
        places.append(model.weight.data[0].copy())
    return np.array(places), losses


places, losses = descent(0.45, 300)
model = fresh()
found = fn.minimize(model, nn.MSELoss(), (x, y), method="Newton")
steps = int(np.argmax(np.array(losses) < 1e-6)) or len(losses)
print(f"gradient descent: {steps} steps to a loss of 1e-6; Newton: {found.iterations}")

figure, (left, middle, right) = lesson.figure(1, 3, width=13, height=4)
one, two = np.meshgrid(np.linspace(-2, 3, 80), np.linspace(-2, 5, 80))
level = sum(((one * a + two * b - c) ** 2) for (a, b), c in zip(x, y[:, 0], strict=True)) / len(x)
left.contour(one, two, level, levels=np.geomspace(0.01, 12, 9), colors="#9aa3ad", linewidths=0.8)
left.plot(*places[:60].T, marker=".", color=COLORS[0], label="gradient descent, 60 steps")
left.plot(*np.array([START[0], model.weight.data[0]]).T, marker="s", color=COLORS[1],
          linestyle="--", label="Newton, 1 step")
left.set(title="A quadratic valley", xlabel="first weight", ylabel="second weight")
left.legend(loc="lower right")

sizes, seconds, gradients, products = [], [], [], []
data = generator.normal(size=(64, 8)), generator.normal(size=(64, 1))
for width in lesson.choose((2, 8, 32), (2, 8, 32, 100, 300)):
    net = nn.Sequential(nn.Linear(8, width), nn.Tanh(), nn.Linear(width, 1))
    batch = FullBatch(net, nn.MSELoss(), data)
    vector = np.ones(batch.size)
    batch.value_and_grad(), batch.product(vector)  # planned before the clock starts

    def timed(function, *arguments):
        times = []
        for _ in range(20):
            started = time.perf_counter()
            function(*arguments)
            times.append(time.perf_counter() - started)
        return sorted(times)[10]

    gradients.append(timed(batch.value_and_grad))
    products.append(timed(batch.product, vector))
    started = time.perf_counter()
    second_order.hessian(net, nn.MSELoss(), data)
    sizes.append(batch.size)
    seconds.append(time.perf_counter() - started)
    print(f"{batch.size:6,} parameters: gradient {gradients[-1] * 1e6:4.0f} us, product "
          f"{products[-1] * 1e6:4.0f} us, Hessian {seconds[-1]:.3f} s, {8 * batch.size**2:,} bytes")

NETS = {"MLP 784-512-512-10": 669_706, "ResNet-18": 11_181_642, "VGG16": 138_357_544}
middle.loglog(sizes, [8.0 * n**2 for n in sizes], marker="o", label="measured here")
middle.loglog(list(NETS.values()), [8.0 * n**2 for n in NETS.values()], marker="s", color=COLORS[1],
              linestyle="--", label="of nets of today")
for name, n in NETS.items():
    middle.annotate(name, (n, 8.0 * n**2), xytext=(-8, 4), textcoords="offset points", ha="right",
                    fontsize=9)
middle.axhline(24 * 2**30, color=INK, linewidth=1, linestyle=":")
middle.text(20, 24 * 2**30 * 1.5, "24 GiB of memory", fontsize=9)
middle.set(title="The Hessian takes 8 n² bytes", xlabel="parameters n", ylabel="bytes")
middle.legend(loc="lower right")

right.loglog(sizes, seconds, marker="o", color=COLORS[1], linestyle="--", label="whole Hessian")
right.loglog(sizes, products, marker="s", color=COLORS[2], linestyle="-.", label="one product H v")
right.loglog(sizes, gradients, marker=".", color=COLORS[0], label="one gradient")
right.set(title="... and n products", xlabel="parameters n", ylabel="seconds")
right.legend()
lesson.save(figure)

lesson.end(newton_steps=found.iterations, newton_loss=found.loss, descent_steps=steps,
           product_over_gradient=products[-1] / gradients[-1],
           hessian_over_gradient=seconds[-1] / gradients[-1])
