"""How deep a net, and how large a batch, does a GiB hold? fastnn beside PyTorch.

    python -m bench.studies.one_gib --json bench/results/one-gib.json --plot docs/one-gib.png

Questions: the deepest CIFAR ResNet (6 n + 2 layers, batch 128), the largest batch of ResNet-18
(images of 32 pixels) and of ResNet-50 (224). fastnn has its planner; PyTorch has
`torch.utils.checkpoint` in all PLACES of `torch_checkpoint_peer`, channels_last or not, with
glibc's malloc as it comes and with one that gives freed blocks back at once.

All PyTorch's ways are first tried at two small sizes, and a line through both says how far each
would go; the best few are searched for their largest size. An attempt is a fresh process of some
steps; its VmHWM counts, imports included. In the end the largest sizes make steps in turns;
`--sizes` does only that, with the sizes of a report.
"""

import json
import os
import re
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from bench.studies.one_gib_picture import draw
from bench.studies.options import add_rounds, add_threads, parser_of
from bench.studies.processes import HERE
from fastnn.bench.machine import headline, machine
from fastnn.bench.modes import Mode
from fastnn.bench.turns import PAUSE, Worker, WorkerError

GIB = 1 << 30
STEPS = 2  # the second is the first with the optimizer's state
SHARE = 1 / 64  # of a size, to which it is found
PLACES = ("none", "stages", "sqrt", "blocks", "sqrt and blocks", "halving", "halves of blocks",
          "blocks and halves")
MALLOCS = {"malloc": {}, "malloc that gives back": {
    "GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=262144"}}


@dataclass(frozen=True)
class Question:
    """What is made as large as it can be; small: sizes at which ways are compared."""

    what: str
    small: tuple[int, int]
    net: str
    batch: int | None
    pixels: int
    classes: int = 10

    def request(self, size):
        """What a worker is told to prepare; a net's name has a place for its layers."""
        return {"net": {"name": self.net.format(6 * size + 2), "batch": self.batch or size,
                        "example": (3, self.pixels, self.pixels), "classes": self.classes,
                        "target": ()}}


QUESTIONS = {
    "deepest": Question("CIFAR ResNet of 6 n + 2 layers, batch 128: n", (12, 24), "resnet{}", 128,
                        32),
    "resnet18": Question("ResNet-18, 32x32: batch", (48, 96), "resnet18", None, 32),
    "resnet50": Question("ResNet-50, 224x224: batch", (4, 8), "resnet50", None, 224, 1000),
}


def fastnn_way(budget):
    """fastnn with a planner; its peer takes nets from `plan_nets`."""
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    return Mode("fastnn", "budget", {"budget": budget},
                {"PYTHONPATH": os.pathsep.join(filter(None, paths))})


def torch_ways():
    """Every way to hold less, but for those that only a few sizes of blocks have."""
    return [Mode(f"{place}, {'channels_last' if last else 'contiguous'}, {malloc}",
                 "torch_checkpoint", {"place": place, "channels_last": last}, environment)
            for place in PLACES for last in (True, False)
            for malloc, environment in MALLOCS.items()]


class Attempts:
    """Bytes that a way takes for sizes of a question; each is measured once."""

    def __init__(self, question, way, threads, steps=STEPS):
        self.question, self.way, self.threads, self.steps = question, way, threads, steps
        self.bytes = {}

    def __call__(self, size):
        """VmHWM of a fresh process; infinity if its budget is refused."""
        if size not in self.bytes:
            self.bytes[size] = self._run(size)
            print(f"    {self.way.name}: {size} takes {self.bytes[size] / 2**20:.1f} MiB",
                  flush=True)
        return self.bytes[size]

    def _run(self, size):
        worker = Worker(self.way, self.threads)
        try:
            worker.ask(self.question.request(size))
            worker.run(self.steps)
            return worker.peak_bytes
        except WorkerError as error:
            if "MemoryBudgetError" not in str(error):
                raise
            return float("inf")
        finally:
            worker.close()

    def by_line(self, limit):
        """The largest size by a line through the two small ones."""
        small, large = self.question.small
        slope = (self(large) - self(small)) / (large - small)
        return int(small + (limit - self(small)) / slope)


