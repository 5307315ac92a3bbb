"""Thousands of steps of random batch sizes and modes, after which memory is what it was.

python -m tests.fuzz.soak --steps 10000 --seed 1

A net of images, words and noise trains, evaluates and computes gradients on batches of random
sizes, with random threads. Resident memory at the end is compared with that after the first tenth.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np

import fastnn as fn
from fastnn import nn
from fastnn.runtime.process_memory import give_back, resident_bytes

ALLOWED = 0.01  # growth of resident memory
LARGEST = 48  # examples of a batch


class Net(nn.Module):
    """Pictures through convolutions, norms, pools and a resize; words through an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.grouped = nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.GroupNorm(4, 16),
                                     nn.SiLU(), nn.Dropout2d(0.1))
        self.words = nn.Embedding(50, 16)
        self.norm = nn.LayerNorm(32)
        self.head = nn.Linear(32, 10)

    def forward(self, pictures, words):
        x = fn.max_pool2d(self.stem(pictures), 2)
        x = fn.interpolate(self.grouped(x), scale_factor=2, mode="bilinear")
        x = fn.adaptive_avg_pool2d(x, 1).flatten(1)
        x = fn.cat([x, self.words(words).mean(1)], 1)
        mean, spread = self.norm(x).chunk(2, 1)
        x = fn.cat([mean, spread], 1) + 0.1 * fn.randn_like(x)
        return self.head(fn.dropout(fn.hardswish(x), 0.2, self.training))


def batch(rng: np.random.Generator):
    """Pictures, words and classes of a random number of examples."""
    n = int(rng.integers(1, LARGEST + 1))
    side = int(rng.choice([8, 12]))
    return ((rng.standard_normal((n, 3, side, side)).astype(np.float32),
             rng.integers(0, 50, (n, 5))), rng.integers(0, 10, n))


def run(steps: int, seed: int) -> tuple[int, int]:
    """Resident bytes after a tenth of the steps, and after all."""
    fn.manual_seed(seed)
    rng, model, loss = np.random.default_rng(seed), Net(), nn.CrossEntropyLoss()
    step = fn.TrainStep(model, loss, fn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
    gradients = fn.value_and_grad(model, loss)
    before = 0
    for number in range(steps):
        x, y = batch(rng)
        mode = rng.integers(0, 4)
        model.train(mode != 1)
        if mode == 0:
            gradients(x, y)
        elif mode == 1:
            model(*x)
        else:
            step(x, y)
        if rng.integers(0, 50) == 0:
            fn.set_num_threads(int(rng.integers(1, 4)))
        if number == steps // 10:
            give_back()
            before = resident_bytes()
    give_back()
    return before, resident_bytes()


def main() -> None:
    """Print what memory was and is; fail if it has grown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    before, after = run(arguments.steps, arguments.seed)
    growth = after / before - 1
    print(f"{arguments.steps} steps, seed {arguments.seed}: {before / 1e6:.1f} MB after a tenth, "
          f"{after / 1e6:.1f} MB at the end ({growth:+.2%})")
    sys.exit(growth > ALLOWED)


if __name__ == "__main__":
    main()
