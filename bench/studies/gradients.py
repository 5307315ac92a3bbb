"""How far are gradients from exact ones? fastnn and PyTorch in float32 against PyTorch's float64.

    python -m bench.studies.gradients

Whole nets with the same weights and batches as in tests/parity. A row gives the worst tensor's
difference, as RMS and as largest element, relative to the RMS of the tensor. Needs PyTorch.
"""

from __future__ import annotations

import numpy as np
import torch

import fastnn as fn
from bench.studies.options import add_threads, parser_of
from tests.parity.compare import distance, rms_distance, torch_gradients
from tests.parity.test_nets import CASES, batch_for, gradient_scale, pair_of_nets

Gradients = dict[str, np.ndarray]


def by_fastnn(name: str, algorithm: str, x: np.ndarray, y: np.ndarray) -> Gradients:
    """float32 gradients of fastnn with one algorithm of convolutions."""
    fn.set_conv_algorithm(algorithm)
    try:
        model, _ = pair_of_nets(name)
        return fn.value_and_grad(model, fn.nn.CrossEntropyLoss())(x, y)[1]
    finally:
        fn.set_conv_algorithm("auto")


def by_torch(name: str, x: np.ndarray, y: np.ndarray, dtype: torch.dtype) -> Gradients:
    """PyTorch's gradients in a precision."""
    _, twin = pair_of_nets(name)
    kind = np.float64 if dtype == torch.float64 else np.float32
    return torch_gradients(twin.to(dtype), torch.nn.CrossEntropyLoss(), x.astype(kind), y)[2]


def worst(gradients: Gradients, exact: Gradients) -> tuple[float, float]:
    """(RMS, largest element) of the worst tensor's difference."""
    scales = {key: gradient_scale(key, exact) for key in exact}
    return (max(rms_distance(gradients[key], exact[key], scales[key]) for key in exact),
            max(distance(gradients[key], exact[key], scales[key]) for key in exact))


def main() -> None:
    parser = parser_of(__doc__)
    add_threads(parser)
    options = parser.parse_args()
    fn.set_num_threads(options.threads)
    torch.set_num_threads(options.threads)
    print("| net | fastnn, auto | fastnn, direct | PyTorch float32 |\n|---|---|---|---|")
    for name, batch, side in CASES:
        x, y = batch_for(name, batch, side)
        exact = by_torch(name, x, y, torch.float64)
        rows = [by_fastnn(name, "auto", x, y), by_fastnn(name, "direct", x, y),
                by_torch(name, x, y, torch.float32)]
        print(f"| {name} | " + " | ".join("{:.1e} / {:.1e}".format(*worst(row, exact))
                                          for row in rows) + " |", flush=True)


if __name__ == "__main__":
    main()
