"""Plain twin of dropout: Philox4x32-7 in Python integers, one element after the other."""

import numpy as np

LOW = 0xFFFFFFFF


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32 with 7 rounds (Salmon et al. 2011): four words for a counter of four."""
    a, b, c, d = counter
    k0, k1 = key
    for _ in range(7):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (q >> 32) ^ b ^ k0, q & LOW, (p >> 32) ^ d ^ k1, p & LOW
        k0, k1 = (k0 + 0x9E3779B9) & LOW, (k1 + 0xBB67AE85) & LOW
    return [a, b, c, d]


def kept(n: int, p: float, seed: int, step: int, node: int) -> np.ndarray:
    """Which of n elements dropout keeps."""
    mask = np.zeros(n, bool)
    for i in range(n):
        block, word = 16 * (i // 64) + i % 16, i % 64 // 16
        counter = [block & LOW, node, step & LOW, (step >> 32) ^ ((block >> 32) << 16 & LOW)]
        mask[i] = philox(counter, [seed & LOW, seed >> 32])[word] >= round(p * 2**32)
    return mask
