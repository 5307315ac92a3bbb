"""A model by its name, or by `file.py:factory`."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from typing import Any

from fastnn import models
from fastnn.files.read import read_bytes, reason
from fastnn.models.registry import find_maker
from fastnn.nn.module import Module


def make_model(
    name: str, num_classes: int, example_shape: tuple[int, ...], **options: int
) -> Module:
    """A net for examples (channels, height, width) or (features,).

    name: one of `fastnn.models.NAMES`, or "file.py:factory"; the factory is called with those of
    num_classes, in_channels, image_size that it has arguments for, and with `options`; it returns
    a Module.

    Raises ValueError or OSError that names the model or file.
    """
    sizes = {"num_classes": num_classes, "in_channels": example_shape[0],
             "image_size": example_shape[1:]}
    if ".py" not in name:
        if len(example_shape) == 1:
            if name != "mlp":
                find_maker(name)
                raise ValueError(f"model {name!r} needs images, the examples have "
                                 f"{example_shape[0]} features: use --model mlp")
            sizes["image_size"] = 1
        return models.create(name, **sizes)  # type: ignore[arg-type]
    path, _, factory = name.rpartition(":")
    make = _function(Path(path or name), factory if path else "")
    missing = options.keys() - _accepted(make, options)
    if missing:
        raise ValueError(f"{name} takes no argument {', '.join(missing)}")
    arguments = {**_accepted(make, sizes), **options}
    try:
        inspect.signature(make).bind(**arguments)
    except TypeError as error:
        raise ValueError(f"{name} cannot be called with {', '.join(arguments)}: {error}") from error
    model = make(**arguments)
    if not isinstance(model, Module):
        raise ValueError(f"{name} returned {type(model).__name__}, expected an nn.Module")
    return model


def deep_name(name: str, depth: int) -> str:
    """The name of a net of a family at a depth, from 1 on; a file's factory takes it as argument.

    name: one of `fastnn.models.FAMILIES`, or "file.py:factory". Raises ValueError for others.
    """
    if ".py" in name:
        return name
    if name not in models.FAMILIES:
        raise ValueError(f"model {name!r} has no depth to choose: name one of "
                         f"{', '.join(models.FAMILIES)}, or file.py:factory with an argument depth")
    return models.FAMILIES[name](depth)


def absolute(name: str) -> str:
    """The same model, independent of the working directory."""
    if ".py" not in name:
        return name
    path, _, factory = name.rpartition(":")
    return f"{Path(path).resolve()}:{factory}" if path else name


def _function(path: Path, name: str) -> Any:
    if not name:
        raise ValueError(f"{path}: name the function too, as in {path}:make_net")
    if not path.is_file():
        raise FileNotFoundError(2, "No such file", str(path))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        compile(read_bytes(path), str(path), "exec")
    except SyntaxError as error:
        raise ValueError(f"{path}, line {error.lineno}: {error.msg}") from error
    except (ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"{path}: cannot be read as Python ({reason(error)})") from error
    spec.loader.exec_module(module)
    if not callable(getattr(module, name, None)):
        raise ValueError(f"{path} has no function {name!r}")
    return getattr(module, name)


def _accepted(make: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(make).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return arguments
    return {name: value for name, value in arguments.items() if name in parameters}
