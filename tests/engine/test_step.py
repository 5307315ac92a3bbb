"""The contract: model(x), value_and_grad, TrainStep and plans."""

import gc
import resource
import tracemalloc

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from tests.nets import NETS, batch_for, make, make_step, same_state, state_of


@pytest.mark.parametrize("name", NETS)
def test_a_net_learns_its_batch(name):
    model, step = make_step(name)
    x, y = batch_for(name, 16)
    losses = [step(x, y) for _ in range(40)]
    assert all(isinstance(loss, float) for loss in losses)
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    predicted = model.eval()(x).argmax(1)
    assert (predicted == y).mean() > 0.7


@pytest.mark.parametrize("name", NETS)
def test_gradients_against_differences(name):
    x, y = batch_for(name, 64)  # many samples, so that one at a kink of a ReLU counts little
    model = make(name)
    model(x)
    model.eval()  # no dropout; the running statistics of one batch
    compute = fn.value_and_grad(model, nn.CrossEntropyLoss())
    _, grads = compute(x, y)
    rng = np.random.default_rng(0)
    for parameter_name, parameter in model.named_parameters():
        assert grads[parameter_name].shape == parameter.shape
        direction = rng.standard_normal(parameter.shape)
        direction /= np.sqrt((direction**2).sum())
        kept, losses = parameter.data.copy(), []
        for shift in (1e-3, -1e-3):
            parameter.data = kept + shift * direction
            losses.append(compute(x, y)[0])
        parameter.data = kept
        expected = (losses[0] - losses[1]) / 2e-3
        got = float((grads[parameter_name] * direction).sum())
        assert got == pytest.approx(expected, rel=0.02, abs=5e-4), parameter_name


def test_a_step_is_value_and_grad_and_an_update():
    model, twin = make("residual"), make("residual")
    x, y = batch_for("residual")
    fn.manual_seed(4)
    loss, grads = fn.value_and_grad(twin, nn.CrossEntropyLoss())(x, y)
    fn.manual_seed(4)
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.5))
    assert step(x, y) == loss
    for name, parameter in twin.named_parameters():
        np.testing.assert_allclose(dict(model.named_parameters())[name].data,
                                   parameter.data - 0.5 * grads[name], rtol=1e-6, atol=1e-7)


def test_value_and_grad_changes_nothing():
    model = make("residual")
    x, y = batch_for("residual")
    before, state = state_of(model), fn.get_rng_state()
    compute = fn.value_and_grad(model, nn.CrossEntropyLoss())
    first, second = compute(x, y), compute(x, y)
    assert same_state(before, state_of(model)) and fn.get_rng_state() == state
    assert first[0] == second[0]
    assert all(first[1][name].tobytes() == second[1][name].tobytes() for name in first[1])
    first[1]["head.bias"][:] = 7  # results are the caller's
    assert (compute(x, y)[1]["head.bias"] != 7).all()


def test_frozen_parameters_cost_no_backward_work():
    model = make("residual")
    model.requires_grad_(False)
    model.head.requires_grad_(True)
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    x, y = batch_for("residual")
    names = [s.node.op.name for s in step.plan(x.shape).steps]
    assert "conv2d_grad_weight" not in names and "conv2d_grad_input" not in names
    assert names.count("linear_grad_weight") == 1 and "linear_grad_input" not in names
    before = state_of(model)
    step(x, y)
    changed = {name for name, value in state_of(model).items()
               if value.tobytes() != before[name].tobytes()}
    assert changed & dict(model.named_parameters()).keys() == {"head.weight", "head.bias"}
    _, grads = fn.value_and_grad(model, nn.CrossEntropyLoss())(x, y)
    assert set(grads) == {"head.weight", "head.bias"}
    model.requires_grad_(True)
    step(x, y)
    assert model.stem.weight.data.tobytes() != before["stem.weight"].tobytes()


def test_a_losss_own_parameters_are_trained_and_frozen():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(np.ones(1))

        def forward(self, output, target):
            return fn.mse_loss(output * self.scale, target)

    model, loss = nn.Linear(3, 2), Scaled()
    x, y = np.ones((4, 3), np.float32), np.full((4, 2), 9.0, np.float32)
    step = fn.TrainStep(model, loss, optim.SGD([*model.parameters(), loss.scale], lr=0.01))
    step(x, y)
    moved = float(loss.scale.data[0])
    assert moved != 1
    assert "loss.scale" in fn.value_and_grad(model, loss)(x, y)[1]
    loss.scale.requires_grad = False
    step(x, y)
    assert float(loss.scale.data[0]) == moved


def test_the_last_smaller_batch_just_works():
    _, step = make_step()
    for count in (6, 6, 2, 6, 2):
        assert np.isfinite(step(*batch_for("residual", count)))
    assert len(step._cache._kept) == 2


def test_plans_are_kept_for_a_few_shapes_only():
    _, step = make_step("mlp")
    for count in range(2, 15):
        step(*batch_for("mlp", count))
    assert len(step._cache._kept) <= 8


def test_plans_of_a_changed_model_are_given_up():
    model, step = make_step("mlp")
    for count in (4, 5):
        step(*batch_for("mlp", count))
    model.note = "changed"
    step(*batch_for("mlp", 4))
    assert len(step._cache._kept) == 1


def test_the_plan_before_the_first_step_is_the_one_that_runs():
    _, step = make_step()
    x, y = batch_for("residual")
    plan = step.plan(x.shape)
    step(x, y)
    assert step.plan(x.shape) is plan and step._compiled.plan is plan
    assert plan.peak_bytes > plan.baseline_bytes and plan.seconds > 0
    assert step.plan(x.shape, y.shape) is plan
    assert step.plan(list(x.shape), fn.graph.Spec(y.shape, y.dtype)) is plan


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_training_has_the_same_bits_at_any_thread_count(threads):
    def train():
        model, step = make_step()
        losses = [step(*batch_for("residual", 32, seed=i)) for i in range(3)]
        return losses, state_of(model)

    fn.set_num_threads(threads)
    losses, state = train()
    fn.set_num_threads(4)
    again, other = train()
    assert losses == again and same_state(state, other)


