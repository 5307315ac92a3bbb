"""Module: a part of a net that owns parameters and says how its output is computed.

Called with arrays it runs; called inside another module's forward it adds to the graph. The engine
registers how it runs by `set_runner` (`engine/inference.py`).
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
from fastnn.habits import habit
from fastnn.nn.parameter import Buffer, Parameter, Stored, mode_changed, structure_changed
from fastnn.runtime.locks import process_lock
from fastnn.spec import ShapeError

Self = TypeVar("Self", bound="Module")
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
    checkpointed: bool = False  # see `checkpoint`

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
            inputs = tuple(value if isinstance(value, (tuple, list)) else as_tensor(value)
                           for value in inputs)
            with (scope(_paths.get().get(id(self), current_scope())),
                  region() if self.checkpointed else nullcontext()):
                return self.forward(*inputs, **options)
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
        for table in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__.get(table, ()):
                return self.__dict__[table][name]
        raise AttributeError(habit(type(self).__name__, name))

    def __delattr__(self, name: str) -> None:
        for table in ("_parameters", "_buffers", "_modules"):
            if name in self.__dict__[table]:
                del self.__dict__[table][name]
                break
        else:
            object.__delattr__(self, name)
        structure_changed()

    def register_parameter(self, name: str, value: Parameter | None) -> None:
        """Own a parameter under a name; None means that the layer has none.

        Raises TypeError for anything else, which would not be trained.
        """
        _check_name(name)
        if not isinstance(value, Parameter | None):
            raise TypeError(f"{name} must be an nn.Parameter or None, got {type(value).__name__}: "
                            "write nn.Parameter(array)")
        setattr(self, name, value)

    def register_buffer(self, name: str, value: Any) -> None:
        """Own an array that is saved but not trained."""
        _check_name(name)
        setattr(self, name, value if isinstance(value, Buffer) or value is None else Buffer(value))

    def add_module(self, name: str, module: Module) -> None:
        """Own a module under a name."""
        _check_name(name)
        instance(module, name, Module)
        setattr(self, name, module)

    # Walking the tree.

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, module) of the modules directly inside."""
        yield from self.__dict__["_modules"].items()

    def children(self) -> Iterator[Module]:
        """The modules directly inside."""
        yield from self.__dict__["_modules"].values()

    def named_modules(
        self, prefix: str = "", _seen: set[int] | None = None
    ) -> Iterator[tuple[str, Module]]:
        """(path, module) of this module and all inside, each once."""
        seen = set() if _seen is None else _seen
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name, seen)

    def modules(self) -> Iterator[Module]:
        """This module and all inside, each once."""
        for _, module in self.named_modules():
            yield module

    def _named_stored(self, table: str, every: bool = False) -> Iterator[tuple[str, Stored]]:
        seen: set[int] = set()
        modules = _all_paths(self) if every else self.named_modules()
        for path, module in modules:
            for name, value in module.__dict__[table].items():
                if every or id(value) not in seen:
                    seen.add(id(value))
                    yield (f"{path}.{name}" if path else name), value

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(path, parameter) of all parameters, each once."""
        for name, value in self._named_stored("_parameters"):
            assert isinstance(value, Parameter)
            yield name, value

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, each once."""
        for _, parameter in self.named_parameters():
            yield parameter

    def named_buffers(self) -> Iterator[tuple[str, Stored]]:
        """(path, buffer) of all buffers, each once."""
        yield from self._named_stored("_buffers")

    def get_submodule(self, path: str) -> Module:
        """The module at a path such as "layer1.0.conv1"."""
        _check_name(path)
        module = self
        for name in path.split(".") if path else ():
            if name not in module.__dict__["_modules"]:
                raise KeyError(f"no module {path!r}: {name!r} is missing")
            module = module.__dict__["_modules"][name]
        return module

    # State.

    def state_dict(self) -> dict[str, np.ndarray]:
        """Parameters and buffers by path, with PyTorch's names and shapes; views, not copies."""
        values = {**dict(self._named_stored("_parameters", every=True)),
                  **dict(self._named_stored("_buffers", every=True))}
        order = [f"{path}.{name}" if path else name for path, module in _all_paths(self)
                 for table in ("_parameters", "_buffers") for name in module.__dict__[table]]
        return {name: values[name].data for name in order}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> None:
        """Copy values in by name. Nothing is changed unless all of them fit.

        Other threads compute with the values of before or of after, never with some of each.
        Raises KeyError for missing or unexpected names when strict, ShapeError for a shape.
        """
        instance(state, "the state", Mapping)
        own = {**dict(self._named_stored("_parameters", every=True)),
               **dict(self._named_stored("_buffers", every=True))}
        optional = {name for name in own if name.endswith("num_batches_tracked")}
        missing = [name for name in own if name not in state and name not in optional]
        unexpected = [name for name in state if name not in own]
        if flag(strict, "strict") and (missing or unexpected):
            raise KeyError(f"state_dict does not fit {type(self).__name__}: "
                           f"missing {missing or 'none'}, unexpected {unexpected or 'none'}")
        fitting = {name: np.asarray(state[name]) for name in own if name in state}
        for name, array in fitting.items():
            if array.shape != own[name].shape:
                raise ShapeError(f"{name}: expected shape {own[name].shape}, got {array.shape}")
            if array.dtype.kind not in "fiub":
                raise TypeError(f"{name}: expected numbers, got dtype {array.dtype}")
        with process_lock:
            for name, array in fitting.items():
                own[name].data = array

    def train(self: Self, mode: bool = True) -> Self:
        """Set training mode for this module and all inside (dropout, batch statistics)."""
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
            if (module.training, module.folding) != (training, folding):
                object.__setattr__(module, "training", training)
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

    def __repr__(self) -> str:
        inside = [f"  ({name}): " + repr(child).replace("\n", "\n  ")
                  for name, child in self.named_children()]
        if not inside:
            return f"{type(self).__name__}({self.extra_repr()})"
        return "\n".join([f"{type(self).__name__}(", *inside, ")"])


def _check_name(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"a name must be text, got {name!r:.60}")


def _all_paths(module: Module, prefix: str = "") -> Iterator[tuple[str, Module]]:
    """Every path, with shared modules under each of their paths, as state_dict lists them."""
    yield prefix, module
    for name, child in module.named_children():
        yield from _all_paths(child, f"{prefix}.{name}" if prefix else name)


def _flat(values: Any) -> Iterator[Any]:
    for value in values:
        if isinstance(value, (tuple, list)):
            yield from _flat(value)
        else:
            yield value
