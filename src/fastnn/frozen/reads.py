"""Static analysis of bytecode: which Python values the code of a function or module names.

Roots are attributes of modules and of other objects, closure variables, and globals. The analysis
follows calls into the user's functions, but not into fastnn or libraries.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sys
import types
from collections.abc import Callable, ValuesView
from dataclasses import dataclass
from itertools import islice
from typing import Any
from weakref import ref

from fastnn.frozen.values import is_users, of_user
from fastnn.nn.module import Module

MOST = 200  # functions, and objects whose attributes count


@dataclass(frozen=True)
class Root:
    """A variable or an attribute: `read` gives its value, or raises an error if it is gone.

    owner_ref: a weak reference to what the variable belongs to. place: for messages.
    """

    owner_ref: ref[Any]
    name: str
    place: str
    read: Callable[[], Any]

    @property
    def owner(self) -> Any:
        return self.owner_ref()

    def describe(self, path: str) -> str:
        """The value at a path in it, for messages."""
        return f"{self.name}{path}, {self.place},"


@functools.lru_cache(maxsize=4096)
def _named(code: types.CodeType) -> tuple[frozenset[str], frozenset[str]]:
    """(globals, attributes and strings) that a code object and those inside it name."""
    found, names = set[str](), set[str]()
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            found.add(instruction.argval)
        elif instruction.opname in ("LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"):
            names.add(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, str):
            names.add(constant)
        elif isinstance(constant, types.CodeType):
            inner_globals, inner_names = _named(constant)
            found |= inner_globals
            names |= inner_names
    return frozenset(found), frozenset(names)


class Reads:
    """What the code of a function or module, and the code that it calls, names.

    names: all attribute names and strings in that code.
    """

    def __init__(self, function: Any) -> None:
        self.names: set[str] = set()
        self._roots: dict[tuple[int, str], Root] = {}
        self._functions: set[int] = set()
        self._owners: dict[int, tuple[Any, str]] = {}
        self._follow(function)
        before = -1
        while before < len(self.names) + len(self._owners):  # methods name more, and lead to more
            before = len(self.names) + len(self._owners)
            for owner, place in list(self._owners.values()):
                self._attributes(owner, place)

    @property
    def roots(self) -> list[Root]:
        return list(self._roots.values())

    def _follow(self, value: Any) -> None:
        """Follow a call: into a module, a function, or another object of the user's."""
        value = inspect.unwrap(value)  # without the wrappers of decorators and of the engine
        if isinstance(value, Module):
            for path, module in value.named_modules():
                self._module(module, path)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        elif isinstance(value, types.MethodType):
            self._own(value.__self__)
            self._follow(value.__func__)
        elif isinstance(value, functools.partial):
            held = ref(value)
            self._add(value, "arguments", "of a functools.partial", lambda: (
                held().args, held().keywords))  # type: ignore[union-attr]
            self._follow(value.func)
        elif not isinstance(value, type) and is_users(type(value)):
            self._own(value)
            self._follow(inspect.getattr_static(value, "__call__", None))

    def _module(self, module: Module, path: str) -> None:
        forward = inspect.unwrap(inspect.getattr_static(module, "forward"))
        if isinstance(forward, types.FunctionType) and of_user(forward.__code__.co_filename):
            self._own(module, path)
            self._function(forward)
        else:
            for value in list(vars(module).values()):
                if callable(value):
                    self._follow(value)

    def _own(self, owner: Any, path: str = "") -> None:
        if type(owner).__weakrefoffset__ and len(self._owners) < MOST:
            kind = owner.__name__ if isinstance(owner, type) else type(owner).__name__
            self._owners.setdefault(id(owner), (
                owner, f"an attribute of {path} ({kind})" if path else f"an attribute of {kind}"))

    def _function(self, function: types.FunctionType) -> None:
        code = function.__code__
        if (id(function) in self._functions or len(self._functions) >= MOST
                or not of_user(code.co_filename)):
            return
        self._functions.add(id(function))
        found, names = _named(code)
        self.names |= names
        held = ref(function)
        for i, name in enumerate(code.co_freevars):
            def read(i: int = i) -> Any:
                return held().__closure__[i].cell_contents  # type: ignore[union-attr, index]

            self._add(function, name, f"a variable around {function.__qualname__}", read)
        for name, parameter in inspect.signature(function).parameters.items():
            if isinstance(parameter.default, (dict, list, set)):
                def read_default(value: Any = parameter.default) -> Any:
                    return value

                self._add(function, name, f"a default of {function.__qualname__}", read_default)
        scope = function.__globals__
        module: Any = sys.modules.get(function.__module__)
        home = function if module is None or vars(module) is not scope else module
        for name in sorted(found & scope.keys()):
            def read_global(name: str = name) -> Any:
                return held().__globals__[name]  # type: ignore[union-attr]

            self._add(home, name, f"a global that {function.__qualname__} reads", read_global)

    def _attributes(self, owner: Any, place: str) -> None:
        held, own = ref(owner), getattr(owner, "__dict__", {})
        for name in sorted(self.names & own.keys()):
            if name != "training":
                self._add(owner, name, place, functools.partial(_instance, held, name))
        for kind in type(owner).__mro__:
            if not is_users(kind):
                continue
            for name in sorted(self.names & vars(kind).keys() - own.keys()):
                value = inspect.unwrap(vars(kind)[name])
                if isinstance(value, types.FunctionType):
                    self._function(value)
                elif isinstance(value, property):
                    self._follow(value.fget)
                else:
                    self._add(owner, name, place, functools.partial(_static, held, name))

    def _add(self, owner: Any, name: str, place: str, read: Callable[[], Any]) -> None:
        if (id(owner), name) in self._roots:
            return
        self._roots[id(owner), name] = Root(ref(owner), name, place, read)
        try:
            value = read()
        except (ValueError, KeyError):  # a variable without a value so far
            return
        parts = value.values() if isinstance(value, dict) else value
        inside = parts if isinstance(parts, (list, tuple, ValuesView)) else ()
        for part in (value, *islice(inside, MOST)):
            if callable(part):
                self._follow(part)


def _instance(held: ref[Any], name: str) -> Any:
    return held().__dict__[name]


def _static(held: ref[Any], name: str) -> Any:
    return inspect.getattr_static(held(), name)
