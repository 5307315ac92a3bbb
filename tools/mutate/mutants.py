"""The small mistakes that are tried: each is one place of one file, and what stands there instead.

Kinds: a comparison that is one off or turned round, another operator, a number that is one more, a
condition negated, one of its terms left out, `and` for `or`, `min` for `max`, an argument left
out, None returned, a statement left out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.And: ast.Or, ast.Or: ast.And,
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list",
             "reversed": "list"}
TYPES = ("annotation", "returns", "bases")  # fields that hold no behaviour
ASIDE = ("strict", "help", "stacklevel")  # arguments that only check, or only speak


@dataclass(frozen=True)
class Mutant:
    """Bytes `start` to `end` of a file become `text`.

    lines: those that a test must run to meet it. name: a constant of the module that it changes.
    """

    path: Path
    line: int
    start: int
    end: int
    text: str
    before: str
    after: str
    function: str
    lines: range
    name: str | None

    def apply(self, source: bytes) -> bytes:
        return source[:self.start] + self.text.encode() + source[self.end:]

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.function}\n    - {self.before}\n    + {self.after}"


def mutants_of(path: Path, source: bytes) -> list[Mutant]:
    """All mutants of a file, in the order of its lines.

    >>> [mutant.text for mutant in mutants_of(Path("x.py"), b"LEAST = 2 if a < b else c")]
    ['(2 if not a < b else c)', '(3)', '(a <= b)']
    """
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    return sorted(finder.found, key=lambda mutant: (mutant.line, mutant.start))


class _Finder(ast.NodeVisitor):
    """Collects the mutants of one file."""

    def __init__(self, path: Path, source: bytes) -> None:
        self.path, self.source = path, source
        self.found: list[Mutant] = []
        self._seen: set[tuple[int, str]] = set()
        self._line_starts = [0]
        for line in source.splitlines(keepends=True):
            self._line_starts.append(self._line_starts[-1] + len(line))
        self._whole = range(1, len(self._line_starts))
        self._lines = self._whole
        self._name: str | None = None
        self._names: list[str] = []
        self._in_function = False

    def visit(self, node: ast.AST) -> None:
        if not _is_of_interest(node):
            return
        if isinstance(node, ast.stmt):
            self._statement(node)
        elif isinstance(node, ast.expr):
            for other in _instead_of_expression(node):
                self._add(node, f"({ast.unparse(other)})")
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                self._add(test, "True")
        self._go_on(node)

    def _go_on(self, node: ast.AST) -> None:
        before = self._lines, self._name, self._in_function
        if isinstance(node, ast.stmt):
            self._lines = self._lines_of(node)
            if not self._names and isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                self._name = target.id if isinstance(target, ast.Name) else None
        named = isinstance(node, ast.FunctionDef | ast.ClassDef)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            self._names.append(node.name)
        for field, value in ast.iter_fields(node):
            if field in TYPES:
                continue
            if named and field == "body":
                self._in_function = isinstance(node, ast.FunctionDef) or before[2]
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    self.visit(child)
        if named:
            self._names.pop()
        self._lines, self._name, self._in_function = before

    def _lines_of(self, node: ast.stmt) -> range:
        """The lines that run when a statement does: its own, a function's, or any of the file."""
        if isinstance(node, ast.FunctionDef):
            return range(node.body[0].lineno, (node.end_lineno or 0) + 1)
        if not self._in_function:
            return self._whole
        body = getattr(node, "body", None)
        end = body[0].lineno - 1 if body else node.end_lineno or 0
        return range(node.lineno, max(end, node.lineno) + 1)

    def _statement(self, node: ast.stmt) -> None:
        outer, self._lines = self._lines, self._lines_of(node)
        for text in _instead_of_statement(node, self._in_function):
            self._add(node, text)
        if isinstance(node, ast.If | ast.While) and not _is_turned_round(node.test):
            self._add(node.test, f"({ast.unparse(_negated(node.test))})")
        self._lines = outer

    def _add(self, node: ast.stmt | ast.expr, text: str) -> None:
        assert node.end_lineno is not None and node.end_col_offset is not None
        start = self._line_starts[node.lineno - 1] + node.col_offset
        if (start, text) in self._seen:
            return
        self._seen.add((start, text))
        end = self._line_starts[node.end_lineno - 1] + node.end_col_offset
        mutated = self.source[:start] + text.encode() + self.source[end:]
        before = self._from(self.source, node.lineno, end)
        after = self._from(mutated, node.lineno, start + len(text.encode()))
        self.found.append(Mutant(
            self.path, node.lineno, start, end, text, before, after,
            ".".join(self._names) or "module", self._lines, self._name))

    def _from(self, source: bytes, line: int, end: int) -> str:
        """Whole lines from one to where a change ends, on one line."""
        stop = source.find(b"\n", end)
        text = source[self._line_starts[line - 1]:len(source) if stop < 0 else stop]
        return " ".join(text.decode().split())


