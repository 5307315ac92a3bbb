"""Layers trained one after the other without labels."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.pretraining import pretrain

X = np.random.default_rng(0).random((60, 12)).astype(np.float32) > 0.5
X = np.hstack([X, X]).astype(np.float32)


@pytest.mark.parametrize("method", ["rbm", "autoencoder", "denoising"])
def test_errors_fall_and_the_net_is_tuned_with_labels(method):
    fn.manual_seed(0)
    heard = []
    net = pretrain(X, [16, 8], method, epochs=20, lr=0.1 if method == "rbm" else 0.01,
                   batch_size=10, callback=lambda *told: heard.append(told))
    assert [type(layer).__name__ for layer in net] == ["Linear", "Sigmoid"] * 2
    assert [told[:2] for told in heard] == [(layer, epoch) for layer in (1, 2)
                                            for epoch in range(1, 21)]
    first = [error for layer, _, error in heard if layer == 1]
    assert first[-1] < 0.96 * first[0]
    net.append(nn.Linear(8, 2))
    y = X[:, 0].astype(int)
    trainer = fn.Trainer(net, "cross_entropy", fn.optim.Adam(net.parameters(), lr=0.02),
                         callbacks=[])
    history = trainer.fit((X, y), epochs=15, batch_size=10)
    assert history[-1]["loss"] < history[0]["loss"]


def test_real_values_are_learned_by_a_gaussian_rbm():
    fn.manual_seed(0)
    z = np.random.default_rng(0).standard_normal((200, 2))
    x = z @ np.random.default_rng(1).standard_normal((2, 8))
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    heard = []
    net = pretrain(x, [16, 4], epochs=40, lr=0.2, visible_type="gaussian",
                   callback=lambda *told: heard.append(told))
    assert net(x).shape == (200, 4)
    first = [error for layer, _, error in heard if layer == 1]
    assert first[-1] < 0.85 * first[0]
    with pytest.raises(ValueError, match='needs method="rbm", got \'denoising\''):
        pretrain(x, [3], "denoising", visible_type="gaussian")


def test_a_seed_repeats_it():
    def trained():
        fn.manual_seed(5)
        return pretrain(X, [6], "denoising", epochs=2)[0].weight.data.tobytes()

    assert trained() == trained()


def test_what_is_refused():
    with pytest.raises(ValueError, match="method must be one of"):
        pretrain(X, [3], "deep")
    with pytest.raises(ValueError, match="sizes must hold a layer"):
        pretrain(X, [])
    with pytest.raises(ValueError, match="pretrain: x has values from 0 to 3, expected 0 to 1"):
        pretrain(3 * X, [3])
    with pytest.raises(ValueError, match="noise must be a number from 0 to 1, got 2"):
        pretrain(X, [3], "denoising", noise=2)
    with pytest.raises(fn.ShapeError, match=r"x has shape \(60,\)"):
        pretrain(X[:, 0], [3])
