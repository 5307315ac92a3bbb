"""Micro-batches: the gradients of the whole batch, one update, and the fewest that fit."""

import warnings

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.engine.micro_batches import sizes
from fastnn.engine.weighing import Weighing
from fastnn.engine.weighing import shares as shares_of
from fastnn.runtime.process_memory import resident_bytes
from tests.fresh import in_a_fresh_process
from tests.nets import Mlp, Residual, batch_for, make


class Plain(nn.Module):
    """Convolutions, pooling and a head: nothing that looks at other examples."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(2, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.head = nn.Linear(16 * 16, 4)
        self.unused = nn.Parameter(np.ones(3))

    def forward(self, x):
        x = fn.max_pool2d(fn.relu(self.conv1(x)), 2)
        return self.head(fn.tanh(self.conv2(x)).flatten(1))


def plain(accumulate=1, loss=None, seed=0, **options):
    fn.manual_seed(seed)
    model = Plain()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    return model, fn.TrainStep(model, loss or nn.CrossEntropyLoss(), optimizer,
                               accumulate=accumulate, **options)


def state(model):
    return {name: value.copy() for name, value in model.state_dict().items()}


def same(one, other):
    return all(one[name].tobytes() == other[name].tobytes() for name in one)


def targets(count=10, ignored=-100):
    x, y = batch_for("residual", count)
    y[[0, 1, 2, 3, 7]] = ignored
    return x, y


def mean_of_squares(output, target):
    return fn.mean(fn.square(output - target))


WEIGHTS = np.array([0.1, 2.0, 0.7, 1.0], np.float32)


class Around(nn.Module):
    """A loss of somebody's own, which does not say what it counts."""

    def __init__(self):
        super().__init__()
        self.inner = nn.CrossEntropyLoss(WEIGHTS, ignore_index=255)

    def forward(self, output, target):
        return self.inner(2.0 * output, target) + 0.25


