"""Forward hooks: called with arrays, in PyTorch's order, as long as they are registered."""

import copy
import gc
import warnings
import weakref

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 3, 8, 8)).astype(np.float32)


def net():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
                         nn.Linear(144, 5))


def keep(into, name):
    def hook(module, args, output):
        into[name] = args, output

    return hook


def test_a_hook_gets_the_arrays_that_a_layer_reads_and_returns():
    model = net().eval()
    found = {}
    handles = [layer.register_forward_hook(keep(found, name))
               for name, layer in model.named_children()]
    y = model(X)
    value = X
    for name, layer in model.named_children():
        (given,), output = found[name]
        assert isinstance(given, np.ndarray) and isinstance(output, np.ndarray)
        np.testing.assert_allclose(given, value, rtol=1e-5, atol=1e-5)
        for handle in handles:
            handle.remove()
        value = layer(given)
        np.testing.assert_allclose(output, value, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found["4"][1], y)


def test_hooks_run_in_pytorchs_order():
    torch = pytest.importorskip("torch")

    def order(library, x):
        model = library.Sequential(library.Sequential(library.ReLU()), library.Tanh())
        seen = []
        for name, module in model.named_modules():
            module.register_forward_hook(lambda *_, name=name: seen.append(("after", name)))
            module.register_forward_pre_hook(lambda *_, name=name: seen.append(("before", name)))
        model[1].register_forward_hook(lambda *_: seen.append("first"), prepend=True)
        model[1].register_forward_hook(lambda *_: seen.append("last"))
        model(x)
        return seen

    assert order(nn, X) == order(torch.nn, torch.from_numpy(X))


def test_a_removed_hook_is_called_no_more_and_the_plan_without_it_is_as_before():
    model, seen = net().eval(), []
    before = model(X)
    handle = model[2].register_forward_hook(lambda module, args, output: seen.append(output))
    np.testing.assert_allclose(model(X), before, rtol=1e-5, atol=1e-6)
    handle.remove()
    handle.remove()
    np.testing.assert_array_equal(model(X), before)
    assert len(seen) == 1
    with model[2].register_forward_hook(lambda module, args, output: seen.append(output)):
        model(X)
    model(X)
    assert len(seen) == 2


def test_a_hook_may_remove_itself():
    model, seen = net().eval(), []

    def once(module, args, output):
        seen.append(output)
        handle.remove()

    handle = model[0].register_forward_hook(once)
    model(X)
    model(X)
    assert len(seen) == 1


def test_a_shared_module_is_heard_at_each_call():
    layer, seen = nn.Linear(8, 8), []
    layer.register_forward_hook(lambda module, args, output: seen.append(output))
    y = nn.Sequential(layer, layer)(X)
    assert len(seen) == 2 and (seen[1] == y).all()


def test_nested_values_reach_a_hook():
    class Inner(nn.Module):
        def forward(self, pair, factor):
            return {"sum": pair[0] + pair[1]}, (pair[0] * factor,)

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = Inner()

        def forward(self, x, y):
            named, (product,) = self.inner((x, y), 2.0)
            return named["sum"] + product

    model, seen = Outer(), []
    model.inner.register_forward_hook(lambda module, args, output: seen.append((args, output)))
    model(X, X + 1)
    ((pair, factor), (named, (product,))), = seen
    np.testing.assert_array_equal(pair[1], X + 1)
    assert float(factor) == 2
    np.testing.assert_array_equal(named["sum"], X + (X + 1))
    np.testing.assert_array_equal(product, X * 2)


def test_a_hook_that_returns_a_value_is_refused():
    def double(module, args, output):
        return output * 2

    model = net()
    model[0].register_forward_hook(double)
    with pytest.raises(TypeError, match=r"the hook .*double of a Conv2d returned ndarray"):
        model(X)
    with pytest.raises(TypeError, match="a hook is a function"):
        model[0].register_forward_hook(3)


def test_running_statistics_and_folding_are_as_without_hooks():
    fn.manual_seed(0)
    models = [net(), net()]
    models[1].load_state_dict(models[0].state_dict())
    models[1][1].register_forward_hook(lambda *_: None)
    for model in models:
        model(X)
    for name, value in models[0].state_dict().items():
        np.testing.assert_allclose(value, models[1].state_dict()[name], rtol=1e-5, err_msg=name)
    seen = []
    models[1][1].register_forward_hook(lambda module, args, output: seen.append(output))
    y = models[1].eval(fold=True)(X)
    np.testing.assert_allclose(y, models[0].eval()(X), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen[0], models[0][:2](X), rtol=1e-4, atol=1e-5)


def test_hooks_of_one_thread_and_of_several():
    model, seen = net().eval(), []
    model[1].register_forward_hook(lambda module, args, output: seen.append(output))
    for threads in (1, 2, 1, 1):
        fn.set_num_threads(threads)
        model(X)
    assert len(seen) == 4 and all((value == seen[0]).all() for value in seen)


def test_a_hook_may_call_the_model():
    model, seen = net().eval(), []

    def again(module, args, output):
        handle.remove()
        seen.append(model(X))

    handle = model[0].register_forward_hook(again)
    y = model(X)
    np.testing.assert_allclose(seen[0], y, rtol=1e-5, atol=1e-6)


def test_a_step_calls_no_hooks_and_says_so():
    model, seen = net(), []
    model[0].register_forward_hook(lambda *_: seen.append(1))
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), fn.optim.SGD(model.parameters(), lr=0.1))
    with pytest.warns(UserWarning, match="the hooks of a Conv2d are not called here"):
        step(X, np.zeros(4, np.int64))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        step(X, np.zeros(4, np.int64))
    assert not seen


def test_a_copy_has_the_hooks_and_a_model_with_hooks_is_freed():
    model, seen = net().eval(), []
    model[0].register_forward_hook(lambda *_: seen.append(1))
    copy.deepcopy(model)(X)
    assert len(seen) == 1
    model.register_forward_hook(lambda *_, model=model: seen.append(model))
    model(X)
    seen.clear()
    known = weakref.ref(model)
    del model
    gc.collect()
    assert known() is None
