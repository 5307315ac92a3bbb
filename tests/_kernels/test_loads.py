"""How much of a kernel's work each thread is dealt, for more threads than this machine has."""

from collections.abc import Iterator

import pytest
from fastnn._kernels.chunks import dealt, run_loads

import fastnn as fn
from fastnn._kernels import registry
from fastnn.bench.nets import NETS, make
from fastnn.plan.cost.predict import fixed_rates
from fastnn.plan.plan import Call, Plan

SHARE = 0.02  # of a step: less may be uneven
UNEVEN = 1.3  # times the mean of all threads


def step_plan(net: str, threads: int) -> Plan:
    model = make(net)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    before = fn.get_num_threads()
    fn.set_num_threads(threads)
    try:
        return step.plan((128, *NETS[net].example))
    finally:
        fn.set_num_threads(before)


def large_calls(plan: Plan) -> Iterator[tuple[Call, list[int]]]:
    """Calls of operations with a share of what one thread would take, as the planner predicts.

    And what each thread is dealt: so kernels that multiply and ones that wait for memory compare.
    """
    seconds = [fixed_rates(1).single_thread_seconds(step.node) for step in plan.steps]
    for step, time in zip(plan.steps, seconds, strict=True):
        for call in step.calls if time > SHARE * sum(seconds) else ():
            loads = registry.kernel(call.kernel).loads
            assert loads is not None, f"{call.kernel} does not tell what threads are dealt"
            yield call, loads(call.d, step.threads)


@pytest.mark.parametrize("net", NETS)
def test_sixteen_threads_have_about_as_much_to_do_in_every_net(net: str) -> None:
    large = list(large_calls(step_plan(net, 16)))
    assert large
    for call, loads in large:
        assert max(loads) * len(loads) <= UNEVEN * sum(loads), f"{call.kernel} {call.d}: {loads}"


@pytest.mark.parametrize("net", ["vgg11", "resnet18"])
def test_any_number_of_threads_shares_a_weight_gradient(net: str) -> None:
    """With 20 threads, 16 ranges may leave four of them idle: pieces of a range cost transforms.

    With AVX-512's wide tiles 47 threads, of which 15 are idle, are the worst.
    """
    calls = [call for call in step_plan(net, 64).calls()[0]
             if call.kernel.startswith("winograd_grad_weight")]
    for threads in range(1, 65):
        for call in calls:
            loads = registry.kernel(call.kernel).loads(call.d, threads)
            assert len(loads) == threads
            assert max(loads) * threads <= 1.75 * sum(loads), f"{threads} threads: {call.d}"


def test_a_static_schedule_deals_neighbours_and_the_first_threads_one_more() -> None:
    assert dealt([1, 2, 3, 4, 5], 3) == [3, 7, 5]
    assert dealt([1, 2, 3, 4, 5], 3, by_turns=True) == [5, 7, 3]
    assert dealt([1, 2], 4) == [1, 2, 0, 0]
    assert dealt([1, 2, 3], 4, alone=True) == [6, 0, 0, 0]
    assert run_loads([1, 2, 3], 3, 2) == [6, 0]
    assert run_loads([1, 2, 3], 2, 2) == [3, 3]
