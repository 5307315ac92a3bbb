"""Operations against PyTorch over random arguments: values and all gradients."""

import numpy as np
import pytest

import fastnn as fn
from tests.parity.compare import torch
from tests.parity.run import check_same

functional = torch.nn.functional
pytestmark = pytest.mark.parity
TIGHT = 1e-5  # no sum is longer than a few thousand terms here


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def distinct(rng, *shape):
    """Values that all differ, so that the largest of a window is unique."""
    size = int(np.prod(shape))
    return (rng.permutation(size).reshape(shape) / size - 0.5).astype(np.float32)


@pytest.mark.parametrize("seed", range(24))
def test_conv2d(seed):
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 1, 2, 3]))
    inputs, outputs = (groups * int(rng.integers(1, 9)) for _ in range(2))
    if seed % 6 == 5:  # depthwise
        groups = inputs
        outputs = inputs * int(rng.integers(1, 3))
    kernel, stride = rng.integers(1, 5, 2), tuple(int(s) for s in rng.integers(1, 4, 2))
    dilation = tuple(int(d) for d in rng.integers(1, 3, 2))
    padding = tuple(int(rng.integers(0, k + 1)) for k in kernel)
    size = [int((k - 1) * d + 1 + rng.integers(0, 9))
            for k, d in zip(kernel, dilation, strict=True)]
    arrays = [normal(rng, int(rng.integers(1, 4)), inputs, *size),
              normal(rng, outputs, inputs // groups, *kernel)]
    arrays += [normal(rng, outputs)] if seed % 2 else []

    def call(module):
        return lambda x, weight, bias=None: module.conv2d(
            x, weight, bias, stride, padding, dilation, groups)

    check_same(call(fn), call(functional), arrays, TIGHT)


@pytest.mark.parametrize("seed", range(24))
def test_conv_transpose2d(seed):
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 1, 2, 3]))
    inputs = groups * int(rng.integers(1, 9))
    if seed % 6 == 5:  # depthwise
        groups = inputs
    kernel = tuple(int(k) for k in rng.integers(1, 5, 2))
    stride, dilation = (tuple(int(v) for v in rng.integers(1, 4, 2)) for _ in range(2))
    extra = tuple(int(rng.integers(0, max(s, d)))
                  for s, d in zip(stride, dilation, strict=True))
    padding = tuple(int(rng.integers(0, k)) for k in kernel)
    arrays = [normal(rng, int(rng.integers(1, 4)), inputs, *rng.integers(4, 9, 2)),
              normal(rng, inputs, int(rng.integers(1, 6)), *kernel)]
    arrays += [normal(rng, arrays[1].shape[1] * groups)] if seed % 2 else []

    def call(module):
        return lambda x, weight, bias=None: module.conv_transpose2d(
            x, weight, bias, stride, padding, extra, groups, dilation)

    check_same(call(fn), call(functional), arrays, TIGHT)


def test_conv_transpose2d_output_size():
    rng = np.random.default_rng(0)
    arrays = [normal(rng, 2, 3, 5, 4)]
    layer = fn.nn.ConvTranspose2d(3, 4, (3, 2), stride=3, padding=1)
    twin = torch.nn.ConvTranspose2d(3, 4, (3, 2), stride=3, padding=1).double()
    twin.load_state_dict({name: torch.from_numpy(value.astype(np.float64))
                          for name, value in layer.state_dict().items()})
    for size in ((13, 9), (15, 10)):
        check_same(lambda x, size=size: layer(x, output_size=size),
                   lambda x, size=size: twin(x, output_size=size), arrays, TIGHT)
    with pytest.raises(fn.ShapeError, match="output_size"):
        layer(fn.graph.constant(arrays[0]), output_size=(16, 9))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_conv2d_named_padding(padding):
    rng = np.random.default_rng(0)
    arrays = [normal(rng, 2, 3, 9, 8), normal(rng, 4, 3, 4, 3), normal(rng, 4)]

    def call(module):
        return lambda x, w, b: module.conv2d(x, w, b, padding=padding, dilation=(1, 2))

    check_same(call(fn), call(functional), arrays, TIGHT)


@pytest.mark.parametrize("seed", range(16))
def test_max_pool2d(seed):
    rng = np.random.default_rng(seed)
    kernel = tuple(int(k) for k in rng.integers(1, 4, 2))
    arguments = dict(
        kernel_size=kernel, padding=tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel),
        stride=None if seed % 3 == 0 else tuple(int(s) for s in rng.integers(1, 4, 2)),
        dilation=1 if seed % 2 else tuple(int(d) for d in rng.integers(1, 3, 2)),
        ceil_mode=bool(seed % 4 > 1))
    x = distinct(rng, 2, int(rng.integers(1, 20)), *(int(s) for s in rng.integers(6, 13, 2)))
    check_same(lambda x: fn.max_pool2d(x, **arguments),
               lambda x: functional.max_pool2d(x, **arguments), [x], TIGHT)


