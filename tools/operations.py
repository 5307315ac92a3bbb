"""Write docs/operations.md: every public operation, how it is computed and how it was checked.

python -m tools.operations

From the registry of operations, the cases of tests/cases, and PyTorch's own samples; takes minutes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import torch

from fastnn.autodiff import gradients
from fastnn.context import updates
from fastnn.engine.nesting import flat
from fastnn.graph import Graph, Node, leaf
from fastnn.ops.public import OPERATIONS, Operation
from fastnn.runtime.random import streams
from fastnn.spec import Spec
from tests.cases import CASES
from tests.cases.case import Case
from tests.parity import op_db

PAGE = Path(__file__).parents[1] / "docs/operations.md"
HEAD = """# Operations

Every public operation of fastnn: `fn.<name>`, and `fn.nn.functional.<name>`. Names, arguments and
defaults are PyTorch's where PyTorch has the operation. `python -m tools.operations` writes this
page, from the registry (`src/fastnn/ops/public.py`).

- **gradient**: "none" for what has no slope: comparisons, places, class numbers.
- **kernels**: of the forward pass, then of the gradient, in a small test case. An operation without
  kernels of its own is composed of others.
- **checked**: the cases of `tests/cases` that use it, each with values and gradients against a
  float64 twin and finite differences, and the same bits on 1 to 4 threads; then how many of
  PyTorch's own samples agree in values and gradients (`python -m tests.parity.op_db`).
"""
SECTIONS = {"As torch.nn.functional": torch.nn.functional, "As torch": torch,
            "As methods of torch.Tensor": torch.Tensor}
OWN = "fastnn's own"


def names_in(code: CodeType) -> Iterator[str]:
    """Every name that a function's code mentions, also in functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def used(case: Case) -> set[str]:
    """The operations that a case uses: by their functions, or by names in its code."""
    known = {operation.function: name for name, operation in OPERATIONS.items()}
    found: set[str] = set()
    rest: list[Any] = [case.build]
    while rest:
        part = rest.pop()
        if isinstance(part, partial):
            rest += [part.func, *part.args]
        elif isinstance(part, str):
            found.add(part)
        elif callable(part) and part in known:
            found.add(known[part])
        elif hasattr(part, "__code__"):
            found.update(names_in(part.__code__))
            rest += [cell.cell_contents for cell in part.__closure__ or ()]
    return found & OPERATIONS.keys()


def kernels(case: Case) -> tuple[list[str], list[str]]:
    """The kernels of a case, and those of its gradient."""
    inputs = [leaf("input", number, Spec(array.shape, array.dtype))
              for number, array in enumerate(case.arrays())]
    with updates(), streams():
        value = flat(case.build(*inputs))[0]
        forward = Graph.trace(inputs, [value])
        wanted = [inputs[number] for number in case.wanted()]
        upstream = leaf("input", len(inputs), value.spec)
        grads = gradients(value, wanted, upstream) if wanted else []
    known = set(forward.nodes)
    backward = Graph.trace([*inputs, upstream], grads).nodes
    return _called(forward.nodes), _called([node for node in backward if node not in known])


def _called(nodes: Iterable[Node]) -> list[str]:
    return sorted({call.kernel for node in nodes for call in node.op.lower(node)})


def shown(names: list[str]) -> str:
    """Kernels in a cell."""
    return ", ".join(f"`{name}`" for name in names) or "–"


def signature(function: Callable[..., Any]) -> str:
    """A function's arguments, without types."""
    found = inspect.signature(function)
    bare = [one.replace(annotation=one.empty) for one in found.parameters.values()]
    return str(found.replace(parameters=bare, return_annotation=found.empty))


def row(operation: Operation, cases: list[Case], samples: dict[str, op_db.Outcome]) -> str:
    """An operation's line of the table."""
    gradient, forward, backward = "–", "–", "–"
    if cases:
        found = [kernels(case) for case in cases if used(case) == {operation.name}] or [
            kernels(case) for case in cases]
        own, back = min(found, key=lambda pair: (len(pair[0]), -len(pair[1])))
        forward, backward = shown(own), shown(back)
        gradient = "yes" if any(case.wanted() for case in cases) else "none"
    outcomes = [outcome for label, outcome in samples.items()
                if label.partition("/")[0] == operation.name]
    passed, total = (sum(getattr(one, word) for one in outcomes) for word in ("passed", "total"))
    checked = f"{len(cases)} cases" + (f"; {passed} of {total} samples" if total else "")
    return (f"| `{operation.name}{signature(operation.function)}` | {gradient} | {forward} "
            f"| {backward} | {checked} |")


def section(name: str) -> str:
    """Where a name comes from."""
    return next((title for title, home in SECTIONS.items() if hasattr(home, name)), OWN)


def page() -> str:
    """The text of docs/operations.md."""
    samples = {label.removeprefix("nn.functional."): op_db.measure(label)
               for label in op_db.LABELS}
    by_name: dict[str, list[Case]] = {}
    for case in CASES:
        for name in used(case):
            by_name.setdefault(name, []).append(case)
    parts = [HEAD]
    for title in (*SECTIONS, OWN):
        rows = [row(operation, by_name.get(name, []), samples)
                for name, operation in sorted(OPERATIONS.items()) if section(name) == title]
        if rows:
            parts += [f"\n## {title}\n", "| operation | gradient | kernels | of its gradient "
                      "| checked |", "|---|---|---|---|---|", *rows]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
