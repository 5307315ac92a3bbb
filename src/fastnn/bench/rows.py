"""What `fastnn bench ops` measures: one row for each use of an operation, at sizes of real nets.

A row names a function of fastnn, its inputs and its arguments. As the names are PyTorch's, the same
row drives PyTorch. It is a test case too: tests/cases/benchmarks.py gives each function its twin.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

from fastnn.bench.serve import sizes

N = "N"  # the batch, in a shape

Input = dict[str, Any] | None


@dataclass(frozen=True)
class Row:
    """One use of an operation.

    function: a name in fastnn; "a>b" applies b to the output of a; "optim.X" is the step of an
    optimizer. inputs: made by `floats`, `constant`, `positive`, `classes`, `several`, `value`, or
    None. arguments: by keyword.
    """

    function: str
    inputs: tuple[Input, ...]
    arguments: dict[str, Any] = field(default_factory=dict)
    batch: int = 128

    @property
    def name(self) -> str:
        """The row in one line.

        >>> Row("max_pool2d", (floats(N, 64, 32, 32),), {"kernel_size": 2}).name
        'max_pool2d 128x64x32x32 kernel_size=2'
        """
        texts = [text(entry, self.batch) for entry in self.inputs if entry is not None]
        words = [word if count == 1 else f"{count}*{word}"
                 for word, group in groupby(texts) for count in [len(list(group))]]
        words += [f"{key}={value}".replace(" ", "") for key, value in self.arguments.items()]
        return " ".join([self.function, *words])

    def request(self) -> dict[str, Any]:
        """What a worker is told."""
        return asdict(self)


def text(entry: dict[str, Any], batch: int) -> str:
    """An input in a row's name."""
    if "several" in entry:
        return ",".join(text(part, batch) for part in entry["several"])
    if "value" in entry:
        return re.sub(r"\{'slice': (.*?)\}", r"\1", str(entry["value"])).replace(" ", "")
    return "x".join(map(str, sizes(entry["shape"], batch)))


def floats(*shape: int | str) -> Input:
    """Standard normal values; their gradient is part of the backward pass."""
    return {"kind": "normal", "shape": shape, "gradient": True}


def constant(*shape: int | str) -> Input:
    """Standard normal values without a gradient."""
    return {"kind": "normal", "shape": shape, "gradient": False}


def positive(*shape: int | str, gradient: bool = True) -> Input:
    """Values from 0.1 up."""
    return {"kind": "positive", "shape": shape, "gradient": gradient}


def classes(count: int, *shape: int | str) -> Input:
    """Class numbers."""
    return {"kind": "classes", "shape": shape, "gradient": False, "classes": count}


def several(*entries: Input) -> Input:
    """One argument that is a list of tensors."""
    return {"several": entries}


def value(plain: Any) -> Input:
    """An argument that is no tensor; a slice is {"slice": [start, stop, step]}."""
    return {"value": plain}


