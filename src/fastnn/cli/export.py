"""fastnn export: a trained net as a file for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from fastnn import nn
from fastnn.cli.ending import Ending
from fastnn.cli.run import Run, read_run
from fastnn.files.write import replacing
from fastnn.training import save

LAST = {"classification": lambda: nn.Softmax(1), "multilabel": nn.Sigmoid}


@click.command(context_settings={"show_default": True})
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("file", type=Ending(".onnx", ".safetensors"))
@click.option("--probabilities/--scores", default=True,
              help="Of .onnx: whether outputs are probabilities, or what the net itself returns.")
def export(run: Path, file: Path, probabilities: bool) -> None:
    """Write the net of a RUN folder to FILE, .onnx or .safetensors.

    .onnx: preprocessing, net and probabilities as one graph of float32, and beside it a .json file
    that says what its inputs and outputs mean: needs the extra "onnx". .safetensors: the weights
    alone, under PyTorch's names, as nn.Module.load_state_dict reads them there.
    A run whose model comes from a file runs the model.py in its folder.
    """
    trained = read_run(run)
    file.parent.mkdir(parents=True, exist_ok=True)
    written = [file]
    if file.suffix == ".onnx":
        _write_onnx(trained, file, probabilities)
        written.append(file.with_suffix(".json"))
        with replacing(written[1]) as stream:
            stream.write(json.dumps(meaning(trained, probabilities), indent=1).encode() + b"\n")
    else:
        save(file, trained.model)
    for path in written:
        click.echo(f"written: {path}")


def whole(run: Run, probabilities: bool) -> nn.Module:
    """Preprocessing, net and probabilities as one net, in eval mode."""
    last = LAST.get(run.task) if probabilities else None
    layers = [nn.Preprocess(run.preprocess), run.model, *([last()] if last else [])]
    return nn.Sequential(*layers).eval()


def meaning(run: Run, probabilities: bool) -> dict[str, Any]:
    """What inputs and outputs of the exported net are."""
    rule = run.pictures
    return {
        "input": {"shape": ["n", *run.example_shape], "dtype": "float32",
                  "from": "bytes / 255" if run.dtype == "uint8" else "numbers as in training",
                  "pictures": None if rule is None else str(rule)},
        "output": {"shape": ["n", len(run.names)], "names": list(run.names),
                   "are": "probabilities" if probabilities and run.task in LAST else "scores"
                   if run.task in LAST else "values"}}


def _write_onnx(run: Run, file: Path, probabilities: bool) -> None:
    from fastnn import onnx  # of this command alone

    onnx.save(whole(run, probabilities), file, np.zeros((1, *run.example_shape), np.float32))
