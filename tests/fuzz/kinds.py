"""Every kind of file that fastnn reads: good ones, how they are changed, and how they are read."""

import gzip
import io
import json
import random
import struct
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

import fastnn as fn
from fastnn.cli import train
from fastnn.cli.model import make_model
from fastnn.cli.run import read_run
from fastnn.data import load as load_data
from fastnn.data.registry import outline
from fastnn.plan.cost.predict import FIXED
from fastnn.plan.cost.rates import _read as read_rates
from tests.cli.command import NET, run, write_data
from tests.files.pth import legacy_file, value, whole, zip_file
from tests.fuzz import mutate

Change = Callable[[random.Random, bytes, bytes], bytes]


CHANGES: dict[str, Change] = {
    ".gz": mutate.change_gzip, ".json": mutate.change_json, ".png": mutate.change_png,
    ".safetensors": mutate.change_safetensors, ".jsonl": mutate.change_bytes,
    ".py": mutate.change_bytes, ".toml": mutate.change_bytes,
}


class Kind:
    """One kind: `files` are good ones (path in the folder, contents); any of them is changed."""

    errors: tuple[type[Exception], ...] = (ValueError, OSError)
    path: Path  # the file that was changed last

    def __init__(self, folder: Path, files: dict[str, bytes], change: Change) -> None:
        self.folder, self.files, self._change = folder, files, change
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self.path = folder / next(iter(files))

    def change(self, draw: random.Random) -> None:
        """Change one file, and make all others good again."""
        self.path.write_bytes(self.files[str(self.path.relative_to(self.folder))])
        name, other = draw.choice(list(self.files)), draw.choice(list(self.files))
        self.path = self.folder / name
        change = CHANGES.get(self.path.suffix, self._change)
        self.path.write_bytes(change(draw, self.files[name], self.files[other]))

    def read(self, draw: random.Random) -> None:
        """Read as users do. Raises one of `errors`, or succeeds."""
        raise NotImplementedError

    def state(self) -> Any:
        """What must be as before after an error."""
        return None


def _arrays(module: fn.nn.Module) -> list[bytes]:
    return [array.tobytes() for array in module.state_dict().values()]


def _net() -> fn.nn.Module:
    return fn.nn.Sequential(fn.nn.Linear(4, 5), fn.nn.BatchNorm1d(5), fn.nn.ReLU(),
                            fn.nn.Linear(5, 2))


class Weights(Kind):
    """Weights of `fn.save`, with other types, and a checkpoint, for `fn.load`."""

    def __init__(self, folder: Path) -> None:
        self._model = _net()
        fn.save(folder / "f32.safetensors", self._model)
        arrays = {name: array.astype(np.float16) if array.dtype == np.float32 else array
                  for name, array in self._model.state_dict().items()}
        save_file(arrays, folder / "f16.safetensors")
        whole, half = ((folder / name).read_bytes() for name in ("f32.safetensors",
                                                                 "f16.safetensors"))
        trainer = Checkpoint.trainer()
        trainer.save(folder / "checkpoint.safetensors")
        super().__init__(folder, {
            "f32.safetensors": whole, "f16.safetensors": half,
            "bf16.safetensors": _as_bf16(half),
            "checkpoint.safetensors": (folder / "checkpoint.safetensors").read_bytes(),
        }, mutate.change_safetensors)

    def read(self, draw: random.Random) -> None:
        fn.load(self.path, self._model)
        self._model.eval()(np.ones((2, 4), np.float32))

    def state(self) -> Any:
        return _arrays(self._model)


class Pth(Weights):
    """The same weights in PyTorch's files, of both formats, bare and in a checkpoint."""

    def __init__(self, folder: Path) -> None:
        self._model = _net()
        made, memory = whole(self._model.state_dict())
        counts = {key: len(content) // (8 if made_of.ndim == 0 else 4) for (key, content), made_of
                  in zip(memory.items(), self._model.state_dict().values(), strict=True)}
        checkpoint = {"epoch": 3, "state_dict": {f"module.{name}": made[name] for name in made}}
        bare, nested = (value(each) + b"." for each in (made, checkpoint))
        Kind.__init__(self, folder, {
            "bare.pth": zip_file(bare, memory), "nested.pth": zip_file(nested, memory),
            "legacy.pth": legacy_file(bare, memory, counts),
            "legacy_nested.pth": legacy_file(nested, memory, counts)}, mutate.change_pth)


