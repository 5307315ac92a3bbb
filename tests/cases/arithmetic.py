"""Arithmetic of two tensors and more: powers, rounded quotients, bounds, masks and mixtures."""

import numpy as np

import fastnn as fn
from tests.cases.case import Case, away_from_zero, between, few
from tests.cases.pointwise import SHAPE, binary, positive

ROW = (3, 1, 1)
MASK = np.arange(210).reshape(SHAPE) % 3 == 0
SPECIAL = np.array([[np.inf, 1, np.nan, 2, -np.inf, 3, 4]], np.float32)
TAKEN = np.float32([0, 1, 0, 1, 0, 1, 1])


def _where_gradient(dy, condition, a, b):
    taken = dy * (condition != 0)
    return taken, (dy - taken).sum((0, 2, 3)).reshape(ROW)


def _clamp_gradient(dy, x, low, high):
    held = np.maximum(x, low)
    return dy * ((x >= low) & (held <= high)), dy * ((x < low) & (held <= high)), dy * (held > high)


def _power_gradient(dy, a, b):
    """PyTorch's: 0 for the base where the exponent is 0, for the exponent where the base is."""
    with np.errstate(all="ignore"):
        return (dy * np.where(b == 0, 0, b * a ** (b - 1)),
                dy * np.where((a == 0) & (b >= 0), 0, a**b * np.log(a)))


BASES, EXPONENTS = np.float32([0, 0, 0, 1, 2, 0.5]), np.float32([0, 1, 2, 0, 3, -2])

