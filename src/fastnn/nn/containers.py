"""Containers of modules and of parameters, as PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Self

from fastnn.arguments import instance, integer
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter, structure_changed


def _place(key: Any, length: int, what: str) -> int:
    """A position from 0 on; IndexError ends an iteration; TypeError."""
    number = integer(key, f"a {what}'s number")
    if not -length <= number < length:
        raise IndexError(f"there is no {what} {number} of {length}")
    return number % length


def _listed(values: Any, owner: str, what: str) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"{owner} takes a list of {what}s, got {values!r:.60}") from None


def _pairs(values: Any, owner: str) -> list[tuple[str, Any]]:
    """(name, value) of a mapping or of pairs."""
    if hasattr(values, "items"):
        return list(values.items())
    pairs = _listed(values, owner, "(name, value) pair")
    if not all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in pairs):
        raise TypeError(f"{owner} takes a dict, or (name, value) pairs, got {values!r:.60}")
    return [(name, value) for name, value in pairs]


class _Ordered(Module):
    """Numbered modules."""

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self._add(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in _listed(modules, type(self).__name__, "module"):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Put a module before the one at an index; all get the numbers of their places."""
        number = integer(index, "a module's number")
        if not -len(self) <= number <= len(self):
            raise IndexError(f"there is no place {number} among {len(self)} modules")
        modules = list(self.children())
        modules.insert(number, self._checked(module, str(number)))
        self._number(modules)
        return self

    def pop(self, key: int = -1) -> Module:
        """Take a module out and return it."""
        module = list(self.children())[_place(key, len(self), "module")]
        del self[key]
        return module

    def __len__(self) -> int:
        return len(self.__dict__["_modules"])

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __setitem__(self, key: int, module: Module) -> None:
        self._add(list(self.__dict__["_modules"])[_place(key, len(self), "module")], module)

    def __delitem__(self, key: int | slice) -> None:
        modules = list(self.children())
        del modules[key if isinstance(key, slice) else _place(key, len(self), "module")]
        self._number(modules)

    def __iadd__(self, others: Iterable[Module]) -> Self:
        return self.extend(others)

    def __add__(self, others: Iterable[Module]) -> Self:
        return type(self)().extend(self).extend(others)

    def _number(self, modules: list[Module]) -> None:
        own = self.__dict__["_modules"]
        own.clear()
        own.update((str(i), module) for i, module in enumerate(modules))
        structure_changed()

    def _add(self, name: str, module: Module) -> None:
        self.add_module(name, self._checked(module, name))

    def _checked(self, module: Module, name: str) -> Module:
        if not isinstance(module, Module):
            hint = (f"; an instance is needed: {module.__name__}()"
                    if isinstance(module, type) else "")
            raise TypeError(f"{type(self).__name__} takes modules, got {module!r:.60} as "
                            f"{name!r}{hint}")
        return module


class Sequential(_Ordered):
    """Modules one after the other; also from one dict of names and modules.

    A slice is a Sequential of the same modules under the same names.

    >>> from fastnn.nn.linear import Identity
    >>> len(Sequential(Identity(), Identity()))
    2
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], dict):
            named: Iterable[tuple[str, Module]] = args[0].items()
        else:
            named = ((str(i), module) for i, module in enumerate(args))
        for name, module in named:
            self._add(name, module)

    def forward(self, input: Any) -> Any:
        for module in self.children():
            input = module(input)
        return input

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return Sequential(dict(list(self.named_children())[key]))
        return list(self.children())[_place(key, len(self), "module")]

    def __mul__(self, times: int) -> Sequential:
        times = integer(times, "what a Sequential is multiplied by", "an integer from 1 on", 1)
        return Sequential(*list(self.children()) * times)

    __rmul__ = __mul__


class ModuleList(_Ordered):
    """A list of modules; the owner's forward calls them."""

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(() if modules is None else modules)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return ModuleList(list(self.children())[key])
        return list(self.children())[_place(key, len(self), "module")]

    def __repr__(self) -> str:
        inside, done = [], 0
        for text, same in groupby(map(repr, self.children())):
            count = len(list(same))
            inside.append(f"({done}): {text}" if count == 1 else
                          f"({done}-{done + count - 1}): {count} x {text}")
            done += count
        return self._printed([], inside)


class ModuleDict(Module):
    """Modules by name; the owner's forward calls them.

    >>> from fastnn.nn.linear import Identity
    >>> heads = ModuleDict({"first": Identity()})
    >>> heads["second"] = Identity()
    >>> list(heads), "first" in heads
    (['first', 'second'], True)
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(() if modules is None else modules)

    def __getitem__(self, key: str) -> Module:
        return self.__dict__["_modules"][key]  # type: ignore[no-any-return]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, instance(module, f"module {key!r}", Module))

    def __delitem__(self, key: str) -> None:
        del self.__dict__["_modules"][key]
        structure_changed()

    def __len__(self) -> int:
        return len(self.__dict__["_modules"])

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__["_modules"])

    def __contains__(self, key: str) -> bool:
        return key in self.__dict__["_modules"]

    def keys(self) -> Iterable[str]:
        """The names."""
        return self.__dict__["_modules"].keys()  # type: ignore[no-any-return]

    def values(self) -> Iterable[Module]:
        """The modules."""
        return self.__dict__["_modules"].values()  # type: ignore[no-any-return]

    def items(self) -> Iterable[tuple[str, Module]]:
        """(name, module) of each."""
        return self.__dict__["_modules"].items()  # type: ignore[no-any-return]

    def pop(self, key: str) -> Module:
        """Take a module out and return it."""
        module = self[key]
        del self[key]
        return module

    def clear(self) -> None:
        """Take all modules out."""
        self.__dict__["_modules"].clear()
        structure_changed()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Add or replace modules, from a dict or pairs."""
        for name, module in _pairs(modules, "ModuleDict"):
            self[name] = module


