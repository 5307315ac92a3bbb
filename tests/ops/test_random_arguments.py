"""Operations with random shapes and arguments: value and gradients against float64 twins."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import fastnn as fn
from tests.cases.case import Case, classes
from tests.cases.conv2d import _twin as conv2d_twin
from tests.cases.conv_transpose2d import _twin as conv_transpose2d_twin
from tests.cases.losses import _cross_entropy
from tests.cases.pooling import _adaptive_twin, _avg_twin, _max_twin
from tests.cases.resize import _interpolate_twin, _pad_twin
from tests.harness import assert_close, run, same_bits, trace_case, upstream

sizes = st.integers(1, 9)
few = settings(max_examples=30, deadline=None, derandomize=True,
               suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def check(case: Case) -> None:
    """Value, one directional derivative of each input, and the same bits at 3 threads."""
    traced = trace_case(case)
    results = run(traced.graph, traced.arrays)
    inputs = [a.astype(np.float64) if a.dtype == np.float32 else a for a in case.arrays()]
    expected = np.asarray(case.twin(*inputs))
    assert_close(results[0], expected, 3e-5, case.name)
    dy = upstream(case, 0, expected.shape).astype(np.float64)
    for number, gradient in zip(case.wanted(), results[1:], strict=True):
        v = case.generator("v").standard_normal(gradient.shape)
        values = []
        for shift in (1e-6, -1e-6):
            moved = [a + shift * v if i == number else a for i, a in enumerate(inputs)]
            values.append((case.twin(*moved) * dy).sum())
        difference = (values[0] - values[1]) / 2e-6
        scale = np.sqrt((gradient.astype(np.float64) ** 2).sum()) * np.sqrt((v**2).sum())
        assert abs(float((gradient * v).sum()) - difference) <= 3e-5 * scale + 1e-6, (
            f"{case.name}: gradient of input {number}")
    assert same_bits(results, run(traced.graph, traced.arrays, threads=3)), case.name


@few
@given(st.data())
def test_conv2d(data):
    draw = data.draw
    groups = draw(st.integers(1, 3))
    kernel, stride, before, after, dilation = (
        draw(st.tuples(st.integers(low, high), st.integers(low, high)))
        for low, high in ((1, 4), (1, 3), (0, 3), (0, 3), (1, 3)))
    by_side = draw(st.booleans())
    padding = tuple(zip(before, after, strict=True)) if by_side else before
    image = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    after = after if by_side else before
    assume(all(image[i] + before[i] + after[i] >= dilation[i] * (kernel[i] - 1) + 1
               for i in (0, 1)))
    depth, width = draw(st.integers(1, 9)), draw(st.integers(1, 19))
    x = (draw(st.integers(1, 3)), depth * groups, *image)
    w = (width * groups, depth, *kernel)
    arguments = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    bias = [(w[0],)] if draw(st.booleans()) else []
    check(Case(f"conv2d {x} {w} {arguments}", lambda *t: fn.conv2d(*t, **arguments),
               lambda *t: conv2d_twin(*t, **arguments), (x, w, *bias)))


@few
@given(st.data())
def test_conv_transpose2d(data):
    draw = data.draw
    groups = draw(st.integers(1, 3))
    kernel, stride, padding, dilation = (
        draw(st.tuples(st.integers(low, high), st.integers(low, high)))
        for low, high in ((1, 4), (1, 3), (0, 3), (1, 3)))
    extra = tuple(draw(st.integers(0, max(stride[i], dilation[i]) - 1)) for i in (0, 1))
    image = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    assume(all((image[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + extra[i]
               >= 2 * padding[i] for i in (0, 1)))
    depth, width = draw(st.integers(1, 9)), draw(st.integers(1, 19))
    x, w = (draw(st.integers(1, 3)), depth * groups, *image), (depth * groups, width, *kernel)
    arguments = dict(stride=stride, padding=padding, output_padding=extra, dilation=dilation,
                     groups=groups)
    bias = [(width * groups,)] if draw(st.booleans()) else []
    check(Case(f"conv_transpose2d {x} {w} {arguments}",
               lambda *t: fn.conv_transpose2d(*t, **arguments),
               lambda *t: conv_transpose2d_twin(*t, **arguments), (x, w, *bias)))


@few
@given(st.data(), st.sampled_from(["max", "avg", "adaptive"]))
def test_pooling(data, kind):
    draw = data.draw
    x = (draw(st.integers(1, 3)), draw(st.integers(1, 19)), draw(sizes), draw(sizes))
    if kind == "adaptive":
        size = draw(st.tuples(sizes, sizes))
        check(Case(f"adaptive {x} {size}", lambda x: fn.adaptive_avg_pool2d(x, size),
                   lambda x: _adaptive_twin(x, size), (x,)))
        return
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2))) if kind == "max" else (1, 1)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    assume(all(x[2 + i] + 2 * padding[i] > dilation[i] * (kernel[i] - 1) for i in (0, 1)))
    arguments = dict(stride=draw(st.tuples(st.integers(1, 4), st.integers(1, 4))),
                     padding=padding, ceil_mode=draw(st.booleans()))
    if kind == "max":
        arguments["dilation"] = dilation
        # PyTorch's rule allows a dilated window that reads padding alone; it has no largest value.
        assume(all(dilation[i] == 1 or (not padding[i] and not arguments["ceil_mode"])
                   for i in (0, 1)))
    else:
        arguments["count_include_pad"] = draw(st.booleans())
    function, twin = {"max": (fn.max_pool2d, _max_twin), "avg": (fn.avg_pool2d, _avg_twin)}[kind]
    check(Case(f"{kind} {x} {kernel} {arguments}", lambda x: function(x, kernel, **arguments),
               lambda x: twin(x, kernel, **arguments), (x,)))


@few
@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 40), st.booleans())
def test_linear(m, k, n, bias):
    check(Case(f"linear {m} {k} {n} {bias}", fn.linear, lambda x, w, b=0.0: x @ w.T + b,
               ((m, k), (n, k), *([(n,)] if bias else []))))


@few
@given(st.data())
def test_matmul(data):
    """Batches that broadcast, vectors, matrices."""
    draw = data.draw
    batch = draw(st.lists(st.integers(1, 4), max_size=3))
    k = draw(st.integers(1, 40))
    shapes = []
    for matrix in ((draw(sizes), k), (k, draw(sizes))):
        if draw(st.integers(0, 5)) == 0:
            shapes.append((k,))
        else:
            own = batch[draw(st.integers(0, len(batch))):]
            shapes.append((*(size if draw(st.booleans()) else 1 for size in own), *matrix))
    check(Case(f"matmul {shapes}", fn.matmul, lambda a, b: a @ b, tuple(shapes)))


@few
@given(st.lists(st.lists(st.sampled_from("abcde"), unique=True, max_size=4), min_size=1,
                max_size=3), st.data())
def test_einsum(terms, data):
    size = dict(zip("abcde", data.draw(st.permutations([1, 2, 3, 4, 5])), strict=True))
    letters = sorted({letter for term in terms for letter in term})
    result = data.draw(st.lists(st.sampled_from(letters), unique=True)) if letters else []
    equation = f"{','.join(map(''.join, terms))}->{''.join(result)}"
    shapes = tuple(tuple(size[letter] for letter in term) for term in terms)
    check(Case(f"einsum {equation} {size}", lambda *t: fn.einsum(equation, *t),
               lambda *t: np.einsum(equation, *t), shapes))


@few
@given(st.data())
def test_broadcasting(data):
    shape = data.draw(st.lists(st.integers(1, 6), min_size=0, max_size=5))
    operands = []
    for _ in range(2):
        own = shape[data.draw(st.integers(0, len(shape))):]
        operands.append(tuple(size if data.draw(st.booleans()) else 1 for size in own))
    check(Case(f"a * b + maximum {operands}", lambda a, b: a * b + fn.maximum(a, b),
               lambda a, b: a * b + np.maximum(a, b), tuple(operands)))


def _index(draw, size):
    if draw(st.integers(0, 3)) == 0:
        return draw(st.integers(-size, size - 1))
    key = draw(st.slices(size))
    assume(len(range(*key.indices(size))) > 0)
    return key


@few
@given(st.data())
def test_slices(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    key = [_index(data.draw, size) for size in shape[:data.draw(st.integers(0, len(shape)))]]
    if data.draw(st.booleans()):
        key.insert(data.draw(st.integers(0, len(key))), None)
    if data.draw(st.booleans()):
        key = [..., *key] if len(key) - key.count(None) == len(shape) else [*key, ...]
    check(Case(f"{shape} {key}", lambda x: x[tuple(key)] * 1.0, lambda x: x[tuple(key)], (shape,)))


@few
@given(st.data())
def test_lists_of_places(data):
    """Arrays and symbolic integers that broadcast, among slices, numbers and None."""
    draw = data.draw
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    lists = draw(st.lists(st.sampled_from([(), (3,), (1,), (2, 3), (2, 1)]), min_size=1,
                          max_size=len(shape)))
    key = [*lists, *(_index(draw, size) for size in shape[len(lists):])]
    order = draw(st.permutations(range(len(key))))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    symbolic, entries = [], []
    for axis, number in enumerate(order):
        entry = key[number]
        if isinstance(entry, tuple):
            places = rng.integers(-shape[axis], shape[axis], entry)
            if entry and draw(st.booleans()):
                symbolic.append(places)
                entry = len(symbolic)  # the number of an input
            entries.append((entry, places))
        else:
            entry = _index(draw, shape[axis])
            entries.append((None, entry))
    if draw(st.booleans()):
        entries.insert(draw(st.integers(0, len(entries))), (None, None))

    def chosen(*inputs):
        return tuple(inputs[entry - 1] if isinstance(entry, int) else given
                     for entry, given in entries)

    check(Case(f"{shape} {entries}", lambda x, *i: x[chosen(*i)] * 1.0,
               lambda x, *i: x[chosen(*i)], (shape, *symbolic)))


@few
@given(st.data(), st.sampled_from(["constant", "reflect", "replicate", "circular"]))
def test_pad(data, mode):
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4)))
    pad = []
    for size in reversed(shape):
        most = {"reflect": size - 1, "circular": size}.get(mode, 9)
        pad += [data.draw(st.integers(0, most)), data.draw(st.integers(0, most))]
    check(Case(f"{shape} {pad} {mode}", lambda x: fn.pad(x, pad, mode),
               lambda x: _pad_twin(x, pad, mode), (shape,)))


@few
@given(st.integers(1, 2), st.integers(1, 20), st.tuples(sizes, sizes), st.tuples(sizes, sizes),
       st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]),
       st.booleans())
def test_interpolate(n, c, size, out, mode, align_corners):
    corners = align_corners if mode.startswith("bi") else None
    arguments = dict(size=out, mode=mode, align_corners=corners)
    # Half of a float32's last place decides where the nearest lies: PyTorch's, the twin's is exact.
    assume(not mode.startswith("nearest") or all(
        abs((k + 0.5 * (mode != "nearest")) * n / m % 1 - 0.5) < 0.499
        or (k * n % m == 0 and mode == "nearest")
        for n, m in zip(size, out, strict=True) for k in range(m)))
    check(Case(f"{n} {c} {size} {arguments}", lambda x: fn.interpolate(x, **arguments),
               lambda x: _interpolate_twin(x, **arguments), ((n, c, *size),)))


@few
@given(st.data())
def test_reductions_permutations_and_reshapes(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=5)))
    axes = tuple(data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1)))
    keep = data.draw(st.booleans())
    order = tuple(data.draw(st.permutations(range(len(shape)))))
    split = data.draw(st.integers(0, len(shape)))
    new = (math.prod(shape[:split]), math.prod(shape[split:]))
    check(Case(f"mean {shape} {axes} {keep}", lambda x: fn.mean(x, axes, keep),
               lambda x: x.mean(axes, keepdims=keep), (shape,)))
    check(Case(f"permute {shape} {order} {new}",
               lambda x: x.reshape(*new).reshape(*shape).permute(*order) * 2.0,
               lambda x: x.transpose(order) * 2, (shape,)))


@few
@given(st.integers(1, 12), st.integers(2, 40), st.booleans(), st.floats(0, 0.9),
       st.sampled_from(["mean", "sum", "none"]))
def test_cross_entropy(rows, count, weighted, smoothing, reduction):
    weight = np.linspace(0.5, 2, count, dtype=np.float32) if weighted else None
    arguments = dict(weight=weight, label_smoothing=smoothing, reduction=reduction)
    check(Case(f"cross_entropy {rows} {count} {arguments}",
               lambda x, t: fn.cross_entropy(x, t, **arguments),
               lambda x, t: _cross_entropy(x, t, **arguments),
               ((rows, count), classes(count, rows))))


@few
@given(st.integers(2, 30), st.integers(1, 40), st.booleans())
def test_batch_norm(rows, channels, relu):
    def twin(x, w, b):
        y = (x - x.mean(0)) / np.sqrt(x.var(0) + 0.1) * w + b
        return y.clip(0) if relu else y

    def build(x, w, b):
        y = fn.batch_norm(x, None, None, w, b, training=True, eps=0.1)
        return fn.relu(y) if relu else y

    check(Case(f"batch_norm {rows} {channels} {relu}", build, twin,
               ((rows, channels), (channels,), (channels,))))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 1, 1, 5), (1, 7, 1, 1)])
def test_images_of_one_pixel(shape):
    check(Case(f"pixel {shape}", lambda x: fn.softmax(fn.max_pool2d(x, 1), 1) + x.flatten(1).sum(),
               lambda x: (lambda e: e / e.sum(1, keepdims=True))(np.exp(x)) + x.sum(), (shape,)))
