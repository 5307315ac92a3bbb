"""A cache of the last few plans: each shape, mode and setting is planned once.

A call whose arrays match those of the last one goes straight to its program (`PlanCache.bind`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from fastnn.advice import explained
from fastnn.engine.compiled import Compiled
from fastnn.engine.inputs import as_inputs, specs_of
from fastnn.engine.nesting import flat
from fastnn.frozen.watch import collecting
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter, versions
from fastnn.ops.conv_algorithm import get_conv_algorithm
from fastnn.plan.budget import Allowance
from fastnn.runtime.garbage import collected_rarely
from fastnn.runtime.threads import get_num_threads

PLANS_KEPT = 8
Settings = tuple[tuple[int, int], int, str, Allowance | None]


def modes(*owners: Any, parameters: Iterable[Parameter] = ()) -> tuple[bool, ...]:
    """What a graph depends on besides shapes: flags, and which parameters are trained."""
    modules = [owner for owner in owners if isinstance(owner, Module)]
    flags = [inner.training for module in modules for inner in module.modules()]
    flags += [module.folding for module in modules]
    trained = [p.requires_grad for module in modules for p in module.parameters()]
    return (*flags, *trained, *(p.requires_grad for p in parameters))


def settings_of(allowance: Allowance | None) -> Settings:
    """What every plan depends on besides shapes; versions change whenever modes do."""
    return versions(), get_num_threads(), get_conv_algorithm(), allowance


class PlanCache:
    """The last few compiled graphs, by shapes, modes and settings.

    find_modes: what they depend on besides shapes and settings; see `modes`. A running graph takes
    no other inputs: a call in the meantime gets a second graph.
    """

    def __init__(self, find_modes: Callable[[], tuple[bool, ...]]) -> None:
        self._modes = find_modes
        self._kept: OrderedDict[Any, Compiled] = OrderedDict()
        # The graph used last, unless it may still be running at the next call.
        self._last: tuple[Settings, Compiled, Any] | None = None

    def bind(
        self, values: tuple[Any, ...], names: Sequence[str], make: Callable[[Any], Compiled],
        allowance: Allowance | None = None, given: tuple[Any, ...] | None = None,
    ) -> Compiled:
        """The compiled graph for these arrays, bound to them.

        given: what they were converted from, for error messages. Raises what `as_input` and `make`
        raise, and ValueError for class numbers out of range.
        """
        last = self._last
        if (last is not None and last[0] == settings_of(allowance)
                and (allowance is None or last[1].fits(allowance)) and last[1].take(values)):
            if last[1].watch.noted:
                last[1].watch.used()
            return last[1]
        arrays = tuple(map(as_inputs, values, names))
        with explained(names, values if given is None else given):
            compiled = self.get(specs_of(arrays), make, allowance)
        compiled.bind(flat(arrays))
        return compiled

    def latest(self, settings: Settings) -> Compiled | None:
        """The graph used last, if it is for these settings."""
        return self._last[1] if self._last is not None and self._last[0] == settings else None

    def kept(self, specs: Any, settings: Settings) -> Compiled | None:
        """The graph for inputs of these specs if it is kept, and may run beside others."""
        key = self._key(specs, settings, 0)
        compiled = self._kept.get(key)
        if compiled is None or not compiled.may_run_beside:
            return None
        self._kept.move_to_end(key)
        self._last = settings, compiled, specs
        return compiled

    def get(
        self, specs: Any, make: Callable[[Any], Compiled], allowance: Allowance | None = None
    ) -> Compiled:
        """The compiled graph for inputs of these specs, from the cache or a new one."""
        settings = settings_of(allowance)
        if (self._last is not None and (self._last[0], self._last[2]) == (settings, specs)
                and self._last[1].fits(allowance)):
            self._last[1].watch.used()
            return self._last[1]
        self._forget(settings[0][0])
        depth, compiled = self._idle(specs, settings)
        if compiled is not None and not compiled.make_fit(allowance):
            compiled = self._last = None
        if compiled is None:
            with collected_rarely(), collecting() as watch:
                compiled = make(specs)
            compiled.watch = watch
            settings = settings_of(allowance)
        else:
            compiled.watch.used()
        self._kept[self._key(specs, settings, depth)] = compiled
        while len(self._kept) > PLANS_KEPT:
            self._kept.popitem(last=False)
        self._last = None if compiled.executor.calls_python else (settings, compiled, specs)
        return compiled

    def clear(self) -> None:
        """Forget all plans, which frees their memory."""
        self._kept.clear()
        self._last = None

    def _idle(self, specs: Any, settings: Settings) -> tuple[int, Compiled | None]:
        """(how many of these graphs are running, the first idle one, taken out of the cache)."""
        depth = 0
        while True:
            key = self._key(specs, settings, depth)
            if key not in self._kept or not self._kept[key].is_running:
                return depth, self._kept.pop(key, None)
            depth += 1

    def _key(self, specs: Any, settings: Settings, depth: int) -> tuple[Any, ...]:
        (structure, _), *others = settings
        return structure, specs, *others, self._modes(), depth

    def _forget(self, structure: int) -> None:
        """Forget plans that were made before a model's structure changed."""
        for key in [key for key in self._kept if key[0] != structure]:
            del self._kept[key]
        if self._last is not None and self._last[0][0][0] != structure:
            self._last = None
