"""What a user asks of the planner: regions to recompute, values to keep and to drop."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.plan import build as building
from fastnn.plan.fusion.fuse import fuse
from fastnn.plan.recompute.frontier import frontier
from fastnn.plan.recompute.honour_drops import backward_start, honour_drops, spare_at
from fastnn.plan.recompute.liveness import Liveness
from fastnn.plan.recompute.moves import recomputed_at
from fastnn.plan.recompute.problem import build_problem
from fastnn.plan.recompute.replay import replay
from fastnn.plan.select import select
from tests.harness import run, same_bits
from tests.nets import NETS, batch_for, make
from tests.plan.random_graphs import random_graph
from tests.plan.random_problems import MOTIFS, random_problem
from tests.plan.test_frontier import against_optimum
from tests.plan.test_replay import random_schedule
from tests.plan.verify import verify


def training(model, loss=None):
    return fn.TrainStep(model, loss or nn.CrossEntropyLoss(),
                        fn.optim.SGD(model.parameters(), lr=0.05, momentum=0.9))


def digest(model, name, steps=3):
    """SHA-256 of losses and all state after some steps, and the step."""
    step, found = training(model), hashlib.sha256()
    for number in range(steps):
        found.update(np.float64(step(*batch_for(name, 24, number))))
        for value in model.state_dict().values():
            found.update(np.ascontiguousarray(value))
    return found.hexdigest(), step


def problem_of(step):
    graph = fuse(step._compiled.graph)
    return graph, build_problem(graph, select(graph, 1))


def crossing(problem, schedule):
    """Values that the backward pass finds held."""
    liveness = Liveness(problem, schedule)
    start = backward_start(problem, schedule)
    held = (liveness.made < start) & (liveness.last_read >= start)
    return set(liveness.value[held].tolist())


@pytest.mark.parametrize("name", NETS)
def test_a_recomputed_net_has_the_same_hash(name, monkeypatch):
    """All of it, each module inside, and every plan that its frontier has."""
    expected, _ = digest(make(name), name)
    parts = [part for part, _ in make(name).named_modules()]
    for part in parts:
        model = make(name)
        fn.checkpoint(model.get_submodule(part))
        found, step = digest(model, name)
        assert found == expected, part
        assert all(text.startswith(part) for text in step._compiled.plan.recomputed)
        verify(step._compiled.plan)
    model = make(name)
    _, step = digest(fn.checkpoint(model), name)
    assert step._compiled.plan.recomputed
    _, problem = problem_of(step)
    for point in frontier(problem):
        assert not crossing(problem, point.schedule) & problem.dropped
        with monkeypatch.context() as patch:
            patch.setattr(building.Planner, "whole", property(
                lambda planner, s=point.schedule: planner.lay_out(s)))
            fn.manual_seed(0)
            assert digest(fn.checkpoint(NETS[name]()), name)[0] == expected


class Chain(nn.Module):
    """Blocks whose outputs are all that later ones read."""

    def __init__(self, blocks=6):
        super().__init__()
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 32), nn.Tanh())
            for _ in range(blocks))

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def test_a_region_holds_what_comes_in_and_goes_out():
    model = Chain()
    step = training(model, nn.MSELoss())
    whole = step.plan((4096, 32))
    assert not whole.recomputed
    for block in model.blocks:
        assert fn.checkpoint(block) is block
    plan = step.plan((4096, 32))
    assert set(plan.recomputed) == {f"blocks.{i}.{part}" for i in range(6)
                                    for part in ("0:linear", "1:tanh")}
    assert "recompute" in str(plan).split()
    assert plan.layout.arena_bytes < 0.65 * whole.layout.arena_bytes
    names = list(model.state_dict())
    assert names == list(Chain().state_dict())
    fn.checkpoint(model.blocks[0], enabled=False)
    assert not any(text.startswith("blocks.0") for text in step.plan((4096, 32)).recomputed)
    with pytest.raises(TypeError, match="Module"):
        fn.checkpoint(lambda x: x)


def test_regions_inside_regions_and_modules_called_twice():
    """The outer mark counts; each call is a region of its own."""
    outer, both = Chain(2), Chain(2)
    fn.checkpoint(both.blocks[1])
    plans = [training(fn.checkpoint(model), nn.MSELoss()).plan((64, 32))
             for model in (outer, both)]
    assert plans[0].recomputed == plans[1].recomputed
    # Between two marked blocks a value is held, within one mark it is not.
    assert "blocks.0.3:tanh" in plans[0].recomputed

    block = fn.checkpoint(Chain(1).blocks[0])
    plan = training(nn.Sequential(block, block), nn.MSELoss()).plan((64, 32))
    assert sorted(plan.recomputed) == 2 * ["0.0:linear"] + 2 * ["0.1:tanh"]


def test_a_budget_goes_on_from_the_marks():
    """Less memory than with the marks alone, and never a marked value held."""
    model = fn.checkpoint(Chain(12))
    plan = training(model, nn.MSELoss()).plan((2048, 32))
    assert plan.frontier()[0][0] < plan.peak_bytes
    free = training(fn.checkpoint(model, enabled=False), nn.MSELoss()).plan((2048, 32))
    assert plan.frontier()[0][0] <= 1.05 * free.frontier()[0][0]


class Pinned(nn.Module):
    """Conv-BN-ReLU twice, then a head; `pins` has what to do with values by their names."""

    def __init__(self, channels=16, pins=()):
        super().__init__()
        self.conv1 = nn.Conv2d(2, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.head = nn.Linear(channels * 16, 4)
        self.pins = dict(pins)

    def pin(self, name, x):
        return self.pins.get(name, lambda value: value)(x)

    def forward(self, x):
        y = self.pin("conv1", self.conv1(x))
        y = self.pin("relu1", fn.relu(self.pin("bn1", self.bn1(y))))
        z = self.pin("bn2", self.bn2(self.pin("conv2", self.conv2(y))))
        z = self.pin("relu2", fn.relu(z + y))
        z = self.pin("pool", fn.max_pool2d(z, 2))
        z = self.pin("flat", z.flatten(1))
        return self.pin("logits", self.head(fn.tanh(z)))


NAMES = ("conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "pool", "flat", "logits")


def hash_of_pinned(pins):
    fn.manual_seed(0)
    return digest(Pinned(pins=pins), "residual")


@pytest.mark.parametrize("pin", [fn.plan.keep, fn.plan.drop])
def test_pins_leave_the_hash_as_it_is(pin):
    expected, _ = hash_of_pinned({})
    for name in NAMES:
        assert hash_of_pinned({name: pin})[0] == expected, name


def test_a_dropped_value_is_recomputed():
    found = {name: hash_of_pinned({name: fn.plan.drop})[1]._compiled.plan.recomputed
             for name in ("relu2", "pool")}
    assert any(text.endswith("add_relu") for text in found["relu2"])
    assert any(text.endswith("max_pool2d") for text in found["pool"])


def test_what_only_serves_to_make_a_dropped_value_is_not_held():
    class Net(Chain):
        def forward(self, x):
            block = self.blocks[0]
            return block[2](fn.plan.drop(fn.tanh(block[0](x) + block[0](x))))

    plan = training(Net(), nn.MSELoss()).plan((4096, 32))
    made = [text.split(":")[1] for text in plan.recomputed]
    assert made == ["linear", "linear", "add", "tanh"]


class Kept(Chain):
    """A chain that pins what its first tanh functions give."""

    def __init__(self, pin):
        super().__init__()
        self.pin = pin

    def forward(self, x):
        for block in self.blocks:
            x = block[3](block[2](self.pin(block[1](block[0](x)))))
        return x


def recomputed(model):
    """Names of the operations that any plan of a net's frontier recomputes."""
    step = training(model, nn.MSELoss())
    step(*np.zeros((2, 4096, 32), np.float32))
    graph, problem = problem_of(step)
    return {f"{graph.nodes[number].scope}:{graph.nodes[number].op.name}"
            for point in frontier(problem) for number in point.schedule
            if point.schedule.count(number) > 1}


