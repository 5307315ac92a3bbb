"""Models as ONNX files: onnxruntime computes what fastnn computes."""

import sys

import numpy as np
import pytest

import fastnn as fn
from fastnn import data, models, nn
from tests.onnx.runtime import check

onnx = pytest.importorskip("onnx")


@pytest.fixture(name="path")
def _path(tmp_path):
    return tmp_path / "net.onnx"


def floats(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def settled(model):
    """A model whose norms have statistics of their own, in eval mode."""
    rng = np.random.default_rng(1)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer.data = rng.normal(0, 0.3, buffer.shape)
        elif name.endswith("running_var"):
            buffer.data = rng.uniform(0.5, 1.5, buffer.shape)
    return model.eval()


def small_net():
    fn.manual_seed(0)
    return settled(nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.GELU(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(72, 5)))


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("opset", [17, 18, 20, 23])
def test_small_net(path, fold, opset):
    check(small_net(), path, floats(4, 3, 16, 16), opset=opset, fold_batch_norm=fold)


def test_names_are_those_of_the_state_dict(path):
    net = small_net()
    fn.onnx.save(net, path, floats(1, 3, 16, 16))
    found = {value.name: onnx.numpy_helper.to_array(value)
             for value in onnx.load(path).graph.initializer}
    state = {name: array for name, array in net.state_dict().items()
             if not name.endswith("num_batches_tracked")}
    for name, array in state.items():
        np.testing.assert_array_equal(found[name], array)


def test_folded_norms_are_gone_and_weights_keep_their_names(path):
    fn.onnx.save(small_net(), path, floats(1, 3, 16, 16), fold_batch_norm=True)
    graph = onnx.load(path).graph
    assert "BatchNormalization" not in {node.op_type for node in graph.node}
    assert {"0.weight", "0.bias", "4.weight", "4.bias", "9.weight", "9.bias"} <= {
        value.name for value in graph.initializer}


def test_the_model_stays_as_it_was(path):
    net = small_net().train()
    net[1].eval()
    before = {name: array.copy() for name, array in net.state_dict().items()}
    fn.onnx.save(net, path, floats(1, 3, 16, 16), fold_batch_norm=True)
    assert [module.training for module in net] == [i != 1 for i in range(len(net))]
    assert all(np.array_equal(array, before[name]) for name, array in net.state_dict().items())


def test_axes_and_names(path):
    fn.onnx.save(small_net(), path, floats(2, 3, 16, 16), input_names=["image"],
                 output_names=["scores"])
    graph = onnx.load(path).graph
    shapes = {value.name: [size.dim_param or size.dim_value
                           for size in value.type.tensor_type.shape.dim]
              for value in (*graph.input, *graph.output)}
    assert shapes == {"image": ["batch", 3, 16, 16], "scores": ["batch", 5]}
    fn.onnx.save(small_net(), path, floats(2, 3, 16, 16), dynamic_batch=False)
    assert onnx.load(path).graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2


@pytest.mark.parametrize("name", ["mlp", "lenet", "cnn", "resnet20", "squeezenet1_1", "googlenet",
                                  "mobilenet_v3_small", "shufflenet_v2"])
@pytest.mark.parametrize("fold", [False, True])
def test_nets(path, name, fold):
    fn.manual_seed(1)
    side = 28 if name in ("mlp", "lenet") else 32
    check(settled(models.create(name, 7)), path, floats(2, 3, side, side), fold_batch_norm=fold)


@pytest.mark.parametrize("fold", [False, True])
def test_unet(path, fold):
    check(settled(models.unet(in_channels=3, num_classes=4, width=8)), path, floats(2, 3, 32, 48),
          fold_batch_norm=fold)


@pytest.mark.parametrize("preprocessor", [data.Standardize, data.MeanImage, data.ChannelMean,
                                          data.Whiten])
def test_preprocessing_in_front(path, preprocessor):
    x = floats(60, 3, 4, 4) * 3 + 1
    model = nn.Sequential(nn.Preprocess(preprocessor().fit(x)), nn.Conv2d(3, 4, 3), nn.Flatten(),
                          nn.Linear(16, 2))
    check(model, path, x[:2])


def test_several_inputs_and_nested_outputs(path):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(10, 4)

        def forward(self, x, places):
            y = self.embedding(places) * x
            return {"sum": y.sum(1), "parts": (y, x)}

    check(Two(), path, floats(3, 4), np.array([1, 9, 4]))
    graph = onnx.load(path).graph
    assert [value.name for value in graph.input] == ["input_0", "input_1"]
    assert [value.name for value in graph.output] == ["output_0", "output_1", "output_2"]


def test_one_value_twice(path):
    class Twice(nn.Module):
        def forward(self, x):
            y = fn.relu(x)
            return y, y, x

    check(Twice(), path, floats(3, 4))


def test_an_operation_without_translation_is_named_and_nothing_is_written(path):
    class Odd(fn.Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, dy):
            return dy

    class Layer(nn.Module):
        def forward(self, x):
            return Odd.apply(x)

    path.write_bytes(b"old")
    with pytest.raises(NotImplementedError, match=r"Odd.*layer '1'.*Conv2d"):
        fn.onnx.save(nn.Sequential(nn.Linear(4, 4), Layer()), path, floats(2, 4))
    assert path.read_bytes() == b"old"


class Function(nn.Module):
    """A function as a model."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


@pytest.mark.parametrize("function", [
    lambda x: x * x.shape[0], lambda x: x - np.arange(x.shape[0], dtype=np.float32)[:, None],
    lambda x: x[:x.shape[0] - 1], lambda x: x if x.shape[0] % 2 else fn.relu(x),
], ids=["number", "constant", "slice", "branch"])
def test_what_depends_on_the_size_of_the_batch(path, function):
    with pytest.raises(ValueError, match=r"batch.*dynamic_batch=False"):
        fn.onnx.save(Function(function), path, floats(3, 4))
    assert not path.exists()
    check(Function(function), path, floats(3, 4), dynamic_batch=False)


@pytest.mark.parametrize("function", [
    lambda x: x.mean(), lambda x: x - x.mean(0), lambda x: x.reshape(-1), lambda x: x.T @ x,
    lambda x: fn.zeros(3, 4).expand(2, 3, 4)[0] + x[:1], lambda x: x.reshape(-1, 2, 2) * 2,
    lambda x: x[:, None].expand(-1, 3, 4), lambda x: x[:, ::-1], lambda x: x[:, -1:0:-2],
    lambda x: fn.cat([x, x], 0), lambda x: x.reshape(-1, 2), lambda x: x[:, [3, 0, 0]],
    lambda x: x[0].expand(x.shape[0], 4), lambda x: fn.repeat_interleave(x, 2, 1),
    lambda x: x.reshape(x.shape[0] // 1, 2, 2).permute(2, 1, 0),
], ids=range(15))
def test_the_batch_along_other_axes(path, function):
    check(Function(function), path, floats(3, 4))


@pytest.mark.parametrize(("error", "options"), [
    (ValueError, {"opset": 16}), (ValueError, {"opset": 24}), (TypeError, {"opset": "17"}),
    (ValueError, {"input_names": ["a", "b"]}), (ValueError, {"output_names": [""]}),
    (ValueError, {"input_names": ["a"], "output_names": ["a"]}),
    (TypeError, {"fold_batch_norm": "yes"}),
])
def test_bad_options(path, error, options):
    with pytest.raises(error):
        fn.onnx.save(nn.Linear(4, 2), path, floats(2, 4), **options)
    assert not path.exists()


def test_bad_model_and_inputs(path):
    with pytest.raises(TypeError, match="model"):
        fn.onnx.save(fn.relu, path, floats(2, 4))
    with pytest.raises(fn.ShapeError, match="weight"):
        fn.onnx.save(nn.Linear(4, 2), path, floats(2, 5))
    with pytest.raises(fn.ShapeError, match="first axis"):
        fn.onnx.save(Function(fn.add), path, (floats(2, 4), floats(1, 4)))


def test_without_onnx(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"fastnn\[onnx\]"):
        fn.onnx.save(nn.Linear(4, 2), path, floats(2, 4))
