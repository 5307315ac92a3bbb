"""What a new user gets wrong: each error says what came, what was expected and what to write."""

import json
import pickle
import warnings

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from tests.nets import same_state, state_of

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (8, 3, 6, 6)).astype(np.uint8)
X, Y = (IMAGES / 255).astype(np.float32), np.arange(8) % 10


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 10))


class OfPyTorch:
    __module__ = "torch.nn.modules.loss"

    def __call__(self, output, target):
        raise AssertionError("it is not called")


CROSS, MSE = nn.CrossEntropyLoss(), nn.MSELoss()
ONE_HOT = np.eye(10, dtype=np.float32)[Y]
TEXTS = np.array([f"class {number}" for number in Y])
OBJECTS = np.array([1.0, "a", None] * 3, object)[:8]


class Foreign:
    """As a tensor of another library: an array when asked, or an error."""

    def __init__(self, array=None):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        if self.array is None:
            raise RuntimeError("it requires grad")
        return self.array

    def detach(self):
        return self


MISTAKES = {
    "one-hot integers": (CROSS, X, ONE_HOT.astype(np.int64), [
        "target (8, 10) does not fit logits (8, 10)", "expected (8,), class numbers", "one-hot",
        "y.argmax(1)", "probabilities", "y.astype(np.float32)"]),
    "one-hot targets of NLL": (nn.NLLLoss(), X, ONE_HOT, ["expected (8,)", "y.argmax(1)"]),
    "probabilities of other classes": (CROSS, X, ONE_HOT[:, :9], ["(8, 9)", "expected (8,)"]),
    "a column of classes": (CROSS, X, Y[:, None], ["(8, 1)", "expected (8,)", "write y[:, 0]"]),
    "too few targets": (CROSS, X, Y[:5], ["(5,)", "expected (8,)"]),
    "float class numbers": (CROSS, X, Y.astype(np.float32), ["integers", "got float32",
                                                             "write y.astype(np.int64)"]),
    "texts as labels": (CROSS, X, TEXTS, [
        "y must be", "<U7", "fn.data.LabelEncoder().fit_transform(y)"]),
    "integers as objects": (CROSS, X, Y.astype(object), ["got object", ".astype(np.int64)"]),
    "class numbers for MSE": (MSE, X, Y, ["(8,)", "class numbers are for cross_entropy"]),
    "one output for two classes": (lambda o, y: fn.cross_entropy(o[:, :1], y), X, Y % 2, [
        "from 0 to 1", "expected 0 to 0: the output has 1"]),
    "texts as objects": (CROSS, X, TEXTS.astype(object), ["y must be", "LabelEncoder"]),
    "a list of texts": (CROSS, X, list(TEXTS), ["y must be", "LabelEncoder"]),
    "objects": (CROSS, X, OBJECTS, ["y must be", "got object"]),
    "integers in a loss of one's own": (lambda o, y: (o - y).sum(), X, ONE_HOT.astype(int), [
        "sub needs float32", "y is int64: write y.astype(np.float32)"]),
    "a flat target of MSE": (lambda o, y: fn.mse_loss(o[:, :1], y), X, ONE_HOT[:, 0], [
        "(8, 1)", "(8,)", "write y[:, None]"]),
    "uint8 pictures": (CROSS, IMAGES, Y, [
        "conv2d needs float32", "x is uint8: write x.astype(np.float32) / 255"]),
    "integer pictures": (CROSS, IMAGES.astype(np.int16), Y, [
        "x is int16: write x.astype(np.float32)"]),
    "x and y in the wrong order": (CROSS, Y, X, ["wrong order"]),
    "one picture": (CROSS, X[0], Y[:3], ["linear: input (4, 16)", "x[None]"]),
    "gray pictures": (CROSS, X[:, 0], Y, ["got shape (8, 6, 6)", "x[:, None]"]),
    "flat pictures": (CROSS, X.reshape(8, -1), Y, ["got shape (8, 108)", "x.reshape"]),
    "channels last": (CROSS, np.ascontiguousarray(X.transpose(0, 2, 3, 1)), Y, [
        "layout='NHWC'", "expected 3"]),
    "channels last in uint8": (CROSS, np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1)), Y, [
        "x is uint8: write"]),
    "another size": (CROSS, X[:, :, :5, :5], Y, ["linear: input (8, 36)", "(10, 64)"]),
    "a list of arrays": (CROSS, [X[0], X[1, :, :5]], Y[:2], [
        "x must be", "list that is no array", "(3, 5, 6), (3, 6, 6)", "tuple of arrays"]),
    "a list of lists": (CROSS, [[1.0, 2.0], [3.0]], Y[:2], ["x must be", "list that is no array"]),
    "nothing": (CROSS, X, None, ["y must be an array of floats or integers, got None"]),
    "masked values": (CROSS, np.ma.masked_less(X, 0.5), Y, ["masked values", "x.filled(0)"]),
    "two targets for one": (CROSS, X, (Y, Y), ["tuple of 2 tensors"]),
    "no return": (lambda output, y: None, X, Y, ["must return a tensor", "got None"]),
    "the loss class, called": (lambda o, y: nn.CrossEntropyLoss(o, y), X, Y, [
        "weight must have one number for each class", "nn.CrossEntropyLoss()(output, target)"]),
    "a dict": (CROSS, {"x": X}, Y, ["got dict with ['x']: take one of its values"]),
    "a dict of no arrays": (CROSS, {"x": "a"}, Y, ["x['x'] must be an array", "got 'a'"]),
    "a name": (CROSS, "x.npy", Y, ["x must be", "'x.npy'"]),
    "a tensor that is no array": (CROSS, Foreign(), Y, [
        "got Foreign", "it requires grad", ".detach().cpu().numpy()"]),
    "complex numbers": (CROSS, X.astype(np.complex64), Y, ["complex64", "np.stack([x.real"]),
    "dates": (CROSS, X, Y.astype("datetime64[D]"), ["datetime64", "np.timedelta64"]),
    "bytes": (CROSS, X, TEXTS.astype("S"), ["|S7", "LabelEncoder"]),
}


