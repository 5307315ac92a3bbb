"""Containers of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from fastnn.arguments import integer
from fastnn.nn.module import Module


class _Ordered(Module):
    """Numbered modules."""

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self.__dict__["_modules"])

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __setitem__(self, key: int, module: Module) -> None:
        self.add_module(list(self.__dict__["_modules"])[self._place(key)], module)

    def _place(self, key: Any) -> int:
        """The position of a module; IndexError ends an iteration; TypeError."""
        number = integer(key, "a module's number")
        if not -len(self) <= number < len(self):
            raise IndexError(f"there is no module {number} of {len(self)}")
        return number


class Sequential(_Ordered):
    """Modules one after the other; also from one dict of names and modules.

    >>> from fastnn.nn.linear import Identity
    >>> len(Sequential(Identity(), Identity()))
    2
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], dict):
            named: Iterable[tuple[str, Module]] = modules[0].items()
        else:
            named = ((str(i), module) for i, module in enumerate(modules))
        for name, module in named:
            if not isinstance(module, Module):
                hint = (f"; an instance is needed: {module.__name__}()"
                        if isinstance(module, type) else "")
                raise TypeError(f"Sequential takes modules, got {module!r:.60} as {name!r}{hint}")
            self.add_module(name, module)

    def forward(self, x: Any) -> Any:
        for module in self.children():
            x = module(x)
        return x

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            return Sequential(*list(self.children())[key])
        return list(self.children())[self._place(key)]


class ModuleList(_Ordered):
    """A list of modules; the owner's forward calls them."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        try:
            listed = list(modules)
        except TypeError:
            raise TypeError(f"ModuleList takes a list of modules, got {modules!r:.60}") from None
        for module in listed:
            self.append(module)

    def __getitem__(self, key: int) -> Module:
        return list(self.children())[self._place(key)]
