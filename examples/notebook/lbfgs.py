"""L-BFGS wins where the whole batch is used and nothing is random, and loses in mini-batches.

Left: the same net on the same 500 pictures, loss against passes over them: L-BFGS, and SGD with
momentum and Adam at the best of four learning rates, all in full batch. Right: each evaluation sees
another mini-batch. L-BFGS compares gradients of different functions, and goes astray; Adam
does not mind. Run it: python examples/notebook/lbfgs.py
"""

import numpy as np
from lesson import Lesson
from scipy.optimize import minimize

import fastnn as fn
from fastnn import data, nn, optim
from fastnn.second_order.full_batch import FullBatch

lesson = Lesson(__doc__)
PASSES, BATCH = lesson.choose((40, 50), (200, 50))
pictures = data.load_fashion_mnist_small()
x = data.Standardize().fit_transform(pictures.train[0][:500]).reshape(500, -1)
y = pictures.train[1][:500]
LOSS, DECAY = nn.CrossEntropyLoss(), 1e-3
RATES = {"SGD, momentum": (0.1, 0.03, 0.3, 0.01), "Adam": (0.01, 0.003, 0.03, 0.001)}


def fresh():
    fn.manual_seed(0)
    return nn.Sequential(nn.Linear(784, 20), nn.Tanh(), nn.Linear(20, 10))


def optimizer_of(name, model, rate):
    if name == "Adam":
        return optim.Adam(model.parameters(), lr=rate, weight_decay=DECAY)
    return optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=DECAY)


def whole_loss(model):
    """The loss over all pictures, with weight decay."""
    squares = sum(float((p.data**2).sum()) for p in model.parameters())
    return float(LOSS(model(x), y)) + DECAY / 2 * squares


def trained(name, rate, size):
    """The whole loss after each pass over the pictures."""
    model = fresh()
    step = fn.TrainStep(model, LOSS, optimizer_of(name, model, rate))
    losses, order = [whole_loss(model)], np.random.default_rng(0)
    for _ in range(PASSES):
        chosen = order.permutation(len(x))
        for start in range(0, len(x), size):
            step(x[chosen[start:start + size]], y[chosen[start:start + size]])
        losses.append(whole_loss(model))
    return losses


def best(name, size):
    """The run with the least last loss of several learning rates."""
    rates = RATES[name][:lesson.choose(2, 4)]
    return min((trained(name, rate, size) for rate in rates), key=lambda run: run[-1])


def lbfgs_of_the_whole():
    """The loss against evaluations, each a pass over the pictures."""
    passes, losses = [0], [whole_loss(model := fresh())]

    def note(at):
        passes.append(at.evaluations)
        losses.append(at.loss)

    fn.minimize(model, LOSS, (x, y), weight_decay=DECAY, max_iter=PASSES, callback=note)
    kept = [number <= PASSES for number in passes]
    return np.array(passes)[kept], np.array(losses)[kept]


def lbfgs_of_mini_batches():
    """SciPy's L-BFGS, which gets the loss of another mini-batch at each evaluation."""
    model, order = fresh(), np.random.default_rng(0)
    whole, find = FullBatch(model, LOSS, (x, y)), fn.value_and_grad(model, LOSS)
    losses, used = [whole_loss(model)], 0

    def evaluate(point):
        nonlocal used
        whole.parameters = point
        if used // len(x) >= len(losses):
            losses.append(whole_loss(model))
        used += BATCH
        chosen = order.choice(len(x), BATCH, replace=False)
        value, grads = find(x[chosen], y[chosen])
        grad = np.concatenate([array.ravel() for array in grads.values()])
        return value + DECAY / 2 * point @ point, grad + DECAY * point

    point = whole.parameters
    while used < PASSES * len(x):  # its line search gives up; it begins anew from there
        point = minimize(evaluate, point, jac=True, method="L-BFGS-B", options={"maxiter": 50}).x
    return losses


figure, (left, right) = lesson.figure(1, 2, width=11, height=4, sharey=True)
passes, losses = lbfgs_of_the_whole()
full = {name: best(name, len(x)) for name in RATES}
mini = {name: best(name, BATCH) for name in RATES} | {"L-BFGS": lbfgs_of_mini_batches()}
left.semilogy(passes, losses, label="L-BFGS")
for name, run in full.items():
    left.semilogy(run, label=f"{name}, best rate")
right.semilogy(mini["L-BFGS"], label="L-BFGS")
for name in RATES:
    right.semilogy(mini[name], label=f"{name}, best rate")
left.set(title="Whole batch, nothing random", xlabel="passes over the pictures",
         ylabel="loss over all pictures")
right.set(title=f"Mini-batches of {BATCH}", xlabel="passes over the pictures")
for place in (left, right):
    place.legend()
lesson.save(figure)
for name in ("L-BFGS", *RATES):
    print(f"{name:14s} whole batch {losses[-1] if name == 'L-BFGS' else full[name][-1]:.4f}  "
          f"mini-batches {mini[name][-1]:.4f}")
lesson.end(lbfgs_full=losses[-1], sgd_full=full["SGD, momentum"][-1], adam_full=full["Adam"][-1],
           lbfgs_mini=mini["L-BFGS"][-1], adam_mini=mini["Adam"][-1])
