"""Random numbers of a forward: the same bits however it is computed, and anew in each run."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.ops.random import Random
from tests.fresh import in_a_fresh_process


class Vae(nn.Module):
    """A variational autoencoder (Kingma and Welling, 2013) with every kind of dropout."""

    def __init__(self, pixels=64, width=256):
        super().__init__()
        self.body, self.head = nn.Linear(pixels, width), nn.Linear(width, 16)
        self.open, self.image = nn.Linear(8, width), nn.Linear(width, pixels)
        self.alpha, self.channels = nn.AlphaDropout(0.1), nn.Dropout1d(0.1)

    def forward(self, x):
        hidden = self.alpha(fn.elu(self.body(x + 0.1 * fn.randn_like(x))))
        parts = self.head(self.channels(hidden.reshape(hidden.shape[0], 32, -1)).flatten(1))
        mean, log_var = parts[:, :8], parts[:, 8:]
        code = mean + fn.exp(log_var * 0.5) * fn.randn_like(mean)
        return self.image(fn.rrelu(self.open(code), training=True)), mean, log_var


def elbo(output, target):
    image, mean, log_var = output
    kl = (mean.square() + fn.exp(log_var) - log_var - 1.0).sum() * (0.5 / mean.shape[0])
    loss = fn.binary_cross_entropy_with_logits(image, target, reduction="sum")
    return loss * (1 / mean.shape[0]) + kl


def batch(count):
    """Four pictures with noise."""
    rng = np.random.default_rng(0)
    y = (rng.random((4, 64)) > 0.5)[np.arange(count) % 4].astype(np.float32)
    return y + 0.1 * rng.standard_normal(y.shape).astype(np.float32), y


def trained(count=300, steps=3, **options):
    fn.manual_seed(3)
    model = Vae()
    step = fn.TrainStep(model, elbo, optim.Adam(model.parameters(), lr=1e-3), **options)
    losses = [step(*batch(count)) for _ in range(steps)]
    return losses, {key: value.tobytes() for key, value in model.state_dict().items()}, step


def test_a_vae_trains_to_the_same_bits_at_any_thread_count():
    results = []
    for threads in (1, 2, 3):
        fn.set_num_threads(threads)
        results.append(trained()[:2])
    assert results[1:] == results[:1] * 2
    losses = results[0][0]
    assert len(set(losses)) == 3


def test_a_vae_learns():
    losses, _, _ = trained(200, 120)
    assert np.mean(losses[-10:]) < 0.9 * losses[0]


@in_a_fresh_process
def test_a_vae_trains_to_the_same_bits_in_any_budget():
    free, state, step = trained(20_000)
    plan = step.plan((20_000, 64), (20_000, 64))
    del step
    for budget in (plan.min_bytes, (plan.min_bytes + plan.peak_bytes) // 2):
        losses, found, step = trained(20_000, memory_budget=budget)
        recomputed = step.plan((20_000, 64), (20_000, 64)).recomputed
        assert recomputed
        assert losses == free and found == state


def test_a_budget_draws_numbers_twice():
    """Some of them are not kept: the plan's own graph has them twice."""
    _, _, step = trained(300, 1)
    nodes = [step_.node for step_ in step.plan((300, 64), (300, 64)).steps]
    assert sum(isinstance(node.op, Random) for node in nodes) >= 4


