"""Optimizers against float64 over several steps, and against odd tensor sizes."""

import numpy as np
import pytest
from fastnn._kernels.optimizer.optimizer import optimizer_rows

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads
from tests.reference import optimizer as reference

ROWS = {name: (numbers.split(", "), buffers) for name, numbers, buffers in optimizer_rows()}
HYPER = {"scale": 1.0, "limit": np.inf, "lr": 0.1, "weight_decay": 0.01, "momentum": 0.9,
         "dampening": 0.25, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def hyper_of(name, **others):
    """The numbers that a kernel reads, by name."""
    return {number: (HYPER | others)[number] for number in ROWS[name][0]}


def fixed(values):
    """An array that a kernel must not change."""
    array = np.array(values, np.float64)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("name", sorted(ROWS))
@pytest.mark.parametrize("sizes", [[1], [7, 9, 16], [460, 46, 460, 10], [16384], [16383, 2, 33000],
                                   [5, 0, 50000, 1, 17]])
def test_steps(name, sizes):
    """Tensors of one call are at different steps: 1, 101, 3, 1, 101, ...

    Gradients come as they are, then scaled, then scaled and clipped.
    """
    random = np.random.default_rng(0)
    buffers = ROWS[name][1]
    weights = [random.standard_normal(n).astype(np.float32) for n in sizes]
    state = [[np.zeros(n, np.float32) for _ in range(buffers - 2)] for n in sizes]
    # Places of the tensors' counts, in an array that counts others too.
    places = [2 * i + 1 for i in range(len(sizes))][::-1]
    steps = np.full(2 * len(sizes), 7, np.int64)
    steps[places] = [(0, 100, 2)[i % 3] for i in range(len(sizes))]
    for clip in ({}, {"scale": -0.5}, {"scale": 0.75, "limit": 0.5}):
        numbers = hyper_of(name, **clip)
        pointers, expected = [fixed(list(numbers.values())), steps], []
        counts = steps.copy()
        for w, more, place in zip(weights, state, places, strict=True):
            g = random.standard_normal(w.size).astype(np.float32)
            g.flags.writeable = False
            pointers += [w, g, *more]
            exact = [v.astype(np.float64) for v in (w, g, *more)]
            exact[1] = np.clip(exact[1] * numbers["scale"], -numbers["limit"], numbers["limit"])
            expected.append(getattr(reference, name)(numbers, int(counts[place]) + 1, *exact))
        call_all_threads(name, pointers, [len(sizes), *sizes, *places])
        counts[places] += 1
        np.testing.assert_array_equal(steps, counts)
        for w, more, results in zip(weights, state, expected, strict=True):
            # Each step starts from the kernel's own floats: a few roundings of the terms' size.
            for got, result in zip((w, *more), results, strict=True):
                np.testing.assert_allclose(got, result, rtol=1e-6, atol=4e-7)


@pytest.mark.parametrize("name", sorted(ROWS))
def test_scale_and_limit_act_on_the_gradient_alone(name):
    """The bits are those of a gradient that was scaled and clipped before."""
    random = np.random.default_rng(3)
    buffers = [np.abs(random.standard_normal(99)).astype(np.float32)
               for _ in range(ROWS[name][1])]
    buffers[1] -= 1
    before = [buffer.copy() for buffer in buffers]
    before[1] = np.clip(buffers[1] * np.float32(-0.75), np.float32(-0.25), np.float32(0.25))
    assert (np.abs(before[1]) < 0.25).any() and (before[1] == -0.25).any()
    clipped = fixed(list(hyper_of(name, scale=-0.75, limit=0.25).values()))
    call_all_threads(name, [clipped, np.array([2]), *buffers], [1, 99, 0])
    call_all_threads(name, [fixed(list(hyper_of(name).values())), np.array([2]), *before],
                     [1, 99, 0])
    for k in range(len(buffers)):
        assert k == 1 or buffers[k].tobytes() == before[k].tobytes()


def test_same_bits_however_tensors_are_cut():
    random = np.random.default_rng(1)
    hyper = fixed(list(hyper_of("adamw").values()))
    whole = [np.abs(random.standard_normal(100)).astype(np.float32) for _ in range(4)]
    split = [[v[:37].copy() for v in whole], [v[37:].copy() for v in whole]]
    call_all_threads("adamw", [hyper, np.array([2]), *whole], [1, 100, 0])
    call_all_threads("adamw", [hyper, np.array([2, 2]), *split[0], *split[1]], [2, 37, 63, 1, 0])
    for k in range(4):
        assert whole[k].tobytes() == np.concatenate([split[0][k], split[1][k]]).tobytes()


@pytest.mark.parity
@pytest.mark.parametrize("name, make", [
    ("sgd", lambda t, p: t.optim.SGD(p, 0.1, weight_decay=0.01)),
    ("sgd_momentum", lambda t, p: t.optim.SGD(p, 0.1, 0.9, 0.25, weight_decay=0.01)),
    ("sgd_nesterov", lambda t, p: t.optim.SGD(p, 0.1, 0.9, weight_decay=0.01, nesterov=True)),
    ("adam", lambda t, p: t.optim.Adam(p, 0.1, weight_decay=0.01)),
    ("adamw", lambda t, p: t.optim.AdamW(p, 0.1, weight_decay=0.01))])
def test_parity(name, make):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(2)
    w = random.standard_normal(300).astype(np.float32)
    parameter = torch.nn.Parameter(torch.tensor(w.copy()))
    theirs = make(torch, [parameter])
    state = [np.zeros(300, np.float32) for _ in range(ROWS[name][1] - 2)]
    hyper = hyper_of(name, dampening=0.0) if name == "sgd_nesterov" else hyper_of(name)
    steps = np.zeros(1, np.int64)
    for _ in range(5):
        g = random.standard_normal(300).astype(np.float32)
        call_all_threads(name, [fixed(list(hyper.values())), steps, w, g, *state], [1, 300, 0])
        parameter.grad = torch.tensor(g.copy())
        theirs.step()
        np.testing.assert_allclose(w, parameter.detach().numpy(), rtol=2e-6, atol=1e-6)


def test_extents():
    extents = registry.KERNELS["adam"].extents
    assert extents([2, 3, 5, 6, 1], 1) == (56, 56, 12, 12, 12, 12, 20, 20, 20, 20)
    for wrong in ([2, 3], [2, 3, 5], [1, 3, -1]):
        with pytest.raises(ValueError, match="count of tensors"):
            extents(wrong, 1)
