"""nn.utils: vectors of parameters, weight normalisation, and what is not there."""

import copy

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from fastnn.nn.utils import parametrize
from fastnn.nn.utils.parametrizations import weight_norm

RNG = np.random.default_rng(0)


def net():
    fn.manual_seed(2)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 4))


X = RNG.standard_normal((4, 2, 5, 5)).astype(np.float32)
Y = np.array([0, 1, 2, 3])


def test_vectors_of_parameters():
    model = net()
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (sum(p.numel() for p in model.parameters()),)
    np.testing.assert_array_equal(vector[:54], model[0].weight.data.ravel())
    nn.utils.vector_to_parameters(vector * 2, model.parameters())
    np.testing.assert_array_equal(nn.utils.parameters_to_vector(model.parameters()), vector * 2)
    _, grads = fn.value_and_grad(model, nn.CrossEntropyLoss())(X, Y)
    flat = nn.utils.parameters_to_vector(grads)
    assert flat.shape == vector.shape
    nn.utils.vector_to_parameters(flat * 0, grads.values())
    assert not any(grad.any() for grad in grads.values())
    with pytest.raises(fn.ShapeError, match=r"vec has shape \(3,\), expected \(169,\)"):
        nn.utils.vector_to_parameters(np.ones(3), model.parameters())
    np.testing.assert_array_equal(nn.utils.parameters_to_vector(model.parameters()), vector * 2)
    assert nn.utils.parameters_to_vector([]).shape == (0,)
    with pytest.raises(TypeError, match="expected parameters or arrays"):
        nn.utils.parameters_to_vector([model])


def test_a_normed_layer_computes_what_it_did_and_saves_pytorchs_names():
    for make in (weight_norm, nn.utils.weight_norm):
        model = net()
        before = model(X)
        assert make(model[0]) is model[0]
        make(model[3], dim=1)
        np.testing.assert_allclose(model(X), before, rtol=1e-5, atol=1e-6)
    assert list(model.state_dict()) == ["0.bias", "0.weight_g", "0.weight_v", "3.bias",
                                        "3.weight_g", "3.weight_v"]
    layer = weight_norm(nn.Linear(2, 3))
    assert list(layer.state_dict()) == [
        "bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    assert layer.weight.shape == (3, 2)
    assert isinstance(layer, nn.Linear) and parametrize.is_parametrized(layer, "weight")
    assert not parametrize.is_parametrized(layer, "bias")


@pytest.mark.parametrize("dim", [0, 1, 2, 3, -2, None])
@pytest.mark.parametrize("old", [True, False])
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_normed_as_pytorchs(dim, old):
    torch = pytest.importorskip("torch")
    ours, theirs = nn.Conv2d(3, 4, (2, 3)), torch.nn.Conv2d(3, 4, (2, 3))
    theirs.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in ours.state_dict().items()})
    if old:
        nn.utils.weight_norm(ours, dim=dim)
        torch.nn.utils.weight_norm(theirs, dim=dim)
    else:
        weight_norm(ours, dim=dim)
        torch.nn.utils.parametrizations.weight_norm(theirs, dim=dim)
    state = theirs.state_dict()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {
        k: tuple(v.shape) for k, v in state.items()}
    for name, value in state.items():
        np.testing.assert_allclose(ours.state_dict()[name], value.numpy(), rtol=1e-5)
    ours.load_state_dict({name: value.numpy() * 1.5 for name, value in state.items()})
    theirs.load_state_dict({name: value * 1.5 for name, value in state.items()})
    x = RNG.standard_normal((2, 3, 5, 5)).astype(np.float32)
    expected = theirs(torch.from_numpy(x))
    expected.square().sum().backward()
    np.testing.assert_allclose(ours(x), expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    _, grads = fn.value_and_grad(ours, lambda y, _: y.square().sum())(x, np.ones(1))
    for name, parameter in theirs.named_parameters():
        np.testing.assert_allclose(grads[name], parameter.grad.numpy(), rtol=1e-3, atol=1e-4,
                                   err_msg=name)


def test_a_normed_model_trains_is_copied_and_made_plain_again():
    model = net()
    weight_norm(model[0])
    weight_norm(weight_norm(model[3], dim=None), "bias", None)
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    losses = [step(X, Y) for _ in range(5)]
    assert losses[-1] < losses[0]
    y, twin = model(X), copy.deepcopy(model)
    np.testing.assert_array_equal(twin(X), y)
    for layer, name in ((model[0], "weight"), (model[3], "bias"), (model[3], "weight")):
        assert parametrize.remove_parametrizations(layer, name) is layer
    assert type(model[3]) is nn.Linear and not parametrize.is_parametrized(model[3])
    assert set(model.state_dict()) == set(net().state_dict())
    np.testing.assert_allclose(model(X), y, rtol=1e-5, atol=1e-6)
    assert type(twin[3]) is not nn.Linear and parametrize.is_parametrized(twin[3], "bias")
    old = nn.utils.weight_norm(nn.Linear(3, 2))
    y = old(np.eye(3))
    assert type(nn.utils.remove_weight_norm(old)) is nn.Linear
    np.testing.assert_allclose(old(np.eye(3)), y, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 1), (1, 4), (1, 1), (3, 2)])
