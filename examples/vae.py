"""A variational autoencoder: random numbers inside of a forward, and a loss with two named parts.

(Kingma and Welling, "Auto-encoding variational Bayes", 2014)
Run it: python examples/vae.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches, load_fashion_mnist_small

EPOCHS, LATENT = 8, 10


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 256), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(256, LATENT), nn.Linear(256, LATENT)
        self.decoder = nn.Sequential(nn.Linear(LATENT, 256), nn.ReLU(), nn.Linear(256, 784))

    def forward(self, x):
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        z = mean
        if self.training:  # new numbers in each step, the same ones after the same manual_seed
            z = z + fn.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(z), mean, log_variance


def negative_elbo(output, x):
    logits, mean, log_variance = output
    pixels = fn.binary_cross_entropy_with_logits(logits, x, reduction="sum") / x.shape[0]
    divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
    return fn.loss_part("pixels", pixels) + fn.loss_part("divergence", divergence)


def flat(pictures):
    return pictures.reshape(len(pictures), -1).astype(np.float32) / 255


fn.manual_seed(0)
data = load_fashion_mnist_small()
x, test_x = flat(data.train[0]), flat(data.test[0])
model = VAE()
step = fn.TrainStep(model, negative_elbo, optim.Adam(model.parameters(), lr=1e-3))
batches = Batches(x, data.train[1], 100, seed=0)
for epoch in range(EPOCHS):
    losses = [step(pictures, pictures) for pictures, _ in batches.epoch(epoch)]
    parts = "  ".join(f"{name} {value:.1f}" for name, value in step.loss_parts.items())
    print(f"epoch {epoch + 1}  nats a picture {np.mean(losses):.1f}  last batch: {parts}")

model.eval()
logits, _, _ = model(test_x)
pictures = fn.sigmoid(model.decoder(np.random.default_rng(0).standard_normal(
    (16, LATENT), dtype=np.float32)))  # a part of a model is called like the whole
error = np.mean((fn.sigmoid(logits) - test_x) ** 2)
explained = 1 - error / np.mean((test_x - x.mean(axis=0)) ** 2)
print(f"{len(pictures)} new pictures, mean {pictures.mean():.2f}; share of the variance of the "
      f"test pictures explained {explained:.3f}")
