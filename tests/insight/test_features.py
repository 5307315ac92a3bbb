"""Features of layers: the arrays that hooks see, in batches, with modes restored."""

from typing import Any

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn
from fastnn.data import Batches
from fastnn.runtime.process_memory import resident_bytes

X = np.random.default_rng(0).standard_normal((10, 3, 8, 8)).astype(np.float32)


def net() -> nn.Sequential:
    fn.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5),
                         nn.Sequential(nn.Flatten(), nn.Linear(144, 5)), nn.Linear(5, 2))


def by_hook(model: nn.Module, layer: str, x: np.ndarray) -> Any:
    found: list[Any] = []
    with model.get_submodule(layer).register_forward_hook(
            lambda module, args, output: found.append(output)):
        model(x)
    return found[-1]


@pytest.mark.parametrize("layer", ["", "0", "1", "2", "3", "4", "4.1", "5"])
def test_they_are_what_a_hook_sees_in_eval_mode(layer: str) -> None:
    model = net()
    model[4].eval()
    before = [module.training for module in model.modules()]
    state = {name: value.copy() for name, value in model.state_dict().items()}
    found = fn.features(model, X, layer, batch_size=4)
    assert [module.training for module in model.modules()] == before
    assert found.dtype == np.float32 and found.shape[0] == 10
    expected = np.concatenate([by_hook(model.eval(), layer, X[i:i + 4]) for i in (0, 4, 8)])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, state[name])


def test_several_layers_and_all_kinds_of_batches_give_the_same() -> None:
    model = net()
    found = fn.features(model, X, ["2", "4.1"], batch_size=5)
    assert list(found) == ["2", "4.1"]
    one = fn.features(model, X, "4.1", batch_size=5)
    np.testing.assert_array_equal(one, found["4.1"])
    y = np.zeros(10, np.int64)
    for data in ([X[:5], X[5:]], ((part, y) for part in (X[:5], X[5:])),
                 Batches(X, y, 5, shuffle=False)):
        np.testing.assert_array_equal(fn.features(model, data, "4.1"), one)


def test_what_comes_after_the_layer_is_not_computed() -> None:
    class Broken(fn.Function):
        @staticmethod
        def forward(context: Any, x: np.ndarray) -> np.ndarray:
            raise ArithmeticError("computed")

        @staticmethod
        def backward(context: Any, grad: np.ndarray) -> np.ndarray:
            return grad

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return self.last(Broken.apply(self.first(x)))

    model = Net()
    with pytest.raises(ArithmeticError, match="computed"):
        model(X[:, :, 0, 0])
    expected = model.first(X[:, :, 0, 0])
    np.testing.assert_allclose(fn.features(model, X[:, :, 0, 0], "first"), expected, rtol=1e-6)


def test_of_several_calls_the_last_one_counts() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.unused = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: Any) -> Any:
            return self.layer(fn.tanh(self.layer(x)))

    model, x = Twice(), X[:, :, 0, 0]
    np.testing.assert_array_equal(fn.features(model, x, "layer"), model.eval()(x))
    with pytest.raises(ValueError, match=r"'unused' is a Linear that Twice does not call"):
        fn.features(model, x, "unused")


def test_values_that_are_nested_and_several_inputs() -> None:
    class Two(nn.Module):
        def forward(self, a: Any, b: Any) -> Any:
            return {"sum": a + b, "difference": a - b}

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.two = Two()

        def forward(self, a: Any, b: Any) -> Any:
            return self.two(a, b)["sum"]

    found = fn.features(Net(), (X, X + 1), "two", batch_size=3)
    np.testing.assert_array_equal(found["difference"], X - (X + 1))


def test_a_budget_gives_the_same_bits() -> None:
    fn.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 8, 3),
                          nn.ReLU(), nn.Flatten(), nn.Linear(8 * 62 * 62, 4))
    x = np.random.default_rng(1).standard_normal((64, 3, 64, 64)).astype(np.float32)
    whole = fn.features(model, x, "3", batch_size=64)
    with pytest.raises(fn.MemoryBudgetError):
        fn.features(model, x, "3", batch_size=64, memory_budget=1000)
    budget = resident_bytes() + (32 << 20)  # the whole batch takes 64 MiB and more
    np.testing.assert_array_equal(
        fn.features(model, x, "3", batch_size=64, memory_budget=budget), whole)


def test_errors() -> None:
    model = net()
    with pytest.raises(ValueError, match=r"layer is '4.2', and Sequential has no module of that "
                                         r"path; the nearest are '4.1', '4.0', '4'"):
        fn.features(model, X, "4.2")
    with pytest.raises(TypeError, match="model must be of class Module"):
        fn.features(np.ones(3), X, "0")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="layer must be of class list or tuple"):
        fn.features(model, X, 4)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="layer must be of class str"):
        fn.features(model, X, [4])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="layer is an empty list"):
        fn.features(model, X, [])
    with pytest.raises(ValueError, match="batch_size must be an integer from 1 on, got 0"):
        fn.features(model, X, "0", batch_size=0)
    with pytest.raises(ValueError, match="has no module of that path; it has none inside"):
        fn.features(nn.Linear(3, 2), X, "weight")


def test_a_folded_model_stays_folded() -> None:
    model = net().eval(fold=True)
    fn.features(model, X, "1")
    assert all(module.folding and not module.training for module in model.modules())
