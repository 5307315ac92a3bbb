"""Segmentation by a small U-Net: which pixels are of a disc, which of a square, which of neither.

Targets are class numbers for each pixel; a Trainer with a cosine, and validation.
Run it: python examples/unet.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim

SIZE = 32


def pictures(count, rng):
    """Noisy pictures (count, 1, 32, 32) of a disc and a square; classes of pixels (0: neither)."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    classes = np.zeros((count, SIZE, SIZE), np.int64)
    for picture in classes:
        (row, other), (column, another) = rng.integers(6, SIZE - 6, (2, 2))
        radius, side = rng.integers(5, 9, 2)
        picture[(abs(rows - other) < side) & (abs(columns - another) < side)] = 2
        picture[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = 1
    brightness = rng.uniform(0.7, 1.0, (count, 1, 1)) * (classes > 0)
    noise = 0.2 * rng.standard_normal(classes.shape)
    return (brightness + noise).astype(np.float32)[:, None], classes


def overlap(found, expected, kind):
    """Intersection over union of the pixels of a class."""
    found, expected = found == kind, expected == kind
    return (found & expected).sum() / (found | expected).sum()


fn.manual_seed(0)
rng = np.random.default_rng(0)
training, held_out = pictures(512, rng), pictures(128, rng)
model = fn.models.unet(num_classes=3, in_channels=1, width=12, depth=2)
optimizer = optim.AdamW(model.parameters(), lr=1e-2)
trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optimizer,
                     schedule=optim.CosineAnnealingLR(optimizer, T_max=8))
for record in trainer.fit(training, validation=held_out, epochs=8, batch_size=32):
    print(f"epoch {record['epoch']}  loss {record['loss']:.4f}  "
          f"validation {record['validation_loss']:.4f}  rate {record['lr']:.5f}")

model.eval()
found = model(held_out[0]).argmax(axis=1)
print("intersection over union: disc {:.3f}  square {:.3f}".format(
    *(overlap(found, held_out[1], kind) for kind in (1, 2))))