def _as_bf16(half: bytes) -> bytes:
    """A file of F16 as one of BF16, which NumPy has no name for."""
    size = struct.unpack("<Q", half[:8])[0]
    header = half[8:8 + size].replace(b'"F16"', b'"BF16"')
    return struct.pack("<Q", len(header)) + header + half[8 + size:]


class Checkpoint(Kind):
    """A checkpoint, for `Trainer.resume`; what it accepts must also train."""

    DATA = (np.linspace(-1, 1, 24, dtype=np.float32).reshape(6, 4), np.arange(6) % 2)

    def __init__(self, folder: Path) -> None:
        trainer = self.trainer()
        trainer.fit(self.DATA, self.DATA, epochs=2, batch_size=4)
        path = folder / "checkpoint.safetensors"
        trainer.save(path)
        super().__init__(folder, {path.name: path.read_bytes()}, mutate.change_safetensors)
        self._trainer = self.trainer()

    @staticmethod
    def trainer() -> fn.Trainer:
        """A trainer with all that a checkpoint has a place for."""
        fn.manual_seed(0)
        model = _net()
        optimizer = fn.optim.Adam([{"params": [p for p in model.parameters() if p.ndim > 1]},
                                   {"params": [p for p in model.parameters() if p.ndim == 1],
                                    "weight_decay": 0.0}], lr=0.01, weight_decay=0.1)
        return fn.Trainer(model, fn.nn.CrossEntropyLoss(), optimizer,
                          fn.optim.OneCycleLR(optimizer, 0.1, 100))

    def read(self, draw: random.Random) -> None:
        trainer = self._trainer
        trainer.resume(self.path)
        self._trainer = self.trainer()
        with suppress(fn.NonFiniteError):  # weights and rates may be as large as floats go
            trainer.fit(self.DATA, self.DATA, epochs=1, batch_size=4)

    def state(self) -> Any:
        trainer = self._trainer
        groups = [{name: value for name, value in group.items() if name != "params"}
                  for group in trainer.optimizer.param_groups]
        own = (trainer.epoch, trainer.batch, trainer.steps, trainer.batches, trainer.seconds,
               trainer.history, trainer.averages.sums(), trainer.train_step.most_examples)
        entries = [{name: np.asarray(value).tobytes() for name, value in entry.items()}
                   for entry in trainer.optimizer.state_dict()["state"]]
        return (_arrays(trainer.model), repr(groups), repr(own), entries,
                repr(trainer.schedule.state_dict()), repr(fn.get_rng_state()))


class RunFolder(Kind):
    """The folder of a run of `fastnn train`, for --resume; any of its files is changed."""

    errors = (ValueError, OSError, ArithmeticError, MemoryError, ImportError)
    pattern = "*"

    def __init__(self, folder: Path) -> None:
        (folder / "net.py").write_text(NET)
        write_data(folder / "data.npz", 24)
        done = run("train", "--data", "data.npz", "--model", "net.py:make", "--epochs", 1,
                   "--batch-size", 16, "--output", "run", folder=folder)
        assert done[0] == 0, done[2]
        super().__init__(folder, {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted((folder / "run").glob(self.pattern)) if path.suffix != ".png"
        }, mutate.change_json)

    def read(self, draw: random.Random) -> None:
        folder = self.folder / "run"
        if draw.random() < 0.5:
            read_run(folder)
            return
        with ExitStack() as until_the_end:
            train._go_on(folder, None, io.StringIO(), until_the_end)


class Settings(RunFolder):
    """The settings of a run alone."""

    pattern = "settings.json"


class Description(RunFolder):
    """What a run says of its model alone: for using it."""

    pattern = "run.json"


