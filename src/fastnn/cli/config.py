"""run.toml: the options of a run as a file, read by --config and written by every run."""

from __future__ import annotations

import difflib
import json
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from fastnn.cli.settings import MOST_BYTES, Settings
from fastnn.files.read import read_bytes, reason
from fastnn.files.write import replacing

CONFIG = "run.toml"
BESIDE = ("config", "resume", "as_json")  # options that are none of a run


def from_config(
    context: click.Context, parameter: click.Parameter, path: Path | None
) -> Path | None:
    """The callback of --config: what the file says becomes the default of each option.

    Raises ValueError that names the file, the key, and for an unknown key the nearest known one.
    """
    if path is None:
        return None
    known = {option.name: option for option in context.command.params
             if isinstance(option, click.Option) and option.name not in BESIDE}
    found = {}
    for name, value in _parsed(path).items():
        if name not in known:
            close = difflib.get_close_matches(name.replace("-", "_"), map(str, known), 1)
            hint = f"did you mean {close[0]}?" if close else f"expected {', '.join(sorted(known))}"
            raise ValueError(f"{path}: unknown key {name[:60]!r}: {hint}")
        found[name] = _checked(path, context, known[name], value)
    context.default_map = {**(context.default_map or {}), **found}
    return path


def _parsed(path: Path) -> dict[str, Any]:
    content = read_bytes(path, MOST_BYTES)
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not TOML that can be read ({reason(error)})") from error


def _checked(path: Path, context: click.Context, option: click.Option, value: Any) -> Any:
    """The value as a command line would have it; click would make 3 of 3.5 and 1 of true."""
    numeric = isinstance(option.type, (click.IntRange, click.FloatRange))
    kinds: tuple[tuple[type, ...], str] = ((bool,), "true or false") if option.is_flag else \
        ((int, float), "a number") if numeric else ((str, int), "a number or 'auto'") \
        if option.name == "accumulate" else ((str,), "a text")
    if type(value) not in kinds[0]:
        raise ValueError(f"{path}: {option.name} is {value!r:.60}, expected {kinds[1]}")
    given = value if option.is_flag else str(value)
    try:
        option.process_value(context, given)
    except click.BadParameter as error:
        raise ValueError(f"{path}: {option.name}: {error.message}") from error
    return given


def write_config(folder: Path, settings: Settings, model: str) -> None:
    """Write the run.toml of a run; `fastnn train --config` of it repeats the run.

    model: as the run's folder has it. What is None is left out, and so is the model of a pretrained
    net, which its name implies.
    """
    values = {**asdict(settings), "model": None if settings.pretrained else model}
    lines = [f"{name} = {_text(value)}\n" for name, value in values.items() if value is not None]
    text = f"# Repeats this run: fastnn train --config {CONFIG}\n" + "".join(lines)
    with replacing(folder / CONFIG) as stream:
        stream.write(text.encode(errors="surrogateescape"))  # a name of a file may be no UTF-8


def _text(value: Any) -> str:
    """A value of TOML.

    >>> _text(True), _text(1e-05), _text('a "b"')
    ('true', '1e-05', '"a \\\\"b\\\\""')
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower()
