"""EfficientNet-Lite0 with ImageNet's weights, on two photos: PyTorch's outputs and gradients.

With random weights it is a case of `test_torchvision.py`.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fastnn as fn
from fastnn import models
from fastnn.models import PRETRAINED
from tests.parity.compare import array, assert_close, rms_distance, torch
from tests.parity.lite_net import Lite

pytestmark = pytest.mark.parity

LITE = PRETRAINED["efficientnet-lite0"]


@pytest.mark.skipif(find_spec(LITE.module) is None or find_spec("skimage") is None,
                    reason=f"not installed: {LITE.command} scikit-image")
def test_imagenets_weights_on_two_photos():
    folder = Path(find_spec("skimage").submodule_search_locations[0], "data")
    model = models.load(LITE.name)
    x = LITE.preprocess([folder / "chelsea.png", folder / "coffee.png"])
    twin = Lite(1000)
    path = Path(find_spec(LITE.module).submodule_search_locations[0], LITE.file)
    twin.load_state_dict(torch.load(path, weights_only=True), strict=True)
    twin.eval()
    wanted = twin(torch.from_numpy(x))
    assert_close(model(x), array(wanted), 1e-4)
    assert list(model(x).argmax(1)) == [285, 967]
    assert_close(model.eval(fold=True)(x), array(wanted), 1e-4)
    y = np.array([285, 967])
    torch.nn.functional.cross_entropy(wanted, torch.from_numpy(y)).backward()
    _, gradients = fn.value_and_grad(model.eval(), fn.nn.CrossEntropyLoss())(x, y)
    # Where a value is within rounding of ReLU6's edges, its gradient goes the other way here.
    assert max(rms_distance(gradients[name], array(parameter.grad))
               for name, parameter in twin.named_parameters()) < 1e-2
