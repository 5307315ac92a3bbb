"""PyTorch's tensors and loaders as what models, steps and the Trainer are fed with."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from tests.parity.compare import torch

pytestmark = pytest.mark.parity

X = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_tensors_are_inputs(dtype):
    model = nn.Linear(3, 2)
    tensor = torch.from_numpy(X).to(getattr(torch, dtype))
    np.testing.assert_array_equal(model(tensor), model(tensor.float().numpy()))


def test_a_tensor_is_read_without_a_copy():
    from fastnn.engine.inputs import as_input

    tensor = torch.from_numpy(X)
    assert as_input(tensor, "x").ctypes.data == tensor.data_ptr()
    with pytest.raises(TypeError, match=r"requires grad.*\.detach\(\)"):
        nn.Linear(3, 2)(torch.ones(4, 3, requires_grad=True))
    with pytest.raises(TypeError, match="meta"):
        nn.Linear(3, 2)(torch.ones(4, 3, device="meta"))


def test_outputs_and_parameters_go_to_torch_by_dlpack():
    model = nn.Conv2d(3, 2, 3).eval()
    images = np.ones((1, 3, 5, 5), np.float32)
    output = model(images)
    assert np.array_equal(torch.from_dlpack(output).numpy(), output)
    weight = torch.from_dlpack(model.weight)
    expected = torch.nn.functional.conv2d(torch.ones(1, 3, 5, 5), weight,
                                          torch.from_dlpack(model.bias))
    np.testing.assert_allclose(output, expected.numpy(), rtol=1e-5, atol=1e-6)
    weight.zero_()  # the same memory
    assert not model.weight.data.any()
    np.testing.assert_array_equal(model(images)[0, :, 0, 0], model.bias.data)


def test_tensors_are_batches_of_a_step():
    losses = []
    for convert in (torch.from_numpy, np.asarray):
        fn.manual_seed(0)
        model = nn.Linear(3, 2)
        step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
        y = convert(np.arange(10, dtype=np.int32) % 2)
        losses.append([step(convert(X), y) for _ in range(3)])
    assert losses[0] == losses[1]


def test_a_loader_trains_as_arrays_do():
    y = np.arange(10) % 2
    data = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    loader = torch.utils.data.DataLoader(data, batch_size=4)
    weights = []
    for batches in (loader, [(X[i:i + 4], y[i:i + 4]) for i in (0, 4, 8)]):
        for prefetch in (0, 2):
            fn.manual_seed(0)
            model = nn.Linear(3, 2)
            trainer = fn.Trainer(model, nn.CrossEntropyLoss(),
                                 optim.SGD(model.parameters(), lr=0.1))
            trainer.fit(batches, batches, epochs=2, prefetch=prefetch)
            weights.append(model.weight.data.tobytes())
    assert len(set(weights)) == 1


def test_a_loader_of_several_inputs_gives_lists_of_tensors():
    class Pairs(torch.utils.data.Dataset):
        def __len__(self):
            return 10

        def __getitem__(self, place):
            return (X[place], X[place] + 1), place % 2

    class Sum(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, first, second):
            return self.layer(first + second)

    model = Sum()
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    history = trainer.fit(torch.utils.data.DataLoader(Pairs(), batch_size=4), epochs=1)
    assert trainer.steps == 3 and "accuracy" in history[0]
