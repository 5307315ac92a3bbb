"""Derive the polynomials of simd/elementary.h and random.c (sine and cosine): minimax fits, each
coefficient rounded to float32.

Run `python tools/fit_elementary.py` (needs mpmath) and paste the lines. The best polynomial for
a weighted maximum error is a linear programme on a dense grid; coefficients are rounded one at a
time, lowest first, and the rest fitted again around them.
"""

from collections.abc import Callable

import mpmath
import numpy as np
from scipy.optimize import linprog


def fit(name: str, target: Callable, weight: Callable, low: float, high: float, degree: int,
        variable: Callable = lambda x: x) -> None:
    """Print c with |sum c[k] * variable(x)**k - target(x)| * weight(x) as small as can be."""
    nodes = np.cos(np.linspace(0, np.pi, 400))
    x = [mpmath.mpf(float(v)) for v in (low + high) / 2 + (high - low) / 2 * nodes]
    value = np.array([float(target(v)) for v in x])
    scale = np.array([float(weight(v)) for v in x])
    powers = np.array([[float(variable(v) ** k) for k in range(degree + 1)] for v in x])
    fixed: list[float] = []
    for k in range(degree + 1):
        left = value - powers[:, :k] @ np.array(fixed)
        rows = powers[:, k:] * scale[:, None]
        free = np.abs(rows).max(0)  # columns of one size, for the solver's tolerance
        aim = left * scale
        unit = np.abs(aim).max()
        ones = -np.ones((len(x), 1)) * 1e-6
        solution = linprog(
            np.r_[np.zeros(degree + 1 - k), 1.0],
            A_ub=np.block([[rows / free, ones], [-rows / free, ones]]),
            b_ub=np.r_[aim, -aim] / unit, bounds=(None, None), method="highs-ds")
        fixed.append(float(np.float32(solution.x[0] / free[0] * unit)))
    error = np.abs(powers @ np.array(fixed) - value) * scale
    print(f"{name}: error {error.max():.2e} = {error.max() * 2**24:.2f} * 2**-24")
    print("    " + ", ".join(f"{np.float32(c)!s}f" for c in reversed(fixed)))


def main() -> None:
    mpmath.mp.dps = 40
    exp, log, sqrt, pi = mpmath.exp, mpmath.log, mpmath.sqrt, mpmath.pi
    half = 0.3468  # half of log(2), and what rounding adds
    for degree in (4, 3):
        fit("exp(r) = 1 + r + r^2 P(r)", lambda r: (exp(r) - 1 - r) / r**2,
            lambda r: r**2 / exp(r), -half, half, degree)
    fit("expm1(r) = r + r^2 P(r)", lambda r: (exp(r) - 1 - r) / r**2,
        lambda r: abs(r**2 / mpmath.expm1(r)), -half, half, 4)
    for degree in (6, 7):
        fit("log(1 + f) = f - f^2 / 2 + f^3 P(f)",
            lambda f: (mpmath.log1p(f) - f + f**2 / 2) / f**3,
            lambda f: abs(f**3 / mpmath.log1p(f)), 0.7071 - 1, 1.41422 - 1, degree)
    fit("sin(r) = r + r^3 P(r^2), |r| < pi / 4", lambda r: (mpmath.sin(r) - r) / r**3,
        lambda r: abs(r**3 / mpmath.sin(r)), 1e-9, 0.7854, 3, lambda r: r**2)
    fit("cos(r) = 1 - r^2 / 2 + r^4 P(r^2), |r| < pi / 4",
        lambda r: (mpmath.cos(r) - 1 + r**2 / 2) / r**4,
        lambda r: abs(r**4 / mpmath.cos(r)), 1e-3, 0.7854, 3, lambda r: r**2)
    for degree in (5, 6):
        fit("erf(x) = x + x P(x^2), |x| < 1", lambda x: mpmath.erf(x) / x - 1,
            lambda x: x / mpmath.erf(x), 1e-9, 1.0, degree, lambda x: x**2)
    quarter = 0.7855  # pi / 4, and what rounding adds
    fit("sin(r) = r + r^3 P(r^2)", lambda r: (mpmath.sin(r) - r) / r**3,
        lambda r: r**3 / mpmath.sin(r), 1e-9, quarter, 3, lambda r: r**2)
    fit("cos(r) = 1 - r^2 / 2 + r^4 P(r^2)", lambda r: (mpmath.cos(r) - 1 + r**2 / 2) / r**4,
        lambda r: r**4 / mpmath.cos(r), 1e-9, quarter, 2, lambda r: r**2)
    for degree in (6, 7):
        fit("x - tanh(x) = x^3 P(x^2), |x| < 1", lambda x: (x - mpmath.tanh(x)) / x**3,
            lambda x: x**3 / (x - mpmath.tanh(x)), 1e-9, 1.0, degree, lambda x: x**2)
    for c in (0.25, 0.3, 0.35, 0.4):
        for degree in (7, 8, 9):
            fit(f"tail(t) exp(t^2 / 2) = u P(u - 1 / 2), u = 1 / (1 + {c} t)",
                lambda t, c=c: (1 + c * t) * exp(t**2 / 2) * mpmath.erfc(t / sqrt(2)) / 2,
                lambda t, c=c: 1 / ((1 + c * t) * exp(t**2 / 2) * mpmath.erfc(t / sqrt(2)) / 2),
                0.0, 14.5, degree, lambda t, c=c: 1 / (1 + c * t) - 0.5)
    assert log and pi


if __name__ == "__main__":
    main()