@pytest.mark.parametrize("seed", range(16))
def test_avg_pool2d(seed):
    rng = np.random.default_rng(seed)
    kernel = tuple(int(k) for k in rng.integers(1, 5, 2))
    arguments = dict(
        kernel_size=kernel, padding=tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel),
        stride=None if seed % 3 == 0 else tuple(int(s) for s in rng.integers(1, 4, 2)),
        ceil_mode=bool(seed % 4 > 1), count_include_pad=bool(seed % 2),
        divisor_override=5 if seed % 8 == 7 else None)
    x = normal(rng, 2, int(rng.integers(1, 20)), *(int(s) for s in rng.integers(5, 13, 2)))
    check_same(lambda x: fn.avg_pool2d(x, **arguments),
               lambda x: functional.avg_pool2d(x, **arguments), [x], TIGHT)


@pytest.mark.parametrize("size", [1, 3, (2, 5), 7, (None, 2)])
def test_adaptive_avg_pool2d(size):
    x = normal(np.random.default_rng(0), 2, 5, 7, 11)
    check_same(lambda x: fn.adaptive_avg_pool2d(x, size),
               lambda x: functional.adaptive_avg_pool2d(x, size), [x], TIGHT)


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 7), (3, 19, 4, 5)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm(shape, training, affine):
    rng = np.random.default_rng(0)
    channels = shape[1]
    arrays = [normal(rng, *shape) * 2 + 3]
    arrays += [normal(rng, channels), normal(rng, channels)] if affine else []
    mean, var = normal(rng, channels), rng.uniform(0.5, 2, channels).astype(np.float32)

    def our_function(x, weight=None, bias=None):
        return fn.batch_norm(x, fn.nn.Buffer(mean), fn.nn.Buffer(var), weight, bias, training,
                             eps=1e-3)

    def torch_function(x, weight=None, bias=None):
        statistics = (torch.from_numpy(v.astype(np.float64)) for v in (mean, var))
        return functional.batch_norm(x, *statistics, weight, bias, training, eps=1e-3)

    check_same(our_function, torch_function, arrays, 3e-5)


@pytest.mark.parametrize("momentum", [0.1, 0.7, 1.0, 0.0, None])
@pytest.mark.parametrize("shape", [(8, 5), (3, 5, 4, 6)])
def test_running_statistics(momentum, shape):
    rng = np.random.default_rng(0)
    kind = "BatchNorm1d" if len(shape) == 2 else "BatchNorm2d"
    ours, theirs = (getattr(nn, kind)(5, momentum=momentum) for nn in (fn.nn, torch.nn))
    for _ in range(3):
        x = normal(rng, *shape) * 3 + 1
        np.testing.assert_allclose(ours(x), theirs(torch.from_numpy(x)).detach(), atol=1e-5)
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name], value, rtol=1e-5, atol=1e-6)
    ours.eval(), theirs.eval()
    np.testing.assert_allclose(ours(x), theirs(torch.from_numpy(x)).detach(), atol=1e-5)


@pytest.mark.parametrize("seed", range(24))
def test_cross_entropy(seed):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 20))
    shape = (4, classes, 3, 5) if seed % 2 else (int(rng.integers(1, 9)), classes)
    target = rng.integers(0, classes, (shape[0], *shape[2:]))
    ignored = int(rng.choice([-100, 0, -1]))
    if seed % 3 == 2 and target.size > 1:
        target.flat[0] = ignored
        target.flat[-1] = (ignored + 1) % classes if ignored >= 0 else 0
    weight = rng.uniform(0.2, 2, classes).astype(np.float32) if seed % 4 > 1 else None
    options = dict(reduction=["mean", "sum", "none"][seed % 3], ignore_index=ignored,
                   label_smoothing=float(rng.choice([0.0, 0.1, 0.6])))

    def our_function(x):
        return fn.cross_entropy(x, target, weight, **options)

    def torch_function(x):
        double = None if weight is None else torch.from_numpy(weight.astype(np.float64))
        return functional.cross_entropy(x, torch.from_numpy(target), double, **options)

    check_same(our_function, torch_function, [normal(rng, *shape) * 3], TIGHT)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_loss(reduction):
    rng = np.random.default_rng(0)
    arrays = [normal(rng, 3, 4), normal(rng, 3, 4)]
    check_same(lambda a, b: fn.mse_loss(a, b, reduction=reduction),
               lambda a, b: functional.mse_loss(a, b, reduction=reduction), arrays, TIGHT)


