"""PyTorch's own samples of its operations (op_db), in float32: values and gradients of each.

python -m tests.parity.op_db                    all operations; prints a table, and what fails
python -m tests.parity.op_db --only conv2d,pad  those whose name contains a word
python -m tests.parity.op_db --share 10         each tenth sample

An int64 tensor becomes an integer input of the graph, a bool one a mask of 0 and 1.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from functools import cache

import numpy as np

import fastnn as fn
from fastnn.autodiff import gradients
from fastnn.context import updates
from fastnn.graph import Graph, Tensor, as_tensor
from fastnn.ops.boundary import array_input
from fastnn.runtime.random import streams
from fastnn.spec import FLOAT, Spec
from tests.harness import run
from tests.parity.compare import torch

TOLERANCE = 3e-5  # relative to the value and the tensor's RMS; sums here have few terms

# Operations of the list that are op_db's under the same name.
NAMES = """
__getitem__ __radd__ __rdiv__ __rmatmul__ __rmul__ __rpow__ __rsub__
abs add addcmul amax amin argmax argmin bmm cat ceil chunk clamp clamp_max clamp_min clone
contiguous cumsum div/no_rounding_mode einsum eq erf exp expand expand_as expm1 flatten flip floor
gather ge gt index_select le lerp log log1p log_softmax logical_and logical_not logical_or
logical_xor logsumexp lt mT T matmul max/binary max/reduction_no_dim max/reduction_with_dim maximum
mean min/binary min/reduction_no_dim min/reduction_with_dim minimum mm movedim mul mv masked_fill ne
narrow neg norm norm/fro norm/inf norm/nuc outer permute pow prod reciprocal repeat reshape
reshape_as roll round round/decimals_0 round/decimals_3 round/decimals_neg_3 rsqrt rsub select sgn
sigmoid sign sin cos softmax split split/list_args split_with_sizes sqrt square squeeze
squeeze/multiple stack std std/unbiased sub sum t take_along_dim tanh tile topk transpose
true_divide unbind unflatten unsqueeze var var/unbiased view view_as where
"""
FUNCTIONAL = """
adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d avg_pool1d
avg_pool2d batch_norm bilinear binary_cross_entropy binary_cross_entropy_with_logits celu conv1d
conv2d conv_transpose1d conv_transpose2d cosine_embedding_loss cosine_similarity cross_entropy elu
embedding gaussian_nll_loss gelu glu group_norm hardshrink hardsigmoid hardswish hardtanh
hinge_embedding_loss huber_loss instance_norm interpolate/area interpolate/bicubic
interpolate/bilinear interpolate/linear interpolate/nearest interpolate/nearest-exact kl_div l1_loss
layer_norm leaky_relu linear local_response_norm logsigmoid margin_ranking_loss max_pool1d
max_pool2d mish mse_loss multilabel_soft_margin_loss nll_loss normalize pad/circular
pad/constant pad/reflect pad/replicate pad/replicate_negative pixel_shuffle pixel_unshuffle
poisson_nll_loss prelu relu relu6 rms_norm selu silu smooth_l1_loss soft_margin_loss softmin
softplus softshrink softsign tanhshrink threshold triplet_margin_loss unfold
upsample_bilinear upsample_nearest
"""
DTYPES = {torch.float32: np.float32, torch.int64: np.int64}
LABELS = tuple(NAMES.split()) + tuple(f"nn.functional.{name}" for name in FUNCTIONAL.split())
# Operations some of whose samples are refused, and why; none may be wrong.
REFUSED = {
    "norm/nuc": "the nuclear norm needs singular values",
    "__getitem__": "how many elements a computed mask selects is not known before a run",
    "clamp": "samples with int32 bounds", "gather": "samples with int32 and uint8 places",
    "narrow": "a start that is computed",
    "nn.functional.batch_norm": "a batch of rank 1 without elements",
}
METHODS = {"T", "mT", "clone", "contiguous", "expand", "expand_as", "repeat", "view", "view_as",
           "reshape_as", "unflatten", "masked_fill", "narrow", "select", "new"}


@dataclass
class Outcome:
    """What became of an operation's samples."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All samples."""
        return self.passed + len(self.failed)


