"""How much of a kernel's work each thread is dealt, for more threads than this machine has."""

from collections.abc import Iterator

import pytest
from fastnn._kernels.chunks import dealt, run_loads

import fastnn as fn
from fastnn._kernels import registry
from fastnn.bench.nets import NETS, make
from fastnn.runtime.executor import PlacedCall

SHARE = 0.02  # of a step's multiply-adds: less may be uneven
UNEVEN = 1.3  # times the mean of all threads


def step_calls(net: str, threads: int) -> list[PlacedCall]:
    model = make(net)
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    before = fn.get_num_threads()
    fn.set_num_threads(threads)
    try:
        return step.plan((128, *NETS[net].example)).calls()[0]
    finally:
        fn.set_num_threads(before)


def told(calls: list[PlacedCall], threads: int) -> Iterator[tuple[PlacedCall, list[int]]]:
    """Calls of kernels that tell what each thread is dealt, and that."""
    for call in calls:
        loads = registry.kernel(call.kernel).loads
        if loads is not None:
            yield call, loads(call.d, min(threads, call.threads))


@pytest.mark.parametrize("net", NETS)
def test_sixteen_threads_have_about_as_much_to_do_in_every_net(net: str) -> None:
    calls = list(told(step_calls(net, 16), 16))
    whole = sum(sum(loads) for _, loads in calls)
    large = [(call, loads) for call, loads in calls if sum(loads) > SHARE * whole]
    assert large
    for call, loads in large:
        assert max(loads) * len(loads) <= UNEVEN * sum(loads), f"{call.kernel} {call.d}: {loads}"


@pytest.mark.parametrize("net", ["vgg11", "resnet18"])
def test_any_number_of_threads_shares_a_weight_gradient(net: str) -> None:
    """With 20 threads, 16 ranges may leave four of them idle: pieces of a range cost transforms."""
    calls = [call for call in step_calls(net, 64) if call.kernel.startswith("winograd_grad_weight")]
    for threads in range(1, 65):
        for call, loads in told(calls, threads):
            assert len(loads) == threads
            assert max(loads) * threads <= 1.55 * sum(loads), f"{threads} threads: {call.d}"


def test_a_static_schedule_deals_neighbours_and_the_first_threads_one_more() -> None:
    assert dealt([1, 2, 3, 4, 5], 3) == [3, 7, 5]
    assert dealt([1, 2, 3, 4, 5], 3, by_turns=True) == [5, 7, 3]
    assert dealt([1, 2], 4) == [1, 2, 0, 0]
    assert dealt([1, 2, 3], 4, alone=True) == [6, 0, 0, 0]
    assert run_loads([1, 2, 3], 3, 2) == [6, 0]
    assert run_loads([1, 2, 3], 2, 2) == [3, 3]