@pytest.mark.parametrize("lead", [(), (1,), (5,), (2, 3), (2, 2, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(lead, bias):
    rng = np.random.default_rng(0)
    arrays = [normal(rng, *lead, 7), normal(rng, 9, 7), *([normal(rng, 9)] if bias else [])]
    check_same(fn.linear, functional.linear, arrays, TIGHT)


POINTWISE = {
    "relu": [()], "leaky_relu": [(), (0.2,)], "elu": [(), (0.5,)], "silu": [()], "gelu": [()],
    "sigmoid": [()], "tanh": [()], "exp": [()], "abs": [()], "square": [()],
    "log": [()], "sqrt": [()], "log1p": [()], "expm1": [()], "rsqrt": [()], "sin": [()],
    "cos": [()], "relu6": [()], "hardtanh": [(), (-2.0, 0.5)], "selu": [()], "celu": [(), (0.5,)],
    "softsign": [()], "mish": [()], "hardsigmoid": [()], "hardswish": [()], "hardshrink": [()],
    "softshrink": [(), (0.25,)], "tanhshrink": [()], "threshold": [(0.5, -2.0)],
    "logsigmoid": [()], "softplus": [(), (2.0, 3.0)],
}


@pytest.mark.parametrize(("name", "arguments"), [
    (name, arguments) for name, rows in POINTWISE.items() for arguments in rows])
def test_pointwise(name, arguments):
    rng = np.random.default_rng(0)
    above = name in ("log", "sqrt", "rsqrt", "log1p")
    x = rng.uniform(0.01, 30, 333) if above else rng.normal(0, 4, 333)
    module = functional if hasattr(functional, name) else torch
    check_same(lambda x: getattr(fn, name)(x, *arguments),
               lambda x: getattr(module, name)(x, *arguments), [x.astype(np.float32)], TIGHT)


KINKS = {  # values at and beside the places where a function bends
    "relu": [0], "relu6": [0, 6], "leaky_relu": [0], "elu": [0], "selu": [0], "celu": [0],
    "hardtanh": [-1, 1], "hardsigmoid": [-3, 3], "hardswish": [-3, 3], "hardshrink": [-0.5, 0.5],
    "softshrink": [-0.5, 0.5], "abs": [0], "softplus": [20], "sign": [0], "floor": [1, -0.5],
    "ceil": [1, -0.5], "round": [0.5, 1.5, 2.5, -0.5, -1.5], "trunc": [-1, 1.5],
}


@pytest.mark.parametrize("name", KINKS)
def test_gradients_at_kinks(name):
    at = np.float32(KINKS[name])
    x = np.concatenate([at, at + np.float32(1e-6), at - np.float32(1e-6), at + 1])
    module = functional if hasattr(functional, name) else torch
    check_same(getattr(fn, name), getattr(module, name), [x], TIGHT)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_share_the_gradient(name):
    rng = np.random.default_rng(0)
    arrays = [rng.integers(-1, 2, (4, 9)).astype(np.float32) for _ in range(2)]
    check_same(getattr(fn, name), getattr(torch, name), arrays, TIGHT)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "maximum", "minimum"])
@pytest.mark.parametrize("shapes", [((4, 5), (4, 5)), ((2, 3, 4, 5), (3, 1, 1)), ((4, 1), (1, 6)),
                                    ((7,), ())])
def test_two_operands(name, shapes):
    rng = np.random.default_rng(0)
    arrays = [normal(rng, *shapes[0]), rng.uniform(0.5, 2, shapes[1]).astype(np.float32)]
    check_same(getattr(fn, name), getattr(torch, name), arrays, TIGHT)


@pytest.mark.parametrize("shape", [(3, 7), (2, 5, 3, 4)])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name, shape):
    x = normal(np.random.default_rng(0), *shape) * 3
    check_same(lambda x: getattr(fn, name)(x, 1), lambda x: getattr(functional, name)(x, 1), [x],
               TIGHT)


SHAPING = {
    "slice": lambda x: x[:, 1:, ::2, 1:-1],
    "index": lambda x: x[:, 2],
    "flatten": lambda x: x.flatten(1),
    "reshape": lambda x: x.reshape(2, -1),
    "permute": lambda x: x.permute(0, 2, 3, 1),
    "transpose": lambda x: x.transpose(1, 3),
    "sum": lambda x: x.sum(),
    "sum_axes": lambda x: x.sum((2, 3)),
    "mean_axis": lambda x: x.mean(1),
}


@pytest.mark.parametrize("name", list(SHAPING))
def test_shaping(name):
    x = normal(np.random.default_rng(0), 2, 3, 6, 5)
    check_same(SHAPING[name], SHAPING[name], [x], TIGHT)


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_cat(axis):
    rng = np.random.default_rng(0)
    shapes = [[2, 3, 4, 5], [2, 3, 4, 5]]
    shapes[1][axis] += 1
    arrays = [normal(rng, *shape) for shape in shapes]
    check_same(lambda a, b: fn.cat([a, b], axis), lambda a, b: torch.cat([a, b], axis), arrays,
               TIGHT)
