"""Containers of modules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from fastnn.nn.module import Module


class Sequential(Module):
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

    def append(self, module: Module) -> Sequential:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self.__dict__["_modules"])

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, key: Any) -> Any:
        modules = list(self.children())
        return Sequential(*modules[key]) if isinstance(key, slice) else modules[key]

    def __setitem__(self, key: int, module: Module) -> None:
        self.add_module(list(self.__dict__["_modules"])[key], module)


class ModuleList(Module):
    """A list of modules; forward is the owner's."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Module) -> ModuleList:
        """Add a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def __len__(self) -> int:
        return len(self.__dict__["_modules"])

    def __iter__(self) -> Iterator[Module]:
        return self.children()

    def __getitem__(self, key: int) -> Module:
        return list(self.children())[key]

    def __setitem__(self, key: int, module: Module) -> None:
        self.add_module(list(self.__dict__["_modules"])[key], module)
