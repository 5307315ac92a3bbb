"""The layer Embedding: initial values, padding_idx, pretrained rows, checked indices, training."""

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim


def test_initial_values():
    layer = nn.Embedding(2000, 16, padding_idx=-1)
    weight = layer.weight.data
    assert list(layer.state_dict()) == ["weight"] and layer.padding_idx == 1999
    assert not weight[1999].any() and weight[:1999].any(1).all()
    assert abs(weight.mean()) < 0.03 and abs(weight.std() - 1) < 0.03
    assert repr(layer) == "Embedding(2000, 16, padding_idx=1999)"
    assert repr(nn.Embedding(3, 2, scale_grad_by_freq=True)) == \
        "Embedding(3, 2, scale_grad_by_freq=True)"


def test_pretrained_rows_are_kept_as_they_are():
    rows = np.arange(12.0).reshape(4, 3)
    layer = nn.Embedding.from_pretrained(rows, padding_idx=0)
    assert not layer.weight.requires_grad and layer.padding_idx == 0
    np.testing.assert_array_equal(layer(np.array([[0, 3]])), rows[[[0, 3]]])
    assert nn.Embedding.from_pretrained(rows, freeze=False).weight.requires_grad
    with pytest.raises(ValueError, match="embeddings must be"):
        nn.Embedding.from_pretrained(np.zeros(3))


@pytest.mark.parametrize("index", [[[0, 10]], [[-1, 2]]])
def test_indices_out_of_range_are_refused_before_anything_runs(index):
    layer = nn.Embedding(10, 3)
    layer(np.array([[0, 9]]))  # the plan is there: its fast way in checks too
    with pytest.raises(ValueError, match=r"indices are from .* expected 0 to 9"):
        layer(np.array(index))
    with pytest.raises(ValueError, match=r"indices are from .* expected 0 to 9"):
        fn.embedding(np.array(index), layer.weight)


@pytest.mark.parametrize("shape", [(2, 1, 2, 3), (4, 2), (3,)])
def test_indices_of_any_rank_are_checked(shape):
    layer = nn.Embedding(5, 2)
    index = np.zeros(shape, np.int64)
    assert layer(index).shape == (*shape, 2)
    index[..., -1] = 5
    with pytest.raises(ValueError, match="indices are from 0 to 5, expected 0 to 4"):
        layer(index)


def test_only_rows_of_the_batch_change():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.rows = nn.Embedding(6, 4, padding_idx=2)
            self.head = nn.Linear(4, 3)

        def forward(self, x):
            return self.head(self.rows(x).mean(1))

    net = Net()
    before = net.rows.weight.data.copy()
    step = fn.TrainStep(net, nn.CrossEntropyLoss(), optim.SGD(net.parameters(), lr=0.5))
    step(np.array([[0, 2], [5, 5]]), np.array([0, 2]))
    changed = (net.rows.weight.data != before).any(1)
    assert changed.tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize(("arguments", "message"), [
    ((0, 3), "num_embeddings"), ((3, 0), "embedding_dim"), ((3, 2, 3), "padding_idx"),
    ((3, 2, -4), "padding_idx"), ((3, 2, None, 1.0), "max_norm")])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        nn.Embedding(*arguments)


def test_floats_are_no_indices():
    with pytest.raises(TypeError, match="indices must be integers"):
        nn.Embedding(3, 2)(np.zeros((2, 2), np.float32))
