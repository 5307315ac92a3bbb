"""A table: embeddings for columns of categories, beside columns of numbers.

The prices are made up of a formula with noise. Early stopping, a rate that falls on a plateau, and
biases without weight decay. Run it: python examples/tabular.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim
from fastnn.training import EarlyStopping

CITIES, KINDS = 20, 5


def houses(count, rng):
    """(categories (count, 2), numbers (count, 3)), and log prices with noise of 0.1."""
    city, kind = rng.integers(0, CITIES, count), rng.integers(0, KINDS, count)
    area, age = rng.uniform(30, 200, count), rng.uniform(0, 80, count)
    distance = rng.exponential(5, count)
    price = (0.5 * np.sin(city) + 0.3 * (kind == 2) + np.log(area) - 0.01 * age * (kind != 4)
             - 0.1 * np.sqrt(distance) * (city < 10) + 0.1 * rng.standard_normal(count))
    numbers = np.stack([area / 100, age / 40, distance / 5], axis=1).astype(np.float32)
    return (np.stack([city, kind], axis=1), numbers), price.astype(np.float32)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.city, self.kind = nn.Embedding(CITIES, 8), nn.Embedding(KINDS, 3)
        self.layers = nn.Sequential(nn.Linear(8 + 3 + 3, 64), nn.ReLU(),
                                    nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

    def forward(self, categories, numbers):
        x = fn.cat([self.city(categories[:, 0]), self.kind(categories[:, 1]), numbers], dim=1)
        return self.layers(x).flatten()


fn.manual_seed(0)
rng = np.random.default_rng(0)
(x, y), held_out = houses(4000, rng), houses(1000, rng)
model = Net()
weights = [p for p in model.parameters() if p.ndim > 1]
optimizer = optim.AdamW([{"params": weights, "weight_decay": 1e-3},
                         {"params": [p for p in model.parameters() if p.ndim == 1]}],
                        lr=3e-3, weight_decay=0.0)
schedule = optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.3, patience=2)
trainer = fn.Trainer(model, nn.MSELoss(), optimizer, schedule,
                     callbacks=[EarlyStopping(patience=8)])

# A Trainer takes batches as (inputs, target): here the inputs are a tuple of two arrays.
batches = [((x[0][i:i + 100], x[1][i:i + 100]), y[i:i + 100]) for i in range(0, len(y), 100)]
for record in trainer.fit(batches, validation=[held_out], epochs=30):
    if record["epoch"] % 5 == 0:
        print(f"epoch {record['epoch']:2d}  loss {record['loss']:.4f}  "
              f"validation {record['validation_loss']:.4f}  rate {record['lr']:.1e}")

error = trainer.evaluate([held_out])["loss"]
print(f"share of the variance explained {1 - error / held_out[1].var():.3f}")
