"""run.json in a run folder: everything beside the weights that using the model needs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn import nn
from fastnn._kernels.dispatch import level
from fastnn.cli.job import Job
from fastnn.cli.model import make_model
from fastnn.cli.picture_rule import PictureRule, read_rule, written_rule
from fastnn.cli.run_folder import WEIGHTS
from fastnn.cli.settings import TASKS, Settings
from fastnn.data import ChannelMean, MeanImage, Preprocessor, Standardize, Whiten
from fastnn.data.table import TableEncoder
from fastnn.data.table_target import TableTarget
from fastnn.files.read import read_bytes, read_json, reason
from fastnn.files.write import replacing
from fastnn.metrics.chances import log_softmax
from fastnn.training import load
from fastnn.version import VERSION

RUN, SOURCE = "run.json", "model.py"
FORMAT = 2  # 1, which has no number in it, says nothing of pictures
MOST_BYTES = 256 << 20  # a whitening of 1,000 features has a million numbers
PREPROCESSORS = {kind.__name__: kind for kind in (Standardize, ChannelMean, MeanImage, Whiten)}


@dataclass(frozen=True)
class Run:
    """A trained model, ready to use, with the meaning of its inputs and outputs.

    model: in eval mode, with its weights. preprocess: fitted to the training examples. task: one
    of TASKS. classes: names by number; empty for others. names: of the outputs. example_shape: of
    an input. pictures: None if the model was not trained on pictures of bytes. dtype: of the
    training examples as they were stored, "" if that is not known. encoder, target: of a table,
    else None. facts: versions and the instruction-set level; another one may give other last bits.
    """

    model: nn.Module
    preprocess: Preprocessor
    task: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    example_shape: tuple[int, ...]
    pictures: PictureRule | None
    dtype: str
    encoder: TableEncoder | None
    target: TableTarget | None
    facts: Mapping[str, str]

    def outputs(self, x: np.ndarray) -> np.ndarray:
        """The model's outputs (n, ...) for examples as they are stored: (n, *example_shape).

        uint8 examples count as numbers in [0, 1], as in training.
        """
        result: np.ndarray = self.model(self.preprocess.transform(np.asarray(x)))
        return result

    def predictions(self, x: np.ndarray) -> np.ndarray:
        """Probabilities of classes or labels, or real targets, (n, outputs), of examples.

        Raises ValueError for a net that returns something else, as a class for each pixel.
        """
        found = np.asarray(self.outputs(x), np.float64)
        if found.shape != (len(x), len(self.names)):
            raise ValueError(f"the net returns {found.shape} for {len(x)} examples, expected "
                             f"{len(self.names)} numbers for each")
        if self.task == "classification":
            found = np.exp(log_softmax(found))
        elif self.task == "multilabel":
            from scipy.special import expit  # which training, within a budget, needs not

            found = expit(found)
        return found if self.target is None else self.target.unscaled(found)


def write_run(folder: Path, settings: Settings, job: Job) -> None:
    """Write run.json, and a copy of the model's source if it comes from a file."""
    preprocess = job.preprocess
    if (path := source_of(settings.model)) is not None:
        content = read_bytes(path)
        with replacing(folder / SOURCE) as stream:
            stream.write(content)
    description = {
        "format": FORMAT,
        "model": {"name": settings.model, "num_classes": job.outputs,
                  "example_shape": list(job.data.example_shape)},
        "task": job.task,
        "table": None if job.encoder is None or job.target is None else {
            "columns": job.encoder.state(), "target": asdict(job.target)},
        "classes": list(job.data.classes),
        "dtype": job.data.train[0].dtype.name,
        "pictures": written_rule(
            job.data.train[0], central=settings.pretrained is not None),
        "preprocess": {"kind": type(preprocess).__name__, "state": {
            name: {"dtype": array.dtype.name, "shape": list(array.shape),
                   "values": array.ravel().tolist()}  # JSON keeps every bit of a float64
            for name, array in preprocess.state().items()}},
        "facts": {"fastnn": VERSION, "numpy": np.__version__, "python": platform.python_version(),
                  "instruction_set": level()}}
    with replacing(folder / RUN) as stream:
        stream.write(json.dumps(description, indent=1).encode() + b"\n")


