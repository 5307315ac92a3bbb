"""A siamese net: embeddings of pictures, of one class close together, by a triplet loss.

One module is called on three inputs and shares its weights. A loss of the outputs alone needs no
target. Run it: python examples/siamese.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import load_fashion_mnist_small

STEPS, BATCH = 200, 64


class Embedding(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.head = nn.Linear(32 * 7 * 7, 32)

    def forward(self, x):
        return fn.normalize(self.head(self.features(x)), dim=1)


class Siamese(nn.Module):
    def __init__(self, embedding):
        super().__init__()
        self.embedding = embedding

    def forward(self, anchor, positive, negative):
        return self.embedding(anchor), self.embedding(positive), self.embedding(negative)


def triplets(x, classes, rng):
    """Pictures, others of their classes, and others of other classes."""
    y = rng.integers(0, 10, BATCH)
    other = (y + rng.integers(1, 10, BATCH)) % 10
    return tuple(np.stack([x[rng.choice(classes[c])] for c in wanted]) for wanted in (y, y, other))


def nearest(model, known, asked):
    """The share of pictures whose nearest known one is of their class."""
    (x, y), (asked_x, asked_y) = known, asked
    similar = model(asked_x) @ model(x).T
    return (y[similar.argmax(axis=1)] == asked_y).mean()


fn.manual_seed(0)
rng = np.random.default_rng(0)
data = load_fashion_mnist_small()
(x, y), (test_x, test_y) = [(x.astype(np.float32) / 255, y) for x, y in (data.train, data.test)]
classes = [np.flatnonzero(y == c) for c in range(10)]
few = np.concatenate([where[:20] for where in classes])

embedding = Embedding()
model = Siamese(embedding)
step = fn.TrainStep(model, lambda output: fn.triplet_margin_loss(*output, margin=0.5),
                    optim.Adam(model.parameters(), lr=1e-3))
before = nearest(embedding, (x[few], y[few]), (test_x, test_y))
for number in range(STEPS):
    loss = step(triplets(x, classes, rng))
    if number % 50 == 0:
        print(f"step {number:3d}  loss {loss:.4f}")
after = nearest(embedding, (x[few], y[few]), (test_x, test_y))
print(f"accuracy by the nearest of 20 pictures a class: before {before:.3f}  after {after:.3f}")