def test_a_kept_value_is_never_recomputed():
    assert "blocks.2.1:tanh" in recomputed(Kept(lambda x: x))
    names = recomputed(Kept(fn.plan.keep))
    assert names and not any("1:tanh" in name for name in names)


def test_a_kept_value_counts_more_than_its_region():
    plans = [training(fn.checkpoint(Kept(pin)), nn.MSELoss()).plan((64, 32))
             for pin in (lambda x: x, fn.plan.keep)]
    tanhs = [sum("1:tanh" in text for text in plan.recomputed) for plan in plans]
    assert tanhs == [6, 0]


class Twice(fn.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, dy):
        return 2 * dy


class Odd(nn.Module):
    """A layer whose forward is a function."""

    def __init__(self, function):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.function = function

    def forward(self, x):
        return self.function(self, x)


@pytest.mark.parametrize(("function", "message"), [
    (lambda net, x: fn.plan.keep(x), "of kind input comes from outside"),
    (lambda net, x: fn.plan.drop(fn.graph.as_tensor(net.layer.weight)), "of kind parameter"),
    (lambda net, x: fn.plan.drop(fn.plan.keep(net.layer(x))),
     "part.layer: the output of linear is marked with both keep and drop"),
    (lambda net, x: fn.plan.drop(Twice.apply(net.layer(x))) * 3.0,
     "part: the output of Twice cannot be dropped: the operation cannot be recomputed"),
    (lambda net, x: fn.plan.keep(fn.plan.drop(net.layer(x)).reshape(2, 2, 2)).reshape(2, 4),
     "part.layer: the output of linear cannot be dropped: it is a result"),
])
def test_impossible_pins_name_the_layer(function, message):
    model = nn.Sequential({"part": Odd(function)})
    with pytest.raises(ValueError, match=message):
        training(model, nn.MSELoss()).plan((2, 4))


