"""The layer PReLU: its slopes, their gradient and training."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim


def test_one_slope_of_a_quarter_by_default():
    layer = nn.PReLU()
    assert layer.weight.data.tolist() == [0.25] and list(layer.state_dict()) == ["weight"]
    np.testing.assert_array_equal(layer(np.float32([[-4, 4]])), [[-1, 4]])
    assert nn.PReLU(3, init=0.5).weight.data.tolist() == [0.5] * 3
    assert repr(nn.PReLU(3)) == "PReLU(num_parameters=3)"


@pytest.mark.parametrize(("slopes", "shape"), [(2, (4, 3)), (3, (4,)), (0, (4, 3))])
def test_slopes_that_do_not_fit(slopes, shape):
    with pytest.raises(ValueError, match=r"prelu: weight \(.*\) does not fit|num_parameters"):
        nn.PReLU(slopes)(np.ones(shape, np.float32))


def test_slopes_are_learned():
    fn.manual_seed(0)
    x = np.random.default_rng(0).standard_normal((256, 4)).astype(np.float32)
    wanted = np.float32([0.1, 0.3, -0.2, 0.9])
    model = nn.PReLU(4)
    step = fn.TrainStep(model, nn.MSELoss(), optim.SGD(model.parameters(), lr=1.0))
    for _ in range(200):
        step(x, np.where(x > 0, x, wanted * x))
    np.testing.assert_allclose(model.weight.data, wanted, atol=1e-4)
