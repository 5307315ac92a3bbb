"""How large are the errors of convolution algorithms? Against float64, with both gradients.

    python -m bench.studies.numerics

3x3 layers of stride 1 and 2 with padding 1, normally distributed input, weights as initialised by
Kaiming's rule and normally distributed gradients. Errors are relative to the result's RMS: the
RMS of the error, and the largest. Prints a table in Markdown and writes JSON.
"""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import fastnn as fn
from bench.studies.options import parser_of

LAYERS = ((64, 32), (128, 16), (256, 8), (512, 4))  # channels, side of y
STRIDES = (1, 2)
ALGORITHMS = ("direct", "winograd")
PARTS = ("forward", "grad_input", "grad_weight")


class Product(fn.nn.Module):
    """sum(conv(x) * dy): its gradients are the two gradients of the convolution for dy."""

    def __init__(self, x: np.ndarray, weight: np.ndarray, stride: int) -> None:
        super().__init__()
        self.x, self.weight, self.stride = fn.nn.Parameter(x), fn.nn.Parameter(weight), stride

    def forward(self, dy: Any) -> Any:
        return fn.conv2d(self.x, self.weight, stride=self.stride, padding=1) * dy


def windows(x: np.ndarray, stride: int = 1) -> np.ndarray:
    """The 3x3 windows of x[n, c, h, w] with padding 1, as [pixels of y, c * 9], float64."""
    padded = np.pad(x.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    views = views[:, :, ::stride, ::stride]
    return views.transpose(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * 9)


def exact(x: np.ndarray, weight: np.ndarray, dy: np.ndarray,
          stride: int) -> dict[str, np.ndarray]:
    """The three results in float64, as products of windows."""
    k = weight.shape[0]
    rows = dy.astype(np.float64).transpose(0, 2, 3, 1).reshape(-1, k)
    y = windows(x, stride) @ weight.astype(np.float64).reshape(k, -1).T
    turned = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3).astype(np.float64)
    apart = np.zeros((*dy.shape[:2], *x.shape[2:]))  # dy with zeros between, for any stride
    apart[:, :, ::stride, ::stride] = dy
    dx = windows(apart) @ turned.reshape(turned.shape[0], -1).T
    images = [value.reshape(like.shape[0], *like.shape[2:], -1).transpose(0, 3, 1, 2)
              for value, like in ((y, dy), (dx, x))]
    return {"forward": images[0], "grad_input": images[1],
            "grad_weight": (rows.T @ windows(x, stride)).reshape(weight.shape)}


def measure(channels: int, side: int, stride: int, batch: int, seed: int) -> list[dict[str, Any]]:
    """Errors of each algorithm and part for one layer."""
    rng = np.random.default_rng(seed)
    x, dy = (rng.standard_normal((batch, channels, size, size), dtype=np.float32)
             for size in (side * stride, side))
    weight = rng.standard_normal((channels, channels, 3, 3), dtype=np.float32)
    weight *= np.float32(np.sqrt(2 / (9 * channels)))
    expected = exact(x, weight, dy, stride)
    model, rows = Product(x, weight, stride), []
    ones = np.ones_like(dy)
    for algorithm in ALGORITHMS:
        fn.set_conv_algorithm(algorithm)
        _, grads = fn.value_and_grad(model, lambda y, _: y.sum())(dy, np.zeros(1, np.float32))
        found = {"forward": model(ones), "grad_input": grads["x"], "grad_weight": grads["weight"]}
        for part in PARTS:
            rms = np.sqrt(np.mean(expected[part] ** 2))
            error = (found[part] - expected[part]) / rms
            rows.append({"channels": channels, "side": side, "stride": stride, "part": part,
                         "algorithm": algorithm, "rms": float(np.sqrt(np.mean(error ** 2))),
                         "largest": float(np.abs(error).max())})
    fn.set_conv_algorithm("auto")
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """RMS and largest error of each algorithm, a line for each layer and part."""
    lines = ["| layer | part | " + " | ".join(f"{name}: RMS / largest" for name in ALGORITHMS)
             + " |", "|---|---|" + "---|" * len(ALGORITHMS)]
    for (channels, side), stride, part in product(LAYERS, STRIDES, PARTS):
        cells = [f"{r['rms']:.1e} / {r['largest']:.1e}" for r in rows
                 if (r["channels"], r["stride"], r["part"]) == (channels, stride, part)]
        lines.append(f"| {channels} ch, {side}x{side}, stride {stride} | {part} | "
                     f"{' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, default=None, metavar="FILE")
    arguments = parser.parse_args()
    rows = [row for layer, stride in product(LAYERS, STRIDES)
            for row in measure(*layer, stride, arguments.batch, arguments.seed)]
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
