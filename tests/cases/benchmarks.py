"""The rows of the benchmark as cases: what is measured is also right, at its own sizes.

A row names a function; here that function gets its twin. The batch is small, all else is the row's.
As their twins take long, tests/bench/test_rows.py checks them in fewer ways than other cases.
"""

import numpy as np
from scipy import special

from fastnn.bench.graphs import find
from fastnn.bench.rows import ROWS, Row
from fastnn.bench.serve import bind, sizes
from tests.cases import (
    MODULES,
    batch_norm,
    class_losses,
    compare,
    conv2d,
    conv_transpose2d,
    losses,
    pointwise,
    pooling,
    value_losses,
)
from tests.cases.case import Case, between, classes, normal

BATCH = 2
TOLERANCE, REASON = 3e-4, "sums of up to 4608 products, and over 2048 places, in float32"
# What is drawn depends on the size: tests/cases/dropout.py and random.py have the twins.
DRAWN = {"dropout", "rand_like", "randn_like"}


def _pointwise_twins():
    """Twins of the rows of the pointwise tables, by the names of their cases."""
    return {case.name.partition(",")[0].partition(" ")[0]: case.twin
            for case in reversed(pointwise.CASES) if "=" not in case.name}


TWINS = {
    **_pointwise_twins(),
    **{name: compare.as_mask(relation) for name, relation in compare.RELATIONS.items()},
    ".float": lambda y: y * 1.0,
    "affine": lambda x, scale, shift: scale * x + shift,
    "power": lambda x, exponent: x**exponent,
    "conv2d": conv2d._twin,
    "conv_transpose2d": conv_transpose2d._twin,
    "linear": lambda x, w, b=0.0: x @ w.T + b,
    "matmul": lambda a, b: a @ b,
    "batch_norm": lambda x, mean, var, w, b, training=False: batch_norm._twin(
        x, w, b, None if training else mean, None if training else var),
    "max_pool2d": pooling._max_twin,
    "avg_pool2d": pooling._avg_twin,
    "adaptive_avg_pool2d": lambda x, output_size: pooling._adaptive_twin(x, output_size),
    "adaptive_max_pool2d": lambda x, output_size: pooling._adaptive_max_twin(
        x, (output_size,) * 2)[0],
    "softmax": lambda x, dim: special.softmax(x, axis=dim),
    "log_softmax": lambda x, dim: special.log_softmax(x, axis=dim),
    "cross_entropy": losses._cross_entropy,
    "nll_loss": class_losses._nll,
    "mse_loss": lambda x, y: np.mean((x - y) ** 2),
    "binary_cross_entropy_with_logits": lambda x, y: value_losses._bce_logits(x, y).mean(),
    "add_n": sum,
    "cat": lambda x, dim=0: np.concatenate(x, dim),
    "split": lambda x, size, dim: np.split(x, x.shape[dim] // size, dim),
    ".sum": np.sum,
    ".mean": np.mean,
    ".permute": np.transpose,
    ".repeat": np.tile,
    ".long": np.trunc,
    "gather": lambda x, dim, index: np.take_along_axis(x, index, dim),
    "one_hot": lambda index, count: np.eye(count)[index],
    ".flatten": lambda x, start: x.reshape(len(x), -1),
    ".expand": lambda x, shape: x * np.ones([1 if size == -1 else size for size in shape]),
    ".__getitem__": lambda x, key: x[key],
    **{name: twin for module in MODULES for name, twin in getattr(module, "TWINS", {}).items()},
}


def _maker(entry):
    shape = sizes(entry["shape"], BATCH)
    if entry["kind"] == "classes":
        return classes(entry["classes"], *shape)
    return between(0.1, 4.0, *shape) if entry["kind"] == "positive" else normal(*shape)


def case_of(row: Row) -> Case:
    """The case of a row, for a batch of 2."""
    makers = []
    bind(row.request(), find, lambda entry: makers.append(entry))
    wanted = tuple(i for i, entry in enumerate(makers) if entry["gradient"])

    def build(functions):
        def run(*tensors):
            remaining = iter(tensors)
            return bind(row.request(), functions, lambda entry: next(remaining))()

        return run

    return Case(f"row {row.name}", build(find), build(TWINS.__getitem__),
                tuple(map(_maker, makers)), differentiable=wanted, tolerance=TOLERANCE,
                reason=REASON)


CASES = [case_of(row) for row in ROWS
         if not row.function.startswith("optim.") and row.function not in DRAWN]