@pytest.mark.parametrize("count", [2, 3])
def test_micro_batches_draw_apart_and_resume(count):
    fn.manual_seed(0)

    class Noise(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(np.ones(1))

        def forward(self, x):
            return fn.rand_like(x) * self.scale + 0.0 * x

    model = Noise()
    step = fn.TrainStep(model, lambda z, y: fn.mean(z), optim.SGD(model.parameters(), lr=0.0),
                        accumulate=count, keep_output=True)
    x = np.zeros((6, 50), np.float32)
    step(x, x)
    first = step.output
    assert len(np.unique(first)) > 290
    state = fn.get_rng_state()
    step(x, x)
    second = step.output
    assert not np.isin(second, first).any()
    fn.set_rng_state(state)
    step(x, x)
    np.testing.assert_array_equal(step.output, second)


@pytest.mark.parametrize("draw", [
    lambda x: fn.rand(x.shape), fn.randn_like, lambda x: fn.bernoulli(x + 0.5),
    lambda x: fn.normal(x, 1.0), lambda x: fn.alpha_dropout(x + 1, 0.5, training=True)])
def test_each_call_draws_anew(draw):
    class Draw(nn.Module):
        def forward(self, x):
            return draw(x), draw(x)

    model, x = Draw().eval(), np.zeros((20, 30), np.float32)
    results = [value for _ in range(3) for value in model(x)]
    for number, one in enumerate(results):
        assert all((one != other).mean() > 0.3 for other in results[:number])
    fn.manual_seed(5)
    again = model(x)
    fn.manual_seed(5)
    for one, other in zip(again, model(x), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_draw_is_not_kept_between_inferences():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(np.ones((3, 3)))

        def forward(self, x):
            return fn.matmul(x, self.weight * fn.rand(3, 3))

    model, x = Noisy().eval(), np.eye(3, dtype=np.float32)
    assert not np.array_equal(model(x), model(x))


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(0).standard_normal((400, 500)).astype(np.float32)
    for layer in (nn.AlphaDropout(0.2), nn.FeatureAlphaDropout(0.2)):
        y = layer(x)
        assert y.mean() == pytest.approx(0, abs=0.02) and y.var() == pytest.approx(1, abs=0.03)
        np.testing.assert_array_equal(layer.eval()(x), x)


def test_channels_are_dropped_whole():
    for layer, shape in ((nn.Dropout1d(0.3), (40, 50, 6)), (nn.Dropout2d(0.3), (40, 50, 2, 3)),
                         (nn.Dropout3d(0.3), (40, 50, 2, 2, 2))):
        y = layer(np.ones(shape, np.float32)).reshape(40, 50, -1)
        assert (y == y[:, :, :1]).all()
        assert (y == 0).mean() == pytest.approx(0.3, abs=0.05)
        np.testing.assert_allclose(y[y != 0], 1 / 0.7, rtol=1e-6)


ERRORS = [
    (lambda: fn.dropout2d(np.ones((2, 3)), 0.5), fn.ShapeError, "height, width"),
    (lambda: fn.dropout1d(np.ones(3), 0.5), fn.ShapeError, "channels, length"),
    (lambda: fn.feature_alpha_dropout(np.ones(3)), fn.ShapeError, "batch, channels"),
    (lambda: fn.alpha_dropout(np.ones(3), 2.0), ValueError, "alpha_dropout's probability"),
    (lambda: fn.dropout(np.arange(3)), fn.ShapeError, "float32"),
    (lambda: fn.dropout(np.ones(3), inplace="no"), TypeError, "inplace must be"),
    (lambda: fn.rand(2, -1), fn.ShapeError, "from 0 on"),
    (lambda: fn.rand(2, dtype=np.float64), TypeError, "float32"),
    (lambda: fn.randn("a"), TypeError, "integers"),
    (lambda: fn.normal(0.0, -1.0, (2,)), ValueError, "from 0 on"),
    (lambda: fn.normal(0.0, 1.0), TypeError, "need a size"),
    (lambda: fn.normal(np.ones(3), 1.0, (3,)), TypeError, "their own shape"),
    (lambda: fn.normal(np.ones(3), np.ones(2)), fn.ShapeError, "broadcast"),
    (lambda: fn.bernoulli(np.ones(3), 1.5), ValueError, "from 0 to 1"),
    (lambda: fn.bernoulli(np.arange(3)), fn.ShapeError, "float32"),
    (lambda: fn.rrelu(np.ones(3), 0.5, 0.1), ValueError, "from lower"),
    (lambda: nn.RReLU(0.5, 0.1), ValueError, "from lower"),
    (lambda: nn.Dropout2d(-0.1), ValueError, "Dropout2d's probability"),
]


@pytest.mark.parametrize(("call", "kind", "said"), ERRORS)
def test_errors(call, kind, said):
    with pytest.raises(kind, match=said):
        call()
