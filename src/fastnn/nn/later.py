"""Names that nn does not define: of torch.nn what is not here yet, and what has another home."""

from __future__ import annotations

import sys
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

PAGE = "docs/operations_later.md"
_SEQUENCES = ("layers for sequences are not here yet; what is: Conv1d over time, Linear over the "
              "last axis, softmax and matmul to write attention with")
_VOLUMES = "layers of three spatial axes are not here yet; what is: those of one and two"
_LAZY = ("it is not here yet; what is: nn.LazyLinear and lazy layers of one and two axes, or sizes "
         "that are written out")
_SPARSE = "sparse and quantised values are not here yet; what is: float32"
_DEVICES = "one process trains on one CPU server; it uses all cores by fn.set_num_threads"
LATER: dict[str, str] = {
    **dict.fromkeys((
        "RNN", "LSTM", "GRU", "RNNBase", "RNNCell", "LSTMCell", "GRUCell", "MultiheadAttention",
        "Transformer", "TransformerEncoder", "TransformerDecoder", "TransformerEncoderLayer",
        "TransformerDecoderLayer", "AdaptiveLogSoftmaxWithLoss",
        "scaled_dot_product_attention", "multi_head_attention_forward", "rnn"), _SEQUENCES),
    **dict.fromkeys((
        "Conv3d", "ConvTranspose3d", "MaxPool3d", "MaxUnpool3d", "AvgPool3d", "FractionalMaxPool3d",
        "AdaptiveMaxPool3d", "AdaptiveAvgPool3d", "LPPool3d", "BatchNorm3d", "InstanceNorm3d",
        "ReflectionPad3d", "ReplicationPad3d", "ConstantPad3d",
        "ZeroPad3d", "CircularPad3d", "conv3d", "conv_transpose3d", "max_pool3d", "avg_pool3d",
        "max_unpool3d", "adaptive_max_pool3d", "adaptive_avg_pool3d", "lp_pool3d"),
        _VOLUMES),
    **dict.fromkeys(("LazyConv3d", "LazyConvTranspose3d", "LazyBatchNorm3d", "LazyInstanceNorm1d",
                     "LazyInstanceNorm2d", "LazyInstanceNorm3d"), _LAZY),
    **dict.fromkeys(("EmbeddingBag", "embedding_bag", "quantized", "quantizable", "qat",
                     "intrinsic"), _SPARSE),
    **dict.fromkeys(("DataParallel", "parallel", "SyncBatchNorm"), _DEVICES),
    **dict.fromkeys(("FractionalMaxPool2d", "fractional_max_pool2d"),
                    "pooling over random windows is not here yet; what is: MaxPool2d, AvgPool2d"),
}


# Layers that train themselves, whose home is above the floor of nn.
ELSEWHERE = {"RBM": "fastnn.pretraining"}


def refusal(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module, for names that it does not have.

    >>> refusal("fastnn.nn")("LSTM")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    AttributeError: fastnn.nn has no LSTM: layers for sequences are not here yet; what is: Conv1d...
    """
    def get(name: str) -> Any:
        if name in ELSEWHERE and module == "fastnn.nn":
            return getattr(import_module(ELSEWHERE[name]), name)
        said = f": {LATER[name]} ({PAGE})" if name in LATER else ""
        close = [] if said or name.startswith("_") else get_close_matches(
            name, vars(sys.modules[module]), 3, 0.8)
        hint = f"; there is {' or '.join(close)}" if close else ""
        raise AttributeError(f"{module} has no {name}{said}{hint}", name=name)

    return get
