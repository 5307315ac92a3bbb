"""Module: a part of a net that owns parameters and says how its output is computed.

Called with arrays it runs; called inside another module's forward it adds to the graph. The engine
registers how it runs by `set_runner` (`engine/hooks.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from fastnn.arguments import flag, instance
from fastnn.context import current_scope, region, scope, tracing
from fastnn.graph import Tensor, as_tensor
from fastnn.habits import OF_MODULES, habit
from fastnn.nn.calls import Handle, left, observed
from fastnn.nn.parameter import Buffer, Parameter, Stored, mode_changed, structure_changed
from fastnn.nn.state import LoadedKeys, load

Self = TypeVar("Self", bound="Module")
_TABLES = ("_parameters", "_buffers", "_modules")
_runner: Callable[..., Any] | None = None
_paths: ContextVar[Mapping[int, str]] = ContextVar("paths", default=MappingProxyType({}))


@contextmanager
def layer_paths(root: Module) -> Iterator[None]:
    """Inside, a module called with symbolic tensors marks its nodes with its path in `root`."""
    token = _paths.set({id(module): name for name, module in root.named_modules()})
    try:
        yield
    finally:
        _paths.reset(token)


def set_runner(runner: Callable[..., Any]) -> None:
    """Set the function that computes the output of a module called with arrays."""
    global _runner
    _runner = runner


class Module:
    """Base class of layers and nets, as torch.nn.Module.

    >>> class Net(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.scale = Parameter(np.ones(3))
    ...     def forward(self, x):
    ...         return x * self.scale
    >>> [name for name, _ in Net().named_parameters()]
    ['scale']
    """

    training: bool
    folding: bool = False  # see `eval`
    frozen: bool = False  # in evaluation mode whatever `train` says; see `fn.transfer`
    checkpointed: bool = False  # see `checkpoint`
    hooks: Mapping[int, tuple[Callable[..., Any], bool]] = MappingProxyType({})
    _passing: frozenset[str] = frozenset()  # names of buffers that are not saved

    def __init__(self) -> None:
        object.__setattr__(self, "_parameters", OrderedDict())
        object.__setattr__(self, "_buffers", OrderedDict())
        object.__setattr__(self, "_modules", OrderedDict())
        object.__setattr__(self, "training", True)

    def forward(self, *inputs: Any) -> Any:
        """The output as a function of symbolic tensors."""
        raise NotImplementedError(f"{type(self).__name__} needs a forward")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if tracing() or any(isinstance(value, Tensor) for value in _flat(inputs)):
            inputs = tuple(value if isinstance(value, (tuple, list, dict)) else as_tensor(value)
                           for value in inputs)
            with (scope(_paths.get().get(id(self), current_scope())),
                  region() if self.checkpointed else nullcontext()):
                observed(self, inputs)
                return left(self, inputs, self.forward(*inputs, **options))
        if options:
            raise TypeError(f"{type(self).__name__}: called with arrays it takes no keywords, "
                            f"got {', '.join(options)}; inside a forward it does")
        if _runner is None:
            raise RuntimeError("import fastnn before calling a module with arrays")
        return _runner(self, inputs)

    # Attributes: parameters, buffers and modules are found by their type.

    def __setattr__(self, name: str, value: Any) -> None:
        if "_modules" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__}: call super().__init__() first")
        kinds = {"_parameters": Parameter, "_buffers": Buffer, "_modules": Module}
        home = next((table for table, kind in kinds.items() if isinstance(value, kind)), None)
        if home is not None and isinstance(getattr(type(self), name, None), property):
            raise AttributeError(f"{type(self).__name__} computes {name!r}; it cannot be set")
        for table in kinds:
            if table != home:  # in its own table a new value keeps the place of the old one
                self.__dict__[table].pop(name, None)
        if home is None:
            object.__setattr__(self, name, value)
        else:
            self.__dict__.pop(name, None)
            self.__dict__[home][name] = value
        if home is not None or not tracing():  # a forward may set attributes
            structure_changed()

    def __getattr__(self, name: str) -> Any:
        for table in _TABLES:
            if name in self.__dict__.get(table, ()):
                return self.__dict__[table][name]
        raise AttributeError(habit(type(self).__name__, name, OF_MODULES))

    def __dir__(self) -> list[str]:
        owned = [name for table in _TABLES for name in self.__dict__.get(table, ())]
        return sorted({*super().__dir__(), *(name for name in owned if name.isidentifier())})

    def __delattr__(self, name: str) -> None:
        for table in _TABLES:
            if name in self.__dict__[table]:
                del self.__dict__[table][name]
                break
        else:
            object.__delattr__(self, name)
        structure_changed()

    def register_parameter(self, name: str, value: Parameter | None) -> None:
        """Own a parameter under a name; None means that the layer has none.

        Raises TypeError for anything else, which would not be trained, KeyError for a name that is
        empty, has a dot in it or is taken.
        """
        self._check_new(name, "_parameters")
        if not isinstance(value, Parameter | None):
            raise TypeError(f"{name} must be an nn.Parameter or None, got {type(value).__name__}: "
                            "write nn.Parameter(array)")
        setattr(self, name, value)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Own an array that is not trained; it is saved unless `persistent` is False.

        Raises KeyError as `register_parameter`.
        """
        self._check_new(name, "_buffers")
        saved = flag(persistent, "persistent")
        value = tensor if isinstance(tensor, Buffer) or tensor is None else Buffer(tensor)
        setattr(self, name, value)
        if saved != (name not in self._passing):
            object.__setattr__(self, "_passing", self._passing ^ {name})

    def add_module(self, name: str, module: Module | None) -> None:
        """Own a module under a name; None for a part that this net does not have.

        Raises KeyError as `register_parameter`.
        """
        self._check_new(name, "_modules")
        if module is not None:
            instance(module, name, Module)
        setattr(self, name, module)

    register_module = add_module

    def _check_new(self, name: str, table: str) -> None:
        """Raise unless a parameter, buffer or module may get this name."""
        _check_name(name)
        if not name or "." in name:
            raise KeyError(f"a name must have letters and no dot, got {name!r}")
        if name not in self.__dict__[table] and getattr(self, name, None) is not None:
            raise KeyError(f"{type(self).__name__} has an attribute {name!r} already")

    # Hooks. `engine/hooks.py` calls them.

    def register_forward_hook(self, hook: Callable[..., None], *, prepend: bool = False) -> Handle:
        """Have hook(module, args, output) called with arrays, after each call on arrays.

        args: a tuple. It is called once the whole model has been computed; it sees values, and
        cannot change them: one that returns anything but None is refused. Training steps call
        no hooks. prepend: call it before this module's other hooks.
        Returns a handle, whose `remove()` ends it.

        >>> import fastnn as fn
        >>> net = fn.nn.Sequential(fn.nn.Linear(2, 3), fn.nn.ReLU())
        >>> shapes = []
        >>> handle = net[0].register_forward_hook(
        ...     lambda module, args, output: shapes.append(output.shape))
        >>> _ = net(np.ones((4, 2), np.float32))
        >>> shapes
        [(4, 3)]
        >>> handle.remove()
        """
        return self._hook(hook, True, prepend)

    def register_forward_pre_hook(
        self, hook: Callable[..., None], *, prepend: bool = False
    ) -> Handle:
        """Have hook(module, args) called with arrays; all else as `register_forward_hook`."""
        return self._hook(hook, False, prepend)

    def _hook(self, hook: Callable[..., None], after: bool, prepend: bool) -> Handle:
        if not callable(hook):
            raise TypeError(f"a hook is a function, got {hook!r:.60}")
        handle = Handle(self)
        new = {handle.id: (hook, after)}
        handle.set({**new, **self.hooks} if flag(prepend, "prepend") else {**self.hooks, **new})
        return handle

    # Walking the tree.

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules directly inside."""
        yield from self.__dict__["_modules"].items()

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        yield from self.__dict__["_modules"].values()

    def named_modules(
        self, memo: set[int] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """(path, module) of this module and all inside, each once or under each of its paths."""
        seen = set() if memo is None else memo
        if id(self) in seen and remove_duplicate:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(seen, _joined(prefix, name), remove_duplicate)

    def modules(self) -> Iterator[Module]:
        """This module and all inside, each once."""
        for _, module in self.named_modules():
            yield module

    def _named_stored(
        self, table: str, prefix: str = "", recurse: bool = True, once: bool = True
    ) -> Iterator[tuple[str, Stored]]:
        seen: set[int] = set()
        modules = (self.named_modules(prefix=prefix, remove_duplicate=once)
                   if flag(recurse, "recurse") else [(prefix, self)])
        for path, module in modules:
            for name, value in module.__dict__[table].items():
                if not once or id(value) not in seen:
                    seen.add(id(value))
                    yield _joined(path, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) of all parameters, each once; without recurse, of this module's own."""
        once = flag(remove_duplicate, "remove_duplicate")
        for name, value in self._named_stored("_parameters", prefix, recurse, once):
            assert isinstance(value, Parameter)
            yield name, value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once; without recurse, this module's own."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Stored]]:
        """(path, buffer) of all buffers, each once; without recurse, of this module's own."""
        once = flag(remove_duplicate, "remove_duplicate")
        yield from self._named_stored("_buffers", prefix, recurse, once)

    def buffers(self, recurse: bool = True) -> Iterator[Stored]:
        """All buffers, each once; without recurse, this module's own."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "layer1.0.conv1"; KeyError if there is none."""
        _check_name(target)
        module = self
        for name in target.split(".") if target else ():
            if name not in module.__dict__["_modules"]:
                raise KeyError(f"no module {target!r}: {name!r} is missing")
            module = module.__dict__["_modules"][name]
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "layer1.0.weight"; KeyError if there is none."""
        return self._get(target, "_parameters", "parameter")  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Stored:
        """The buffer at a path such as "bn.running_mean"; KeyError if there is none."""
        return self._get(target, "_buffers", "buffer")  # type: ignore[no-any-return]

    def _get(self, target: str, table: str, what: str) -> Any:
        _check_name(target)
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path).__dict__[table]
        if name not in found:
            raise KeyError(f"no {what} {target!r}; there are {sorted(found) or 'none'}")
        return found[name]

    # State.

    def _saved(self) -> dict[str, Stored]:
        """Parameters and buffers by path, as they are saved."""
        return {_joined(path, name): value
                for path, module in self.named_modules(remove_duplicate=False)
                for table in ("_parameters", "_buffers")
                for name, value in module.__dict__[table].items()
                if table == "_parameters" or name not in module._passing}

    def state_dict(self, *, prefix: str = "") -> dict[str, np.ndarray]:
        """Parameters and buffers by path, with PyTorch's names and shapes; views, not copies.

        prefix: goes before each name, as in "model.".
        """
        _check_name(prefix)
        return {prefix + name: value.data for name, value in self._saved().items()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> LoadedKeys:
        """Copy values in by name. Nothing is changed unless all of them fit.

        Returns the names that were missing and those that nothing here has.

        Other threads compute with the values of before or of after, never with some of each.
        Raises KeyError for missing or unexpected names when strict, ShapeError for a shape.
        """
        return load(self._saved(), state_dict, strict, type(self).__name__)

    def train(self: Self, mode: bool = True) -> Self:
        """Set training mode for this module and all inside (dropout, batch statistics).

        Those that `fn.transfer` has frozen stay in evaluation mode.
        """
        return self._set_mode(flag(mode, "mode"), False)

    def eval(self: Self, fold: bool = False) -> Self:
        """Set evaluation mode for this module and all inside.

        fold: when this module is called on arrays, batch norms become part of the convolution or
        linear layer before them. It is faster for small batches, and changes the last bits.

        >>> import fastnn as fn
        >>> net = fn.nn.Sequential(fn.nn.Conv2d(3, 4, 3), fn.nn.BatchNorm2d(4)).eval(fold=True)
        >>> net(np.ones((1, 3, 5, 5), np.float32)).shape
        (1, 4, 3, 3)
        """
        return self._set_mode(False, flag(fold, "fold"))

    def _set_mode(self: Self, training: bool, folding: bool) -> Self:
        for module in self.modules():
            mode = training and not module.frozen
            if (module.training, module.folding) != (mode, folding):
                object.__setattr__(module, "training", mode)
                object.__setattr__(module, "folding", folding)
                mode_changed()
        return self

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Freeze or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def apply(self: Self, function: Callable[[Module], object]) -> Self:
        """Call a function on every module inside, then on this one."""
        if not callable(function):
            raise TypeError(f"apply takes a function of a module, got {function!r:.60}")
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    def extra_repr(self) -> str:
        """The arguments, for printing."""
        return ""

    def _get_name(self) -> str:
        """The name of the class, for printing."""
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr().splitlines()
        inside = [f"({name}): {child!r}" for name, child in self.named_children()]
        return self._printed(extra, inside)

    def _printed(self, extra: list[str], inside: list[str]) -> str:
        if len(extra) < 2 and not inside:
            return f"{self._get_name()}({''.join(extra)})"
        lines = ["  " + line.replace("\n", "\n  ") for line in (*extra, *inside)]
        return "\n".join([f"{self._get_name()}(", *lines, ")"])


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a name must be text, got {name!r:.60}")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        elif isinstance(value, dict):
            yield from _flat(value.values())
        else:
            yield value
