"""Losses as modules: shapes of their targets, what batches weigh, and how they are called."""

import re

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim

RNG = np.random.default_rng(0)
CLASSES = np.float32([0.5, 2.0, 1.0])


def flat(x):
    return x


def unit(x):
    return fn.sigmoid(x)


def twice(x):
    return x, fn.tanh(x) * 0.5


def with_variance(x):
    return x, fn.exp(x * 0.5)


def thrice(x):
    return x, x * 0.5 + 0.1, -x


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def chances(*shape):
    return RNG.random(shape).astype(np.float32)


def signs(*shape):
    return RNG.choice([-1.0, 1.0], shape).astype(np.float32)


LABELS = RNG.integers(0, 3, 10)
SOME = np.where(np.arange(10) % 3 == 1, -100, LABELS)
SEVERAL = np.array([[0, -1, 1], [2, 1, -1]] * 5)
# name -> loss, what the model makes of (10, 3), target
LOSSES = {
    "CrossEntropyLoss": (nn.CrossEntropyLoss(CLASSES), flat, SOME),
    "CrossEntropyLoss of probabilities": (nn.CrossEntropyLoss(CLASSES, label_smoothing=0.1), flat,
                                          chances(10, 3)),
    "NLLLoss": (nn.NLLLoss(CLASSES), lambda x: fn.log_softmax(x, 1), SOME),
    "NLLLoss, sum": (nn.NLLLoss(reduction="sum"), lambda x: fn.log_softmax(x, 1), SOME),
    "MSELoss": (nn.MSELoss(), flat, numbers(10, 3)),
    "L1Loss": (nn.L1Loss(), flat, numbers(10, 3)),
    "SmoothL1Loss": (nn.SmoothL1Loss(beta=0.5), flat, numbers(10, 3)),
    "HuberLoss": (nn.HuberLoss(delta=0.5), flat, numbers(10, 3)),
    "BCELoss": (nn.BCELoss(CLASSES), unit, chances(10, 3)),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss(CLASSES, pos_weight=CLASSES), flat, chances(10, 3)),
    "KLDivLoss": (nn.KLDivLoss(), lambda x: fn.log_softmax(x, 1), chances(10, 3)),
    "KLDivLoss, batchmean": (nn.KLDivLoss(reduction="batchmean"), lambda x: fn.log_softmax(x, 1),
                             chances(10, 3)),
    "HingeEmbeddingLoss": (nn.HingeEmbeddingLoss(), unit, signs(10, 3)),
    "MarginRankingLoss": (nn.MarginRankingLoss(0.2), twice, signs(10, 3)),
    "CosineEmbeddingLoss": (nn.CosineEmbeddingLoss(0.2), twice, signs(10)),
    "TripletMarginLoss": (nn.TripletMarginLoss(swap=True), thrice, numbers(10)),
    "TripletMarginWithDistanceLoss": (nn.TripletMarginWithDistanceLoss(margin=0.5), thrice,
                                      numbers(10)),
    "MultiLabelSoftMarginLoss": (nn.MultiLabelSoftMarginLoss(CLASSES), flat, chances(10, 3)),
    "MultiMarginLoss": (nn.MultiMarginLoss(2, 0.7, CLASSES), flat, LABELS),
    "MultiLabelMarginLoss": (nn.MultiLabelMarginLoss(), flat, SEVERAL),
    "GaussianNLLLoss": (nn.GaussianNLLLoss(full=True), with_variance, numbers(10, 3)),
    "PoissonNLLLoss": (nn.PoissonNLLLoss(full=True), flat, chances(10, 3) * 3),
    "SoftMarginLoss": (nn.SoftMarginLoss(), flat, signs(10, 3)),
}
X = numbers(10, 4)
every_loss = pytest.mark.parametrize("name", LOSSES)


