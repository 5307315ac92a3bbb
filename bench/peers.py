"""One worker of bench/step.py: a net in one mode, which runs steps when told to.

Reads commands from its standard input, one a line: a number of steps to run, or nothing more to
end. Answers each with a line of JSON. While it waits it blocks on the pipe and takes no time from
the others. A new mode is one function here and one row of MODES.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Net:
    """A net and its batch; images are (channels, height, width)."""

    batch: int
    image: tuple[int, int, int]


NETS = {
    "lenet": Net(64, (1, 28, 28)),
    "resnet20": Net(128, (3, 32, 32)),
    "mlp": Net(128, (1, 28, 28)),
    "vgg11": Net(128, (3, 32, 32)),
    "resnet18": Net(128, (3, 32, 32)),
}
LEARNING_RATE, MOMENTUM = 0.01, 0.9


@dataclass(frozen=True)
class Peer:
    """What a mode gives: one training step that returns the loss, and facts about it."""

    step: Callable[[], float]
    parameters: int
    version: str


def batch_for(net: Net) -> tuple[np.ndarray, np.ndarray]:
    """Random images and classes, the same in every worker."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((net.batch, *net.image)).astype(np.float32)
    return x, rng.integers(0, 10, net.batch)


def fastnn_default(name: str, threads: int) -> Peer:
    """fastnn as it comes."""
    import fastnn as fn
    from fastnn._kernels import dispatch

    fn.set_num_threads(threads)
    fn.manual_seed(0)
    net = NETS[name]
    x, y = batch_for(net)
    model = fn.models.create(name, 10, net.image[0], net.image[1:])
    optimizer = fn.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), optimizer)
    count = sum(parameter.size for parameter in model.parameters())
    return Peer(lambda: step(x, y), count, f"fastnn {dispatch.levels()[0]}")


def torch_step(name: str, threads: int, channels_last: bool = False) -> Peer:
    """PyTorch, eager."""
    import torch
    from torch_nets import TWINS

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    x, y = (torch.from_numpy(value) for value in batch_for(NETS[name]))
    model = TWINS[name]()
    if channels_last:
        model, x = (v.to(memory_format=torch.channels_last) for v in (model, x))
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
    loss = torch.nn.CrossEntropyLoss()

    def step() -> float:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return Peer(step, sum(p.numel() for p in model.parameters()), f"torch {torch.__version__}")


MODES: dict[str, Callable[[str, int], Peer]] = {
    "fastnn": fastnn_default,
    "torch": torch_step,
    "torch channels_last": lambda name, threads: torch_step(name, threads, channels_last=True),
}


def peak_bytes() -> int:
    """The largest resident set of this process so far; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except OSError:
        return 0


def timed(step: Callable[[], float], count: int) -> dict[str, object]:
    """Seconds of each of `count` steps, and the last loss."""
    seconds, loss = [], float("nan")
    for _ in range(count):
        start = time.perf_counter()
        loss = step()
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds, "loss": loss}


def main() -> None:
    """`peers.py MODE NET THREADS`."""
    mode, name, threads = sys.argv[1:4]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints must not mix with the answers
    peer = MODES[mode](name, int(threads))
    facts = {"version": peer.version, "parameters": peer.parameters,
             "python": platform.python_version(), "numpy": np.__version__}
    print(json.dumps(facts), file=answers, flush=True)
    for line in sys.stdin:
        answer = timed(peer.step, int(line))
        print(json.dumps(answer | {"peak_bytes": peak_bytes()}), file=answers, flush=True)


if __name__ == "__main__":
    main()