@pytest.mark.parametrize("dim", [0, 1, None])
def test_removing_the_old_one_keeps_the_values(shape, dim):
    layer = nn.Linear(*shape)
    x = RNG.standard_normal((2, shape[0]))
    nn.utils.weight_norm(layer, dim=dim)
    layer.weight_g.data *= 2
    y = layer(x)
    np.testing.assert_allclose(nn.utils.remove_weight_norm(layer)(x), y, rtol=1e-5)


def test_a_frozen_weight_stays_frozen():
    layer = nn.Linear(3, 2)
    layer.weight.requires_grad = False
    assert not weight_norm(layer).parametrizations.weight.original1.requires_grad
    parametrize.remove_parametrizations(layer, "weight")
    assert not layer.weight.requires_grad


def test_what_is_refused():
    layer = weight_norm(nn.Linear(2, 3))
    with pytest.raises(KeyError, match="no parameter 'weight'"):
        weight_norm(layer)
    with pytest.raises(KeyError, match="no parameter 'nothing'"):
        weight_norm(nn.Linear(2, 3), "nothing")
    with pytest.raises(fn.ShapeError, match="axis 2 is outside"):
        weight_norm(nn.Linear(2, 3), dim=2)
    with pytest.raises(AttributeError, match="computes 'weight'; it cannot be set"):
        layer.weight = nn.Parameter(np.ones((3, 2)))
    with pytest.raises(ValueError, match="'bias' of a ParametrizedLinear has no parametrization"):
        parametrize.remove_parametrizations(layer, "bias")
    with pytest.raises(ValueError, match="leave_parametrized"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    with pytest.raises(TypeError, match=r"clip_grad_norm=1\.0.*as fn\.value_and_grad"):
        nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
    with pytest.raises(AttributeError, match="weight_norm"):
        _ = nn.utils.parametrizations.spectral_norm


def test_names_that_come_later_say_so():
    for name, said in (("LSTM", "sequences are not here yet"), ("Conv3d", "three spatial axes"),
                       ("LazyInstanceNorm2d", "sizes that are written out"),
                       ("Conv2D", "there is Conv2d")):
        with pytest.raises(AttributeError, match=rf"fastnn\.nn has no {name}.*{said}"):
            getattr(nn, name)
    assert not hasattr(nn, "MultiheadAttention")
    with pytest.raises(AttributeError, match="attention"):
        _ = nn.functional.scaled_dot_product_attention


def test_pytorchs_paths():
    import fastnn.nn.functional as F
    from fastnn.nn.parameter import Parameter
    from fastnn.optim.lr_scheduler import CosineAnnealingLR
    assert F.relu is fn.relu and F.conv2d is fn.conv2d
    assert Parameter is nn.Parameter and CosineAnnealingLR is optim.CosineAnnealingLR