def read_run(folder: Path) -> Run:
    """Rebuild a run's model, with its weights and preprocessing. Runs its model.py, if any.

    Raises ValueError that names the file and what is wrong; OSError.
    """
    path = folder / RUN
    content = read_json(path, MOST_BYTES)
    try:
        if content.get("format", 1) not in range(1, FORMAT + 1):
            raise ValueError(f"format {content['format']!r:.20}, this fastnn reads 1 to {FORMAT}")
        its, classes = content["model"], tuple(map(str, content["classes"]))
        shape = tuple(int(size) for size in its["example_shape"])
        preprocess = _preprocessor(content["preprocess"])
        facts = {str(name): str(value) for name, value in content["facts"].items()}
        name, outputs = str(its["name"]), int(its["num_classes"])
        if not shape or min(shape) < 1:
            raise ValueError(f"example_shape is {list(shape)}")
        task = str(content.get("task", "classification" if classes else "regression"))
        if task not in TASKS:
            raise ValueError(f"task is {task!r:.40}, expected one of {', '.join(TASKS)}")
        encoder, target = _table(content.get("table"), shape)
        pictures = read_rule(content.get("pictures"), shape)
        named = classes or (() if target is None else target.columns)
        if named and len(named) != outputs:
            raise ValueError(f"{len(named)} names of {outputs} outputs")
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path}: expected what a run says of its model "
                         f"({type(error).__name__}: {reason(error)})") from error
    try:
        model = make_model(model_in(folder, name), outputs, shape)
    except (ValueError, MemoryError) as error:  # a damaged size may ask for a terabyte
        raise ValueError(f"{path}: its model cannot be made: {reason(error, 500)}") from error
    load(folder / WEIGHTS, model)
    names = named or tuple(map(str, range(outputs)))
    return Run(model.eval(), preprocess, task, classes, names, shape, pictures,
               str(content.get("dtype", "")), encoder, target, facts)


def _table(
    content: Any, shape: tuple[int, ...]
) -> tuple[TableEncoder | None, TableTarget | None]:
    if content is None:
        return None, None
    its = content["target"]
    columns, classes = (tuple(map(str, its[name])) for name in ("columns", "classes"))
    mean, std = (tuple(map(float, its[name])) for name in ("mean", "std"))
    encoder = TableEncoder.from_state(content["columns"])
    if (len(encoder.features),) != shape or (its["task"] == "regression" and (
            not len(columns) == len(mean) == len(std))):
        raise ValueError(f"a table of {len(encoder.features)} features and {len(columns)} targets, "
                         f"example_shape is {list(shape)}")
    return encoder, TableTarget(str(its["task"]), columns, classes, mean, std)


def source_of(model: str) -> Path | None:
    """The file of a model "file.py:factory"; None for a model by name."""
    return Path(model.rpartition(":")[0]) if ".py" in model else None


def model_in(folder: Path, model: str) -> str:
    """The model of a run, from its own copy of the file, even if the file has changed since."""
    if source_of(model) is None or not (folder / SOURCE).exists():
        return model
    return f"{(folder / SOURCE).resolve()}:{model.rpartition(':')[2]}"


def _preprocessor(content: Any) -> Preprocessor:
    state = {name: np.array(array["values"], array["dtype"]).reshape(array["shape"])
             for name, array in content["state"].items()}
    if any(array.dtype.kind not in "fi" for array in state.values()):
        raise ValueError("preprocessing holds more than numbers")
    kind = content["kind"]
    return PREPROCESSORS[kind].from_state(state)