@pytest.mark.parametrize("door", ["step", "accumulate", "gradients"])
@pytest.mark.parametrize(("loss", "x", "y", "words"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_gets_its_sentence_and_changes_nothing(loss, x, y, words, door):
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    call = (fn.value_and_grad(model, loss) if door == "gradients" else
            fn.TrainStep(model, loss, optimizer, accumulate=2 if door == "accumulate" else 1))
    before = state_of(model)
    with pytest.raises((TypeError, ValueError)) as caught:
        call(x, y)
    for word in words:
        if door != "accumulate" or "(" not in word:  # whose shapes are smaller
            assert word in str(caught.value), caught.value
    assert loss is not CROSS or "write y.astype(np.float32)" not in str(caught.value)
    assert "int64" not in str(caught.value) or "int64" in f"{words}{np.asarray(y).dtype}"
    assert same_state(before, state_of(model))


@pytest.mark.parametrize("budget", [None, "8GiB"])
def test_a_model_and_an_evaluation_name_the_type_that_was_given(budget):
    trainer = fn.Trainer(net(), CROSS, optim.SGD(net().parameters(), lr=0.1), memory_budget=budget)
    words = r"input 0 is uint8: write x\.astype\(.*\) / 255\nin evaluation, batch 1$"
    with pytest.raises(fn.ShapeError, match=words):
        trainer.evaluate([(IMAGES, Y)])
    with pytest.raises(fn.ShapeError, match=r"input 0 is uint8") as caught:
        net()(IMAGES)
    assert "int64" not in str(caught.value)


def test_arrays_of_other_libraries_are_arrays():
    model = net()
    step = fn.TrainStep(model, CROSS, optim.SGD(model.parameters(), lr=0.0))
    assert step(Foreign(X), Foreign(Y)) == step(X, Y) == step(X.tolist(), Y.tolist())


@pytest.mark.parametrize("make", [
    lambda model, loss: fn.TrainStep(model, loss, optim.SGD(net().parameters(), lr=0.1)),
    lambda model, loss: fn.value_and_grad(model, loss),
    lambda model, loss: fn.Trainer(model, loss, optim.SGD(net().parameters(), lr=0.1)),
    lambda model, loss: fn.memory_frontier(model, loss, optim.SGD(net().parameters(), lr=0.1),
                                           X.shape)])
@pytest.mark.parametrize(("model", "loss", "words"), [
    (net, nn.CrossEntropyLoss, ["loss is the class CrossEntropyLoss", "write CrossEntropyLoss()"]),
    (lambda: nn.ReLU, CROSS, ["model is the class ReLU", "write ReLU()"]),
    (lambda: net, CROSS, ["model must be an fn.nn.Module, got function"]),
    (net, OfPyTorch(), ["loss is PyTorch's OfPyTorch"]),
    (lambda: OfPyTorch(), CROSS, ["model is PyTorch's OfPyTorch", "state_dict"]),
    (net, None, ["loss must be", "got None"])])
def test_a_class_or_a_name_in_place_of_an_instance(make, model, loss, words):
    with pytest.raises(TypeError) as caught:
        make(model(), loss)
    for word in words:
        assert word in str(caught.value)


def test_the_name_of_a_loss_is_for_trainers():
    said = r"loss must be a module such as nn\.CrossEntropyLoss\(\).*'mse'; a Trainer takes names"
    with pytest.raises(TypeError, match=said):
        fn.value_and_grad(net(), "mse")
    with pytest.raises(TypeError, match=said):
        fn.TrainStep(net(), "mse", optim.SGD(net().parameters(), lr=0.1))


def test_what_is_no_parameter_is_not_taken_for_one():
    model = net()
    for value in (np.ones(3), fn.Variable(0.5), "weight"):
        with pytest.raises(TypeError, match=r"nn\.Parameter or None, got .*write nn\.Parameter"):
            model.register_parameter("extra", value)
    assert not hasattr(model, "extra")
    with pytest.raises(TypeError, match=r"SGD takes parameters, got .*Variable"):
        optim.SGD([fn.Variable(0.5)], lr=0.1)


def test_a_class_in_place_of_a_layer():
    with pytest.raises(TypeError, match=r"ReLU'> as '1'; an instance is needed: ReLU\(\)"):
        nn.Sequential(nn.Linear(2, 2), nn.ReLU)


def test_trainer_words_labels_too():
    trainer = fn.Trainer(net(), CROSS, optim.SGD(net().parameters(), lr=0.1))
    with pytest.raises(ValueError, match=r"a tuple of data .* got \(tuple, ndarray\)"):
        trainer.fit(((X, X), Y))
    with pytest.raises(ValueError, match=r"\(8, 10\).*y\.argmax\(1\).*y\.astype\(np\.float32\)"):
        trainer.fit((X, ONE_HOT.astype(int)))
    with pytest.raises(ValueError, match=r"\(8, 1\).*y\.ravel\(\)"):
        trainer.fit((X, Y[:, None]))


HABIT = "TrainStep.*value_and_grad"


def test_a_loop_as_in_pytorch():
    model = net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    loss = CROSS(model(X), Y)
    with pytest.raises(AttributeError, match=f"'backward'.*{HABIT}"):
        loss.backward()
    with pytest.raises(TypeError, match=HABIT):
        optimizer.zero_grad()
    with pytest.raises(TypeError, match=HABIT):
        optimizer.step()
    with pytest.raises(AttributeError, match=f"'zero_grad'.*{HABIT}"):
        model.zero_grad()
    with pytest.raises(TypeError, match=HABIT):
        optimizer.step(lambda: loss)
    with pytest.raises(TypeError, match=r"write fit\(\(x, y\)\)"):
        fn.Trainer(model, CROSS, optimizer).fit(X, Y)
    with pytest.raises(AttributeError, match="on the CPU"):
        model.to("cuda")
    for value in (fn.TrainStep(model, CROSS, optimizer)(X, Y),
                  fn.TrainStep(model, CROSS, optimizer, accumulate=2)(X, Y),
                  fn.value_and_grad(model, CROSS)(X, Y)[0]):
        with pytest.raises(AttributeError, match=f"'backward'.*{HABIT}"):
            value.backward()
        assert isinstance(value, float) and value.item() == value
        assert json.loads(json.dumps(value)) == value and repr(value) == repr(float(value))
        assert type(pickle.loads(pickle.dumps(value))) is float and type(value + 0) is float
    with pytest.raises(AttributeError, match=f"'backward'.*{HABIT}"):
        fn.cross_entropy(model(X), Y).backward()


def test_the_loss_of_arrays_is_an_array_as_any_other():
    loss = CROSS(net()(X), Y)
    assert isinstance(loss, np.ndarray) and loss.shape == () and loss.dtype == np.float32
    assert type(loss + loss) is np.float32 and loss.item() == float(loss)
    assert repr(loss) == repr(np.array(loss)) and f"{loss:.3f}" == f"{float(loss):.3f}"
    assert type(pickle.loads(pickle.dumps(loss))) is np.ndarray
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(np.mean([loss, loss]))
