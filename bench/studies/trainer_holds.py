"""Do budgets hold where people use them? `Trainer` and `fastnn train`, in fresh processes.

    python -m bench.studies.trainer_holds --count 100 --seed 0

Each case is drawn at random: a model, sizes, where its data comes from and in which type,
augmentation, threads, and a budget between the smallest that a refusal names and what is ample, up
to 1 GiB. It trains for two epochs with a last smaller batch, validation and checkpoints; its VmHWM
is printed beside the budget, and weights are compared with those of a run without one. Exit code
1 unless every budget holds and all bits are the same.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import fastnn as fn
from bench.studies.options import parser_of
from bench.studies.processes import figures
from fastnn.runtime.process_memory import peak_bytes

REFUSED = 1 << 20  # a budget for nothing
MOST = 1 << 30
NETS = {"mlp": (8, 32), "lenet": (28, 32), "cnn": (16, 64), "resnet20": (16, 48),
        "vgg11": (32, 33), "resnet18": (16, 40)}  # and the sides of images for them
SOURCES = ("arrays", "mapped", "pictures", "list", "generator", "transform")
DTYPES = ("uint8", "float32", "float64", "float16", "int32")
LEAST = "least"  # share of the budget: what a refusal names


def draw(rng):
    """A case as JSON can hold it."""
    model = str(rng.choice(list(NETS)))
    least, most = NETS[model]
    side = int(rng.integers(least, most))
    pixels = 3 * side * side
    batch = int(np.clip(2 ** rng.uniform(14, 21) // pixels, 4, 256))
    return {"route": "command" if rng.random() < 0.4 else "trainer", "model": model, "side": side,
            "batch": batch, "examples": int(batch * rng.integers(1, 4) + rng.integers(2, batch)),
            "source": str(rng.choice(SOURCES)), "dtype": str(rng.choice(DTYPES)),
            "augment": bool(rng.random() < 0.6), "validation": bool(rng.random() < 0.7),
            "optimizer": str(rng.choice(["sgd", "adam"])), "callback": bool(rng.random() < 0.3),
            "threads": int(rng.choice([1, 2, 16])),
            "share": LEAST if rng.random() < 0.3 else round(float(rng.random()), 3)}


def write_data(case, folder):
    """The case's examples as files: x.npy and y.npy, a folder of them, an .npz, or pictures."""
    rng = np.random.default_rng(1)
    shape = (case["examples"], 3, case["side"], case["side"])
    x, y = rng.integers(0, 200, shape).astype(case["dtype"]), rng.integers(0, 5, shape[0])
    np.savez(folder / "data.npz", x=x, y=y)
    for name, array in (("x", x), ("y", y), ("x_train", x), ("y_train", y)):
        np.save(folder / f"{name}.npy", array)
    if case["source"] == "pictures":
        write_pictures(x, y, folder / "pictures")


def write_pictures(x, y, folder):
    """A folder for each class; some pictures are larger than what they become."""
    from PIL import Image

    for i, (pixels, label) in enumerate(zip(x.astype(np.uint8), y, strict=True)):
        picture = Image.fromarray(pixels.transpose(1, 2, 0))
        if label == 4 and i % 10 == 7:  # not in the first class, whose first one gives all its size
            picture = picture.resize((1500, 1000))
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        picture.save(folder / str(label) / f"{i:05}.{'png' if i % 2 else 'webp'}")


class Generated:
    """Batches made anew each epoch, with temporaries."""

    def __init__(self, x, y, batch):
        self.x, self.y, self.batch = x, y, batch

    def __iter__(self):
        for start in range(0, len(self.x), self.batch):
            part = self.x[start:start + self.batch].astype(np.float64)
            yield (part - part.mean(axis=0)) / 256, self.y[start:start + self.batch]


def data_of(case, folder):
    """What `Trainer.fit` gets."""
    if case["source"] == "pictures":
        x, y = fn.data.load(folder / "pictures").train
        return fn.data.Batches(x, y, case["batch"], transform=augmentation(case))
    x = np.load(folder / "x.npy", mmap_mode="r" if case["source"] == "mapped" else None)
    y = np.load(folder / "y.npy")
    if case["source"] == "list":
        size = case["batch"]
        return [(np.float32(x[i:i + size]), y[i:i + size]) for i in range(0, len(x), size)]
    if case["source"] == "generator":
        return Generated(x, y, case["batch"])
    if case["source"] == "transform":
        return fn.data.Batches(x, y, case["batch"], transform=lambda x, rng: np.pad(
            x, ((0, 0), (0, 0), (2, 2), (2, 2)))[:, :, 2:-2, 2:-2] + rng.random(x.shape) / 99)
    return fn.data.Batches(x, y, case["batch"], transform=augmentation(case))


def augmentation(case):
    """Ours, or none."""
    if not case["augment"]:
        return None
    return fn.data.Compose(fn.data.RandomShift(2), fn.data.RandomHorizontalFlip())