def conv(c: int, side: int, k: int, kernel: int, first: bool = False, **arguments: Any) -> Row:
    """A convolution without bias, as in front of batch norm; `first` reads pictures."""
    x = (constant if first else floats)(N, c, side, side)
    return Row("conv2d", (x, floats(k, c // arguments.get("groups", 1), kernel, kernel)), arguments)


def linear(inputs: int, outputs: int, batch: int = 128) -> Row:
    """A fully connected layer."""
    return Row("linear", (floats(N, inputs), floats(outputs, inputs), floats(outputs)),
               batch=batch)


def norm(channels: int, side: int, function: str = "batch_norm") -> Row:
    """Batch norm in training."""
    inputs = (floats(N, channels, side, side), None, None, floats(channels), floats(channels))
    return Row(function, inputs, {"training": True})


IMAGES = floats(N, 64, 32, 32)
TOKENS = floats(N, 128, 512)
ALL, EVERY_SECOND = {"slice": [None, None, None]}, {"slice": [None, None, 2]}
SGD = {"lr": 0.01, "momentum": 0.9}
WEIGHTS = tuple(floats(512, 512, 3, 3) for _ in range(5))  # 11.8 million, as many as ResNet-18

ROWS = (
    conv(64, 32, 64, 3, padding=1),
    conv(128, 16, 128, 3, padding=1),
    conv(256, 8, 256, 3, padding=1),
    conv(512, 4, 512, 3, padding=1),
    conv(16, 32, 16, 3, padding=1),
    conv(3, 32, 64, 3, first=True, padding=1),
    conv(64, 32, 128, 3, stride=2, padding=1),
    conv(64, 32, 128, 1, stride=2),
    conv(256, 8, 256, 1),
    conv(6, 14, 16, 5),
    conv(64, 32, 64, 3, padding=1, groups=64),
    conv(64, 16, 64, 3, padding=2, dilation=2),
    conv(64, 16, 128, 3, padding=1, groups=4),
    Row("conv_transpose2d", (floats(N, 128, 16, 16), floats(128, 64, 2, 2)), {"stride": 2}),
    Row("conv2d>relu", (IMAGES, floats(64, 64, 3, 3), floats(64)), {"padding": 1}),
    linear(784, 512),
    linear(512, 512),
    linear(512, 10),
    linear(1024, 1024, 1024),
    linear(10, 46, 32),
    Row("matmul", (floats(512, 512), floats(512, 512))),
    Row("bmm", (floats(N, 64, 64), floats(N, 64, 64))),
    Row("bmm", (floats(8, 512, 64), floats(8, 64, 512))),
    Row("bmm", (floats(N, 1, 256), floats(N, 256, 64))),
    Row("conv1d", (floats(N, 64, 256), floats(64, 64, 3), floats(64)), {"padding": 1}),
    Row("conv1d", (floats(N, 64, 256), floats(64, 1, 3)), {"padding": 1, "groups": 64}),
    Row("conv1d", (floats(N, 128, 64), floats(256, 128, 3)), {"padding": 1}),
    norm(64, 32),
    norm(512, 4),
    norm(64, 32, "batch_norm>relu"),
    Row("batch_norm", (IMAGES, constant(64), positive(64, gradient=False),
                       floats(64), floats(64))),
    Row("layer_norm", (TOKENS, value((512,)), floats(512), floats(512))),
    Row("rms_norm", (TOKENS, value((512,)), floats(512))),
    Row("group_norm", (IMAGES, value(8), floats(64), floats(64))),
    Row("instance_norm", (IMAGES,)),
    Row("max_pool2d", (IMAGES,), {"kernel_size": 2}),
    Row("max_pool2d", (IMAGES,), {"kernel_size": 3, "stride": 2, "padding": 1}),
    Row("avg_pool2d", (IMAGES,), {"kernel_size": 2}),
    Row("adaptive_avg_pool2d", (floats(N, 512, 4, 4),), {"output_size": 1}),
    Row("adaptive_max_pool2d", (IMAGES,), {"output_size": 7}),
    *(Row(name, (IMAGES,)) for name in (
        "relu", "leaky_relu", "elu", "silu", "gelu", "gelu_tanh", "sigmoid", "tanh", "exp",
        "square", "abs", "softplus", "erf", "mish", "hardswish", "hardsigmoid", "sin")),
    *(Row(name, (positive(N, 64, 32, 32),)) for name in ("log", "sqrt", "reciprocal")),
    Row("power", (positive(N, 64, 32, 32),), {"exponent": 2.5}),
    Row("affine", (IMAGES,), {"scale": 2.0, "shift": 1.0}),
    *(Row(name, (IMAGES, IMAGES)) for name in ("add", "sub", "mul", "maximum", "minimum")),
    Row("div", (IMAGES, positive(N, 64, 32, 32))),
    *(Row(name, (constant(N, 64, 32, 32), constant(N, 64, 32, 32)))
      for name in ("ge", "gt", "eq", "ne")),
    Row("eq", (classes(10, N, 64, 64), classes(10, N, 64, 64))),
    Row(".float", (classes(10, N, 64, 64),)),
    Row("add", (IMAGES, floats(64, 1, 1))),
    Row("prelu", (IMAGES, floats(64))),
    Row("add>relu", (IMAGES, IMAGES)),
    Row("add_n", (several(IMAGES, IMAGES, IMAGES),)),
    Row("softmax", (floats(N, 1000),), {"dim": 1}),
    Row("log_softmax", (floats(N, 1000),), {"dim": 1}),
    Row("cross_entropy", (floats(N, 10), classes(10, N))),
    Row("cross_entropy", (floats(N, 1000), classes(1000, N))),
    Row("nll_loss", (floats(N, 1000), classes(1000, N))),
    Row("mse_loss", (floats(N, 784), floats(N, 784))),
    Row("binary_cross_entropy_with_logits", (floats(N, 784), constant(N, 784))),
    Row("dropout", (floats(N, 64, 16, 16),), {"p": 0.5}),
    Row("rand_like", (constant(N, 64, 16, 16),)),
    Row("randn_like", (constant(N, 64, 16, 16),)),
    Row("cat", (several(floats(N, 64, 16, 16), floats(N, 32, 16, 16)),), {"dim": 1}),
    Row("split>cat", (IMAGES, value(32)), {"dim": 1}),
    Row(".sum", (IMAGES,)),
    Row(".mean", (IMAGES, value((2, 3)))),
    Row(".sum", (IMAGES, value(1))),
    Row("amax", (IMAGES,), {"dim": (2, 3)}),
    Row("max", (floats(N, 1000),), {"dim": 1}),
    Row("cumsum", (floats(N, 1000),), {"dim": 1}),
    Row("cumsum", (IMAGES,), {"dim": 2}),
    Row("prod", (floats(N, 1000, 8),), {"dim": 2}),
    Row("topk", (floats(N, 1000),), {"k": 5}),
    Row("sort", (floats(N, 1000),)),
    Row(".permute", (IMAGES, value((0, 2, 3, 1)))),
    Row(".flatten", (floats(N, 512, 4, 4), value(1))),
    Row(".expand", (floats(N, 1, 512), value((-1, 16, -1)))),
    Row(".__getitem__", (IMAGES, value((ALL, ALL, EVERY_SECOND, EVERY_SECOND)))),
    Row(".repeat", (floats(N, 64, 16, 16), value((1, 1, 2, 2)))),
    Row(".long", (constant(N, 64, 32, 32),)),
    Row("gather", (floats(N, 1000), value(1), classes(1000, N, 64))),
    Row("one_hot", (classes(1000, N), value(1000))),
    Row("embedding", (classes(20_000, N, 64), floats(20_000, 128))),
    Row("interpolate", (IMAGES,), {"scale_factor": 2, "mode": "nearest"}),
    Row("interpolate", (IMAGES,), {"scale_factor": 2, "mode": "bilinear"}),
    Row("interpolate", (IMAGES,), {"size": 48, "mode": "bicubic"}),
    Row("pad", (IMAGES,), {"pad": (1, 1, 1, 1)}),
    Row("pad", (IMAGES,), {"pad": (1, 1, 1, 1), "mode": "reflect"}),
    Row("pixel_shuffle", (IMAGES,), {"upscale_factor": 2}),
    Row("channel_shuffle", (IMAGES,), {"groups": 4}),
    Row("optim.SGD", WEIGHTS, {"lr": 0.01}),
    Row("optim.SGD", WEIGHTS, SGD),
    Row("optim.SGD", WEIGHTS, SGD | {"nesterov": True, "weight_decay": 5e-4}),
    Row("optim.Adam", WEIGHTS, {"lr": 0.001}),
    Row("optim.AdamW", WEIGHTS, {"lr": 0.001}),
    Row("optim.AdamW", WEIGHTS, {"lr": 0.001, "amsgrad": True}),
    Row("optim.NAdam", WEIGHTS, {"lr": 0.001}),
    Row("optim.RAdam", WEIGHTS, {"lr": 0.001}),
    Row("optim.Adamax", WEIGHTS, {"lr": 0.001}),
    Row("optim.Adagrad", WEIGHTS, {"lr": 0.001}),
    Row("optim.Adadelta", WEIGHTS, {"lr": 0.01}),
    Row("optim.RMSprop", WEIGHTS, {"lr": 0.001}),
    Row("optim.RMSprop", WEIGHTS, {"lr": 0.001, "momentum": 0.9}),
    Row("optim.RMSprop", WEIGHTS, {"lr": 0.001, "centered": True}),
    Row("optim.RMSprop", WEIGHTS, {"lr": 0.001, "momentum": 0.9, "centered": True}),
    Row("optim.Rprop", WEIGHTS, {"lr": 0.001}),
    Row("optim.ASGD", WEIGHTS, {"lr": 0.001}),
    Row("optim.Lion", WEIGHTS, {"lr": 0.0001}),
    Row("optim.Muon", (floats(512, 512), floats(1024, 512), floats(512, 2048)), {"lr": 0.001}),
)
