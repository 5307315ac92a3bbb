"""Predictions as records: for a table, as lines of CSV and as lines of JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.cli.run import Run
from fastnn.files.write import replacing

LABEL_FROM = 0.5  # the probability from which on a label is said to hold
FORMATS = (".csv", ".jsonl")

Record = dict[str, Any]


def record(name: str, found: np.ndarray, run: Run, top: int) -> Record:
    """What is predicted of one example, from what `Run.predictions` returns of it.

    Of classes the likeliest `top`; of labels, and of real targets, all.
    """
    values = [round(float(value), 6) for value in found]
    if run.task == "classification":
        best = np.argsort(-found, kind="stable")[:top]
        return {"file": name, "class": run.names[best[0]], "probability": values[best[0]],
                "top": [{"class": run.names[i], "probability": values[i]} for i in best]}
    if run.task == "multilabel":
        holds = [name for name, value in zip(run.names, found, strict=True) if value >= LABEL_FROM]
        return {"file": name, "labels": holds,
                "probabilities": dict(zip(run.names, values, strict=True))}
    exact = map(float, found)  # of any size: not rounded
    return {"file": name, "values": dict(zip(run.names, exact, strict=True))}


def flat(record: Record) -> Record:
    """A record as a line of a table: a value for each column.

    >>> flat({"file": "a.png", "class": "cat", "probability": 0.8, "top": [
    ...     {"class": "cat", "probability": 0.8}, {"class": "dog", "probability": 0.2}]})
    {'file': 'a.png', 'class': 'cat', 'probability': 0.8, 'class_2': 'dog', 'probability_2': 0.2}
    """
    line: Record = {"file": record["file"]}
    for number, each in enumerate(record.get("top", ()), 1):
        suffix = f"_{number}" if number > 1 else ""
        line |= {f"class{suffix}": each["class"], f"probability{suffix}": each["probability"]}
    if "labels" in record:
        line["labels"] = ";".join(record["labels"])
    return {**line, **record.get("probabilities", {}), **record.get("values", {})}


def title(record: Record) -> str:
    """What is predicted, in a few words.

    >>> title({"class": "cat", "probability": 0.8123})
    'cat 81%'
    """
    if "class" in record:
        return f"{record['class']} {record['probability']:.0%}"
    if "labels" in record:
        return ", ".join(record["labels"]) or "none"
    return ", ".join(f"{name} {value:.4g}" for name, value in record["values"].items())


def lines(records: Sequence[Record]) -> str:
    """Records as lines of JSON."""
    return "".join(f"{json.dumps(each)}\n" for each in records)


def write(path: Path, records: Sequence[Record]) -> None:
    """Write records to a file .csv or .jsonl, all or nothing."""
    if path.suffix == ".csv":
        text = io.StringIO()
        rows = [flat(each) for each in records]
        table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
        content = text.getvalue()
    else:
        content = lines(records)
    with replacing(path) as stream:
        stream.write(content.encode())
