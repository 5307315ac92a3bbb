"""Distillation: a small net learns from the softened outputs of a larger one.

The teacher's outputs are arrays: targets like any others, computed once. The student's loss mixes
them with the classes. (Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network",
2015) Run it: python examples/distillation.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import load_fashion_mnist_small

TEMPERATURE, SHARE = 4.0, 0.9
LABELLED = 500  # examples of which the student knows the class; the teacher had all


def distillation(output, target):
    """The soft loss weighs T², so that its gradients are as large as those of the hard one."""
    classes, taught = target
    soft = fn.kl_div(fn.log_softmax(output / TEMPERATURE, dim=1),
                     fn.log_softmax(taught / TEMPERATURE, dim=1),
                     reduction="batchmean", log_target=True) * TEMPERATURE**2
    hard = fn.cross_entropy(output, classes, ignore_index=-100, reduction="sum") / len(output)
    return SHARE * soft + (1 - SHARE) * hard


def accuracy(model, x, y):
    model.eval()
    return (model(x).argmax(axis=1) == y).mean()


fn.manual_seed(0)
data = load_fashion_mnist_small()
(x, y), (test_x, test_y) = [(x.astype(np.float32) / 255, y) for x, y in (data.train, data.test)]

teacher = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
                        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(32 * 7 * 7, 10))
fn.Trainer(teacher, nn.CrossEntropyLoss(), optim.Adam(teacher.parameters(), lr=2e-3)).fit(
    (x, y), epochs=4, batch_size=64)


def student():
    fn.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 10))


alone, taught = student(), student()
few = np.random.default_rng(0).choice(len(x), LABELLED, replace=False)
fn.Trainer(alone, nn.CrossEntropyLoss(), optim.Adam(alone.parameters(), lr=2e-3)).fit(
    (x[few], y[few]), epochs=30, batch_size=50)

known = np.full(len(y), -100)  # no class, but where it is known
known[few] = y[few]
teacher.eval()
targets = teacher(x)
rng = np.random.default_rng(0)
step = fn.TrainStep(taught, distillation, optim.Adam(taught.parameters(), lr=2e-3))
for _ in range(10):
    for chosen in np.array_split(rng.permutation(len(x)), 100):
        step(x[chosen], (known[chosen], targets[chosen]))
print(f"accuracy: teacher {accuracy(teacher, test_x, test_y):.3f}  "
      f"student alone {accuracy(alone, test_x, test_y):.3f}  "
      f"taught {accuracy(taught, test_x, test_y):.3f}")