def test_an_impossible_pin_outside_of_all_layers_names_the_model():
    model = Odd(lambda net, x: fn.plan.drop(fn.plan.keep(fn.tanh(x))))
    with pytest.raises(ValueError, match="the model: the output of tanh is marked with both"):
        training(model, nn.MSELoss()).plan((2, 4))


def test_pins_need_symbolic_tensors_and_leave_inference_alone():
    for pin in (fn.plan.keep, fn.plan.drop):
        with pytest.raises(TypeError, match="symbolic"):
            pin(np.ones(3))
        assert Odd(lambda net, x, pin=pin: pin(net.layer(x)))(np.ones((2, 4))).shape == (2, 4)


def with_drops(problem, rng):
    values = np.flatnonzero(problem.recomputable)
    chosen = rng.random(len(values)) < 0.5
    return replace(problem, dropped=frozenset(values[chosen].tolist()))


@pytest.mark.parametrize("seed", range(12))
def test_schedules_that_honour_drops_hold_no_dropped_value(seed):
    rng = np.random.default_rng(seed)
    plain = [random_problem(seed), *(motif(seed) for motif in MOTIFS.values())]
    for problem in (with_drops(each, rng) for each in plain):
        for edits in (0, 3, 10, 30):
            schedule = honour_drops(problem, random_schedule(problem, rng, edits))
            assert not crossing(problem, schedule) & problem.dropped
            assert honour_drops(problem, schedule) == schedule
            first = dict.fromkeys(schedule)
            assert list(first) == sorted(first) == list(range(len(problem.tasks)))
            for place in spare_at(problem, schedule):
                shorter = (*schedule[:place], *schedule[place + 1:])
                assert not crossing(problem, shorter) & problem.dropped
            edited = random_schedule(problem, rng, 5, schedule)
            assert not crossing(problem, edited) & problem.dropped


def test_a_frontier_with_dropped_values_is_near_the_optimum():
    found = []
    for seed in range(16):
        problem = with_drops(random_problem(seed, 8), np.random.default_rng(seed))
        points = frontier(problem)
        assert not any(crossing(problem, point.schedule) & problem.dropped for point in points)
        found.append(against_optimum(problem))
    ratios = [ratio for each, _ in found for ratio in each]
    assert np.median(ratios) <= 1.02 and max(ratios) <= 1.12
    assert max(least for _, least in found) <= 1.05


@pytest.mark.parametrize("seed", range(300, 312))
def test_random_graphs_with_pins(seed):
    graph, arrays = random_graph(seed)
    expected = run(graph, arrays)
    rng = np.random.default_rng(seed)
    read = {tensor for node in graph.nodes[graph.forward_nodes:] for tensor in node.inputs}
    for node in graph.nodes[:graph.forward_nodes]:
        free = not read.isdisjoint(node.outputs) and node.op.replayable and (
            set(graph.outputs).isdisjoint(node.outputs))
        if free and rng.random() < 0.4:
            fn.plan.drop(node.outputs[0])
    fused = fuse(graph)
    try:
        problem = build_problem(fused, select(fused, 1))
    except ValueError as error:  # the memory of a result
        pytest.skip(str(error))
    schedule = honour_drops(problem, problem.everything)
    assert recomputed_at(schedule)
    assert same_bits(expected, run(replay(fused, problem, schedule), arrays, fused=False))


def test_a_recomputation_that_dropped_values_do_not_need_is_spare():
    """The first one after the forward pass is needed, a second one of the same value is not."""
    problem = random_problem(0)
    value = next(value for value in np.flatnonzero(problem.recomputable)
                 if any(value in task.inputs for task in problem.tasks[problem.forward:]))
    problem = replace(problem, dropped=frozenset([int(value)]))
    schedule = honour_drops(problem, problem.everything)
    maker = problem.producer[value]
    first = schedule.index(maker, maker + 1)
    assert spare_at(problem, schedule) == []
    twice = (*schedule[:first + 2], maker, *schedule[first + 2:])
    assert spare_at(problem, twice) == [first + 2]


def test_what_the_backward_pass_reads_itself_is_held():
    """Though it serves to make a dropped value too."""
    class Net(Chain):
        def forward(self, x):
            return self.blocks[0][2](fn.plan.drop(fn.exp(fn.tanh(self.blocks[0][0](x)))))

    plan = training(Net(), nn.MSELoss()).plan((4096, 32))
    assert [text.split(":")[1] for text in plan.recomputed] == ["exp"]