def label_of(entry) -> str:
    """An entry's name, with its variant."""
    return f"{entry.name}/{entry.variant_test_name}" if entry.variant_test_name else entry.name


@cache
def entries():
    """The entries of op_db that are compared, by label; batch norm has one for each backend."""
    from torch.testing._internal.common_methods_invocations import op_db
    return {label_of(entry): entry for entry in op_db
            if label_of(entry) in LABELS and torch.float32 in entry.dtypes}


def ours(name: str):
    """The function of fastnn for an operation of op_db."""
    name = name.removeprefix("nn.functional.")
    if name == "einsum":  # op_db's samples have the equation last
        return lambda tensors, equation: fn.einsum(equation, tensors)
    if name in ("T", "mT"):
        return lambda x: getattr(x, name)
    if name.startswith("__"):
        return lambda x, *rest: getattr(x, name)(*rest)
    if name == "embedding":  # whose samples name the weight first
        return lambda weight, index, **options: fn.embedding(index, weight, **options)
    if hasattr(fn, name) and name != "where":  # whose samples begin with what is kept
        return getattr(fn, name)
    if name in METHODS or hasattr(Tensor, name):
        return lambda x, *rest, **options: getattr(x, name)(*rest, **options)
    raise AttributeError(f"absent: {name}")


def converted(value, tensor):
    """A sample's argument, its tensors replaced by tensor(value)."""
    if isinstance(value, torch.Tensor):
        return tensor(value)
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)(converted(inner, tensor) for inner in value)
    if isinstance(value, torch.Size):
        return tuple(value)
    if isinstance(value, dict):
        return {key: converted(inner, tensor) for key, inner in value.items()}
    return value


def own_dtypes(value):
    """A sample's options with NumPy's dtypes for PyTorch's."""
    if isinstance(value, torch.dtype):
        if value not in DTYPES:
            raise NotImplementedError(f"dtype={value}")
        return DTYPES[value]
    if isinstance(value, dict):
        return {key: own_dtypes(inner) for key, inner in value.items()}
    return value


def flat(value):
    """The tensors of nested results."""
    if isinstance(value, (list, tuple)):
        return [inner for part in value for inner in flat(part)]
    return [value]


def compute(function, sample, cotangents):
    """Our values and gradients of a sample, for upstream gradients of PyTorch's results."""
    arrays, raw, differentiable = [], [], []

    def leaf(array):
        raw_leaf, tensor = array_input(len(raw), Spec(array.shape, array.dtype), "NCHW")
        raw.append(raw_leaf)
        arrays.append(array)
        return tensor

    def tensor(value):
        array = np.ascontiguousarray(value.detach().numpy()).reshape(tuple(value.shape))
        if array.dtype == bool:
            return leaf(array.astype(np.float32))
        if array.dtype == np.float32 or array.dtype == np.int64:
            made = leaf(array)
            if value.requires_grad:
                differentiable.append(made)
            return made
        raise NotImplementedError(f"dtype {array.dtype}")

    with updates() as effects, streams():
        arguments = converted([sample.input, *sample.args], tensor)
        options = own_dtypes(converted(sample.kwargs, tensor))
        results = [as_tensor(part) for part in flat(function(*arguments, **options))]
        results = [part for part in results if part is not None]
        loss = None
        for part, cotangent in zip(results, cotangents, strict=True):
            if cotangent is not None and part.dtype == FLOAT:
                term = (part * leaf(cotangent)).sum()
                loss = term if loss is None else loss + term
        grads = [] if loss is None else gradients(loss, differentiable)
    graph = Graph.trace(raw, [*results, *grads], effects, [*results])
    values = run(graph, arrays)
    return values[:len(results)], values[len(results):]


def reference(entry, sample, dtype):
    """PyTorch's values, upstream gradients and gradients of a sample."""
    leaves = []

    def tensor(value):
        if not value.is_floating_point():
            return value
        twin = value.detach().to(dtype).requires_grad_(value.requires_grad)
        if value.requires_grad:
            leaves.append(twin)
        return twin

    arguments = converted([sample.input, *sample.args], tensor)
    results = flat(entry.op(*arguments, **converted(sample.kwargs, tensor)))
    results = [part if isinstance(part, torch.Tensor) else torch.tensor(part) for part in results]
    rng = np.random.default_rng(12345)
    cotangents = [rng.standard_normal(tuple(part.shape)).astype(np.float32)
                  if part.requires_grad else None for part in results]
    terms = [(part * torch.from_numpy(np.asarray(cotangent))).sum()
             for part, cotangent in zip(results, cotangents, strict=True) if cotangent is not None]
    if terms and leaves:
        sum(terms).backward()
    grads = [np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy(force=True)
             for leaf in leaves] if terms else []
    return [part.detach().numpy() for part in results], cotangents, grads


