"""What share of the peak of multiply-adds do matrix products reach, at this moment?

    python -m bench.studies.products --sizes 512 1024 --threads 1 2

Each round runs multiply-adds in registers and then a product of two square matrices, for a few
milliseconds each. On a shared machine the peak itself changes from one moment to the next, so a row
has the median of the rounds' ratios beside the ratio of the best rates.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
from fastnn._kernels.call import call_kernel
from fastnn._kernels.peak import multiply_adds

from bench.studies.options import add_rounds, add_thread_counts, parser_of
from fastnn._kernels import registry
from fastnn.runtime.arena import aligned_array

PASSES = ("linear_forward", "linear_grad_input", "linear_grad_weight")
SECONDS = 0.004  # of one measurement, about
LOOPS = 1 << 21  # of multiply-adds


def rate(work: Callable[[], float]) -> float:
    """Operations a second."""
    start = time.perf_counter()
    amount = work()
    return amount / (time.perf_counter() - start)


def product(kernel: str, size: int, threads: int) -> Callable[[], float]:
    """A function that multiplies matrices of a size; it returns the floating-point operations."""
    d = (size, size, size, 0, 0, size)
    found = registry.kernel(kernel)
    buffers = [aligned_array((max(1, -(-extent // 4)),), np.float32)
               for extent in found.extents(d, threads)]
    for buffer in buffers[:2]:
        buffer[:] = 0.5
    pointers = [buffer.ctypes.data for buffer in buffers]
    repeat = max(1, round(SECONDS * 5e10 * threads / size**3))

    def run() -> float:
        assert buffers  # they live as long as this function
        call_kernel(found.address, pointers, d, (), threads, repeat)
        return 2.0 * size**3 * repeat

    return run


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[512, 1024])
    add_thread_counts(parser)
    add_rounds(parser, 51)
    arguments = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.2f}")
    print(f"{'pass':20s} {'size':>5s} {'threads':>7s} {'GFLOP/s':>8s} {'peak':>7s} "
          f"{'median share':>13s} {'of the best':>12s}")
    for size in arguments.sizes:
        for threads in arguments.threads:
            for kernel in PASSES:
                work = product(kernel, size, threads)
                work()
                limit = partial(multiply_adds, LOOPS, threads)
                rounds = [(rate(limit), rate(work))
                          for _ in range(arguments.rounds)]
                peak, best = (max(each[i] for each in rounds) for i in (0, 1))
                share = median(own / most for most, own in rounds)
                print(f"{kernel:20s} {size:5d} {threads:7d} {best / 1e9:8.1f} {peak / 1e9:7.1f} "
                      f"{share:13.2f} {best / peak:12.2f}")


if __name__ == "__main__":
    main()
