"""Run under `count_regions.c`: the most parallel regions in a call of each kernel, as JSON.

    LD_PRELOAD=count_regions.so python -m tests.runtime.regions 16

Calls are those of a step of each bench net, on buffers of zeros.
"""

import ctypes
import json
import sys

import numpy as np
from fastnn._kernels.call import call_kernel

from fastnn._kernels import registry
from fastnn.bench.nets import NETS
from fastnn.runtime.executor import PlacedCall
from tests._kernels.test_loads import step_plan

LINE = 64


def regions_of(call: PlacedCall) -> int:
    """The parallel regions that one call passes."""
    kernel = registry.kernel(call.kernel)
    buffers = [np.zeros(extent + LINE, np.uint8) for extent in kernel.extents(call.d, call.threads)]
    pointers = [-(-buffer.ctypes.data // LINE) * LINE for buffer in buffers]
    count = ctypes.CDLL(None).count_regions
    count.restype = ctypes.c_long
    before = count()
    call_kernel(kernel.address, pointers, call.d, call.s, call.threads)
    return count() - before


def main() -> None:
    most: dict[str, int] = {}
    for net in NETS:
        for call in step_plan(net, int(sys.argv[1])).calls()[0]:
            most[call.kernel] = max(most.get(call.kernel, 0), regions_of(call))
    print(json.dumps(most))


if __name__ == "__main__":
    main()
