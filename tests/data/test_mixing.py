"""MixUp and CutMix: formulas, labels, the same bits on a resume, and a Trainer that takes them."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches, CutMix, MixUp, RandomShift

X = np.random.default_rng(0).normal(size=(20, 2, 6, 8)).astype(np.float32)
Y = np.arange(20) % 3


def test_mixup_is_its_formula():
    x, y = MixUp(alpha=0.4, num_classes=3)(X, Y, np.random.default_rng(1))
    share = np.random.default_rng(1).beta(0.4, 0.4)
    np.testing.assert_allclose(x, share * X + (1 - share) * X[np.arange(-1, 19)], atol=1e-6)
    rows = np.eye(3)[Y]
    np.testing.assert_allclose(y, share * rows + (1 - share) * rows[np.arange(-1, 19)], atol=1e-6)
    assert x.dtype == y.dtype == np.float32


@pytest.mark.parametrize("seed", range(12))
def test_cutmix_shares_labels_by_the_area(seed):
    x, y = CutMix(num_classes=20)(X, np.arange(20), np.random.default_rng(seed))
    own, others = x == X, x == np.roll(X, 1, axis=0)
    assert (own | others).all()
    left = own[0, 0].mean()
    np.testing.assert_allclose(y, left * np.eye(20) + (1 - left) * np.eye(20)[np.arange(-1, 19)],
                               atol=1e-6)
    assert (own == own[0, 0]).all()  # one rectangle
    cut = np.argwhere(~own[0, 0])
    assert not len(cut) or len(cut) == np.prod(np.ptp(cut, axis=0) + 1)


def test_soft_labels_are_mixed_again():
    first = MixUp(num_classes=3)(X, Y, np.random.default_rng(0))
    _x, y = CutMix(num_classes=3)(*first, np.random.default_rng(1))
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("mix", [MixUp(num_classes=3), CutMix(num_classes=3)])
def test_a_resume_has_the_same_bits_and_the_trainer_an_accuracy(mix):
    batches = Batches(X, Y, 8, seed=4, transform=RandomShift(1), mix=mix)
    whole = list(batches.epoch(2))
    for (x, y), (again_x, again_y) in zip(whole[1:], batches.epoch(2, start=1), strict=True):
        assert x.tobytes() == again_x.tobytes() and y.tobytes() == again_y.tobytes()
    results = []
    for prefetch in (0, 2):
        fn.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(96, 3))
        trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        history = trainer.fit(batches, (X, Y), epochs=2, prefetch=prefetch)
        assert "accuracy" in history[0]
        results.append([record["loss"] for record in history])
    assert results[0] == results[1]


@pytest.mark.parametrize(("act", "error", "message"), [
    (lambda: MixUp(alpha=0, num_classes=3), ValueError, "alpha must be a number above 0"),
    (lambda: MixUp(num_classes=0), ValueError, "num_classes must be"),
    (lambda: MixUp(num_classes=2)(X, Y, np.random.default_rng(0)), ValueError, "from 0 to 2"),
    (lambda: MixUp(num_classes=3)(X, Y[:5], np.random.default_rng(0)), ValueError, "class numbers"),
    (lambda: CutMix(num_classes=3)(X[:, 0], Y, np.random.default_rng(0)), ValueError, "expected"),
    (lambda: Batches(X, Y, 4, mix=MixUp), TypeError, "mix must be of class Mixing"),
    (lambda: Batches(X, Y, 4, mix=MixUp(num_classes=2)), ValueError, "holds class 2"),
])
def test_what_cannot_be_mixed(act, error, message):
    with pytest.raises(error, match=message):
        act()