CASES = [
    binary("pow", np.power, positive(*SHAPE), SHAPE),
    binary("pow", np.power, positive(6, 17), (17,), note=" of rows"),
    Case("pow at 0", fn.pow, np.power, (BASES, EXPONENTS), gradient=_power_gradient),
    Case("pow of numbers", lambda x: 2**x + fn.pow(0.0, x * x) + x.pow(3) + (x * x) ** -0.5,
         lambda x: 2**x + x**3 + 1 / np.abs(x), (away_from_zero(4, 9),)),
    Case("add and sub with alpha", lambda x, y: fn.add(x, y, alpha=2) - x.sub(y, alpha=0.5)
         + fn.rsub(x, y, alpha=3) + fn.add(x, 2, alpha=-1.5) + fn.rsub(x, 1),
         lambda x, y: x + 2 * y - (x - y / 2) + y - 3 * x + x - 3 + 1 - x, (SHAPE, ROW)),
    Case("quotients", lambda x, y: fn.true_divide(x, y) + x / 3 + 1 / y + y.__rdiv__(2),
         lambda x, y: x / y + x / 3 + 3 / y, (SHAPE, away_from_zero(*ROW))),
    *(Case(f"div, {mode}", lambda x, y, mode=mode: fn.div(x, y, rounding_mode=mode)
           + fn.div(x, 0.1, rounding_mode=mode),
           lambda x, y, mode=mode: {"floor": np.floor, "trunc": np.trunc}[mode](x / y)
           + {"floor": np.floor, "trunc": np.trunc}[mode](x / np.float64(np.float32(0.1))),
           (between(-9, 9, *SHAPE), away_from_zero(*ROW)), differentiable=())
      for mode in ("floor", "trunc")),
    Case("div, floor of what rounds up", lambda x: fn.div(
            x, np.float32([0.1, 0.1, 4, np.inf, 3]), rounding_mode="floor"),
         lambda x: np.float32([9, -10, 0, -1, 2]), (np.float32([1, -1, 0, -1, 7]),),
         differentiable=()),
    Case("neg, positive, sgn", lambda x: fn.neg(x) + fn.positive(x) * 3 - x.negative() + x.sgn(),
         lambda x: 3 * x + np.sign(x), (SHAPE,)),
    Case("round to decimals", lambda x: fn.round(x, decimals=2) + x.round(decimals=-1) * 5,
         lambda x: np.round(x, 2) + np.round(x, -1) * 5, (between(-70, 70, 5, 7),),
         differentiable=()),
    Case("lerp", lambda x, y, w: fn.lerp(x, y, w) + x.lerp(y, 0.25) - fn.lerp(x, y, 0.75),
         lambda x, y, w: x + w * (y - x) - (y - x) / 2, (SHAPE, ROW, (7,))),
    Case("addcmul and addcdiv", lambda x, a, b: fn.addcmul(x, a, b, value=0.5) + x.addcdiv(a, b),
         lambda x, a, b: 2 * x + a * b / 2 + a / b, (SHAPE, ROW, away_from_zero(7))),
    Case("clamp to numbers", lambda x: fn.clamp(x, -0.5, 1) + x.clamp(min=0.25) * 2
         + x.clamp_max(0.75) * 3 + fn.clamp_min(x, -np.inf),
         lambda x: np.clip(x, -0.5, 1) + 2 * np.maximum(x, 0.25) + 3 * np.minimum(x, 0.75) + x,
         (SHAPE,)),
    Case("clamp to its own values", lambda x: fn.clamp(x, -1, 1), lambda x: np.clip(x, -1, 1),
         (few(*SHAPE),), gradient=lambda dy, x: (dy * (np.abs(x) <= 1),)),
    Case("clamp to tensors", fn.clamp, lambda x, low, high: np.minimum(np.maximum(x, low), high),
         (few(*SHAPE), few(*SHAPE), few(*SHAPE)), gradient=_clamp_gradient),
    Case("clamp to a tensor and a number", lambda x, y: x.clamp(y, 1.0) + x.clamp(max=y),
         lambda x, y: np.minimum(np.maximum(x, y), 1) + np.minimum(x, y), (SHAPE, ROW)),
    Case("clamp to integers", lambda x, y: x.clamp(y, np.arange(7)),
         lambda x, y: np.minimum(np.maximum(x, y), np.arange(7)),
         (between(-4, 9, *SHAPE), np.arange(7) % 3 - 3), differentiable=(0,)),
    Case("where", fn.where, lambda c, a, b: np.where(c != 0, a, b), (few(*SHAPE), SHAPE, ROW),
         differentiable=(1, 2), gradient=_where_gradient),
    Case("where of numbers", lambda x: fn.where(x > 0, 0.0, x) + fn.where(x > 1, x, 0.0) * 2
         + fn.where(x > 1, 3.0, 4.0) + x.where(x < 0, -1.0) + fn.where(x > 0, 0, 0),
         lambda x: np.minimum(x, 0) + np.where(x > 1, 2 * x + 3, 4) + np.where(x < 0, x, -1),
         (SHAPE,)),
    Case("where, not taken", lambda x: fn.where(TAKEN, SPECIAL + x, x * 2),
         lambda x: np.where(TAKEN, SPECIAL + x, 2 * x), ((4, 7),)),
    Case("masked_fill", lambda x, v: x.masked_fill(x > 0.5, -2.0) + fn.masked_fill(x, x < 0, v)
         + x.masked_fill(MASK.astype(np.int64), 0),
         lambda x, v: np.where(x > 0.5, -2, x) + np.where(x < 0, v, x) + np.where(MASK, 0, x),
         (SHAPE, ())),
    Case("logical functions of any numbers", lambda x, y: fn.logical_and(x, y)
         + 2 * fn.logical_or(x, 3.0) + 4 * fn.logical_xor(x, y) + 8 * fn.logical_not(y)
         + 16 * fn.logical_and(x, np.arange(7)),
         lambda x, y: 1.0 * ((x != 0) & (y != 0)) + 2 + 4 * ((x != 0) ^ (y != 0)) + 8 * (y == 0)
         + 16 * ((x != 0) & (np.arange(7) != 0)), (few(*SHAPE), np.arange(7) % 3),
         differentiable=()),
    Case("isnan, isinf, isfinite", lambda x: fn.isnan(SPECIAL * x) + 2 * fn.isinf(SPECIAL * x)
         + 4 * fn.isfinite(SPECIAL * x) + x.isfinite(),
         lambda x: 1.0 * np.isnan(SPECIAL) + 2 * np.isinf(SPECIAL) + 4 * np.isfinite(SPECIAL)
         + np.ones_like(x), (away_from_zero(4, 7),), differentiable=()),
]