class Net(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.layer, self.make = nn.Linear(4, 3), make

    def forward(self, x):
        return self.make(self.layer(x))


def net(name, **options):
    fn.manual_seed(1)
    loss, make, y = LOSSES[name]
    model = Net(make)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return model, fn.TrainStep(model, loss, optimizer, **options), y


def test_every_loss_is_here():
    losses = {name for name in nn.__all__ if name.endswith("Loss")}
    assert losses - {name.partition(",")[0].partition(" ")[0] for name in LOSSES} == {"CTCLoss"}


@every_loss
@pytest.mark.parametrize("count", [2, 4, 10])
def test_micro_batches_make_the_step_of_the_whole_batch(name, count):
    (one, whole, y), (several, split, _) = net(name), net(name, accumulate=count)
    for _ in range(3):
        assert split(X, y) == pytest.approx(whole(X, y), rel=2e-5)
    for key, value in one.state_dict().items():
        np.testing.assert_allclose(several.state_dict()[key], value, rtol=2e-5, atol=2e-6)


@every_loss
@pytest.mark.parametrize("size", [3, 4])
def test_evaluation_is_that_of_one_batch(name, size):
    model, step, y = net(name)
    trainer = fn.Trainer(model, step.loss, step.optimizer)
    batches = [(X[i:i + size], y[i:i + size]) for i in range(0, 10, size)]
    whole = float(step.loss(model(X), y))
    assert trainer.evaluate(batches)["loss"] == pytest.approx(whole, rel=2e-5)


@every_loss
def test_a_plan_before_there_are_targets_is_that_of_the_step(name):
    _, step, y = net(name)
    before = step.plan(X.shape)
    step(X, y)
    if "probabilities" not in name:
        assert step.plan(X.shape).peak_bytes == before.peak_bytes
        assert step.plan(X.shape, fn.graph.Spec(y.shape, y.dtype)).steps == before.steps


def test_two_or_three_outputs_are_taken_apart():
    a, b, c, y = numbers(5, 3), numbers(5, 3), numbers(5, 3), signs(5, 3)
    for loss, target in ((nn.MarginRankingLoss(), y), (nn.CosineEmbeddingLoss(), y[:, 0])):
        assert loss((a, b), target) == loss(a, b, target)
        with pytest.raises(TypeError, match="takes"):
            loss(a, target)
    triplet, gaussian = nn.TripletMarginLoss(), nn.GaussianNLLLoss()
    assert triplet((a, b, c), y) == triplet(a, b, c)
    assert gaussian((a, c**2), b) == gaussian(a, b, c**2)
    with pytest.raises(TypeError, match="three outputs"):
        triplet((a, b), y)
    with pytest.raises(TypeError, match="a mean and a variance"):
        gaussian(a, b)


def test_deprecated_arguments():
    x, y = numbers(4, 3), numbers(4, 3)
    for arguments, reduction in (((True,), "mean"), ((False,), "sum"), ((None, False), "none")):
        with pytest.warns(DeprecationWarning, match=f"write reduction='{reduction}'"):
            loss = nn.MSELoss(*arguments)
        assert loss.reduction == reduction
    with pytest.raises(TypeError, match="write reduction='sum'"):
        nn.MSELoss("sum")
    with pytest.raises(TypeError, match="stands before others"):
        nn.CrossEntropyLoss(CLASSES, 255)
    with pytest.raises(TypeError, match="made first and called then"):
        nn.MSELoss(x, y)


ERRORS = [
    (lambda: nn.CTCLoss(), NotImplementedError, "fn.Function"),
    (lambda: nn.MSELoss(reduction="batchmean"), ValueError, "reduction must be one of"),
    (lambda: nn.HuberLoss(delta=0), ValueError, "delta must be a number above 0"),
    (lambda: nn.SmoothL1Loss(beta=-1), ValueError, "beta must be"),
    (lambda: nn.TripletMarginLoss(margin=0), ValueError, "margin must be a number above 0"),
    (lambda: nn.TripletMarginLoss(p=np.inf), ValueError, "p must be"),
    (lambda: nn.MultiMarginLoss(p=3), ValueError, "p must be 1 or 2"),
    (lambda: nn.BCELoss("weights"), TypeError, "weight must be numbers"),
    (lambda: nn.BCELoss()(X, X[:, :2]), fn.ShapeError, "must be alike"),
    (lambda: nn.BCELoss()(X, X[:, 0]), fn.ShapeError, "must be alike"),
    (lambda: nn.BCEWithLogitsLoss()(X[:, :1], X[:, 0]), fn.ShapeError, "write y[:, None]"),
    (lambda: nn.BCEWithLogitsLoss()(X[:, 0], X[:, :1]), fn.ShapeError, "write y[:, 0]"),
    (lambda: nn.BCEWithLogitsLoss(X[0])(X[:, :3], X[:, :3]), fn.ShapeError, "broadcast"),
    (lambda: nn.L1Loss()(X, LABELS), fn.ShapeError, "class numbers are for cross_entropy"),
    (lambda: nn.NLLLoss()(X, X), fn.ShapeError, "expected (10,)"),
    (lambda: nn.NLLLoss()(X, X[:, 0]), fn.ShapeError, "write y.astype(np.int64)"),
    (lambda: nn.NLLLoss()(X, LABELS + 2), ValueError, "expected 0 to 3"),
    (lambda: nn.NLLLoss()(X[0], np.array(4)), ValueError, "expected 0 to 3"),
    (lambda: nn.CrossEntropyLoss()(numbers(2, 3, 4), np.full((2, 4), 3)), ValueError,
     "expected 0 to 2"),
    (lambda: nn.MultiMarginLoss()(numbers(2, 3, 4), np.ones((2, 4), int)), fn.ShapeError,
     "expected (batch, classes)"),
    (lambda: nn.MultiLabelMarginLoss()(X, np.full((10, 4), 4)), ValueError, "expected 0 to 3"),
    (lambda: nn.MultiLabelMarginLoss()(X, LABELS), fn.ShapeError, "integers as target"),
    (lambda: nn.CosineEmbeddingLoss()(X, X, X), fn.ShapeError, "(features,) twice"),
    (lambda: nn.MarginRankingLoss()(X, X, X[:, 0]), fn.ShapeError, "same number of axes"),
    (lambda: nn.TripletMarginLoss()(X, X, X[0]), fn.ShapeError, "same number of axes"),
    (lambda: nn.GaussianNLLLoss()(X, X, X[:3]), fn.ShapeError, "does not fit input"),
    (lambda: fn.gaussian_nll_loss(X, X, -1.0), ValueError, "a number from 0 on"),
    (lambda: fn.triplet_margin_with_distance_loss(X, X, X, distance_function=2), TypeError,
     "a function of two tensors"),
    (lambda: fn.cross_entropy(np.float32(1), LABELS), fn.ShapeError, "(batch, classes, ...)"),
]


@pytest.mark.parametrize(("call", "kind", "said"), ERRORS)
def test_errors(call, kind, said):
    with pytest.raises(kind, match=re.escape(said)):
        call()


def test_shapes_that_broadcast_give_a_warning():
    with pytest.warns(UserWarning, match="rarely meant"):
        nn.MSELoss()(X, X[0])


def test_what_has_no_loss_is_reported():
    for loss, output in ((nn.BCELoss(), X + 2), (nn.KLDivLoss(), X)):
        y = -np.ones_like(X) if isinstance(loss, nn.KLDivLoss) else np.ones_like(X)
        assert np.isnan(loss(output, y))
    assert np.isnan(nn.GaussianNLLLoss()(X, X, -np.ones_like(X)))


def test_gradients_where_pytorch_has_a_convention():
    def slope(loss, x, *others):
        x = np.asarray(x, np.float32)

        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.x = nn.Parameter(x)

            def forward(self, unused):
                return self.x * 1.0

        with np.errstate(all="ignore"):
            _, grads = fn.value_and_grad(Model(), loss)(np.zeros((1, 1), np.float32), *others)
        return grads["x"].tolist()

    ones = np.ones(2, np.float32)
    # a logarithm of at least -100 still has a slope: (x - y) / max(x (1 - x), 1e-12)
    assert slope(nn.BCELoss(reduction="sum"), [0.0, 1.0], ones) == pytest.approx([-1e12, 0.0])
    assert slope(lambda a, y: fn.margin_ranking_loss(a, y, ones, reduction="sum"),
                 [1.0, 2.0], ones) == [-1.0, 0.0]  # at 0 as above it
    assert slope(lambda a, y: fn.l1_loss(a, y, reduction="sum"), [1.0, 2.0], ones) == [0.0, 1.0]
    assert slope(lambda a, y: fn.triplet_margin_loss(a, y, y + 9, eps=0), ones, ones) == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(10,), (10, 2), (10, 2, 1, 2)])
def test_a_function_of_class_numbers_weighs_by_them(shape):
    def loss(output, target):
        output = output[(..., *[None] * (len(shape) - 1))].expand(10 // count, 3, *shape[1:])
        return fn.nll_loss(fn.log_softmax(output, 1), target, CLASSES)

    y = np.resize(SOME, shape)
    for count in (1, 5):
        fn.manual_seed(1)
        model = nn.Linear(4, 3)
        step = fn.TrainStep(model, loss, optim.SGD(model.parameters(), lr=0.1), accumulate=count)
        found = [step(X, y) for _ in range(3)]
        if count == 1:
            expected = found
    assert found == pytest.approx(expected, rel=1e-5)
