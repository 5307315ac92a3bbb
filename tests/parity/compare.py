"""How values of two implementations are compared, and how weights go from one to the other."""

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="parity tests need PyTorch: pip install 'fastnn[parity]'")

TOLERANCE = 1e-4  # of the RMS of the tensor: about 1000 times the rounding of a float32


def array(value):
    """A NumPy array of a torch tensor, or of anything like an array."""
    return value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def distance(actual, expected, scale=None):
    """The largest difference, relative to the RMS of what was expected (or to `scale`)."""
    return _relative(actual, expected, scale, lambda difference: difference.max(initial=0.0))


def rms_distance(actual, expected, scale=None):
    """The RMS of the difference, relative to the RMS of what was expected (or to `scale`)."""
    return _relative(actual, expected, scale, lambda difference: np.sqrt(np.mean(difference**2)))


def _relative(actual, expected, scale, measure):
    actual, expected = array(actual).astype(np.float64), array(expected).astype(np.float64)
    assert actual.shape == expected.shape
    if scale is None:
        scale = np.sqrt(np.mean(expected**2))
    difference = measure(np.abs(actual - expected))
    return difference / scale if difference else 0.0


def assert_close(actual, expected, tolerance=TOLERANCE, what="value"):
    """Fail unless the distance is within the tolerance."""
    measured = distance(actual, expected)
    assert measured <= tolerance, f"{what}: off by {measured:.2e} of its RMS"


def torch_state(model):
    """The state_dict of a fastnn model, as torch tensors of their own."""
    return {name: torch.from_numpy(np.array(value)) for name, value in model.state_dict().items()}


def copy_weights(model, twin):
    """Give a torch net the weights of a fastnn model; every name and shape must be the same."""
    twin.load_state_dict(torch_state(model), strict=True)
    return twin


def torch_gradients(twin, loss, x, y):
    """(output, loss, {name: gradient}) of a torch net."""
    twin.zero_grad()
    output = twin(torch.from_numpy(x))
    value = loss(output, torch.from_numpy(y))
    value.backward()
    gradients = {name: p.grad.detach().numpy().copy() for name, p in twin.named_parameters()}
    return output.detach().numpy(), value.item(), gradients