def _is_of_interest(node: ast.AST) -> bool:
    """Whether what is inside a node is worth a mutant."""
    if isinstance(node, (ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)):
        return False  # assertions help types; parts of f-strings have no places before Python 3.12
    if isinstance(node, ast.keyword):
        return node.arg not in ASIDE
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id not in ("dataclass", "TypeVar", "NewType", "cast")
    return True


def _instead_of_statement(node: ast.stmt, in_function: bool) -> Iterator[str]:
    match node:
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Delete() | ast.Break():
            yield "pass"
        case ast.Continue():
            yield "break"
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield "return None"
        case ast.AugAssign(op=op):
            yield "pass"
            other = deepcopy(node)
            other.op = OPERATORS[type(op)]()  # type: ignore[assignment]
            yield ast.unparse(other)
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) if in_function:
            yield "pass"


def _instead_of_expression(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value) | float(value)):
            yield ast.Constant(value + 1)
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.Compare(ops=[op]) | ast.BinOp(op=op) if type(op) in OPERATORS:
            yield _changed(node, lambda new: _set_operator(new, OPERATORS[type(op)]()))
        case ast.BoolOp(op=op, values=values):
            yield _changed(node, lambda new: _set_operator(new, OPERATORS[type(op)]()))
            for i in range(len(values)):
                rest = values[:i] + values[i + 1:]
                yield rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
        case ast.IfExp(test=test) if not _is_turned_round(test):
            yield ast.IfExp(_negated(test), node.body, node.orelse)
        case ast.Call():
            yield from _other_calls(node)


def _other_calls(node: ast.Call) -> Iterator[ast.expr]:
    if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
        other = ast.Name(FUNCTIONS[node.func.id])
        yield ast.Call(other, node.args, [] if other.id == "list" else node.keywords)
    for i, keyword in enumerate(node.keywords):
        if keyword.arg not in (None, *ASIDE):
            yield ast.Call(node.func, node.args, node.keywords[:i] + node.keywords[i + 1:])


def _changed(node: ast.expr, change: Callable[[ast.expr], None]) -> ast.expr:
    new = deepcopy(node)
    change(new)
    return new


def _is_turned_round(test: ast.expr) -> bool:
    """Whether its own mutants are its negation already."""
    if isinstance(test, ast.Compare):
        return isinstance(test.ops[0],
                          ast.Is | ast.IsNot | ast.In | ast.NotIn | ast.Eq | ast.NotEq)
    return isinstance(test, ast.UnaryOp)


def _set_operator(node: ast.expr, op: ast.AST) -> None:
    if isinstance(node, ast.Compare):
        node.ops = [op]  # type: ignore[list-item]
    else:
        node.op = op  # type: ignore[attr-defined]


def _negated(test: ast.expr) -> ast.expr:
    return test.operand if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not) else (
        ast.UnaryOp(ast.Not(), test))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
