"""Layers against PyTorch: names and defaults of arguments, state_dict names, initial values."""

import inspect

import numpy as np
import pytest

import fastnn as fn
from tests.parity.compare import torch

pytestmark = pytest.mark.parity

LAYERS = {
    "Linear": (5, 3), "Conv2d": (4, 6, 3), "ConvTranspose2d": (4, 6, 3), "BatchNorm1d": (4,),
    "BatchNorm2d": (4,),
    "MaxPool1d": (2,), "MaxPool2d": (2,), "MaxUnpool1d": (2,), "MaxUnpool2d": (2,),
    "AvgPool1d": (2,), "AvgPool2d": (2,), "AdaptiveAvgPool1d": (1,), "AdaptiveAvgPool2d": (1,),
    "AdaptiveMaxPool1d": (1,), "AdaptiveMaxPool2d": (1,), "LPPool1d": (2, 3), "LPPool2d": (2, 3),
    "Dropout": (), "Flatten": (),
    "ReLU": (), "LeakyReLU": (), "ELU": (), "SiLU": (), "GELU": (), "Sigmoid": (), "Tanh": (),
    **dict.fromkeys((
        "ReLU6", "Hardtanh", "SELU", "CELU", "Softplus", "Softsign", "Mish", "Hardsigmoid",
        "Hardswish", "Hardshrink", "Softshrink", "Tanhshrink", "LogSigmoid", "PReLU", "GLU",
        "Softmax", "Softmax2d", "LogSoftmax", "Softmin"), ()), "Threshold": (0.1, 20),
    "Dropout1d": (), "Dropout2d": (), "Dropout3d": (), "AlphaDropout": (),
    "FeatureAlphaDropout": (), "RReLU": (),
    **dict.fromkeys((
        "CrossEntropyLoss", "NLLLoss", "MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "BCELoss",
        "BCEWithLogitsLoss", "KLDivLoss", "HingeEmbeddingLoss", "MarginRankingLoss",
        "CosineEmbeddingLoss", "TripletMarginLoss", "TripletMarginWithDistanceLoss",
        "MultiLabelSoftMarginLoss", "MultiMarginLoss", "MultiLabelMarginLoss", "GaussianNLLLoss",
        "PoissonNLLLoss", "SoftMarginLoss"), ()),
}
# What PyTorch takes and fastnn has no use for: where and how values are stored, old spellings.
LEFT_OUT = {"device", "dtype", "inplace", "size_average", "reduce",
            "padding_mode", "self", "bias_", "min_value", "max_value"}


def arguments(kind):
    parameters = inspect.signature(kind.__init__).parameters.values()
    return {p.name: p.default for p in parameters
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in LEFT_OUT}


@pytest.mark.parametrize("name", list(LAYERS))
def test_arguments_and_defaults(name):
    ours, theirs = arguments(getattr(fn.nn, name)), arguments(getattr(torch.nn, name))
    assert list(ours) == list(theirs)
    assert ours == theirs


@pytest.mark.parametrize("name", list(LAYERS))
def test_state_dict(name):
    ours = getattr(fn.nn, name)(*LAYERS[name]).state_dict()
    theirs = getattr(torch.nn, name)(*LAYERS[name]).state_dict()
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        assert ours[key].shape == tuple(value.shape)
        assert ours[key].dtype == value.numpy().dtype


@pytest.mark.parametrize(("name", "sizes"), [
    ("Linear", (400, 300)), ("Conv2d", (40, 60, 5)), ("ConvTranspose2d", (40, 60, 5)),
    ("BatchNorm2d", (4,))])
def test_initial_values_have_the_same_distribution(name, sizes):
    ours = getattr(fn.nn, name)(*sizes).state_dict()
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(*sizes).state_dict()
    for key in ("weight", "bias"):
        a, b = ours[key].ravel(), theirs[key].numpy().ravel()
        assert abs(a.std() - b.std()) <= 0.1 * b.std()
        assert abs(np.abs(a).max() - np.abs(b).max()) <= 0.05 * np.abs(b).max()


OPTIMIZERS = {"SGD": {"lr", "momentum", "dampening", "weight_decay", "nesterov"},
              "Adam": {"lr", "betas", "eps", "weight_decay"},
              "AdamW": {"lr", "betas", "eps", "weight_decay"}}


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_optimizer_defaults(name):
    ours, theirs = (arguments(getattr(module, name)) for module in (fn.optim, torch.optim))
    assert {key: ours[key] for key in OPTIMIZERS[name]} == {
        key: theirs[key] for key in OPTIMIZERS[name]}
    assert list(ours) == [key for key in theirs if key in ours]


INITS = {"kaiming_normal_": dict(mode="fan_out", nonlinearity="relu"), "kaiming_uniform_": {},
         "xavier_normal_": {}, "xavier_uniform_": {}, "normal_": dict(mean=1.0, std=0.3),
         "uniform_": dict(a=-2.0, b=3.0)}


@pytest.mark.parametrize("name", list(INITS))
def test_init(name):
    torch.manual_seed(0)
    shape = (128, 32, 3, 3)
    a = getattr(fn.nn.init, name)(fn.nn.Parameter(np.zeros(shape)), **INITS[name]).data
    b = getattr(torch.nn.init, name)(torch.zeros(shape), **INITS[name]).numpy()
    assert abs(a.std() / b.std() - 1) < 0.02
    assert abs(a.mean() - b.mean()) < 0.02 * b.std()


ACTIVATIONS = ["ReLU", "LeakyReLU", "GELU", "ReLU6", "Hardtanh", "CELU", "Softplus", "Hardshrink",
               "Softshrink", "PReLU", "GLU", "Softmax", "Threshold", "Mish"]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_repr(name):
    ours, theirs = (getattr(nn, name)(*LAYERS.get(name, ())) for nn in (fn.nn, torch.nn))
    assert repr(ours).replace("20.0", "20") == repr(theirs).replace("20.0", "20")