def test_running_statistics_move_once_for_each_use():
    model, step = make_step()
    step(*batch_for("residual"))
    assert model.block.bn1.num_batches_tracked.data == 2  # the block is used twice
    model(batch_for("residual")[0])
    assert model.block.bn1.num_batches_tracked.data == 4
    model.eval()(batch_for("residual")[0])
    assert model.block.bn1.num_batches_tracked.data == 4


def test_channels_last_arrays():
    x, y = batch_for("residual")
    one, other = make("residual"), make("residual")
    losses = []
    for model, array, layout in ((one, x, "NCHW"), (other, x.transpose(0, 2, 3, 1), "NHWC")):
        fn.manual_seed(0)
        array = np.ascontiguousarray(array)
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1),
                            layout=layout)
        assert step.plan(array.shape).graph.inputs[0].bytes == x.nbytes
        losses.append([step(array, y) for _ in range(2)])
        fn.manual_seed(0)
        losses[-1].append(fn.value_and_grad(model, nn.CrossEntropyLoss(), layout)(array, y)[0])
    assert losses[0] == losses[1] and same_state(state_of(one), state_of(other))
    with pytest.raises(ValueError, match="layout"):
        fn.TrainStep(one, nn.CrossEntropyLoss(), optim.SGD(one.parameters()),
                     layout="CHWN")(x, y)


def test_image_targets_in_channels_last():
    model = nn.Conv2d(2, 3, 3, padding=1)
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((2, 4, 5, c)).astype(np.float32) for c in (2, 3))
    step = fn.TrainStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=0.0), layout="NHWC")
    plan = step.plan(x.shape)
    expected = ((model(x.transpose(0, 3, 1, 2)) - y.transpose(0, 3, 1, 2)) ** 2).mean()
    assert step(x, y) == pytest.approx(expected, rel=1e-5)
    assert step._compiled.plan is plan


def test_output_of_a_step():
    _, step = make_step("mlp", keep_output=True)
    with pytest.raises(RuntimeError, match="keep_output"):
        _ = step.output
    x, y = batch_for("mlp")
    loss = step(x, y)
    logits = step.output.astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    assert loss == pytest.approx(-log_p[np.arange(len(y)), y].mean(), rel=1e-5)


def test_nothing_is_allocated_in_a_steady_step():
    _, step = make_step("mlp", keep_output=True)
    x, y = batch_for("mlp", 256)
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        for _ in range(120):  # Python's own pools of small objects fill up
            step(x, y)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(50):
            step(x, y)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert peak - before < 10_000 and after - before < 1_000
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        step(x, y)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults < 50


@pytest.mark.parametrize("convert", [
    lambda x, y: (x.astype(np.float64), y.astype(np.int32)), lambda x, y: (x.tolist(), y.tolist()),
    lambda x, y: (np.asfortranarray(x), y.astype(">i8"))])
def test_steady_and_converted_steps_are_the_same(convert):
    def train(x, y):
        model, step = make_step("mlp")
        fn.manual_seed(0)
        return [step(x, y) for _ in range(3)], state_of(model)

    x, y = batch_for("mlp")
    (losses, state), (again, other) = train(x, y), train(*convert(x, y))
    assert losses == again and same_state(state, other)


def test_arrays_that_change_between_steps_are_checked_again():
    model, step = make_step("mlp")
    x, y = (array.copy() for array in batch_for("mlp"))
    step(x, y)
    before, (value, label) = state_of(model), (x.flat[3], y[1])
    x.flat[3] = np.nan
    with pytest.raises(fn.NonFiniteError, match="x has"):
        step(x, y)
    x.flat[3], y[1] = value, 1000
    with pytest.raises(ValueError, match="to 1000"):
        step(x, y)
    y[1] = label
    assert same_state(before, state_of(model)) and np.isfinite(step(x, y))
    with pytest.raises(fn.ShapeError):
        step(x.reshape(2, -1), y)


def test_settings_that_change_between_steps_make_another_plan():
    _, step = make_step("mlp")
    x, y = batch_for("mlp")
    step(x, y)
    first = step._compiled
    for budget, algorithm in (("2GiB", "auto"), ("2GiB", "direct")):
        step.memory_budget = budget
        fn.set_conv_algorithm(algorithm)
        step(x, y)
        assert step._compiled is not first
        first = step._compiled
    fn.set_conv_algorithm("auto")
    step.model.eval()
    step(x, y)
    assert step._compiled is not first
    step.model.train()


class Pair(nn.Module):
    """The sum of all its inputs, times a number."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(np.ones(1))

    def forward(self, *inputs):
        return sum(inputs[1:], inputs[0]) * self.scale


def test_nested_inputs_and_targets_are_told_apart():
    model, seen = Pair(), []

    def loss(output, target):
        seen.append(target)
        first = target[0] - target[1] if isinstance(target, tuple) else target
        return ((output - first) ** 2).mean()

    step = fn.TrainStep(model, loss, optim.SGD(model.parameters(), lr=0.0))
    a, b, c = (np.full((2, 3), value, np.float32) for value in (1, 2, 5))
    for _ in range(2):
        assert step((a, b), c) == 4
        assert step(a, (b, c)) == 16
        assert step((a,), (b, c)) == 16
        assert step((a, b), c) == 4
    assert len(seen) == 3, "a plan for each nesting"
