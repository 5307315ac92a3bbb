"""Write the lists of public names: `ops/names.py` of operations, `nn/__init__.py` of layers.

python -m tools.names           write both
python -m tools.names --check   fail if they are not up to date

The names are found in the registry of operations and in the modules of `nn/`. They are written out,
so that editors and type checkers see them. Where the files name what is gone, so that fastnn cannot
be imported, they are first written from the text of the modules alone.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

ROOT = Path(__file__).parents[1] / "src/fastnn"
OPERATIONS_FILE, LAYERS_FILE = ROOT / "ops/names.py", ROOT / "nn/__init__.py"
INNER = ("functional", "init", "utils")  # what is a path of its own in nn
WIDTH = 100


def operations() -> str:
    """The text of `ops/names.py`."""
    from fastnn.ops.pointwise import FUNCTIONS
    from fastnn.ops.public import OPERATIONS

    homes = defaultdict(list)
    for name, operation in OPERATIONS.items():
        if operation.function is not FUNCTIONS.get(name):
            own = operation.function.__name__
            homes[operation.function.__module__].append(name if own == name else f"{own} as {name}")
    rows = [f'{name} = FUNCTIONS["{name}"]' for name in sorted(FUNCTIONS)
            if name in OPERATIONS and OPERATIONS[name].function is FUNCTIONS[name]]
    return "\n".join([
        '"""Every operation by name. Written by `python -m tools.names`."""', "",
        _imports({**homes, "fastnn.ops.pointwise": ["FUNCTIONS"]}), "", "# The pointwise table.",
        *rows, "", _all(OPERATIONS), ""])


def layers() -> str:
    """The text of `nn/__init__.py`."""
    import fastnn.nn
    from fastnn.nn.module import Module
    from fastnn.nn.parameter import Buffer, Parameter

    homes = defaultdict(list)
    for module in iter_modules(fastnn.nn.__path__, "fastnn.nn."):
        if module.name.rpartition(".")[2] in INNER:
            continue
        for name, value in vars(import_module(module.name)).items():
            if (isinstance(value, type) and issubclass(value, Module | Parameter | Buffer)
                    and value.__module__ == module.name and not name.startswith("_")):
                homes[module.name].append(name)
    return _layers(homes)


def layers_by_text() -> str:
    """The same of every class in the modules' text, of whatever kind."""
    homes = defaultdict(list)
    for path in sorted((ROOT / "nn").glob("*.py")):
        if path.stem not in (*INNER, "__init__"):
            homes[f"fastnn.nn.{path.stem}"] += [
                node.name for node in ast.parse(path.read_text()).body
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    return _layers({module: names for module, names in homes.items() if names})


def _layers(homes: dict[str, list[str]]) -> str:
    names = [name for own in homes.values() for name in own]
    return "\n".join([
        '"""Modules and layers, as torch.nn. Written by `python -m tools.names`."""', "",
        f"from fastnn.nn import {', '.join(INNER)}",
        _imports({**homes, "fastnn.nn.later": ["refusal"]}), "",
        _all([*names, *INNER]), "", "__getattr__ = refusal(__name__)", ""])


def _imports(homes: dict[str, list[str]]) -> str:
    lines = []
    for module, names in sorted(homes.items()):
        line = f"from {module} import {', '.join(_members(names))}"
        if len(line) > WIDTH:
            line = "\n".join([f"from {module} import (",
                              *(f"    {name}," for name in _members(names)), ")"])
        lines.append(line)
    return "\n".join(lines)


def _members(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (*_kind(name), name.casefold()))


def _all(names: Iterable[str]) -> str:
    lines, line = ["__all__ = ["], "   "
    for name in sorted(names, key=lambda name: (*_kind(name), _by_number(name))):
        if len(line) + len(name) + 4 > WIDTH:
            lines.append(line)
            line = "   "
        line += f' "{name}",'
    return "\n".join([*lines, line, "]"])


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    """A name's order, in which log2 comes before log10."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part)
            for part in re.findall(r"\d+|\D+", name)]


def _kind(name: str) -> tuple[bool, bool]:
    """Constants come first, then classes, then functions, as ruff orders them."""
    return not name.isupper(), not name[0].isupper()


def main() -> None:
    """Write the files, or check them."""
    try:
        import fastnn.ops  # noqa: F401
    except ImportError:
        if "--again" in sys.argv:
            raise
        OPERATIONS_FILE.write_text("from fastnn.ops.pointwise import FUNCTIONS\n")
        LAYERS_FILE.write_text(layers_by_text())
        os.execv(sys.executable, [sys.executable, "-m", "tools.names", "--again"])
    for path, text in ((OPERATIONS_FILE, operations()), (LAYERS_FILE, layers())):
        if "--check" in sys.argv:
            assert path.read_text() == text, f"{path.name} is old: run python -m tools.names"
        else:
            path.write_text(text)


if __name__ == "__main__":
    main()