LOSSES = {
    "mean": lambda: nn.CrossEntropyLoss(label_smoothing=0.1),
    "sum": lambda: nn.CrossEntropyLoss(reduction="sum"),
    "weights": lambda: nn.CrossEntropyLoss(weight=WEIGHTS),
    "squares": nn.MSELoss,
    "function": lambda: mean_of_squares,
    "another ignore_index": lambda: nn.CrossEntropyLoss(ignore_index=255),
    "another ignore_index, weights, smoothing": lambda: nn.CrossEntropyLoss(
        weight=WEIGHTS, ignore_index=255, label_smoothing=0.2),
    "another ignore_index, sum": lambda: nn.CrossEntropyLoss(ignore_index=255, reduction="sum"),
    "function of cross-entropy": lambda: lambda output, target: 0.5 * fn.cross_entropy(
        output, target, WEIGHTS, ignore_index=255),
    "function, sum": lambda: lambda output, target: fn.cross_entropy(
        output, target, ignore_index=255, reduction="sum"),
    "module around cross-entropy": Around,
    "two cross-entropies alike": lambda: lambda output, target: fn.add(
        fn.cross_entropy(output, target, ignore_index=255),
        fn.cross_entropy(2.0 * output, target, ignore_index=255)),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("count", [2, 3, 4, 10])
def test_micro_batches_make_the_step_of_the_whole_batch(name, count):
    """Also if some examples do not count, or none of a micro-batch (of 10, and of 4 + 3 + 3)."""
    x, y = targets(ignored=255 if name in list(LOSSES)[5:] else -100)
    if name in ("squares", "function"):
        y = np.random.default_rng(1).normal(size=(10, 4))
    whole, one = plain(loss=LOSSES[name]())
    split, several = plain(count, LOSSES[name]())
    for _ in range(3):
        assert several(x, y) == pytest.approx(one(x, y), rel=1e-5)
    for key, value in state(whole).items():
        np.testing.assert_allclose(state(split)[key], value, rtol=2e-5, atol=2e-6, err_msg=key)


def test_sizes_and_shares():
    assert [sizes(10, count) for count in (1, 3, 10)] == [[10], [4, 3, 3], [1] * 10]

    def shares(loss, targets):
        return shares_of([Weighing(loss).weight(target) for target in targets])

    y = [np.array([0, -100, 1]), np.array([-100, -100]), np.array([2])]
    assert shares(nn.CrossEntropyLoss(), y) == [2 / 3, 0, 1 / 3]
    assert shares(nn.CrossEntropyLoss(weight=np.array([1, 2, 5])), y) == [3 / 8, 0, 5 / 8]
    assert shares(nn.CrossEntropyLoss(reduction="sum"), y) == [1, 1, 1]
    assert shares(nn.MSELoss(), y) == [1 / 2, 1 / 3, 1 / 6]
    assert shares(nn.CrossEntropyLoss(), y[1:2] * 2) == [0.5, 0.5]  # no number either way


@pytest.mark.parametrize("threads", [1, 2])
def test_one_micro_batch_has_the_bits_of_a_whole_batch_at_any_thread_count(threads):
    x, y = batch_for("residual", 12)
    results = []
    for accumulate, most in ((1, None), ("auto", None), ("auto", 12)):
        fn.set_num_threads(threads)
        model, step = plain(accumulate)
        step.most_examples = most
        results.append(([step(x, y) for _ in range(3)], state(model)))
    for losses, found in results[1:]:
        assert losses == results[0][0] and same(found, results[0][1])
    fn.set_num_threads(1)
    one, other = (plain(3) for _ in range(2))
    losses = [one[1](x, y) for _ in range(2)]
    fn.set_num_threads(threads)
    assert [other[1](x, y) for _ in range(2)] == losses
    assert same(state(one[0]), state(other[0]))


def test_batch_norm_sees_micro_batches_and_a_warning_says_so_once():
    x, y = batch_for("residual", 9)
    model, twin = make("residual").requires_grad_(True), make("residual")
    model.drop.p = twin.drop.p = 0.0
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                        accumulate=2)
    message = "9 is computed in 2 micro-batches.* 5 examples at a time"
    with pytest.warns(UserWarning, match=message) as said:
        step(x, y)
        step(x, y)
    assert len(said) == 1
    for _ in range(2):
        grads = [fn.value_and_grad(twin, nn.CrossEntropyLoss())(x[cut], y[cut])[1]
                 for cut in (slice(5), slice(5, 9))]
        for micro_batch in (x[:5], x[5:]):
            twin(micro_batch)
        for name, parameter in twin.named_parameters():
            parameter.data = parameter.data - 0.1 * (5 * grads[0][name] + 4 * grads[1][name]) / 9
    for name, value in state(model).items():
        np.testing.assert_allclose(value, state(twin)[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_without_batch_norm_nothing_is_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain(3)[1](*batch_for("residual", 9))


def test_each_micro_batch_draws_its_own_masks_and_repeats():
    class Mask(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(np.ones(1))

        def forward(self, x):
            return fn.dropout(x * self.scale, 0.5)

    outputs = []
    for _ in range(2):
        fn.manual_seed(2)
        model = Mask()
        step = fn.TrainStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0),
                            keep_output=True, accumulate=2)
        step(np.ones((4, 50)), np.zeros((4, 50)))
        outputs.append(step.output)
    assert outputs[0].shape == (4, 50) and same({"y": outputs[0]}, {"y": outputs[1]})
    assert (outputs[0][:2] != outputs[0][2:]).any()


def test_the_output_is_that_of_the_whole_batch():
    x, y = targets(9)
    whole, split = (plain(accumulate, keep_output=True)[1] for accumulate in (1, 9))
    whole(x, y)
    expected = whole.output
    split(x, y)
    counted = y != -100
    np.testing.assert_allclose(split.output[counted], expected[counted], rtol=1e-5, atol=1e-6)
    assert split.output.shape == expected.shape


@pytest.mark.parametrize("wrong", ["nan", "class"])
def test_an_error_in_a_later_micro_batch_changes_nothing(wrong):
    x, y = batch_for("residual", 6)
    model = make("residual")
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer, accumulate=3)
    with pytest.warns(UserWarning, match="3 micro-batches"):
        step(x, y)
    before, random = state(model), fn.get_rng_state()
    if wrong == "class":
        y = y.copy()
        y[4] = 9
    else:
        x = x.copy()
        x[4] = 3e38
    with pytest.raises((fn.NonFiniteError, ValueError), match=r"class numbers|no parameter"):
        step(x, y)
    assert same(before, state(model)) and fn.get_rng_state() == random and optimizer.steps == 1


@pytest.mark.parametrize("accumulate, error", [
    (0, ValueError), (-1, ValueError), ("some", TypeError), (1.5, TypeError), (None, TypeError)])
def test_a_number_of_micro_batches_that_makes_no_sense(accumulate, error):
    with pytest.raises(error, match="number of micro-batches or 'auto'"):
        plain(accumulate)


