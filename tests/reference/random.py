"""Plain twins of random numbers: Philox in Python integers, Box and Muller in float64."""

import numpy as np

from tests.reference.dropout import LOW, philox


def words(n: int, seed: int, step: int, node: int) -> np.ndarray:
    """The 32 bits of each of n elements, and of those that complete the last group of 64."""
    found = np.zeros((-(-n // 64), 4, 16), np.int64)
    for group, lane in np.ndindex(found.shape[0], 16):
        block = 16 * group + lane
        counter = [block & LOW, node, step & LOW, (step >> 32) ^ ((block >> 32) << 16 & LOW)]
        found[group, :, lane] = philox(counter, [seed & LOW, seed >> 32])
    return found


def uniform(n: int, seed: int, step: int, node: int) -> np.ndarray:
    """Whole multiples of 2^-24 in [0, 1)."""
    return (words(n, seed, step, node).reshape(-1)[:n] >> 8) / 2.0**24


def normal(n: int, seed: int, step: int, node: int) -> np.ndarray:
    """Words 0 and 1 of a block make two numbers, words 2 and 3 the other two."""
    found = words(n, seed, step, node).reshape(-1, 2, 2, 16)
    radius = np.sqrt(-2 * np.log(((found[:, :, 0] >> 1) + 0.5) / 2.0**31))
    angle = 2 * np.pi * found[:, :, 1] / 2.0**32
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 2).reshape(-1)[:n]