def _as_parameter(value: Any) -> Parameter:
    return value if isinstance(value, Parameter) else Parameter(value)


def _described(owner: Module) -> str:
    """A line for each parameter, as PyTorch prints them."""
    return "\n".join(f"  ({name}): Parameter containing: [{parameter.dtype} of size "
                     f"{'x'.join(map(str, parameter.shape))}]"
                     for name, parameter in owner.named_parameters())


class ParameterList(Module):
    """A list of parameters; arrays become parameters.

    >>> import numpy as np
    >>> weights = ParameterList([np.zeros((2, 3)), np.zeros(3)])
    >>> [name for name, _ in weights.named_parameters()]
    ['0', '1']
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self.extend(() if values is None else values)

    def append(self, value: Any) -> Self:
        """Add a parameter at the end."""
        self.register_parameter(str(len(self)), _as_parameter(value))
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add parameters at the end."""
        for value in _listed(values, "ParameterList", "parameter"):
            self.append(value)
        return self

    def pop(self, key: int = -1) -> Parameter:
        """Take a parameter out and return it."""
        values = list(self)
        value = values.pop(_place(key, len(self), "parameter"))
        own = self.__dict__["_parameters"]
        own.clear()
        own.update((str(i), value) for i, value in enumerate(values))
        structure_changed()
        return value

    def __len__(self) -> int:
        return len(self.__dict__["_parameters"])

    def __iter__(self) -> Iterator[Parameter]:
        return iter(list(self.__dict__["_parameters"].values()))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return ParameterList(list(self)[key])
        return self.__dict__["_parameters"][str(_place(key, len(self), "parameter"))]

    def __setitem__(self, key: int, value: Any) -> None:
        number = _place(key, len(self), "parameter")
        self.register_parameter(str(number), _as_parameter(value))

    __iadd__ = extend

    def extra_repr(self) -> str:
        return _described(self)


class ParameterDict(Module):
    """Parameters by name; arrays become parameters.

    >>> import numpy as np
    >>> scales = ParameterDict({"left": np.ones(2)})
    >>> scales["right"] = np.ones(3)
    >>> [(name, scale.shape) for name, scale in scales.items()]
    [('left', (2,)), ('right', (3,))]
    """

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.update({} if parameters is None else parameters)

    def __getitem__(self, key: str) -> Parameter:
        return self.__dict__["_parameters"][key]  # type: ignore[no-any-return]

    def __setitem__(self, key: str, value: Any) -> None:
        self.register_parameter(key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self.__dict__["_parameters"][key]
        structure_changed()

    def __len__(self) -> int:
        return len(self.__dict__["_parameters"])

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__["_parameters"])

    def __reversed__(self) -> Iterator[str]:
        yield from reversed(list(self))

    def __contains__(self, key: str) -> bool:
        return key in self.__dict__["_parameters"]

    def __or__(self, other: ParameterDict) -> ParameterDict:
        return ParameterDict({**dict(self.items()), **dict(other.items())})

    def copy(self) -> ParameterDict:
        """Another dict of the same parameters."""
        return ParameterDict(self)

    def keys(self) -> Iterable[str]:
        """The names."""
        return self.__dict__["_parameters"].keys()  # type: ignore[no-any-return]

    def values(self) -> Iterable[Parameter]:
        """The parameters."""
        return self.__dict__["_parameters"].values()  # type: ignore[no-any-return]

    def items(self) -> Iterable[tuple[str, Parameter]]:
        """(name, parameter) of each."""
        return self.__dict__["_parameters"].items()  # type: ignore[no-any-return]

    def get(self, key: str, default: Any = None) -> Any:
        """The parameter of a name, or a default."""
        return self.__dict__["_parameters"].get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Parameter:
        """The parameter of a name; if there is none, the default becomes it."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str) -> Parameter:
        """Take a parameter out and return it."""
        parameter = self[key]
        del self[key]
        return parameter

    def popitem(self) -> tuple[str, Parameter]:
        """Take the last parameter out and return (name, parameter)."""
        name = next(reversed(self))
        return name, self.pop(name)

    def clear(self) -> None:
        """Take all parameters out."""
        self.__dict__["_parameters"].clear()
        structure_changed()

    def update(self, parameters: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add or replace parameters, from a dict or pairs."""
        for name, value in _pairs(parameters, "ParameterDict"):
            self[name] = value

    def extra_repr(self) -> str:
        return _described(self)