def difference(got, expected):
    """The largest difference beyond the tolerance, in units of it; a text if shapes differ."""
    if got.shape != expected.shape:
        return f"shape {got.shape}, not {expected.shape}"
    got, expected = got.astype(np.float64), expected.astype(np.float64)
    if not np.array_equal(np.isnan(got), np.isnan(expected)):
        return f"NaN at other places: {got.ravel()[:4]}, not {expected.ravel()[:4]}"
    good = np.isfinite(expected)
    if not np.array_equal(np.where(good, 0, got), np.where(good, 0, expected), equal_nan=True):
        return f"infinity at other places: {got.ravel()[:4]}, not {expected.ravel()[:4]}"
    got, expected = got[good], expected[good]
    if not expected.size:
        return ""
    allowed = TOLERANCE * (np.abs(expected) + np.sqrt(np.mean(expected**2))) + 1e-7
    worst = (np.abs(got - expected) / allowed).max()
    return "" if worst <= 1 else f"off by {worst:.3g} tolerances"


def compare(got, expected):
    """"" if all arrays agree, or what does not."""
    if len(got) != len(expected):
        return f"{len(got)} results, not {len(expected)}"
    for number, pair in enumerate(zip(got, expected, strict=True)):
        said = difference(*pair)
        if said:
            return f"{number}: {said}"
    return ""


def check(entry, sample):
    """"" if a sample passes; or why not."""
    expected = reference(entry, sample, torch.float64)
    try:
        values, grads = compute(ours(entry.name), sample, expected[1])
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    for wide in (True, False):  # PyTorch in float32, where rounding decides (floor, ties)
        if not wide:
            expected = reference(entry, sample, torch.float32)
        said = compare(values, expected[0])
        said = f"WRONG value {said}" if said else compare(grads, expected[2])
        if not said:
            return ""
    return said if said.startswith("WRONG") else f"WRONG gradient {said}"


def samples(entry):
    """The samples of an entry, always the same."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grad = entry.supports_autograd
        yield from entry.sample_inputs("cpu", torch.float32, requires_grad=grad)


def describe(sample) -> str:
    """A sample in a line."""
    def short(value):
        return f"{tuple(value.shape)}" if value.is_floating_point() else f"int{tuple(value.shape)}"

    return repr((converted([sample.input, *sample.args], short), converted(sample.kwargs, short)))


def measure(label: str, share: int = 1) -> Outcome:
    """What became of an operation's samples, of each share-th."""
    outcome, entry = Outcome(), entries()[label]
    for number, sample in enumerate(samples(entry)):
        if number % share:
            continue
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            said = check(entry, sample)
        if said:
            outcome.failed.append(f"{said} <- {describe(sample)}"[:500])
        else:
            outcome.passed += 1
    return outcome


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--share", type=int, default=1)
    parser.add_argument("--show", type=int, default=3, help="failures to show of each operation")
    arguments = parser.parse_args()
    found = {}
    for label in LABELS:
        if arguments.only and not any(word in label for word in arguments.only):
            continue
        outcome = found[label] = measure(label, arguments.share)
        if outcome.failed:
            print(f"{label}: {outcome.passed} of {outcome.total}")
            for said, count in Counter(outcome.failed).most_common(arguments.show):
                print(f"    {count} x {said}")
    passed = sum(outcome.passed for outcome in found.values())
    total = sum(outcome.total for outcome in found.values())
    wrong = sum(said.startswith("WRONG") for outcome in found.values() for said in outcome.failed)
    print(f"passed {passed} of {total} ({passed / max(total, 1):.1%}); wrong {wrong}")
    sys.exit(passed < total)


if __name__ == "__main__":
    main()