def test_micro_batches_need_the_examples_first():
    step = plain(2, lambda output, target: fn.mean(output) * fn.mean(target))[1]
    with pytest.raises(fn.ShapeError,
                       match=r"first axis can be split.*, got shapes \[\(6, 2, 8, 8\), \(3,\)\]"):
        step(batch_for("residual", 6)[0], np.ones(3))
    assert len(sizes(2, min(5, 2))) == 2  # never more than examples
    assert np.isfinite(plain(5)[1](*batch_for("residual", 2)))


def test_frozen_parameters_stay():
    model, step = plain(2)
    x, y = batch_for("residual", 6)
    step(x, y)
    model.conv1.requires_grad_(False)
    before = state(model)
    step(x, y)
    changed = {name for name, value in state(model).items()
               if value.tobytes() != before[name].tobytes()}
    assert "conv2.weight" in changed and not {"conv1.weight", "conv1.bias"} & changed


def _large(budget, accumulate="auto"):
    x, y = batch_for("residual", 6000)
    model, step = plain(accumulate, memory_budget=budget)
    return model, step, x, y


@in_a_fresh_process
def test_auto_takes_the_fewest_micro_batches_that_fit():
    model, step, x, y = _large(None, 1)
    losses = [step(x, y) for _ in range(2)]
    least = step.plan(x.shape).min_bytes
    expected = state(model)
    step.memory_budget = budget = least - (8 << 20)
    with pytest.raises(fn.MemoryBudgetError):
        step(x, y)
    del step
    fn.manual_seed(0)
    model, step, x, y = _large(budget)
    assert step.plan(x.shape).peak_bytes <= budget
    assert [step(x, y) for _ in range(2)] == pytest.approx(losses, rel=1e-5)
    assert resident_bytes() <= budget
    for name, value in state(model).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-5, err_msg=name)
    count = -(-len(x) // step.most_examples)
    assert count >= 2
    assert count == 2 or not step._accumulation.fit(
        (fn.graph.Spec(x.shape), fn.graph.Spec(y.shape, fn.graph.INDEX)), count - 1)
    step(x[:7], y[:7])  # a smaller batch is one micro-batch
    assert len(sizes(7, -(-7 // step.most_examples))) == 1
    step.memory_budget = None
    step(x, y)
    assert step.most_examples is None


@in_a_fresh_process
def test_what_not_even_single_examples_fit_is_refused():
    _, step, x, y = _large("2MiB")
    with pytest.raises(fn.MemoryBudgetError, match="too small") as error:
        step(x, y)
    with pytest.raises(fn.MemoryBudgetError) as whole:
        _large("2MiB", 1)[1](x, y)
    assert error.value.min_bytes < whole.value.min_bytes


@in_a_fresh_process
def test_batch_norm_of_vectors_gets_micro_batches_of_two():
    """A single example has no statistics."""
    fn.manual_seed(0)
    model = Mlp()
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                        memory_budget="2MiB", accumulate="auto")
    with pytest.raises(fn.MemoryBudgetError):
        step(*batch_for("mlp", 8))
    with pytest.raises(fn.ShapeError, match="more than one value"):
        step.memory_budget, step.accumulate = None, 8
        step(*batch_for("mlp", 8))


def test_a_resumed_run_splits_batches_as_before(tmp_path):
    """Although there is memory enough by then: the same bits."""
    x, y = batch_for("residual", 60)
    path = tmp_path / "c.safetensors"

    class Stop(fn.training.Callback):
        def on_batch_end(self, trainer):
            if trainer.steps == 4:
                trainer.save(path)

    fn.manual_seed(1)
    whole, resumed = _trainer([Stop()]), _trainer()
    whole.train_step.most_examples = 7
    fn.manual_seed(1)
    with pytest.warns(UserWarning, match="3 micro-batches"):
        history = whole.fit((x, y), validation=(x, y), epochs=2, batch_size=20)
    resumed.resume(path)
    assert resumed.train_step.most_examples == 7
    with pytest.warns(UserWarning, match="3 micro-batches"):
        again = resumed.fit((x, y), validation=(x, y), epochs=2, batch_size=20, seed=1)
    assert same(state(whole.model), state(resumed.model))
    assert [{**record, "seconds": 0} for record in again] == [
        {**record, "seconds": 0} for record in history]


def _trainer(callbacks=()):
    model = Residual()
    return fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                      callbacks=callbacks, accumulate="auto")