class Data(Kind):
    """Data of any kind, for `fastnn.data.load`, and for its outline by headers alone."""

    source = ""  # the folder itself

    def read(self, draw: random.Random) -> None:
        place = self.path if self.source == "file" else self.folder
        if draw.random() < 0.3:
            outline(place)
        data = load_data(place)
        assert repr(outline(place).data) == repr(data)
        batches = fn.data.Batches(*data.train, 4)
        for _ in zip(batches.epoch(0), range(2), strict=False):
            pass


class Npz(Data):
    source = "file"
    errors = (ValueError, OSError, MemoryError)

    def __init__(self, folder: Path) -> None:
        write_data(folder / "a.npz", 9)
        np.savez_compressed(folder / "b.npz", x=np.ones((5, 3)), y=np.arange(5) % 2,
                            classes=np.array(["a", "b"]))
        super().__init__(folder, {name: (folder / name).read_bytes()
                                  for name in ("a.npz", "b.npz")}, mutate.change_zip)


class Npy(Data):
    def __init__(self, folder: Path) -> None:
        generator = np.random.default_rng(0)
        arrays = {"x_train": generator.integers(0, 256, (9, 1, 4, 4), dtype=np.uint8),
                  "y_train": np.arange(9) % 3, "x_test": np.ones((3, 1, 4, 4), np.float32),
                  "y_test": np.arange(3), "classes": np.array(["a", "b", "c"])}
        super().__init__(folder, {f"{name}.npy": _npy(array) for name, array in arrays.items()},
                         mutate.change_npy)


class Idx(Data):
    errors = (ValueError, OSError, MemoryError)

    def __init__(self, folder: Path) -> None:
        files = {}
        for part, count in (("train", 6), ("t10k", 3)):
            images = struct.pack(">4B3I", 0, 0, 8, 3, count, 4, 4) + bytes(range(count * 16))
            labels = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(i % 3 for i in range(count))
            files |= {f"{part}-images-idx3-ubyte": images, f"{part}-labels-idx1-ubyte": labels}
        files = {f"{name}.gz" if name.startswith("t10k") else name:
                 gzip.compress(content) if name.startswith("t10k") else content
                 for name, content in files.items()}
        super().__init__(folder, files, mutate.change_idx)


class Pictures(Data):
    errors = (ValueError, OSError, MemoryError)

    def __init__(self, folder: Path) -> None:
        picture = Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3))
        files = {"a/good.png": _picture(picture, "PNG")}
        forms = (("png", "PNG"), ("jpg", "JPEG"), ("gif", "GIF"), ("bmp", "BMP"), ("webp", "WEBP"),
                 ("tif", "TIFF"))
        files |= {f"b/{suffix}/x.{suffix}": _picture(picture, form) for suffix, form in forms}
        super().__init__(folder, files, mutate.change_bytes)

    def read(self, draw: random.Random) -> None:
        if draw.random() < 0.3:
            outline(self.folder)
        data = fn.data.load_image_folder(self.folder, strict=draw.random() < 0.7)
        assert len(data.skipped) <= 1


class ModelFile(Kind):
    """A model's Python file: what its own code raises is the user's, the rest is ours."""

    errors = (ValueError, OSError, TypeError)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {"net.py": NET.encode(), "other.py": b"import math\n" * 9},
                         mutate.change_bytes)

    def read(self, draw: random.Random) -> None:
        make_model(f"{self.path}:make", 3, (1, 8, 8))


class RatesFile(Kind):
    """This machine's rates: a bad file counts as none."""

    errors = ()

    def __init__(self, folder: Path) -> None:
        rates = {size: {name: 1.0 for name in FIXED} for size in ("one_thread", "team")}
        super().__init__(folder, {"rates.json": json.dumps(rates).encode()}, mutate.change_json)

    def read(self, draw: random.Random) -> None:
        read_rates(self.path, 1)


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _picture(picture: Image.Image, form: str) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, form)
    return stream.getvalue()


KINDS: dict[str, Callable[[Path], Kind]] = {
    "weights": Weights, "pth": Pth, "checkpoint": Checkpoint, "settings": Settings,
    "description": Description, "run": RunFolder,
    "npz": Npz, "npy": Npy, "idx": Idx, "pictures": Pictures, "model": ModelFile,
    "rates": RatesFile,
}
