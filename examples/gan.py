"""A GAN: two models, stepped in turn. The generator's points come to lie on a ring of eight blobs.

Each step trains one model through the other. The model of the generator's step is the generator,
and the discriminator is a part of its loss; what an optimizer does not have is not changed.
Run it: python examples/gan.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim

STEPS, BATCH, NOISE = 4000, 256, 2
rng = np.random.default_rng(0)
ANGLES = 2 * np.pi * np.arange(8) / 8
CENTRES = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)


def real_points(count):
    """Of eight blobs on the unit circle, with a standard deviation of 0.05."""
    blobs = CENTRES[rng.integers(0, 8, count)]
    return blobs + 0.05 * rng.standard_normal(blobs.shape, dtype=np.float32)


def noise(count):
    return rng.standard_normal((count, NOISE), dtype=np.float32)


def mlp(inputs, outputs, slope):
    return nn.Sequential(nn.Linear(inputs, 64), nn.LeakyReLU(slope), nn.Linear(64, 64),
                         nn.LeakyReLU(slope), nn.Linear(64, outputs))


class Fooled(nn.Module):
    """The generator's loss: how real the discriminator finds its points."""

    def __init__(self, discriminator):
        super().__init__()
        self.discriminator = discriminator

    def forward(self, points):
        return fn.softplus(-self.discriminator(points)).mean()  # -log sigmoid


fn.manual_seed(0)
generator, discriminator = mlp(NOISE, 2, 0.0), mlp(2, 1, 0.2)
options = dict(lr=2e-3, betas=(0.5, 0.9))
discriminate = fn.TrainStep(discriminator, nn.BCEWithLogitsLoss(),
                            optim.Adam(discriminator.parameters(), **options))
generate = fn.TrainStep(generator, Fooled(discriminator),
                        optim.Adam(generator.parameters(), **options))
labels = np.repeat(np.float32([[1], [0]]), BATCH, axis=0)

for number in range(STEPS):
    # Arrays come out of the generator, so that its step ends here: PyTorch's `detach()`.
    points = np.concatenate([real_points(BATCH), generator(noise(BATCH))])
    d_loss = discriminate(points, labels)
    g_loss = generate(noise(BATCH))
    if number % 500 == 0:
        print(f"step {number:4d}  discriminator {d_loss:.3f}  generator {g_loss:.3f}")

distances = np.linalg.norm(generator(noise(2000))[:, None] - CENTRES, axis=2)
near = distances.min(axis=1) < 0.2
blobs = np.unique(distances.argmin(axis=1)[near]).size
print(f"blobs {blobs}  share of points near one {near.mean():.3f}")