def largest(bytes_of, limit, low, guess):
    """The largest size that fits a limit, to SHARE of it, from one that does and a guess.

    It climbs by a 16th, and twice as far each time, until a size does not fit. Where both ends are
    known the next guess is on the line between them, SHARE of a size inside.
    """
    high, climb = None, 1 / 16
    while high is None or high - low > max(1, int(SHARE * low)):
        if bytes_of(guess) <= limit:
            low = max(low, guess)
        else:
            high = guess
        step = max(1, int(SHARE * low))
        if high is None:
            guess = low + max(step, int(climb * low))
            climb *= 2
        elif bytes_of(high) == float("inf"):
            guess = (low + high) // 2
        else:
            slope = (bytes_of(high) - bytes_of(low)) / (high - low)
            on_line = int(low + (limit - bytes_of(low)) / max(slope, 1))
            guess = max(low + 1, min(max(on_line, low + step), high - step))
    return low


def in_turns(question, ways, threads, rounds):
    """Of (way, size) pairs: images a second and VmHWM, steps in turns."""
    workers = [Worker(way, threads) for way, _ in ways]
    try:
        for worker, (_, size) in zip(workers, ways, strict=True):
            worker.ask(question.request(size))
            worker.run(1)
        seconds = [[] for _ in ways]
        for _ in range(rounds):
            for spent, worker in zip(seconds, workers, strict=True):
                spent += worker.run(1)["step"]
                time.sleep(PAUSE)
        return [{"way": way.name, "size": size, "seconds": spent,
                 "images": (question.batch or size) / statistics.median(spent),
                 "bytes": worker.peak_bytes}
                for (way, size), spent, worker in zip(ways, seconds, workers, strict=True)]
    finally:
        for worker in workers:
            worker.close()


def answer(question, limit, options):
    """The largest sizes of fastnn and of PyTorch's best ways, and the lines of all ways."""
    own = Attempts(question, fastnn_way(limit), options.threads)
    ways = [Attempts(question, way, options.threads) for way in torch_ways()
            if re.search(options.ways, way.name)]
    lines = {attempts.way.name: attempts.by_line(limit) for attempts in ways}
    ways.sort(key=lambda attempts: -lines[attempts.way.name])
    sizes = {}
    for attempts in [own, *ways[:options.finalists]]:
        guess = lines.get(attempts.way.name) or max(lines.values())
        sizes[attempts.way.name] = largest(attempts, limit, question.small[0], guess)
    return {"what": question.what, "lines": lines, "sizes": sizes,
            "bytes": {each.way.name: each.bytes for each in [own, *ways]}}


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--questions", nargs="+", default=list(QUESTIONS), choices=QUESTIONS)
    parser.add_argument("--limit", type=int, default=GIB, help="bytes of a process")
    parser.add_argument("--ways", default="", help="regular expression for PyTorch's ways")
    parser.add_argument("--finalists", type=int, default=2)
    add_rounds(parser, 3)
    add_threads(parser)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot")
    parser.add_argument("--sizes", type=Path, help="a report: only make its steps in turns again")
    options = parser.parse_args()
    report = {"machine": machine(), "threads": options.threads, "limit": options.limit}
    print(headline(report["machine"], options.threads, options.rounds))
    found = json.loads(options.sizes.read_text())["answers"] if options.sizes else {}
    ways = {way.name: way for way in [fastnn_way(options.limit), *torch_ways()]}
    report["answers"] = found
    for name in options.questions:
        if not options.sizes:
            found[name] = answer(QUESTIONS[name], options.limit, options)
        sizes = found[name]["sizes"]
        found[name]["turns"] = in_turns(
            QUESTIONS[name], [(ways[way], size) for way, size in sizes.items()],
            options.threads, options.rounds)
        print(found[name]["what"])
        for row in found[name]["turns"]:
            print(f"  {row['size']:5d} {row['images']:8.1f} images/s {row['bytes'] / 2**20:7.1f} "
                  f"MiB  {row['way']}")
        for way, size in found[name]["lines"].items():
            print(f"  {size:5d} by a line: {way}", flush=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(report, indent=1))
    if options.plot:
        draw(report, options.plot)


if __name__ == "__main__":
    main()
