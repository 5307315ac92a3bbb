"""Whole nets against PyTorch: outputs, losses, gradients, running statistics, ten steps."""

import numpy as np
import pytest

import fastnn as fn

# compare first: it skips the tests where PyTorch is not installed
from tests.parity.compare import (
    TOLERANCE,
    array,
    assert_close,
    copy_weights,
    rms_distance,
    torch,
    torch_gradients,
)

from bench.peers.torch_nets import TWINS  # isort: skip

pytestmark = pytest.mark.parity

# (net, batch, side)
CASES = [("mlp", 16, 28), ("lenet", 16, 28), ("vgg11", 8, 32), ("resnet18", 8, 32),
         ("resnet20", 8, 32)]


def pair_of_nets(name, seed=0):
    fn.manual_seed(seed)
    model = fn.models.create(name, in_channels=1 if name in ("mlp", "lenet") else 3)
    scatter_norms(model, seed)
    return model, copy_weights(model, TWINS[name]())


def scatter_norms(model, seed, shifts=(-2.5, 2.5)):
    """Give BN weights and shifts other than 1 and 0: one of `shifts` times the weight.

    The shifts are far from 0 so that few values come near a ReLU's edge: one within rounding of
    it may be cut in one implementation and pass in the other, which moves a gradient by far more
    than rounding does.
    """
    rng = np.random.default_rng(seed)
    for module in model.modules():
        if isinstance(module, fn.nn.BatchNorm2d):
            size = module.num_features
            module.weight.data = rng.uniform(0.5, 1.5, size).astype(np.float32)
            module.bias.data = (rng.choice(shifts, size) * module.weight.data).astype(
                np.float32)


def batch_for(name, batch, side, seed=0):
    rng = np.random.default_rng(seed)
    channels = 1 if name in ("mlp", "lenet") else 3
    return (rng.standard_normal((batch, channels, side, side)).astype(np.float32),
            rng.integers(0, 10, batch))


def gradient_scale(name, expected):
    """The RMS; a bias in front of BN has the gradient 0 but for rounding: there its weight's."""
    weight = expected[name.removesuffix("bias").removesuffix("weight") + "weight"]
    in_front = name.startswith("features.") and weight.ndim == 4
    return np.sqrt(np.mean((weight if in_front else expected[name]).astype(np.float64) ** 2))


@pytest.mark.parametrize(("name", "batch", "side"), CASES)
def test_output_loss_and_gradients(name, batch, side):
    """The gradients' differences are taken as RMS. The largest of two million is five times that,
    and so measured PyTorch itself is 1.2e-4 to 5e-4 from double precision for VGG11 and ResNet-18.
    """
    model, twin = pair_of_nets(name)
    x, y = batch_for(name, batch, side)
    loss, gradients = fn.value_and_grad(model, fn.nn.CrossEntropyLoss())(x, y)
    output, expected_loss, expected = torch_gradients(twin, torch.nn.CrossEntropyLoss(), x, y)
    assert_close(loss, expected_loss, 1e-5, "loss")
    assert set(gradients) == set(expected)
    off = {key: rms_distance(gradients[key], expected[key], gradient_scale(key, expected))
           for key in expected}
    worst = max(off, key=off.get)
    print(f"{name}: worst gradient {worst} {off[worst]:.1e}")
    assert off[worst] <= TOLERANCE, f"gradient of {worst}: off by {off[worst]:.2e} of its RMS"
    assert_close(model(x), output, what="output in training mode")
    state = twin.state_dict()
    for key, value in model.state_dict().items():
        assert_close(value, state[key], what=key)
    assert_close(model.eval()(x), twin.eval()(torch.from_numpy(x)), what="output in use")


OPTIMIZERS = {
    "momentum": (lambda p: fn.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=5e-4),
                 lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=5e-4)),
    "nesterov": (lambda p: fn.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=5e-4,
                                        nesterov=True),
                 lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=5e-4,
                                           nesterov=True)),
    "plain": (lambda p: fn.optim.SGD(p, lr=0.01), lambda p: torch.optim.SGD(p, lr=0.01)),
    # With PyTorch's eps of 1e-8 a gradient of rounding size moves its weight as far as any other:
    # 1e-4 keeps what is compared above rounding.
    "adam": (lambda p: fn.optim.Adam(p, lr=1e-3, eps=1e-4, weight_decay=1e-4),
             lambda p: torch.optim.Adam(p, lr=1e-3, eps=1e-4, weight_decay=1e-4)),
    "adamw": (lambda p: fn.optim.AdamW(p, lr=1e-3, eps=1e-4, weight_decay=0.05),
              lambda p: torch.optim.AdamW(p, lr=1e-3, eps=1e-4, weight_decay=0.05)),
}


def ten_losses(name, optimizer, batch, side):
    """(losses of fastnn, losses of PyTorch, model, twin) over ten steps on changing batches."""
    model, twin = pair_of_nets(name)
    ours, theirs = OPTIMIZERS[optimizer]
    step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), ours(model.parameters()))
    peer, criterion = theirs(twin.parameters()), torch.nn.CrossEntropyLoss()
    actual, expected = [], []
    for number in range(10):
        x, y = batch_for(name, batch, side, seed=number)
        actual.append(step(x, y))
        expected.append(torch_gradients(twin, criterion, x, y)[1])
        peer.step()
    return np.array(actual), np.array(expected), model, twin


@pytest.mark.parametrize(("name", "optimizer", "batch", "side"), [
    ("lenet", "momentum", 16, 28), ("vgg11", "momentum", 8, 32), ("resnet18", "momentum", 8, 16),
    ("resnet20", "momentum", 8, 16), ("resnet20", "nesterov", 8, 16),
    ("lenet", "nesterov", 16, 28), ("lenet", "plain", 16, 28), ("lenet", "adam", 16, 28),
    ("lenet", "adamw", 16, 28), ("mlp", "adam", 16, 28), ("mlp", "adamw", 16, 28),
])
def test_ten_steps(name, optimizer, batch, side):
    actual, expected, model, twin = ten_losses(name, optimizer, batch, side)
    off = np.abs(actual - expected) / np.abs(expected)
    print(f"{name} {optimizer}: loss curves within {off.max():.1e}")
    assert off.max() <= TOLERANCE, f"losses {actual} and {expected}"
    state = {key: array(value) for key, value in twin.state_dict().items()}
    tracked = [key for key in state if key.endswith("num_batches_tracked")]
    assert all(model.state_dict()[key] == 10 == state[key] for key in tracked)
