"""Imports go down the floors of the design, never up and never in a circle.

Parsed, not run: an import inside a function counts like any other.
"""

import ast
import re
from pathlib import Path

import fastnn

ROOT = Path(fastnn.__file__).parent
ENGINE = (  # its modules have floors of their own
    {"engine"},
    {"engine.memory_frontier"},
    {"engine.gradgradcheck"},
    {"engine.gradcheck"},
    {"engine.grad", "engine.summary", "engine.train_step", "engine.value_and_grad"},
    {"engine.at_once", "engine.gradient_accumulation", "engine.hooks", "engine.layer_values",
     "engine.optimizer_step"},
    {"engine.inference"},
    {"engine.finite", "engine.loss_graph", "engine.micro_batches", "engine.weighing"},
    {"engine.lane_turns", "engine.plan_cache", "engine.side_by_side"},
    {"engine.compiled", "engine.inputs", "engine.memory_limit", "engine.symbolic_grad",
     "engine.trace"},
    {"engine.by_example", "engine.gradients", "engine.kept_values", "engine.lane",
     "engine.loss_value", "engine.muon_updates", "engine.nesting", "engine.row_updates"},
)
FLOORS = (  # from the top
    {"cli"},
    {"bench"},
    {"ensembles", "init", "insight", "onnx", "pretraining", "second_order", "sklearn"},
    {"autograd", "training"},
    *ENGINE,
    {"frozen", "models", "optim", "plan"},
    {"nn", "autodiff"},
    {"ops", "runtime"},
    {"_kernels", "data", "graph", "metrics"},
    {"advice", "arguments", "blas", "context", "files", "foreign", "habits", "operators", "picture",
     "spec", "version"},
)
FLOOR = {part: number for number, parts in enumerate(FLOORS) for part in parts}


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module(path): path for path in [*ROOT.rglob("*.py"), *ROOT.rglob("*.pyx")]}


def _imports(name: str) -> set[str]:
    """Modules of the package that a module imports, wherever in its text."""
    if MODULES[name].suffix == ".pyx":
        lines = [line.strip() for line in MODULES[name].read_text().splitlines()]
        tree = ast.parse("\n".join(line for line in lines if line.startswith("from fastnn")
                                   and " import " in line and "(" not in line))
    else:
        tree = ast.parse(MODULES[name].read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: imports are absolute"
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            inside = submodules & MODULES.keys()
            found.update(inside)
            if inside != submodules:
                found.add(node.module or "")
    return {target for target in found if target in MODULES}


def _part(name: str) -> str | None:
    """The part of the package that a module belongs to; None for `fastnn` itself."""
    parts = name.split(".")[1:]
    return ".".join(parts[:2] if parts[:1] == ["engine"] else parts[:1]) or None


def test_every_module_has_a_floor():
    assert {_part(name) for name in MODULES} - {None, "__main__"} <= FLOOR.keys()


def test_the_floors_are_those_of_the_page_on_architecture():
    page = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text()
    listed = [set(re.findall(r"`(\w+)`", line)) for line in re.findall(r"(?m)^\d+\. (`.*)$", page)
              if line.startswith("`") and "/" not in line]
    floors = [floor for floor in FLOORS
              if not any("." in part for part in floor)]
    assert listed == floors


def test_imports_go_down():
    wrong = []
    for name in MODULES:
        part = _part(name)
        for target in _imports(name):
            other = _part(target)
            if part is None or other == part or part == "__main__":
                continue
            # A floor may be open at its own level; `fastnn` itself is above everything.
            if other is None or FLOOR[other] < FLOOR[part]:
                wrong.append(f"{name} imports {target}")
    assert not wrong, "imports that go up:\n" + "\n".join(sorted(wrong))


def test_no_circles():
    graph = {name: _imports(name) for name in MODULES}
    done: set[str] = set()
    path: list[str] = []

    def visit(name: str) -> None:
        assert name not in path, "a circle: " + " -> ".join([*path[path.index(name):], name])
        if name not in done:
            path.append(name)
            for target in sorted(graph[name]):
                visit(target)
            path.pop()
            done.add(name)

    for name in sorted(MODULES):
        visit(name)


def test_pytorch_is_never_imported():
    for name, path in MODULES.items():
        if path.suffix == ".py":
            names = {alias.name for node in ast.walk(ast.parse(path.read_text()))
                     if isinstance(node, ast.Import) for alias in node.names}
            names |= {node.module for node in ast.walk(ast.parse(path.read_text()))
                      if isinstance(node, ast.ImportFrom)}
            assert not any(str(n).split(".")[0] == "torch" for n in names), name
