"""Estimators in the hands of scikit-learn: labels, weights, pictures, pipelines, searches."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, make_classification, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn as fn
from fastnn import nn
from fastnn.sklearn import FastnnClassifier, FastnnRegressor, RBMTransformer, Whitening

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = make_classification(120, 6, n_classes=3, n_informative=4, random_state=0)
DIGITS = load_digits()
IMAGES = (DIGITS.images[:300, None] / 16).astype(np.float32)
NUMBERS = DIGITS.target[:300]


def quick(**options):
    return FastnnClassifier(**{"hidden_layer_sizes": (16,), "epochs": 20, "random_state": 0,
                               "learning_rate_init": 0.01, **options})


def test_it_learns_and_keeps_labels_of_any_kind():
    names = np.array(["ant", "bee", "cow"])[Y]
    net = quick(epochs=120, learning_rate_init=0.03).fit(X, names)
    assert net.score(X, names) > 0.8 and net.classes_.tolist() == ["ant", "bee", "cow"]
    found = net.predict_proba(X)
    assert found.shape == (120, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(net.predict_log_proba(X), np.log(found))
    assert (net.predict(X) == net.classes_[found.argmax(axis=1)]).all()
    assert net.n_iter_ == len(net.loss_curve_) and net.loss_ == net.loss_curve_[-1]


def test_a_seed_gives_the_same_bits_whatever_threads_and_budget():
    one = quick().fit(X, Y).predict_proba(X)
    threads = fn.get_num_threads()
    try:
        fn.set_num_threads(1)
        other = quick(memory_budget="2GiB").fit(X, Y).predict_proba(X)
    finally:
        fn.set_num_threads(threads)
    assert one.tobytes() == other.tobytes()
    assert quick(random_state=1).fit(X, Y).predict_proba(X).tobytes() != one.tobytes()


def test_the_random_state_of_the_process_stays():
    state = fn.get_rng_state()
    quick(epochs=2).fit(X, Y)
    assert fn.get_rng_state() == state


def test_weights_count_as_repeated_rows():
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    for net, y in ((quick(epochs=10), Y), (FastnnRegressor(
            (16,), epochs=10, random_state=0), X @ np.arange(6.0) / 10)):
        net.set_params(batch_size=10_000, shuffle=False)
        predict = "predict_proba" if net is not None and hasattr(net, "class_weight") else "predict"
        one = getattr(clone(net).fit(X, y, sample_weight=weight), predict)(X)
        other = getattr(clone(net).fit(X[rows], y[rows]), predict)(X)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_class_weights_are_weights_of_examples():
    balanced = {label: len(Y) / (3 * count) for label, count in enumerate(np.bincount(Y))}
    by_name = quick(class_weight="balanced").fit(X, Y).predict_proba(X)
    by_hand = quick().fit(X, Y, sample_weight=np.vectorize(balanced.get)(Y)).predict_proba(X)
    np.testing.assert_allclose(by_name, by_hand, rtol=1e-5)


def test_several_labels_at_once():
    x, y = make_multilabel_classification(100, 5, n_classes=4, random_state=0)
    x = StandardScaler().fit_transform(x)
    net = quick(epochs=150).fit(x, y)
    assert net.predict(x).shape == net.predict_proba(x).shape == (100, 4)
    assert net.score(x, y) > 0.4


@pytest.mark.parametrize("model", [
    "lenet", nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10)),
    lambda shape, outputs: nn.Sequential(nn.Flatten(), nn.Linear(64, outputs)), None],
    ids=["name", "module", "function", "layers"])
def test_pictures(model):
    x = np.pad(IMAGES, ((0, 0), (0, 0), (12, 12), (12, 12))) if model == "lenet" else IMAGES
    net = quick(model=model, epochs=15, batch_size=30).fit(x, NUMBERS)
    assert net.score(x, NUMBERS) > 0.8
    assert net.input_shape_ == x.shape[1:]
    if isinstance(model, nn.Module):  # a copy was trained
        assert net.model_ is not model
    bytes_ = (x * 255).astype(np.uint8)
    assert (net.predict(bytes_) == net.predict(x)).mean() > 0.95


def test_augmentation_changes_the_pictures_it_trains_on():
    seen = []

    def watch(x, generator):
        seen.append(x.shape)
        return x

    quick(model="mlp", epochs=1, augment=watch).fit(np.pad(
        IMAGES, ((0, 0), (0, 0), (10, 10), (10, 10))), NUMBERS)
    assert sum(shape[0] for shape in seen) == 300


def test_it_is_cloned_and_pickled():
    net = clone(quick(model="mlp")).fit(IMAGES, NUMBERS)
    again = pickle.loads(pickle.dumps(net))
    assert again.predict_proba(IMAGES).tobytes() == net.predict_proba(IMAGES).tobytes()
    again.partial_fit(IMAGES, NUMBERS)


def test_pipelines_searches_and_calibration():
    net = make_pipeline(StandardScaler(), quick(epochs=10))
    search = GridSearchCV(net, {"fastnnclassifier__alpha": [1e-4, 1.0]}, cv=2).fit(X, Y)
    assert search.best_score_ > 0.5
    chances = CalibratedClassifierCV(quick(epochs=10), cv=2).fit(X, Y).predict_proba(X)
    assert chances.shape == (120, 3)


def test_transformers_name_their_features():
    x = X[:, :4] @ np.random.default_rng(0).standard_normal((4, 4))
    frame = Whitening().set_output(transform="default").fit(x)
    assert frame.get_feature_names_out().tolist() == [f"whitening{i}" for i in range(4)]
    white = frame.transform(x)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(4), atol=1e-2)
    digits = DIGITS.data[:200] / 16
    features = RBMTransformer(8, n_iter=2, random_state=0).fit(digits)
    assert features.transform(digits).shape == (200, 8)
    assert features.get_feature_names_out()[0] == "rbmtransformer0"


def test_warm_start_and_partial_fit_go_on():
    net = quick(warm_start=True, epochs=5)
    first = net.fit(X, Y).loss_
    module = net.model_
    assert net.fit(X, Y).model_ is module and net.loss_ < first and net.n_iter_ == 10
    part = quick()
    for _ in range(3):
        part.partial_fit(X, Y, classes=[0, 1, 2])
    assert part.n_iter_ == 3 and part.loss_curve_[2] < part.loss_curve_[0]


def test_it_stops_where_nothing_changes_or_held_out_examples_say_so():
    net = quick(epochs=300, tol=0.01, n_iter_no_change=3).fit(X, Y)
    assert net.n_iter_ < 300
    net = quick(epochs=100, early_stopping=True, n_iter_no_change=3).fit(X, Y)
    assert net.n_iter_ < 100 and len(net.validation_scores_) == net.n_iter_
    with pytest.warns(ConvergenceWarning, match=r"Maximum epochs \(2\)"):
        quick(epochs=2).fit(X, Y)


def test_regression_of_one_and_of_several_targets():
    y = np.stack([X[:, 0] - X[:, 1], np.abs(X[:, 2])], axis=1)
    net = FastnnRegressor((32,), epochs=150, learning_rate_init=0.01, random_state=0)
    assert net.fit(X, y).score(X, y) > 0.9 and net.predict(X).shape == (120, 2)
    assert clone(net).fit(X, y[:, 0]).predict(X).shape == (120,)


@pytest.mark.parametrize(("options", "message"), [
    ({"activation": "step"}, "activation must be one of identity"),
    ({"optimizer": "lbfgs"}, "optimizer must be one of adam"),
    ({"learning_rate": "fast"}, "learning_rate must be one of"),
    ({"batch_size": 0}, "batch_size must be"),
    ({"epochs": 0}, "epochs must be a number from 1"),
    ({"alpha": -1}, "alpha must be a number from 0"),
    ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
    ({"model": "cnn"}, "takes images"),
    ({"model": 3}, "model must be None"),
    ({"model": nn.Linear(6, 5)}, r"must return \(n, 3\)"),
    ({"model": lambda shape, outputs: 3}, "has made a int"),
    ({"early_stopping": True, "validation_fraction": 1.0}, "none is left"),
])
def test_bad_parameters_are_named(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        quick(**options).fit(X, Y)


def test_bad_data_are_named():
    with pytest.raises(ValueError, match="one class"):
        quick().fit(X, np.zeros(120))
    with pytest.raises(ValueError, match="Found array with dim 3"):
        quick().fit(X[:, :, None], Y)
    with pytest.raises(ValueError, match=r"fitted to \(1, 8, 8\)"):
        quick(epochs=1).fit(IMAGES, NUMBERS).predict(IMAGES[:, :, :4])
    with pytest.raises(ValueError, match="not in classes"):
        quick().partial_fit(X, Y, classes=[0, 1])
    with pytest.raises(NotFittedError):
        quick().predict(X)
