"""Does the small net become as accurate as with PyTorch? The same training, over several seeds.

    python -m bench.studies.accuracy --data fashion-mnist --seeds 0 1 2

All start from the same weights and see the same batches (data, order, augmentation) with the same
learning rates; dropout masks of PyTorch differ. `fastnn-direct` is fastnn without Winograd. Needs
PyTorch. Prints a table and writes JSON, with the history of fastnn's runs, after each run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import fastnn as fn
from bench.studies.options import add_threads, parser_of
from fastnn.cli.job import Job, make_job
from fastnn.cli.settings import Settings


def settings(arguments: argparse.Namespace, seed: int) -> Settings:
    """The defaults of `fastnn train`, but for the data, the epochs and the seed."""
    return Settings(
        data=arguments.data, model="cnn", epochs=arguments.epochs, batch_size=128, lr=0.1,
        optimizer="sgd", momentum=0.9, weight_decay=5e-4, label_smoothing=0.0,
        schedule="one-cycle", shift=1, flip=True, validation=arguments.validation, seed=seed,
        memory_budget=None, accumulate=1, checkpoint_seconds=1e9,
        checkpoint_batches=None)


def train_fastnn(job: Job, chosen: Settings) -> dict[str, Any]:
    """Test accuracy after training with fastnn, and the losses and accuracies of its epochs."""
    history = job.trainer.fit(job.training, validation=job.validation, epochs=chosen.epochs)
    return {"accuracy": float(job.trainer.evaluate(job.test)["accuracy"]), "history": history}


def train_direct(job: Job, chosen: Settings) -> dict[str, Any]:
    """The same with direct convolutions only."""
    fn.set_conv_algorithm("direct")
    try:
        return train_fastnn(job, chosen)
    finally:
        fn.set_conv_algorithm("auto")


def torch_cnn(width: int = 32, dropout: float = 0.2) -> nn.Module:
    """`fastnn.models.cnn` in PyTorch, parameters in the same order."""
    def block(inputs: int, outputs: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs),
                nn.ReLU()]

    return nn.Sequential(
        *block(1, width), nn.MaxPool2d(2), *block(width, 2 * width),
        *block(2 * width, 2 * width), nn.MaxPool2d(2), *block(2 * width, 4 * width),
        nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Dropout(dropout),
        nn.Linear(36 * width, 10)).to(memory_format=torch.channels_last)


def train_torch(job: Job, chosen: Settings) -> dict[str, Any]:
    """Test accuracy after training the same net, from the same weights, with PyTorch."""
    torch.manual_seed(chosen.seed)
    model = torch_cnn()
    with torch.no_grad():
        for own, ours in zip(model.state_dict().values(),
                             job.trainer.model.state_dict().values(), strict=True):
            own.copy_(torch.from_numpy(np.array(ours)))
    groups = [{"params": [p for p in model.parameters() if p.ndim > 1],
               "weight_decay": chosen.weight_decay},
              {"params": [p for p in model.parameters() if p.ndim <= 1]}]
    optimizer = torch.optim.SGD(groups, lr=chosen.lr, momentum=chosen.momentum, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, chosen.lr, chosen.epochs * len(job.training), pct_start=0.2,
        cycle_momentum=False)
    loss = nn.CrossEntropyLoss()
    for epoch in range(chosen.epochs):
        for x, y in job.training.epoch(epoch):
            images = torch.from_numpy(x).to(memory_format=torch.channels_last)
            optimizer.zero_grad()
            loss(model(images), torch.from_numpy(y)).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    right = total = 0
    with torch.no_grad():
        for x, y in job.test.epoch(0):
            right += int((model(torch.from_numpy(x)).argmax(1).numpy() == y).sum())
            total += len(y)
    return {"accuracy": right / total}


TRAINERS = {"fastnn": train_fastnn, "fastnn-direct": train_direct, "torch": train_torch}


def table(rows: list[dict[str, Any]]) -> str:
    """The runs, and mean and deviation of each trainer."""
    lines = ["| trainer | seed | test accuracy | seconds |", "|---|---|---|---|"]
    lines += [f"| {r['trainer']} | {r['seed']} | {r['accuracy']:.4f} | {r['seconds']:.0f} |"
              for r in rows]
    for name in dict.fromkeys(r["trainer"] for r in rows):
        values = [r["accuracy"] for r in rows if r["trainer"] == name]
        lines.append(f"| {name} | mean ± deviation | {statistics.mean(values):.4f} ± "
                     f"{statistics.pstdev(values):.4f} | |")
    return "\n".join(lines)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--validation", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trainers", nargs="+", choices=TRAINERS, default=["fastnn", "torch"])
    add_threads(parser)
    parser.add_argument("--json", type=Path, default=Path("accuracy.json"))
    arguments = parser.parse_args()
    fn.set_num_threads(arguments.threads)
    torch.set_num_threads(arguments.threads)
    rows: list[dict[str, Any]] = []
    for seed in arguments.seeds:
        for name in arguments.trainers:
            chosen = settings(arguments, seed)
            job = make_job(chosen, [])
            start = time.perf_counter()
            result = TRAINERS[name](job, chosen)
            rows.append({"trainer": name, "seed": seed,
                         "seconds": time.perf_counter() - start, **result})
            print(f"{name}, seed {seed}: {result['accuracy']:.4f}", flush=True)
            arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))


if __name__ == "__main__":
    main()
