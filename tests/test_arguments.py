"""Arguments that do not fit are refused at once, in a sentence that names what was expected."""

from collections.abc import Callable

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.arguments import array_of, choice, flag, instance, integer, real


def sgd() -> optim.SGD:
    return optim.SGD([nn.Parameter(np.ones(2))], lr=0.1)


def net() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 2))


def call(function: Callable[..., object], *inputs: object) -> object:
    """A function of symbolic tensors, called as a module's forward."""
    module = nn.Module()
    module.forward = function
    return module(*inputs)


X = np.ones((2, 3), np.float32)
LIST = [1.0, 2.0]

REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: nn.Dropout("0.5"), "probability p must be a number from 0 to 1, got '0.5'"),
    (lambda: nn.Dropout(LIST), "probability p must be a number"),
    (lambda: call(lambda x: fn.dropout(x, 0.5, np.ones(2)), X), "training must be True or False"),
    (lambda: nn.BatchNorm1d(3, eps=np.ones(2)), "eps must be a number"),
    (lambda: nn.BatchNorm1d(3, momentum="x"), "momentum must be a number or None"),
    (lambda: nn.BatchNorm1d(3, affine=np.ones(2)), "affine must be True or False"),
    (lambda: nn.Linear(np.ones(2), 1), "in_features must be an integer"),
    (lambda: nn.Conv2d(1, 2, 3, bias=np.ones(2)), "bias must be True or False"),
    (lambda: nn.ELU("1"), "alpha must be a number"),
    (lambda: nn.LeakyReLU(None), "negative_slope must be a number"),
    (lambda: nn.GELU(["tanh"]), "approximate must be one of"),
    (lambda: nn.Flatten("1"), "start_dim must be an integer"),
    (lambda: nn.CrossEntropyLoss(reduction=np.ones(2)), "reduction must be one of"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=LIST), "label_smoothing must be a number"),
    (lambda: nn.CrossEntropyLoss(ignore_index=1.5), "ignore_index must be an integer"),
    (lambda: nn.Sequential(nn.ReLU())["0"], "a module's number must be an integer"),
    (lambda: nn.ModuleList(nn.ReLU()), "ModuleList takes"),
    (lambda: nn.ModuleList(3), "ModuleList takes a list of modules"),
    (lambda: net().add_module("x", nn.ReLU), "an instance is needed: ReLU"),
    (lambda: net().add_module(3, nn.ReLU()), "a name must be text"),
    (lambda: net().register_buffer("x", [[1], [2, 3]]), "lists of one shape"),
    (lambda: net().apply(3), "apply takes a function"),
    (lambda: net().train(np.ones(2)), "mode must be True or False"),
    (lambda: net().requires_grad_(LIST), "requires_grad must be True or False"),
    (lambda: net().load_state_dict(LIST), "the state must be of class Mapping"),
    (lambda: net().get_submodule(3), "a name must be text"),
    (lambda: nn.init.normal_([1.0]), "tensor must be an nn.Parameter, or an array"),
    (lambda: nn.init.xavier_uniform_(nn.Parameter(X), "2"), "gain must be a number"),
    (lambda: fn.checkpoint(X), "what checkpoint marks must be of class Module"),
    (lambda: call(lambda x: fn.softmax(x, "1"), X), "axes must be integers"),
    (lambda: call(lambda x: fn.cat(x, 0), X), "what cat takes must be of class list or tuple"),
    (lambda: call(lambda x: fn.cat([x, x], 0.5), X), "axes must be integers"),
    (lambda: call(lambda x: fn.permute(x, X), X), "must be integers"),
    (lambda: call(lambda x: fn.sum(x, 0, np.ones(2)), X), "keepdim must be True or False"),
    (lambda: call(lambda x: x[int:3], X), "a slice's ends and step must be integers"),
    (lambda: call(lambda x: x.size("0"), X), "an axis must be an integer"),
    (lambda: call(lambda x: fn.affine(x, "2"), X), "affine: scale must be a number"),
    (lambda: optim.SGD([nn.Parameter(X)], lr=np.ones(2)), "lr must be a number from 0 on"),
    (lambda: optim.SGD([nn.Parameter(X)], lr=float("nan")), "lr must be a number from 0 on"),
    (lambda: optim.SGD(3), "SGD takes a list of parameters"),
    (lambda: optim.Adam([nn.Parameter(X)], betas=0.9), "betas must be two numbers"),
    (lambda: optim.Adam([nn.Parameter(X)], betas=("0", 0.9)), "betas[0] must be a number"),
    (lambda: setattr(sgd(), "lr", "0.1"), "lr must be a number"),
    (lambda: sgd().load_state_dict({}), "no state of an optimizer"),
    (lambda: optim.StepLR(net(), 1), "StepLR takes an optimizer"),
    (lambda: optim.StepLR(sgd(), 1.5), "step_size must be an integer"),
    (lambda: optim.StepLR(sgd(), 1, "0.1"), "gamma must be a number"),
    (lambda: optim.StepLR(sgd(), 1).step(float("nan")), "the time of a schedule must be"),
    (lambda: optim.MultiStepLR(sgd(), 3), "milestones must be a list of numbers"),
    (lambda: optim.MultiStepLR(sgd(), ["3"]), "a milestone must be a number"),
    (lambda: optim.ExponentialLR(sgd(), LIST), "gamma must be a number"),
    (lambda: optim.LinearLR(sgd(), LIST), "start_factor must be a number"),
    (lambda: optim.CosineAnnealingLR(sgd(), LIST), "T_max must be a number above 0"),
    (lambda: optim.LambdaLR(sgd(), 0.5), "lr_lambda must be a function"),
    (lambda: optim.LambdaLR(sgd(), str), "what lr_lambda returns must be a number"),
    (lambda: optim.OneCycleLR(sgd(), "0.1", 3), "max_lr must be a number"),
    (lambda: optim.OneCycleLR(sgd(), 0.1, 2.5), "total_steps must be an integer"),
    (lambda: optim.SequentialLR(sgd(), [3], []), "SequentialLR takes schedules"),
    (lambda: fn.TrainStep(net(), nn.MSELoss(), "adam"), "the optimizer must be one of"),
    (lambda: fn.TrainStep(net(), nn.MSELoss(), sgd(), accumulate=LIST), "accumulate must be"),
    (lambda: fn.TrainStep(net(), nn.MSELoss(), sgd()).plan(3), "a shape must be of class tuple"),
    (lambda: fn.Trainer(net(), nn.MSELoss(), sgd(), 0.1), "schedule must be of class LRSched"),
    (lambda: fn.Trainer(net(), nn.MSELoss(), sgd(), callbacks=3), "callbacks must be a list"),
    (lambda: fn.Trainer(net(), nn.MSELoss(), sgd(), callbacks=[3]), "a callback must be of class"),
    (lambda: fn.Trainer(net(), nn.MSELoss(), sgd()).fit((X, X), epochs="2"), "epochs must be"),
    (lambda: fn.training.EarlyStopping({}), "monitor must be of class str"),
    (lambda: fn.training.EarlyStopping(patience=None), "patience must be an integer"),
    (lambda: fn.training.CheckpointCallback("x", "10"), "seconds must be a number"),
    (lambda: fn.data.Batches(X, np.arange(2), "2"), "batch_size must be an integer"),
    (lambda: fn.data.Batches(X, np.arange(2), 2, shuffle=LIST), "shuffle must be True or False"),
    (lambda: fn.data.Batches(X, np.arange(2), 2).epoch("1"), "epoch must be an integer"),
    (lambda: fn.data.RandomShift(1.5), "pixels must be an integer"),
    (lambda: fn.data.RandomHorizontalFlip("1"), "p must be a number from 0 to 1"),
    (lambda: call(lambda x: x[0:2:0], X), "a slice's step must not be 0"),
    (lambda: call(lambda x: fn.batch_norm(x, None, None, training=np.ones((0, 2))), X),
     "training must be True or False"),
    (lambda: nn.MaxPool2d(2, ceil_mode=LIST)(np.ones((1, 1, 4, 4))), "ceil_mode must be True"),
    (lambda: nn.AvgPool2d(2, count_include_pad=LIST)(np.ones((1, 1, 4, 4))), "include_pad must be"),
    (lambda: fn.data.Batches(X, np.arange(2), 2, indices=[[1], [2, 3]]), "indices must be an arr"),
    (lambda: fn.Trainer(net(), nn.MSELoss(), sgd()).fit([((), X)]), "batch 1: x is an empty tuple"),
    (lambda: fn.Trainer(net(), nn.MSELoss(), sgd()).fit([(X, ())]), "batch 1: y is an empty tuple"),
    (lambda: nn.CrossEntropyLoss([1, "a"]), "weight must have one number for each class, got dty"),
    (lambda: fn.Trainer(nn.Linear(3, 3), lambda output, y: None, sgd()).evaluate((X, X)),
     "the loss must be a scalar tensor, got None"),
    (lambda: fn.optim.Adam(net().parameters(), betas=np.ones(())), "betas must be two numbers"),
    (lambda: fn.data.Compose(3), "transform 0 must be a function"),
    (lambda: fn.data.Standardize().fit(np.eye(2)).transform([[1.0]]), "x must be of class ndarray"),
    (lambda: fn.models.mlp(in_channels="1"), "in_channels must be an integer"),
    (lambda: fn.models.CifarResNet("20"), "depth must be an integer below a million, got '20'"),
    (lambda: fn.set_conv_algorithm(np.ones(2)), "unknown convolution algorithm"),
    (lambda: fn.set_rng_state(X), "expected a state of get_rng_state"),
    (lambda: call(lambda x: fn.conv2d(x, np.ones((1, 1, 1, 1)), None, 1, np.ones(3)),
                  np.ones((1, 1, 2, 2))), "padding"),
    (lambda: call(lambda x: fn.amax(np.ones((0, 3))), X), "needs one element at least"),
    (lambda: setattr(nn.Parameter(X), "data", nn.ReLU), "expected numbers"),
    (lambda: nn.CrossEntropyLoss([[1], [2, 3]]), "weight must be an array"),
    (lambda: fn.training.accuracy(X, [[1], [2, 3]]), "target must be an array"),
    (lambda: fn.data.RandomHorizontalFlip()([[1], [2, 3]], None), "x must be an array"),
    (lambda: fn.data.load_image_folder(".", mode=X), "mode is"),
    (lambda: fn.data.load_image_folder(".", size=3), "size must be of class tuple"),
    (lambda: fn.data.load_image_folder(".", test_fraction=X), "test_fraction must be a number"),
    (lambda: optim.StepLR(sgd(), 1, nn.Parameter(X)), "gamma must be a number"),
    (lambda: fn.models.CifarResNet(2**31), "below a million"),
    (lambda: fn.data.check_arrays(X, np.arange(2), (2,)), "classes must be an integer"),
    (lambda: fn.TrainStep(net(), nn.MSELoss(), sgd(), keep_output=X), "keep_output must be True"),
    (lambda: fn.save("x", X), "the model must be of class Module"),
    (lambda: fn.load(7, net()), "expected str, bytes or os.PathLike object, not int"),
]


