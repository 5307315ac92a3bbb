"""Gradients of gradients, and WGAN-GP, beside PyTorch's."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from tests.parity.compare import assert_close, torch

pytestmark = pytest.mark.parity

F = torch.nn.functional
IMAGES, ROWS, LENGTHS = (2, 4, 6, 5), (5, 6), (2, 4, 7)
NAMES = ("relu", "leaky_relu", "elu", "selu", "celu", "silu", "gelu", "mish", "hardswish",
         "softplus", "softsign", "tanhshrink", "logsigmoid")
OF_TENSORS = ("sigmoid", "tanh", "exp", "sin", "cos", "erf", "square", "expm1", "exp2")
POSITIVE = ("log", "sqrt", "rsqrt", "reciprocal", "log1p", "log2", "log10")
CLASSES = np.array([1, 0, 3, -100, 5])
WEIGHT = np.array([0.5, 1.0, 2.0, 0.1, 1.5, 3.0], np.float32)


def parameters(*shapes):
    """Arrays for the second and later arguments."""
    rng = np.random.default_rng(5)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


# (name, function of (library's functional, *tensors), shapes of the tensors)
CASES = [
    *((name, lambda f, x, name=name: getattr(f, name)(x), [IMAGES]) for name in NAMES),
    ("gelu tanh", lambda f, x: f.gelu(x, approximate="tanh"), [ROWS]),
    ("softmax", lambda f, x: f.softmax(x, 1), [IMAGES]),
    ("log_softmax", lambda f, x: f.log_softmax(x, -1), [ROWS]),
    ("prelu", lambda f, x, w: f.prelu(x, w), [IMAGES, (4,)]),
    ("linear", lambda f, x, w, b: f.linear(x, w, b), [ROWS, (3, 6), (3,)]),
    ("conv2d", lambda f, x, w, b: f.conv2d(x, w, b, 2, 1), [IMAGES, (6, 4, 3, 3), (6,)]),
    ("conv2d groups", lambda f, x, w: f.conv2d(x, w, None, 1, 1, 1, 2), [IMAGES, (6, 2, 3, 3)]),
    ("conv1d", lambda f, x, w: f.conv1d(x, w, None, 1, 2, 2), [LENGTHS, (3, 4, 3)]),
    ("conv_transpose2d", lambda f, x, w: f.conv_transpose2d(x, w, None, 2, 1, 1),
     [IMAGES, (4, 3, 3, 3)]),
    ("batch_norm", lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True),
     [IMAGES, (4,), (4,)]),
    ("layer_norm", lambda f, x, w, b: f.layer_norm(x, (6,), w, b), [ROWS, (6,), (6,)]),
    ("layer_norm of images", lambda f, x, w, b: f.layer_norm(x, (4, 6, 5), w, b),
     [IMAGES, (4, 6, 5), (4, 6, 5)]),
    ("group_norm", lambda f, x, w, b: f.group_norm(x, 2, w, b), [IMAGES, (4,), (4,)]),
    ("rms_norm", lambda f, x, w: f.rms_norm(x, (6,), w, 1e-5), [ROWS, (6,)]),
    ("max_pool2d", lambda f, x: f.max_pool2d(x, 2), [IMAGES]),
    ("avg_pool2d", lambda f, x: f.avg_pool2d(x, 3, 2, 1), [IMAGES]),
    ("adaptive_avg_pool2d", lambda f, x: f.adaptive_avg_pool2d(x, (3, 2)), [IMAGES]),
    ("interpolate", lambda f, x: f.interpolate(x, scale_factor=2, mode="bilinear"), [IMAGES]),
    ("pad", lambda f, x: f.pad(x, (1, 2, 0, 1), mode="reflect"), [IMAGES]),
    ("mse_loss", lambda f, x, y: f.mse_loss(x, y), [ROWS, ROWS]),
    ("huber_loss", lambda f, x, y: f.huber_loss(x, y, delta=0.7), [ROWS, ROWS]),
    ("smooth_l1_loss", lambda f, x, y: f.smooth_l1_loss(x, y), [ROWS, ROWS]),
    ("bce_with_logits", lambda f, x, y: f.binary_cross_entropy_with_logits(x, y), [ROWS, ROWS]),
    ("kl_div", lambda f, x, y: f.kl_div(x, y, reduction="batchmean", log_target=True),
     [ROWS, ROWS]),
]
CROSS_ENTROPY = [{}, {"label_smoothing": 0.2}, {"reduction": "none"},
                 {"reduction": "sum", "weight": WEIGHT},
                 {"weight": WEIGHT, "label_smoothing": 0.1}]




def squares_of_gradients(library, square, function, functional, tensors):
    """Σ of the squares of the gradients of Σ sin(f(x)): a number that needs second derivatives."""
    y = function(functional, *tensors)
    gradients = library.autograd.grad(y.sin().sum(), tensors, create_graph=True)
    return sum(square(g).sum() for g in gradients)


def compare(function, arrays, ours, theirs):
    """Check d(Σ gradient²) / d inputs against PyTorch."""
    numbers = tuple(range(len(arrays)))
    got = fn.grad(lambda *xs: squares_of_gradients(fn, fn.square, function, ours, xs),
                  numbers)(*arrays)
    tensors = [torch.from_numpy(array.copy()).requires_grad_() for array in arrays]
    squares_of_gradients(torch, torch.square, function, theirs, tensors).backward()
    for number, (one, tensor) in enumerate(zip(got, tensors, strict=True)):
        expected = np.zeros_like(one) if tensor.grad is None else tensor.grad
        scale = max(float(np.abs(np.asarray(expected)).max()), 1e-3)
        difference = float(np.abs(one - np.asarray(expected)).max())
        assert difference <= 2e-4 * scale, f"input {number}: off by {difference:.2e} of {scale:.2e}"


@pytest.mark.parametrize(("name", "function", "shapes"), CASES, ids=[case[0] for case in CASES])
def test_functions(name, function, shapes):
    compare(function, parameters(*shapes), nn.functional, F)


@pytest.mark.parametrize("name", [*OF_TENSORS, *POSITIVE])
def test_functions_of_tensors(name):
    (x,) = parameters(ROWS)
    x = np.abs(x) + 0.5 if name in POSITIVE else x
    compare(lambda library, x: getattr(library, name)(x), [x], fn, torch)


@pytest.mark.parametrize("options", CROSS_ENTROPY, ids=str)
def test_cross_entropy(options):
    (x,) = parameters(ROWS)

    def function(library, x):
        weight = options.get("weight")
        if library is F:
            return F.cross_entropy(x, torch.from_numpy(CLASSES), **{
                **options, "weight": None if weight is None else torch.from_numpy(weight)})
        return fn.cross_entropy(x, CLASSES, **options)

    compare(function, [x], fn, F)


@pytest.mark.parametrize("training", [True, False])
def test_a_gradient_penalty_of_a_net(training):
    """Convolutions, norms and pools whose forward and backward passes fusion rewrites."""
    def build(library):
        return library.Sequential(
            library.Conv2d(3, 16, 3, padding=1), library.BatchNorm2d(16), library.ReLU(),
            library.Conv2d(16, 16, 3, padding=1), library.BatchNorm2d(16), library.ReLU(),
            library.MaxPool2d(2), library.Conv2d(16, 8, 1), library.BatchNorm2d(8), library.ReLU(),
            library.AdaptiveAvgPool2d(1), library.Flatten(), library.Linear(8, 1))

    fn.manual_seed(4)
    model, twin = build(nn).train(training), build(torch.nn).train(training)
    twin.load_state_dict({name: torch.from_numpy(np.array(value))
                          for name, value in model.state_dict().items()})
    x = np.random.default_rng(6).standard_normal((4, 3, 12, 12)).astype(np.float32)

    class Penalty(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            y = self.model(x)
            (slope,) = fn.autograd.grad(y.sum(), x, create_graph=True)
            return y.mean() + 100 * slope.square().sum()

    value, grads = fn.value_and_grad(Penalty(), lambda value: value)(x)
    tensor = torch.from_numpy(x).requires_grad_()
    y = twin(tensor)
    (slope,) = torch.autograd.grad(y.sum(), tensor, create_graph=True)
    expected = y.mean() + 100 * slope.square().sum()
    expected.backward()
    assert value == pytest.approx(expected.item(), rel=1e-4)
    for name, parameter in twin.named_parameters():
        ours = grads[f"model.{name}"]
        if np.abs(parameter.grad.numpy()).max() > 1e-4:
            assert_close(ours, parameter.grad, 1e-3, name)


def critic_of(library):
    return library.Sequential(
        library.Conv2d(2, 8, 4, 2, 1), library.LeakyReLU(0.2), library.Conv2d(8, 16, 4, 2, 1),
        library.LeakyReLU(0.2), library.Flatten(), library.Linear(64, 1))


def test_wgan_gp():
    """20 steps of a critic with a gradient penalty (Gulrajani et al., 2017)."""
    fn.manual_seed(0)
    critic, twin = critic_of(nn), critic_of(torch.nn)
    twin.load_state_dict({name: torch.from_numpy(np.array(value))
                          for name, value in critic.state_dict().items()})

    def loss_of(library, critic, real, fake, mix):
        between = mix * real + (1 - mix) * fake
        if library is torch:
            between = between.requires_grad_()
        (slope,) = library.autograd.grad(critic(between).sum(), between, create_graph=True)
        size = (slope.flatten(1) ** 2).sum(1) ** 0.5
        return critic(fake).mean() - critic(real).mean() + 10 * ((size - 1) ** 2).mean()

    class Critic(nn.Module):
        def __init__(self):
            super().__init__()
            self.critic = critic

        def forward(self, real, fake, mix):
            return loss_of(fn, self.critic, real, fake, mix)

    options = {"lr": 1e-3, "betas": (0.5, 0.9)}
    step = fn.TrainStep(Critic(), lambda value: value,
                        fn.optim.Adam(critic.parameters(), **options))
    optimizer = torch.optim.Adam(twin.parameters(), **options)
    rng = np.random.default_rng(1)
    for _ in range(20):
        real, fake = (rng.standard_normal((6, 2, 8, 8)).astype(np.float32) for _ in range(2))
        mix = rng.random((6, 1, 1, 1)).astype(np.float32)
        loss = step((real, fake, mix))
        expected = loss_of(torch, twin, *map(torch.from_numpy, (real, fake, mix)))
        optimizer.zero_grad()
        expected.backward()
        optimizer.step()
        assert loss == pytest.approx(expected.item(), abs=1e-5 * max(1, abs(expected.item())))
    for name, value in twin.state_dict().items():
        np.testing.assert_allclose(critic.state_dict()[name], value, atol=1e-5, rtol=1e-4)
