"""Averages of weights along a training, and batch norm's statistics anew, against PyTorch."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.optim import swa_utils

# compare first: it skips the tests where PyTorch is not installed
from tests.parity.compare import torch

pytestmark = pytest.mark.parity
RNG = np.random.default_rng(0)
BATCHES = [(RNG.standard_normal((16, 6)).astype(np.float32), RNG.integers(0, 3, 16))
           for _ in range(50)]


def net(nn):
    return nn.Sequential(nn.Linear(6, 9), nn.BatchNorm1d(9), nn.Tanh(), nn.Linear(9, 3))


KINDS = {"mean": None, "swa": "get_swa_multi_avg_fn", "ema": "get_ema_multi_avg_fn"}


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_averages(kind, use_buffers):
    fn.manual_seed(0)
    ours, theirs = net(fn.nn), net(torch.nn)
    theirs.load_state_dict({name: torch.tensor(value.copy())
                            for name, value in ours.state_dict().items()})
    if kind != "ema" and use_buffers:
        pytest.skip("PyTorch cannot take a mean of the number of batches")

    def averaged(module, model):
        function = KINDS[kind] and getattr(module, KINDS[kind])
        arguments = (0.9,) if kind == "ema" else ()
        return module.AveragedModel(model, multi_avg_fn=function and function(*arguments),
                                    use_buffers=use_buffers)

    own, peer = averaged(swa_utils, ours), averaged(torch.optim.swa_utils, theirs)
    assert list(own.state_dict()) == list(peer.state_dict())
    step = fn.TrainStep(ours, fn.nn.CrossEntropyLoss(), fn.optim.SGD(ours.parameters(), lr=0.1))
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    for x, y in BATCHES:
        step(x, y)
        own.update_parameters(ours)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(y)).backward()
        optimizer.step()
        peer.update_parameters(theirs)
    agree(own, peer)
    swa_utils.update_bn(BATCHES, own)
    torch.optim.swa_utils.update_bn([torch.tensor(x) for x, _ in BATCHES], peer)
    agree(own, peer)
    own.eval(), peer.eval()
    x = BATCHES[0][0]
    np.testing.assert_allclose(own(x), peer(torch.tensor(x)).detach().numpy(), atol=1e-5)


def agree(own, peer):
    for name, value in peer.state_dict().items():
        np.testing.assert_allclose(own.state_dict()[name], value.numpy(), rtol=1e-5, atol=1e-5,
                                   err_msg=name)
