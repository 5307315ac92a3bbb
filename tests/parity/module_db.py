"""PyTorch's own samples of its modules (module_db), in float32: outputs and gradients of each.

python -m tests.parity.module_db                     all modules; prints a table, and what fails
python -m tests.parity.module_db --only Conv,Norm    those whose name contains a word
python -m tests.parity.module_db --share 10          each tenth sample

Each sample makes a module of both, with the same arguments; weights go over by state_dict. Compared
are outputs, gradients of inputs and parameters, and the buffers after it, in training and in eval
mode; and the text that print gives. Modules that fastnn does not have count as absent.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

import fastnn as fn
from fastnn import nn
from fastnn.autodiff import gradients
from fastnn.context import updates
from fastnn.graph import Graph, as_tensor
from fastnn.ops.boundary import array_input
from fastnn.runtime.random import streams
from fastnn.spec import FLOAT, Spec
from tests.harness import run
from tests.parity.compare import torch
from tests.parity.op_db import compare, converted, flat, own_dtypes

# Recurrent, attention, of three axes, lazy, or with random windows: docs/operations_later.md.
LATER = ("RNN", "GRU", "LSTM", "Transformer", "Attention", "3d", "Lazy", "CTC", "Fractional",
         "LinearCrossEntropy")
ABSENT = "absent"


@dataclass
class Outcome:
    """What became of a module's samples; printed: of how many the text differs."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All samples."""
        return self.passed + len(self.failed)


def entries():
    """The entries of module_db that are compared."""
    from torch.testing._internal.common_modules import module_db
    return [entry for entry in module_db if not any(word in entry.name for word in LATER)]


