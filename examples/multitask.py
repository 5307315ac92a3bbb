"""Two tasks, one trunk: the class of a picture, and how bright it is, with weighted losses.

A forward that returns a dict, `nn.Losses` with a weight for each, a weight that changes while it
trains, and each loss by its name. Run it: python examples/multitask.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import load_fashion_mnist_small

EPOCHS, BATCH = 3, 64


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(32 * 7 * 7, 64), nn.ReLU())
        self.kind = nn.Linear(64, 10)
        self.brightness = nn.Linear(64, 1)

    def forward(self, x):
        x = self.trunk(x)
        return {"kind": self.kind(x), "brightness": self.brightness(x).flatten()}


def prepared(x, y):
    """Pictures and their targets: class numbers, and means that are scaled to about 1."""
    x = x.astype(np.float32) / 255
    return x, {"kind": y, "brightness": (x.mean(axis=(1, 2, 3)) - 0.29) / 0.15}


fn.manual_seed(0)
rng = np.random.default_rng(0)
data = load_fashion_mnist_small()
(x, y), (test_x, test_y) = prepared(*data.train), prepared(*data.test)

weight = fn.Variable(2.0)
model = Heads()
loss = nn.Losses({"kind": nn.CrossEntropyLoss(), "brightness": nn.MSELoss()},
                 weights={"brightness": weight})
step = fn.TrainStep(model, loss, optim.AdamW(model.parameters(), lr=2e-3))

for epoch in range(EPOCHS):
    for chosen in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
        step(x[chosen], {name: values[chosen] for name, values in y.items()})
    parts = "  ".join(f"{name} {value:.4f}" for name, value in step.loss_parts.items())
    print(f"epoch {epoch + 1}  last batch: {parts}  weight {weight.value:.2f}")
    weight.value *= 0.5  # the plan stays: a Variable is read anew in each step

model.eval()
found = model(test_x)
accuracy = (found["kind"].argmax(axis=1) == test_y["kind"]).mean()
error = np.mean((found["brightness"] - test_y["brightness"]) ** 2)
explained = 1 - error / test_y["brightness"].var()
print(f"accuracy {accuracy:.3f}  share of the variance of brightness explained {explained:.3f}")
