"""torchvision's nets, to compare with: import this first, it skips tests where they are missing."""

from importlib.util import find_spec

import pytest

# compare first: it skips the tests where PyTorch is not installed
from tests.parity.compare import torch, torch_state

from bench.peers.torchvision_models import load  # isort: skip

for package in ("torchvision", "PIL"):
    if find_spec(package) is None:
        pytest.skip(f"parity tests of torchvision's nets need {package}: "
                    "pip install --no-deps torchvision==0.28.0; pip install pillow",
                    allow_module_level=True)


def unmade(name, **arguments):
    """torchvision's net of a name without memory for its weights.

    arguments: of torchvision's function.
    """
    with torch.device("meta"):
        return getattr(load(), name)(weights=None, **arguments)


def twin_of(model, name, **arguments):
    """torchvision's net of a name with the weights of ours: all names and shapes are the same."""
    twin = unmade(name, **arguments)
    twin.load_state_dict(torch_state(model), strict=True, assign=True)
    return twin.requires_grad_()