def samples(entry, training):
    """The samples of an entry, always the same."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(entry.module_inputs_func(
            entry, device="cpu", dtype=torch.float32, requires_grad=True, training=training))


def arrays_of(value):
    """Constructor arguments with NumPy's arrays for PyTorch's tensors."""
    return own_dtypes(converted(value, lambda tensor: tensor.detach().numpy()))


def without_place(arguments):
    """Keywords without those of dtype and device, which have one value here."""
    return {name: value for name, value in arguments.items() if name not in ("device", "dtype")}


def pair(entry, sample, training):
    """(our module, PyTorch's in float64), with the same weights; NotImplementedError if absent."""
    name = entry.name.removeprefix("nn.")
    if not hasattr(nn, name):
        raise NotImplementedError(ABSENT)
    made = sample.constructor_input
    torch.manual_seed(1)
    twin = entry.module_cls(*made.args, **made.kwargs).train(training)
    ours = getattr(nn, name)(*arrays_of(made.args), **arrays_of(without_place(made.kwargs)))
    state = {key: value.detach().numpy() for key, value in twin.state_dict().items()}
    # PyTorch keeps weights of losses in the state too, under the same names.
    ours.load_state_dict(state)
    assert list(ours.state_dict()) == list(state), f"state_dict {list(ours.state_dict())}"
    return ours.train(training), twin


def reference(twin, sample, wide):
    """PyTorch's outputs, upstream gradients, gradients and buffers."""
    dtype = torch.float64 if wide else torch.float32
    twin.to(dtype)
    leaves = []

    def tensor(value):
        if not value.is_floating_point():
            return value
        made = value.detach().to(dtype).requires_grad_(value.requires_grad)
        if value.requires_grad:
            leaves.append(made)
        return made

    given = sample.forward_input
    results = flat(twin(*converted(list(given.args), tensor), **converted(given.kwargs, tensor)))
    rng = np.random.default_rng(12345)
    cotangents = [rng.standard_normal(tuple(part.shape)).astype(np.float32)
                  if part.requires_grad else None for part in results]
    leaves += list(twin.parameters())
    terms = [(part * torch.from_numpy(np.asarray(cotangent))).sum()
             for part, cotangent in zip(results, cotangents, strict=True) if cotangent is not None]
    grads = torch.autograd.grad(sum(terms), leaves, allow_unused=True) if terms else []
    return ([part.detach().numpy() for part in results], cotangents,
            [np.zeros(tuple(leaf.shape)) if grad is None else grad.numpy()
             for leaf, grad in zip(leaves, grads, strict=False)],
            [np.array(buffer) for buffer in twin.buffers()])


def compute(ours, sample, cotangents):
    """Our outputs, gradients of inputs and parameters, and buffers afterwards."""
    arrays, raw, wanted = [], [], []

    def leaf(array):
        raw_leaf, tensor = array_input(len(raw), Spec(array.shape, array.dtype), "NCHW")
        raw.append(raw_leaf)
        arrays.append(array)
        return tensor

    def tensor(value):
        array = np.ascontiguousarray(value.detach().numpy()).reshape(tuple(value.shape))
        made = leaf(array.astype(FLOAT) if array.dtype == bool else array)
        if value.requires_grad:
            wanted.append(made)
        return made

    given = sample.forward_input
    with updates() as effects, streams():
        arguments = converted(list(given.args), tensor)
        options = converted(given.kwargs, tensor)
        results = [as_tensor(part) for part in flat(ours(*arguments, **options))]
        loss = None
        for part, cotangent in zip(results, cotangents, strict=True):
            if cotangent is not None:
                term = (part * leaf(cotangent)).sum()
                loss = term if loss is None else loss + term
        wanted += [parameter.__tensor__() for parameter in ours.parameters()]
        grads = [] if loss is None else gradients(loss, wanted)
    graph = Graph.trace(raw, [*results, *grads], effects, results)
    values = run(graph, arrays)
    return (values[:len(results)], values[len(results):],
            [np.array(buffer.data) for buffer in ours.buffers()])


def check(entry, sample, training):
    """"" if a sample passes; or why not."""
    said = ""
    for wide in (True, False):  # PyTorch in float32, where rounding decides (ties)
        try:
            ours, twin = pair(entry, sample, training)
            expected = reference(twin, sample, wide)
            got = compute(ours, sample, expected[1])
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        for what, own, theirs in (("value", got[0], expected[0]), ("gradient", got[1], expected[2]),
                                  ("buffer", got[2], expected[3])):
            said = compare(own, theirs)
            if said:
                said = f"WRONG {what} {said}"
                break
        else:
            return ""
    return said


def text_difference(entry, sample):
    """"" if both modules print the same text, or the two texts."""
    try:
        ours, twin = pair(entry, sample, True)
    except Exception:
        return ""
    return "" if repr(ours) == repr(twin) else f"{ours!r}, not {twin!r}"


def describe(sample) -> str:
    """A sample in a line."""
    def short(value):
        return f"{tuple(value.shape)}" if value.is_floating_point() else f"int{tuple(value.shape)}"

    made, given = sample.constructor_input, sample.forward_input
    return repr(tuple(converted(part, short) for part in (
        list(made.args), made.kwargs, list(given.args), given.kwargs)))


def measure(labels, share=1) -> dict[str, Outcome]:
    """The outcome of each of these modules."""
    found: dict[str, Outcome] = {}
    for entry in entries():
        label = entry.name.removeprefix("nn.")
        if label not in labels:
            continue
        outcome = found.setdefault(label, Outcome())
        for training in (True, False):
            for number, sample in enumerate(samples(entry, training)):
                if number % share:
                    continue
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    fn.manual_seed(0)
                    said = check(entry, sample, training)
                    text = text_difference(entry, sample)
                mode = "train" if training else "eval"
                if said:
                    outcome.failed.append(f"{said} <- {mode} {describe(sample)}"[:500])
                else:
                    outcome.passed += 1
                if text and text not in outcome.printed:
                    outcome.printed.append(text)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--show", type=int, default=3, help="failures to show of each module")
    arguments = parser.parse_args()
    labels = [entry.name.removeprefix("nn.") for entry in entries()]
    chosen = [label for label in labels if any(word in label for word in arguments.only)]
    found = measure(chosen if arguments.only else labels, arguments.share)
    absent = [label for label, outcome in found.items()
              if all(ABSENT in said for said in outcome.failed) and not outcome.passed]
    for label, outcome in found.items():
        if label not in absent and (outcome.failed or outcome.printed):
            print(f"{label}: {outcome.passed} of {outcome.total}")
            for said, count in Counter(outcome.failed).most_common(arguments.show):
                print(f"    {count} x {said}")
            for text in outcome.printed[:arguments.show]:
                print(f"    prints {text}")
    passed = sum(outcome.passed for outcome in found.values())
    total = sum(outcome.total for outcome in found.values())
    wrong = sum(said.startswith("WRONG") for outcome in found.values() for said in outcome.failed)
    print(f"absent: {', '.join(absent) or 'none'}")
    print(f"passed {passed} of {total} ({passed / max(total, 1):.1%}) of {len(found)} modules; "
          f"wrong {wrong}; {sum(bool(outcome.printed) for outcome in found.values())} print "
          "another text")
    sys.exit(passed < total)


if __name__ == "__main__":
    main()
