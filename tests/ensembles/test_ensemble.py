"""An ensemble is the mean of its members' probabilities, and a module like any other."""

import copy
import threading

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import fastnn as fn
from fastnn import nn, optim


def nets(count=3, classes=4):
    fn.manual_seed(0)
    return [nn.Sequential(nn.Linear(5, 8 + i), nn.Tanh(), nn.Linear(8 + i, classes))
            for i in range(count)]


def examples(n=37, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 5)).astype(np.float32), rng.integers(0, 4, n)


def test_probabilities_are_the_mean_of_the_members():
    models, (x, _) = nets(), examples()
    crowd = fn.Ensemble(models)
    expected = np.mean([softmax(model(x).astype(np.float64), axis=1) for model in models], axis=0)
    np.testing.assert_allclose(crowd.predict_proba(x), expected, rtol=1e-5)
    np.testing.assert_allclose(np.exp(crowd(x)), expected, rtol=1e-5)
    assert crowd.predict(x).tolist() == expected.argmax(axis=1).tolist()
    assert len(crowd) == 3 and list(crowd) == models


def test_batches_budgets_and_modes_change_no_bit():
    models, (x, _) = nets(), examples()
    models.append(nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5)))
    crowd = fn.Ensemble(models)
    state = fn.get_rng_state()
    whole = crowd.predict_proba(x)
    assert crowd.training and fn.get_rng_state() == state
    assert crowd.predict_proba(x, batch_size=5).tobytes() == whole.tobytes()
    assert crowd.predict_proba(x, memory_budget="2GiB").tobytes() == whole.tobytes()
    assert crowd.predict_proba([x[:20], x[20:]]).tobytes() == whole.tobytes()


def test_of_pictures_and_of_places():
    fn.manual_seed(0)
    crowd = fn.Ensemble([nn.Conv2d(1, 3, 1) for _ in range(2)])
    found = crowd.predict_proba(np.ones((2, 1, 4, 5), np.float32))
    assert found.shape == (2, 3, 4, 5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


def test_it_trains_is_evaluated_and_saved_as_a_module(tmp_path):
    models, (x, y) = nets(), examples()
    crowd = fn.Ensemble(models)
    trainer = fn.Trainer(crowd, nn.CrossEntropyLoss(), optim.Adam(crowd.parameters(), lr=0.01))
    history = trainer.fit((x, y), epochs=5, batch_size=16)
    assert history[-1]["loss"] < history[0]["loss"]
    crowd.calibrate(x, y)
    fn.save(tmp_path / "crowd.safetensors", crowd)
    other = fn.Ensemble(nets())
    fn.load(tmp_path / "crowd.safetensors", other)
    assert other.predict_proba(x).tobytes() == crowd.predict_proba(x).tobytes()


def test_calibration_finds_the_temperature_of_made_up_logits():
    rng = np.random.default_rng(3)
    logits = rng.standard_normal((4000, 4))
    y = (np.cumsum(softmax(logits, axis=1), axis=1) > rng.random((4000, 1))).argmax(axis=1)
    sure = nn.Linear(4, 4, bias=False)
    sure.weight.data = 3.0 * np.eye(4)
    crowd = fn.Ensemble([sure]).calibrate(logits.astype(np.float32), y)
    assert float(crowd.temperature.data) == pytest.approx(3.0, rel=0.05)
    temperatures = np.linspace(2.5, 3.5, 201)
    losses = [-log_softmax(3 * logits / t, axis=1)[np.arange(4000), y].mean()
              for t in temperatures]
    best = temperatures[int(np.argmin(losses))]
    assert float(crowd.temperature.data) == pytest.approx(best, abs=0.006)
    assert crowd.predict(logits.astype(np.float32)).tolist() == logits.argmax(axis=1).tolist()


def test_calibration_at_its_limits_warns():
    sure = nn.Linear(2, 2, bias=False)
    sure.weight.data = np.eye(2)
    with pytest.warns(UserWarning, match="classified right"):
        fn.Ensemble([sure]).calibrate(np.eye(2, dtype=np.float32), np.arange(2))


def test_independent_runs_differ_repeat_and_leave_the_random_state():
    x, y = examples(64)
    state = fn.get_rng_state()

    def train(model):
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        for _ in range(3):
            step(x, y)

    def runs():
        return fn.Ensemble.trained(lambda: nn.Linear(5, 4), train, 3, seed=7)

    first, second = runs(), runs()
    assert fn.get_rng_state() == state
    assert first.predict_proba(x).tobytes() == second.predict_proba(x).tobytes()
    weights = [member.weight.data for member in first]
    assert not np.array_equal(weights[0], weights[1])


def test_runs_in_several_threads_take_turns_and_give_the_same_bits():
    x, y = examples(64)

    def train(model):
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        for _ in range(10):
            step(x, y)

    def runs():
        made = fn.Ensemble.trained(
            lambda: nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.5), nn.Linear(8, 4)), train, 2)
        found.append(made.predict_proba(x).tobytes())

    found = []
    runs()
    threads = [threading.Thread(target=runs) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1


def test_mean_weights_are_the_mean_and_norms_get_their_statistics_anew():
    fn.manual_seed(0)
    one = nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Linear(6, 4))
    other = copy.deepcopy(one)
    other[0].weight.data = other[0].weight.data + 2
    x, _ = examples(64)
    model = fn.Ensemble([one, other]).averaged(x, batch_size=64)
    np.testing.assert_allclose(model[0].weight.data, one[0].weight.data + 1, rtol=1e-6)
    hidden = x @ model[0].weight.data.T + model[0].bias.data
    np.testing.assert_allclose(model[1].running_mean.data, hidden.mean(axis=0), atol=1e-5)
    assert not model.training
    with pytest.raises(ValueError, match="needs x"):
        fn.Ensemble([one, other]).averaged()
    with pytest.raises(ValueError, match=r"shape|parameters"):
        fn.Ensemble(nets(2)).averaged()