@pytest.mark.parametrize(("wrong", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_does_not_fit_is_refused_in_words(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        wrong()
    assert words in str(raised.value)


def test_numbers_of_python_and_numpy_fit() -> None:
    assert real(np.float32(0.5), "p", "0 to 1", 0, 1) == 0.5
    assert real(True, "p") == 1.0 and real(2**70, "p") == 2.0**70
    assert integer(np.int64(3), "n", "1 on", 1) == 3 and integer(np.array(3), "n") == 3
    assert flag(np.bool_(True), "f") is True and flag(0, "f") is False
    assert choice("a", "c", ("a", "b")) == "a" and instance(3, "n", int) == 3
    assert array_of([[1], [2]], "x").shape == (2, 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1, 10**400])
def test_numbers_outside_of_their_range_do_not(value: float) -> None:
    with pytest.raises(ValueError, match="p must be a number from 0 to 1, got"):
        real(value, "p", "a number from 0 to 1", 0, 1)


def test_a_number_is_no_path(tmp_path) -> None:
    """It would be taken for that of an open file, which would be closed after it."""
    with open(tmp_path / "open", "wb") as stream:
        with pytest.raises(TypeError, match="not int"):
            fn.load(stream.fileno(), net())
        stream.write(b"x")


def test_a_path_of_bytes_is_one(tmp_path) -> None:
    path = str(tmp_path / "w.safetensors").encode()
    fn.save(path, net())
    fn.load(path, net())
