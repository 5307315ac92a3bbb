"""RBMs against a twin in NumPy, against scikit-learn's, and against exact likelihoods."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

BARS = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0], [0, 0, 0, 0, 1, 1]], np.float32)
X = np.repeat(BARS, 40, axis=0)


def likelihood(rbm, x):
    """The mean logarithm of p(v), with the partition function summed over all states."""
    states = np.array(list(product((0, 1), repeat=rbm.visible)), np.float32)
    log_sum = np.logaddexp.reduce(-rbm.free_energy(states).astype(np.float64))
    return float((-rbm.free_energy(x) - log_sum).mean())


@pytest.mark.parametrize("options", [{}, {"k": 3}, {"persistent": True, "lr": 0.05, "epochs": 300},
                                     {"momentum": 0.5}])
def test_the_likelihood_rises(options):
    fn.manual_seed(0)
    rbm = nn.RBM(6, 5)
    before = likelihood(rbm, X)
    errors = rbm.fit(X, **{"epochs": 150, "lr": 0.2, "batch_size": 20, **options})
    assert before == pytest.approx(-6 * np.log(2), abs=0.01)
    assert likelihood(rbm, X) > -1.8  # the best is -log 3 = -1.1
    assert errors[-1] < errors[0]


def test_one_step_is_contrastive_divergence():
    """With a saturated machine sampling is certain, and the step is known."""
    rbm = nn.RBM(2, 2)
    rbm.weight.data[...] = [[200, -200], [-200, 200]]
    rbm.visible_bias.data[...] = rbm.hidden_bias.data[...] = 0
    rbm.visible_bias.data[...] = [0, -300]  # given either hidden unit, v is (1, 0) or (0, 0)
    v = np.array([[0, 1]], np.float32)
    before = {name: p.data.copy() for name, p in rbm.named_parameters()}
    rbm.fit(v, epochs=1, lr=1.0, batch_size=1)

    def sigmoid(z):
        return 1 / (1 + np.exp(-np.clip(z, -60, 60)))

    h0 = sigmoid(v @ before["weight"].T)
    vk = (sigmoid(h0 @ before["weight"] + before["visible_bias"]) > 0.5).astype(np.float32)
    hk = sigmoid(vk @ before["weight"].T)
    expected = before["weight"] + h0.T @ v - hk.T @ vk
    np.testing.assert_allclose(rbm.weight.data, expected, atol=1e-5)
    np.testing.assert_allclose(rbm.visible_bias.data, before["visible_bias"] + (v - vk)[0],
                               atol=1e-5)
    np.testing.assert_allclose(rbm.hidden_bias.data, (h0 - hk)[0], atol=1e-5)


def test_it_is_as_good_as_scikit_learns():
    neural = pytest.importorskip("sklearn.neural_network")
    from sklearn.datasets import load_digits

    x = (load_digits().data[:600] / 16).astype(np.float32)
    theirs = neural.BernoulliRBM(32, learning_rate=0.05, batch_size=20, n_iter=10, random_state=0)
    theirs.fit(x)
    fn.manual_seed(0)
    ours = nn.RBM(64, 32)
    ours.fit(x, epochs=10, lr=0.05, batch_size=20, persistent=True)
    assert ours.score_samples(x).mean() > theirs.score_samples(x).mean() - 1.5
    twin = nn.RBM(64, 32)
    twin.weight.data[...] = theirs.components_
    twin.hidden_bias.data[...] = theirs.intercept_hidden_
    twin.visible_bias.data[...] = theirs.intercept_visible_
    np.testing.assert_allclose(twin.transform(x), theirs.transform(x), atol=1e-5)
    np.testing.assert_allclose(twin.free_energy(x), theirs._free_energy(x), rtol=1e-4)
    assert twin.score_samples(x).mean() == pytest.approx(theirs.score_samples(x).mean(), abs=1.0)


def test_gaussian_units_learn_clusters():
    fn.manual_seed(0)
    random = np.random.default_rng(0)
    x = (np.array([[2.0, -2.0], [-2.0, 2.0]])[random.integers(0, 2, 200)]
         + random.normal(size=(200, 2))).astype(np.float32)
    rbm = nn.RBM(2, 3, "gaussian")
    before = np.square(rbm.reconstruct(x) - x).mean()
    rbm.fit(x, epochs=40, lr=0.02, batch_size=20)
    assert np.square(rbm.reconstruct(x) - x).mean() < 0.5 * before
    assert rbm.gibbs(x, 2).shape == x.shape


def test_machines_train_in_several_threads():
    def fit(_):
        return nn.RBM(6, 5).fit(X, epochs=3, batch_size=10, persistent=True)

    with ThreadPoolExecutor(3) as pool:
        assert all(len(errors) == 3 for errors in pool.map(fit, range(3)))


def test_each_call_of_gibbs_draws_anew():
    rbm = nn.RBM(6, 5)
    fn.manual_seed(1)
    first, second = rbm.gibbs(X), rbm.gibbs(X)
    assert (first != second).mean() > 0.2
    fn.manual_seed(1)
    np.testing.assert_array_equal(rbm.gibbs(X), first)


@pytest.mark.parametrize("persistent", [False, True])
def test_any_number_of_threads_gives_the_same_bits(persistent):
    def trained(threads):
        before = fn.get_num_threads()
        fn.set_num_threads(threads)
        fn.manual_seed(3)
        rbm = nn.RBM(6, 40)
        rbm.fit(X, epochs=2, batch_size=50, persistent=persistent)
        fn.set_num_threads(before)
        return rbm.weight.data.tobytes() + rbm.gibbs(X, 2).tobytes()

    assert trained(1) == trained(3)


def test_a_mapped_file_of_bytes_and_a_saved_machine(tmp_path):
    np.save(tmp_path / "x.npy", (X * 255).astype(np.uint8))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    weights = []
    for x in (X, mapped, (X * 255).astype(np.uint8)):
        fn.manual_seed(0)
        rbm = nn.RBM(6, 4)
        rbm.fit(x, epochs=2, batch_size=30)
        weights.append(rbm.weight.data.copy())
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-6)
    np.testing.assert_array_equal(weights[1], weights[2])
    for method in ("transform", "reconstruct", "free_energy", "score_samples"):
        np.testing.assert_allclose(getattr(rbm, method)(mapped), getattr(rbm, method)(X), atol=1e-5)
    fn.save(tmp_path / "rbm.safetensors", rbm)
    again = nn.RBM(6, 4)
    fn.load(tmp_path / "rbm.safetensors", again)
    np.testing.assert_array_equal(again.transform(X), rbm.transform(X))


def test_what_is_refused():
    rbm = nn.RBM(6, 4)
    with pytest.raises(ValueError, match="x has values from 0 to 2, expected 0 to 1"):
        rbm.fit(2 * X)
    with pytest.raises(fn.ShapeError, match=r"x has shape \(120, 5\), expected \(n, 6\)"):
        rbm.fit(X[:, :5])
    with pytest.raises(ValueError, match="lr must be a number above 0, got 0"):
        rbm.fit(X, lr=0)
    with pytest.raises(ValueError, match="k must be a number of rounds from 1 on"):
        rbm.fit(X, k=0)
    with pytest.raises(ValueError, match="visible_type must be one of"):
        nn.RBM(2, 2, "binary")
    with pytest.raises(ValueError, match="score_samples flips units"):
        nn.RBM(2, 2, "gaussian").score_samples(np.zeros((2, 2)))
    broken = X.copy()
    broken[3, 2] = np.nan
    with pytest.raises(fn.NonFiniteError, match=r"x has a non-finite value at index \[3, 2\]"):
        rbm.fit(broken)
    wild = nn.RBM(6, 4, "gaussian")
    with pytest.raises(fn.NonFiniteError, match=r"RBM: epoch \d+, batch \d+: .*smaller lr"):
        wild.fit(X * 100, lr=1e6, epochs=20)