def train(case, budget, folder):
    """Train by `Trainer`; the weights."""
    class Allocating(fn.training.Callback):
        def on_batch_end(self, trainer):
            self.kept = np.ones((2 << 20) + (1 << 20) * trainer.batch % 2, np.uint8)
            np.ones(6 << 20, np.uint8).sum()

    fn.set_num_threads(case["threads"])
    fn.manual_seed(0)
    model = fn.models.create(case["model"], num_classes=5, in_channels=3,
                             image_size=(case["side"], case["side"]))
    make = {"sgd": lambda p: fn.optim.SGD(p, lr=0.01, momentum=0.9),
            "adam": lambda p: fn.optim.Adam(p, lr=1e-3)}[case["optimizer"]]
    callbacks = [fn.training.ProgressBar(sys.stderr),
                 fn.training.CheckpointCallback(folder / "run.safetensors", batches=2)]
    callbacks += [Allocating()] if case["callback"] else []
    trainer = fn.Trainer(model, fn.nn.CrossEntropyLoss(), make(model.parameters()),
                         memory_budget=budget, callbacks=callbacks)
    data = data_of(case, folder)
    held_out = None
    if case["validation"]:
        held_out = (np.load(folder / "x.npy", mmap_mode="r"), np.load(folder / "y.npy"))
    trainer.fit(data, held_out, epochs=2, batch_size=case["batch"], seed=3)
    return model.state_dict().values()


def run_command(case, budget, folder):
    """Train by `fastnn train`; the weights."""
    from fastnn.cli.group import main

    places = {"mapped": folder, "pictures": folder / "pictures"}
    source = places.get(case["source"], folder / "data.npz")
    output = Path(tempfile.mkdtemp(dir=folder))
    options = ["--data", source, "--model", case["model"], "--epochs", 2, "--batch-size",
               case["batch"], "--threads", case["threads"], "--output", output,
               "--optimizer", case["optimizer"], "--checkpoint-batches", 2, "--lr", 0.001,
               "--validation", 0.2 if case["validation"] else 0]
    options += [] if case["augment"] else ["--no-augment"]
    options += [] if budget is None else ["--memory-budget", budget]
    main(["train", *map(str, options)], standalone_mode=False)
    return (path.read_bytes() for path in [output / "weights.safetensors"])  # not read yet


def work(case, budget, folder):
    """Run a case in this process and print what it took."""
    found = {}
    try:
        weights = (run_command if case["route"] == "command" else train)(case, budget, folder)
        found["peak"] = peak_bytes()  # before the weights are copied
        digest = hashlib.sha256()
        for array in weights:
            digest.update(array if isinstance(array, bytes) else np.ascontiguousarray(array))
        found["sha"] = digest.hexdigest()[:12]
    except Exception as error:
        refusal = error if isinstance(error, fn.MemoryBudgetError) else error.__cause__
        found |= {"error": str(error), "least": getattr(refusal, "min_bytes", None)}
    print(json.dumps({"peak": peak_bytes(), **found}))


def run(case, budget, folder):
    """The figures of a fresh process."""
    return figures(__spec__.name, "--work", json.dumps(case), json.dumps(budget), folder)


def measured(case):
    """Whether a case has code that says nothing about its memory."""
    return case["route"] == "trainer" and (
        case["callback"] or case["source"] in ("list", "generator", "transform"))


def verdict(case, folder):
    """(whether a case is as promised, what it took)."""
    write_data(case, folder)
    refusal, free = run(case, REFUSED, folder), run(case, None, folder)
    if refusal.get("least") is None or "error" in free:
        return False, f"no refusal, or no run without a budget: {refusal} {free}"
    ample = max(refusal["least"], min(MOST, free["peak"]))
    share = 0 if case["share"] == LEAST else case["share"]
    budget = int(refusal["least"] + share * (ample - refusal["least"]))
    found = run(case, budget, folder)
    if found.get("least") and measured(case):  # what other code takes is known after some batches
        budget = found["least"]
        found = run(case, budget, folder)
    if "error" in found:
        return False, f"of {budget / 2**20:.1f} MiB: {found['error']}"
    holds, same = found["peak"] <= budget, found["sha"] == free["sha"]
    return holds and same, (
        f"budget {budget / 2**20:7.1f}  VmHWM {found['peak'] / 2**20:7.1f}  "
        f"free {free['peak'] / 2**20:7.1f}{'' if holds else '  OVER'}{'' if same else '  BITS'}")


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.work:
        case, budget, folder = options.work
        work(json.loads(case), json.loads(budget), Path(folder))
        return
    held = 0
    for number in range(options.count):
        case = draw(np.random.default_rng([options.seed, number]))
        with tempfile.TemporaryDirectory() as folder:
            good, text = verdict(case, Path(folder))
        held += good
        print(f"{number:3d} {text}  {json.dumps(case)}", flush=True)
    print(f"held {held} of {options.count}")
    sys.exit(held != options.count)


if __name__ == "__main__":
    main()
