"""A gradient penalty: a critic finds how far apart two clouds of points are.

Its loss has the gradient of its output with respect to its input, by `fn.autograd.grad` inside of
the loss. With a slope of 1 the difference of the critic's means is the Wasserstein distance,
which is known here: the clouds differ by a shift of length 2. The penalty lets the slope be a
little more: 2 g - 10 (g - 1)² is largest at g = 1.1, so that 2.2 is to be found.
(Gulrajani et al., "Improved training of Wasserstein GANs", 2017)
Run it: python examples/gradient_penalty.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim

STEPS, BATCH, WEIGHT = 600, 256, 10.0
SHIFT = np.float32([1.2, 1.6])  # of length 2
rng = np.random.default_rng(0)


class CriticLoss(nn.Module):
    """mean f(fake) - mean f(real) + 10 mean (|∇f(between)| - 1)²."""

    def __init__(self, critic):
        super().__init__()
        self.critic = critic

    def forward(self, points):
        real, fake, between = points
        (slope,) = fn.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        penalty = ((slope.norm(2, dim=1) - 1) ** 2).mean()
        distance = self.critic(real).mean() - self.critic(fake).mean()
        return WEIGHT * fn.loss_part("penalty", penalty) - fn.loss_part("distance", distance)


class Points(nn.Module):
    """Real points, others, and points on the lines between them."""

    def forward(self, real, fake, share):
        return real, fake, share * real + (1 - share) * fake


def batch():
    points = rng.standard_normal((2, BATCH, 2), dtype=np.float32)
    return points[0] + SHIFT, points[1], rng.random((BATCH, 1), dtype=np.float32)


fn.manual_seed(0)
critic = nn.Sequential(nn.Linear(2, 64), nn.Softplus(), nn.Linear(64, 64), nn.Softplus(),
                       nn.Linear(64, 1))
step = fn.TrainStep(Points(), CriticLoss(critic), optim.Adam(critic.parameters(), lr=2e-3))
found = []
for number in range(STEPS):
    step(batch())
    found.append(step.loss_parts["distance"])
    if number % 100 == 0:
        print(f"step {number:3d}  distance {found[-1]:.3f}  "
              f"penalty {step.loss_parts['penalty']:.4f}")
print(f"distance {np.mean(found[-100:]):.3f}  expected 2.200")