def test_its_cost_is_stated_beside_one_member():
    crowd, (x, _) = fn.Ensemble(nets(3)), examples()
    cost = crowd.cost(x)
    assert cost.parameters == sum(p.size for p in crowd.parameters())
    assert cost.one.parameters == sum(p.size for p in crowd.members[0].parameters())
    assert cost.seconds > 0 and "one member" in str(cost)


@pytest.mark.parametrize("call, message", [
    (lambda: fn.Ensemble([]), "models is empty"),
    (lambda: fn.Ensemble(nn.Linear(2, 2)), "models must be a list of modules, got Linear"),
    (lambda: fn.Ensemble([nn.Linear(2, 2), 3]), r"models\[1\]"),
    (lambda: fn.Ensemble([nn.Linear(5, 4), nn.Linear(5, 3)])(examples()[0]), "member 1"),
    (lambda: fn.Ensemble([nn.Linear(5, 1)])(examples()[0]), "two classes or more"),
    (lambda: fn.Ensemble(nets()).calibrate(examples()[0], np.zeros(37)), "class numbers"),
    (lambda: fn.Ensemble(nets()).calibrate(examples()[0], np.full(37, 9)), "from 9 to 9"),
    (lambda: fn.Ensemble(nets()).calibrate(examples()[0], np.zeros(3, int)), "shape"),
    (lambda: fn.Ensemble(nets()).predict_proba(np.zeros((0, 5), np.float32)), "no|0"),
    (lambda: fn.Ensemble.trained(lambda: 3, lambda model: None, 2), "what factory returns"),
    (lambda: fn.Ensemble.trained(nets, lambda model: None, 0), "count"),
])
def test_bad_calls_are_refused_by_name(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_one_module_twice_is_refused():
    model = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="twice"):
        fn.Ensemble([model, model])
