"""Transfer learning: a trained net gets a new head, and is frozen and thawed by depth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fastnn.arguments import instance, integer
from fastnn.engine.inputs import as_inputs, specs_of
from fastnn.engine.layer_values import LayerValues, called, find_layer
from fastnn.nn.containers import ModuleList, Sequential
from fastnn.nn.linear import Linear
from fastnn.nn.module import Module
from fastnn.optim.layerwise import layerwise_groups
from fastnn.plan.budget import Budget
from fastnn.training.prediction import computed


class Block:
    """A part of the body that is frozen or thawed as one: a layer with what belongs to it."""

    def __init__(self, path: str, module: Module) -> None:
        self.path, self.modules = path, [module]

    @property
    def is_frozen(self) -> bool:
        """Whether it stays as it is while the net is trained."""
        return all(module.frozen for module in self.modules)


class Transfer:
    """A net with a new head; see `transfer`, which makes it.

    model: the net. head: its new last layer, named `head_path`. blocks: of the body, from the first
    to the last.
    """

    def __init__(self, model: Module, head_path: str, head: Linear) -> None:
        self.model, self.head_path, self.head = model, head_path, head
        self.blocks = tuple(_blocks(model, head))
        self.freeze()

    def freeze(self) -> Transfer:
        """Keep the body as it is in training: weights, running statistics, no dropout."""
        return self._thaw_from(len(self.blocks))

    def thaw(self, blocks: int | str | None = None) -> Transfer:
        """Train the last blocks of the body too, and freeze those before them.

        blocks: how many, or the path of the first one, such as "layer4.0"; None for all. An
        optimizer that was made before does not know the thawed parameters: make one of `groups`.
        """
        if blocks is None:
            return self._thaw_from(0)
        if isinstance(blocks, str):
            module, paths = find_layer(self.model, blocks, "blocks"), _places(self.blocks)
            inside = [paths[id(inner)] for inner in module.modules() if id(inner) in paths]
            if not inside:
                raise ValueError(f"blocks is {blocks!r}, which is no part of the body")
            return self._thaw_from(min(inside))
        most = len(self.blocks)
        count = integer(blocks, "blocks", f"an integer from 0 to {most}, or a path", 0, most)
        return self._thaw_from(most - count)

    def _thaw_from(self, first: int) -> Transfer:
        places = _places(self.blocks)
        holders = []
        for module in self.model.modules():
            if id(module) in places:
                _set(module, places[id(module)] < first)
            elif module is not self.head:
                holders.append(module)
        for module in reversed(holders):  # the inner ones before those that hold them
            _set(module, all(inner.frozen for inner in module.children()
                             if inner is not self.head))
            for parameter in module.parameters(recurse=False):  # a class token, say
                parameter.requires_grad = first == 0
        return self

    def groups(self, lr: float, decay: float = 0.5, **options: Any) -> list[dict[str, Any]]:
        """Parameter groups of an optimizer: the head at the rate lr, each block before it at
        `decay` times the rate of the one after it.

        Only what is trained is in them. options: of every group, such as weight_decay.
        Source: Howard and Ruder, "Universal language model fine-tuning", 2018.
        """
        layers = [*(block.modules for block in self.blocks if not block.is_frozen), [self.head]]
        groups = layerwise_groups(self.model, lr, decay, layers, **options)
        for group in groups:
            group["params"] = [each for each in group["params"] if each.requires_grad]
        return [group for group in groups if group["params"]]

    def features(self, x: Any, batch_size: int = 256, memory_budget: Budget = None) -> Any:
        """What the head reads for many examples, the net in eval mode: to train it on.

        The body runs once; training `head` on the results is training `model` with a frozen
        body. x, batch_size, memory_budget: as for `fn.features`. An array (n, ..., in_features).

        Raises ValueError if the net goes on after its head, so that training the head alone would
        be another thing.
        """
        return computed(_HeadInput(self.model, self.head_path), x, batch_size, memory_budget,
                        "features of a model")

    def __repr__(self) -> str:
        lines = [(block.path, sum(each.size for module in block.modules
                                  for each in module.parameters()),
                  "frozen" if block.is_frozen else "trained") for block in self.blocks]
        lines.append((self.head_path, sum(each.size for each in self.head.parameters()), "head"))
        width = max(len(path) for path, _, _ in lines)
        return "\n".join([f"Transfer of a {type(self.model).__name__}",
                          *(f"  {path:{width}}  {count:>12,}  {word}"
                            for path, count, word in lines)])


def transfer(model: Module, classes: int, head: str | None = None) -> Transfer:
    """Give a trained net a new head, and freeze the rest of it, its body.

    The body turns examples into features, which are of use for other tasks than the one that it
    was trained for; the head is a linear classifier on them. First train the head alone, on
    features that are computed once; then, with enough examples, thaw the last blocks and go on at
    small rates.

    model: a Module, changed in place: its head becomes a new `nn.Linear` with `classes` outputs.
    classes: 2 or more. head: the path of the layer to replace, such as "classifier.1"; by default
    the last Linear of the net.

    What is frozen stays in evaluation mode whatever `model.train()` says: running statistics stay,
    nothing is dropped, as in Keras. Blocks are the modules directly in the model, those of
    containers one by one; one without weights of two axes (a norm, an activation) belongs to the
    block before it.

    Raises TypeError; ValueError for a path that there is not, with the nearest ones, a net without
    a Linear, fewer than 2 classes. Nothing is changed then.
    Source: Yosinski, Clune, Bengio and Lipson, "How transferable are features in deep neural
    networks?", 2014.

    >>> import numpy as np, fastnn as fn
    >>> net = fn.nn.Sequential(fn.nn.Linear(4, 8), fn.nn.ReLU(), fn.nn.Linear(8, 8), fn.nn.ReLU(),
    ...                        fn.nn.Linear(8, 10))
    >>> task = transfer(net, classes=3)
    >>> task
    Transfer of a Sequential
      0            40  frozen
      2            72  frozen
      4            27  head
    >>> x = task.features(np.ones((5, 4), np.float32))    # the body runs once
    >>> x.shape, task.head(x).shape                       # train task.head on x ...
    ((5, 8), (5, 3))
    >>> optimizer = fn.optim.AdamW(task.thaw(1).groups(lr=0.01))     # ... then task.model
    >>> [(len(group["params"]), group["lr"]) for group in optimizer.param_groups]
    [(2, 0.005), (2, 0.01)]
    """
    instance(model, "model", Module)
    outputs = integer(classes, "classes", "an integer from 2 on", 2)
    path = _last_linear(model) if head is None else head
    old = find_layer(model, path, "head")
    if not isinstance(old, Linear) or not path:
        raise ValueError(f"head is {head!r}, a {type(old).__name__} of {type(model).__name__}: "
                         "expected the path of a Linear inside of it")
    new = Linear(old.in_features, outputs, bias=old.bias is not None)
    above, _, name = path.rpartition(".")
    setattr(model.get_submodule(above), name, new)
    return Transfer(model, path, new)


def _last_linear(model: Module) -> str:
    found = [path for path, module in model.named_modules() if path and isinstance(module, Linear)]
    if not found:
        raise ValueError(f"{type(model).__name__} has no Linear inside that could be its head")
    return found[-1]


class _HeadInput(LayerValues):
    """What the head of a net reads, if the net ends with it."""

    def __init__(self, model: Module, path: str) -> None:
        super().__init__(model, (path,), reads=True)
        self._path, self._checked = path, False

    def __call__(self, *inputs: Any) -> np.ndarray:
        if not self._checked:
            self._check(specs_of(tuple(as_inputs(value, f"input {number}")
                                       for number, value in enumerate(inputs))))
        values: np.ndarray = super().__call__(*inputs)[0][0]
        return values

    def output(self, specs: Any) -> Any:
        return super().output(specs)[0][0]

    def _check(self, specs: Any) -> None:
        traced, [(_, output)] = called(self.model, [self._path], specs)
        if traced.output is not output:
            raise ValueError(f"{type(self.model).__name__} goes on after its head {self._path!r}: "
                             "training the head alone would leave that out; train the whole model")
        self._checked = True


def _blocks(model: Module, head: Module) -> Iterator[Block]:
    """The body's blocks in their order, with all modules outside of the head."""
    block: Block | None = None
    for path, part in _parts(model, head):
        heavy = any(parameter.ndim > 1 for parameter in part.parameters())
        if block is None or (heavy and any(each.ndim > 1 for module in block.modules
                                           for each in module.parameters())):
            if block is not None:
                yield block
            block = Block(path, part)
        else:
            block.modules.append(part)
    if block is not None:
        yield block


def _parts(module: Module, head: Module, path: str = "") -> Iterator[tuple[str, Module]]:
    """(path, module) directly in a module, with those of containers, and beside the head, one by
    one."""
    for name, child in module.named_children():
        inner = f"{path}.{name}" if path else name
        if child is head:
            continue
        if isinstance(child, (Sequential, ModuleList)) or head in list(child.modules()):
            yield from _parts(child, head, inner)
        else:
            yield inner, child


def _places(blocks: tuple[Block, ...]) -> dict[int, int]:
    """The number of its block for each module, by id; the last one for a shared module."""
    return {id(inner): number for number, block in enumerate(blocks)
            for module in block.modules for inner in module.modules()}


def _set(module: Module, frozen: bool) -> None:
    module.frozen = frozen
    if frozen:
        module.training = False
    for parameter in module.parameters(recurse=False):
        parameter.requires_grad = not frozen
