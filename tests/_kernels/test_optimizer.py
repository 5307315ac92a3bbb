"""Optimizers against float64 over several steps, and against odd tensor sizes."""

import numpy as np
import pytest
from fastnn._kernels.optimizer.optimizer import optimizer_rows

from fastnn._kernels import registry
from tests._kernels.call import call_all_threads
from tests.memory import blank
from tests.reference import optimizer as reference

ROWS = {name: (numbers.split(", "), buffers, carries)
        for name, numbers, buffers, carries in optimizer_rows()}
HYPER = {"scale": 1.0, "limit": np.inf, "lr": 0.1, "weight_decay": 0.01, "decoupled": 0.0,
         "momentum": 0.9, "dampening": 0.25, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
         "momentum_decay": 0.004, "lr_decay": 0.01, "rho": 0.9, "alpha": 0.8, "eta_minus": 0.5,
         "eta_plus": 1.2, "least": 1e-3, "most": 50.0, "lambd": 0.01, "t0": 2.0, "mix": 0.9,
         "weight": 0.2}


def hyper_of(name, **others):
    """The numbers that a kernel reads, by name."""
    return {number: (HYPER | others)[number] for number in ROWS[name][0]}


def fixed(values):
    """An array that a kernel must not change."""
    array = np.array(values, np.float64)
    array.flags.writeable = False
    return array


def head_of(name, hyper, steps, carried):
    """The pointers before those of the tensors."""
    return [hyper, steps, carried] if ROWS[name][2] else [hyper, steps]


def state_of(name, random, size, step):
    """State before a step, not near 0 as it divides; nothing before the first."""
    return [(step > 1) * ((1 if place == 0 else 1 / 16)
                          + np.abs(random.standard_normal(size)) / 8).astype("f")
            for place in range(ROWS[name][1] - 2)]


@pytest.mark.parametrize("name", sorted(ROWS))
@pytest.mark.parametrize("sizes", [[1], [7, 9, 16], [460, 46, 460, 10], [16384], [16383, 2, 33000],
                                   [5, 0, 50000, 1, 17]])
def test_steps(name, sizes):
    """Tensors of one call are at different steps: 1, 101, 3, 1, 101, ...

    Gradients come as they are, then scaled, then scaled and clipped.
    """
    random = np.random.default_rng(0)
    weights = [random.standard_normal(n).astype(np.float32) for n in sizes]
    # Places of the tensors' counts, in an array that counts others too.
    places = [2 * i + 1 for i in range(len(sizes))][::-1]
    steps = np.full(2 * len(sizes), 7, np.int64)
    steps[places] = [(0, 100, 2)[i % 3] for i in range(len(sizes))]
    carried = np.where(steps > 0, random.random(steps.size) / 2, 1.0)
    state = [state_of(name, random, n, steps[place] + 1)
             for n, place in zip(sizes, places, strict=True)]
    for clip in ({}, {"scale": -0.5}, {"scale": 0.75, "limit": 0.5}):
        numbers = hyper_of(name, **clip)
        hyper = fixed(list(numbers.values()))
        pointers, expected = head_of(name, hyper, steps, carried), []
        counts, next_carried = steps.copy(), carried.copy()
        for w, more, place in zip(weights, state, places, strict=True):
            g = random.standard_normal(w.size).astype(np.float32)
            g.flags.writeable = False
            pointers += [w, g, *more]
            exact = [v.astype(np.float64) for v in (w, g, *more)]
            exact[1] = np.clip(exact[1] * numbers["scale"], -numbers["limit"], numbers["limit"])
            step, values = int(counts[place]) + 1, numbers | {"carried": carried[place]}
            expected.append(getattr(reference, name)(values, step, *exact))
            if ROWS[name][2]:
                next_carried[place] = getattr(reference, f"{name}_carried")(values, step)
        call_all_threads(name, pointers, [len(sizes), *sizes, *places])
        counts[places] += 1
        np.testing.assert_array_equal(steps, counts)
        np.testing.assert_allclose(carried, next_carried, rtol=1e-15)
        for w, more, results in zip(weights, state, expected, strict=True):
            # Each step starts from the kernel's own floats: a few roundings of the terms' size.
            for got, result in zip((w, *more), results, strict=True):
                # The variance of a centered one is a difference.
                np.testing.assert_allclose(got, result, rtol=1e-6,
                                           atol=1e-6 if "centered" in name else 4e-7)


@pytest.mark.parametrize("size", [1, 7, 16, 33, 16384, 40001])
@pytest.mark.parametrize("clip", [{}, {"scale": -0.5, "limit": 0.25}, {"mix": 1.0}], ids=str)
def test_muons_direction(size, clip):
    random = np.random.default_rng(4)
    numbers = hyper_of("muon", **clip)
    g, m = (random.standard_normal(size).astype(np.float32) for _ in range(2))
    for array in (g, m):
        array.flags.writeable = False
    y = blank((size,))
    call_all_threads("muon_direction", [fixed(list(numbers.values())), g, m, y], [size])
    clipped = np.clip(g * numbers["scale"], -numbers["limit"], numbers["limit"])
    expected = reference.muon_direction(numbers, clipped.astype(np.float64), m.astype(np.float64))
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=4e-7)


def test_rmsprop_survives_a_variance_that_rounding_makes_negative():
    """PyTorch's square root of it is NaN."""
    g, w = np.full(64, 1.1, np.float32), np.ones(64, np.float32)
    square, mean = np.full(64, np.float32(1.21) * (1 - 2**-20), np.float32), g.copy()
    hyper = fixed(list(hyper_of("rmsprop_centered", weight_decay=0.0, eps=1.0).values()))
    call_all_threads("rmsprop_centered", [hyper, np.array([9]), w, g, square, mean], [1, 64, 0])
    assert (square < mean * mean).all()
    np.testing.assert_allclose(w, 1 - 0.11, rtol=1e-6)


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
    plain = fixed(list(hyper_of(name).values()))
    for hyper, tensors in ((clipped, buffers), (plain, before)):
        head = head_of(name, hyper, np.array([2]), np.array([0.25]))
        call_all_threads(name, [*head, *tensors], [1, 99, 0])
    for k in range(len(buffers)):
        assert k == 1 or buffers[k].tobytes() == before[k].tobytes()


def test_same_bits_however_tensors_are_cut():
    random = np.random.default_rng(1)
    hyper = fixed(list(hyper_of("adam").values()))
    whole = [np.abs(random.standard_normal(100)).astype(np.float32) for _ in range(4)]
    split = [[v[:37].copy() for v in whole], [v[37:].copy() for v in whole]]
    call_all_threads("adam", [hyper, np.array([2]), *whole], [1, 100, 0])
    call_all_threads("adam", [hyper, np.array([2, 2]), *split[0], *split[1]], [2, 37, 63, 1, 0])
    for k in range(4):
        assert whole[k].tobytes() == np.concatenate([split[0][k], split[1][k]]).tobytes()


def test_extents():
    extents = registry.KERNELS["adam"].extents
    assert extents([2, 3, 5, 6, 1], 1) == (64, 56, 12, 12, 12, 12, 20, 20, 20, 20)
    extents = registry.KERNELS["nadam"].extents
    assert extents([1, 3, 6], 1) == (72, 56, 56, 12, 12, 12, 12)
    for wrong in ([2, 3], [2, 3, 5], [1, 3, -1]):
        with pytest.raises(ValueError, match="count of tensors"):
            extents(wrong, 1)
    with pytest.raises(ValueError, match="negative size: -1"):
        registry.KERNELS["muon_direction"].extents([-1], 1)
