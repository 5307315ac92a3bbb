"""Do this checkout and another one train to the same bits?

    git clone . ../before
    (cd ../before && git checkout COMMIT && python setup.py build_ext --inplace)
    python -m bench.studies.same_bits ../before

Each net makes some training steps at every instruction-set level and number of threads, without
and with a memory budget, in a process of each checkout that uses public names alone. A row has the
SHA-256 of losses, weights and running statistics in this checkout and in the other. The budget is
the smallest that both have a plan for; `recomputed` says how many steps of each plan are there to
recompute something. Plans are made by fixed rates. Exit code 1 unless all rows are equal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import fastnn as fn
from bench.studies.options import add_thread_counts, parser_of
from bench.studies.plan_nets import DenseNet, UNet, deep_mlp
from bench.studies.processes import HERE, checkout, figures
from fastnn import nn

REFUSED = 1 << 20  # a budget for no net
WIDTHS = (32, 0, 64, 0, 128, 128, 0, 256, 256, 0, 256, 256, 0)  # 0: max-pooling


def narrow_vgg11() -> nn.Module:
    """VGG11 with batch normalisation and half the channels."""
    layers: list[nn.Module] = []
    channels = 3
    for width in WIDTHS:
        if width == 0:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, 10))


# name: (net, shape of the batch)
NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "lenet": (lambda: fn.models.create("lenet", in_channels=1), (2048, 1, 28, 28)),
    "resnet20": (lambda: fn.models.create("resnet20"), (32, 3, 32, 32)),
    "vgg11": (narrow_vgg11, (64, 3, 32, 32)),
    "densenet": (lambda: DenseNet(depth=4), (48, 3, 32, 32)),
    "unet": (lambda: UNet(width=8), (8, 3, 64, 64)),
    "mlp": (lambda: deep_mlp(width=256), (1024, 3, 32, 32)),
}
LEAST, NONE = "least", "none"  # in place of a budget


def train(name: str, budget: str, threads: int, steps: int) -> dict[str, Any]:
    """Train in this process: the digest, and what the plan says; or the least budget."""
    fn.set_num_threads(threads)
    fn.manual_seed(0)
    make, shape = NETS[name]
    model, rng = make(), np.random.default_rng(0)
    optimizer = fn.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)
    x = rng.standard_normal(shape, dtype=np.float32)  # in memory when the budget is looked at
    limits = {LEAST: REFUSED, NONE: None}
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer,
                        limits[budget] if budget in limits else int(budget))
    try:
        plan = step.plan(shape)
    except fn.MemoryBudgetError as refusal:
        if budget != LEAST:
            raise
        return {"least": refusal.min_bytes}
    digest = hashlib.sha256()
    for _ in range(steps):
        digest.update(np.float64(step(x, rng.integers(0, 10, shape[0]))).tobytes())
        rng.standard_normal(dtype=np.float32, out=x)
    for value in model.state_dict().values():
        digest.update(np.ascontiguousarray(value).tobytes())
    return {"digest": digest.hexdigest(), "recomputed": len(plan.recomputed)}


def run(folder: Path, level: str, *arguments: object) -> dict[str, Any]:
    """What `train` returns in a fresh process of a checkout, or its error."""
    found = figures(__spec__.name, folder, "--work", *arguments, folder=folder, FASTNN_ISA=level,
                    XDG_CACHE_HOME=os.devnull)  # no place for rates: so none are measured
    assert "error" in found or Path(found["package"]).is_relative_to(folder), found
    return found


def compare(other: Path, net: str, level: str, threads: int, steps: int) -> bool:
    """Print a net's rows without and with a budget; whether both are equal."""
    folders = (HERE, other)
    refusals = [run(folder, level, net, LEAST, threads, steps) for folder in folders]
    least = max(refusal.get("least", REFUSED) for refusal in refusals)
    equal = True
    for budget in (NONE, least):
        rows = [run(folder, level, net, budget, threads, steps) for folder in folders]
        digests = [row.get("digest", "error") for row in rows]
        same = "error" not in digests and digests[0] == digests[1]
        size = NONE if budget == NONE else f"{budget / 2**20:.1f}"
        recomputed = " ".join(str(row.get("recomputed", "-")) for row in rows)
        print(f"{net:9} {level:9} {threads:7} {size:>10} {recomputed:>10}  {digests[0]:12.12}  "
              f"{digests[1]:12.12}  {'yes' if same else 'NO'}", flush=True)
        for row in rows:
            if "error" in row:
                print(f"  {row['error']}", flush=True)
        equal = equal and same
    return equal


def levels() -> list[str]:
    """This processor's instruction-set levels: no public name, so no worker asks."""
    from fastnn._kernels import dispatch

    return dispatch.levels()


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("other", type=checkout, help="a checkout whose kernels are built")
    parser.add_argument("--nets", nargs="+", default=list(NETS), choices=NETS)
    parser.add_argument("--levels", nargs="+", help="default: all")
    add_thread_counts(parser)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--work", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        net, budget, threads, steps = options.work
        answer = train(net, budget, int(threads), int(steps))
        print(json.dumps({**answer, "package": fn.__file__}))
        return
    print(f"{'net':9} {'level':9} threads budget MiB {'recomputed':>10}  "
          f"{'this':12}  {'other':12}  equal")
    cases = product(options.nets, options.levels or levels(), options.threads)
    results = [compare(options.other, *case, options.steps) for case in cases]
    print(f"{sum(results)} of {len(results)} cases are equal, each without and with a budget")
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
