"""A forecast: the next 12 values of a series from the last 48, by dilated convolutions over time.

The series are made up: two waves of random phases, and noise. Beside the error it prints that of
the last value repeated. A loop of one's own: `value_and_grad`, clipping by the norm,
`optimizer.step(grads)`, and one-cycle rates by the batch. Run it: python examples/timeseries.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim

PAST, NEXT, BATCH, EPOCHS = 48, 12, 64, 6


def series(count, rng):
    """(count, 1, PAST) and (count, NEXT): sin(2π t/24 + a) + 0.5 sin(2π t/7 + b) and noise."""
    time = np.arange(PAST + NEXT)
    a, b = rng.uniform(0, 2 * np.pi, (2, count, 1))
    values = np.sin(2 * np.pi * time / 24 + a) + 0.5 * np.sin(2 * np.pi * time / 7 + b)
    values = (values + 0.1 * rng.standard_normal(values.shape)).astype(np.float32)
    return values[:, None, :PAST], values[:, PAST:]


class Forecast(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(1 if dilation == 1 else channels, channels, 3, dilation=dilation)
            for dilation in (1, 2, 4, 8))
        self.head = nn.Linear(channels, NEXT)

    def forward(self, x):
        for convolve in self.layers:  # padded on the left alone: nothing sees what comes later
            x = fn.relu(convolve(fn.pad(x, (2 * convolve.dilation[0], 0))))
        return self.head(x[:, :, -1])


fn.manual_seed(0)
rng = np.random.default_rng(0)
(x, y), (test_x, test_y) = series(3000, rng), series(500, rng)
model = Forecast()
optimizer = optim.Adam(model.parameters())
schedule = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, epochs=EPOCHS,
                                         steps_per_epoch=len(x) // BATCH)
loss_and_gradients = fn.value_and_grad(model, nn.HuberLoss())
for epoch in range(EPOCHS):
    losses = []
    for chosen in np.array_split(rng.permutation(len(x)), len(x) // BATCH):
        loss, gradients = loss_and_gradients(x[chosen], y[chosen])  # a float, {name: array}
        optimizer.step(gradients, clip_grad_norm=1.0)
        schedule.step()
        losses.append(loss)
    print(f"epoch {epoch + 1}  loss {np.mean(losses):.4f}  rate {optimizer.lr:.5f}")

model.eval()
error = np.mean((model(test_x) - test_y) ** 2)
naive = np.mean((test_x[:, 0, -1:] - test_y) ** 2)
print(f"mean squared error {error:.4f}  of the last value repeated {naive:.4f}  of the noise 0.01")
