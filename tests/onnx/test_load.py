"""Modules from ONNX files: outputs, names, training, and files that are no good."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fastnn as fn
from fastnn import nn, optim
from tests.onnx.runtime import run

onnx = pytest.importorskip("onnx")
helper = onnx.helper


def floats(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def conv_net():
    fn.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 5))


def graph_of(nodes, inputs, outputs, initial=(), opset=17):
    made = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info(name, 1, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, 1, shape) for name, shape in outputs],
        [onnx.numpy_helper.from_array(array, name) for name, array in initial])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])


def test_what_was_saved_comes_back_with_its_names(tmp_path):
    model, x = conv_net().eval(), floats(2, 3, 8, 8)
    fn.onnx.save(model, tmp_path / "net.onnx", x)
    again = fn.onnx.load(tmp_path / "net.onnx")
    np.testing.assert_allclose(again(x), model(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(again(floats(5, 3, 8, 8)), model(floats(5, 3, 8, 8)), rtol=1e-4,
                               atol=1e-5)
    assert {*again.state_dict()} == {name for name in model.state_dict()
                                     if "num_batches" not in name}
    assert not again.training and "opset 17" in repr(again)
    model.load_state_dict(again.state_dict(), strict=False)


@pytest.mark.parametrize("name", ["resnet20", "mobilenet_v3_small", "squeezenet1_1", "unet"])
def test_nets_of_the_library_there_and_back(name, tmp_path):
    fn.manual_seed(0)
    model = (fn.models.unet(in_channels=3, width=4) if name == "unet" else
             fn.models.create(name, 10)).eval()
    x = floats(2, 3, 64, 64)
    fn.onnx.save(model, tmp_path / "net.onnx", x)
    expected = model(x)
    found = fn.onnx.load(tmp_path / "net.onnx")(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_it_trains_as_the_model_that_was_saved(tmp_path):
    x, y = floats(16, 3, 8, 8), np.arange(16) % 5
    model = conv_net()
    fn.onnx.save(model.eval(), tmp_path / "net.onnx", x)
    again = fn.onnx.load(tmp_path / "net.onnx")
    losses = []
    for net in (model, again):
        step = fn.TrainStep(net.train(), nn.CrossEntropyLoss(),
                            optim.SGD(net.parameters(), lr=0.1, momentum=0.9))
        losses.append([step(x, y) for _ in range(5)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)
    assert losses[1][-1] < losses[1][0]


def test_shapes_that_the_graph_computes_are_known(tmp_path):
    """x.reshape(x.shape[0], -1) as exporters write it: Shape, Gather, Concat, Reshape."""
    nodes = [helper.make_node("Shape", ["x"], ["shape"]),
             helper.make_node("Gather", ["shape", "zero"], ["n"]),
             helper.make_node("Unsqueeze", ["n", "axes"], ["rows"]),
             helper.make_node("Concat", ["rows", "rest"], ["sizes"], axis=0),
             helper.make_node("Reshape", ["x", "sizes"], ["y"])]
    initial = [("zero", np.array(0)), ("axes", np.array([0])), ("rest", np.array([-1]))]
    onnx.save(graph_of(nodes, [("x", ["n", 2, 3])], [("y", ["n", 6])], initial),
              tmp_path / "net.onnx")
    x = floats(4, 2, 3)
    assert np.array_equal(fn.onnx.load(tmp_path / "net.onnx")(x), x.reshape(4, 6))


def test_weights_in_constants_are_parameters_too(tmp_path):
    weight = onnx.numpy_helper.from_array(floats(3, 2, 1, 1), "w")
    nodes = [helper.make_node("Constant", [], ["w"], value=weight),
             helper.make_node("Conv", ["x", "w"], ["y"])]
    onnx.save(graph_of(nodes, [("x", ["n", 2, 4, 4])], [("y", ["n", 3, 4, 4])]),
              tmp_path / "net.onnx")
    model = fn.onnx.load(tmp_path / "net.onnx")
    assert [name for name, _ in model.named_parameters()] == ["w"]
    x = floats(2, 2, 4, 4)
    np.testing.assert_allclose(model(x), run(tmp_path / "net.onnx", x)[0], rtol=1e-5, atol=1e-6)


def _bad(nodes, opset=17):
    return graph_of(nodes, [("x", [2, 2])], [("y", [2, 2])], opset=opset)


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda path: path.write_bytes(b"\x08\x07\x12\xff\xff"), ValueError, "no valid ONNX file"),
    (lambda path: path.write_bytes(b""), ValueError, "no valid ONNX file"),
    (lambda path: path.write_bytes(_bad([helper.make_node("Relu", ["x"], ["y"])])
                                   .SerializeToString()[:-20]), ValueError, "no valid ONNX file"),
    (lambda path: None, OSError, "net.onnx"),
    (lambda path: onnx.save(_bad([helper.make_node("Relu", ["x"], ["y"])], 6), path), ValueError,
     "opset 6; 7 to 23 are known"),
    (lambda path: onnx.save(_bad([helper.make_node("LSTM", ["x", "x", "x"], ["y"], name="rnn",
                                                   hidden_size=1)]), path), NotImplementedError,
     r"operator LSTM \(node 'rnn'\) of opset 17 is not known"),
    (lambda path: onnx.save(_bad([helper.make_node("Relu", ["z"], ["y"]),
                                  helper.make_node("Relu", ["y"], ["z"])]), path), ValueError,
     "no valid ONNX file"),
])
def test_files_that_are_no_good_are_named(make, error, message, tmp_path):
    path = tmp_path / "net.onnx"
    make(path)
    with pytest.raises(error, match=message):
        fn.onnx.load(path)


def test_missing_external_data_are_named(tmp_path):
    fn.onnx.save(conv_net().eval(), tmp_path / "one.onnx", floats(1, 3, 8, 8))
    onnx.save(onnx.load(tmp_path / "one.onnx"), tmp_path / "net.onnx", save_as_external_data=True,
              location="weights.bin", size_threshold=0)
    fn.onnx.load(tmp_path / "net.onnx")
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ValueError, match="external data are missing"):
        fn.onnx.load(tmp_path / "net.onnx")


def test_wrong_calls_are_refused(tmp_path):
    fn.onnx.save(conv_net().eval(), tmp_path / "net.onnx", floats(1, 3, 8, 8))
    model = fn.onnx.load(tmp_path / "net.onnx")
    with pytest.raises(TypeError, match="takes 1 inputs, input; got 2"):
        model(floats(1, 3, 8, 8), floats(1))
    with pytest.raises(ValueError, match="Conv"):
        model(floats(1, 4, 8, 8))


def real_files():
    found = find_spec("rapidocr_onnxruntime")
    folder = Path(found.submodule_search_locations[0]) / "models" if found else Path()
    return [(folder / "ch_ppocr_mobile_v2.0_cls_infer.onnx", (2, 3, 48, 96)),
            (folder / "ch_PP-OCRv4_det_infer.onnx", (1, 3, 64, 64))]


@pytest.mark.skipif(not find_spec("rapidocr_onnxruntime"), reason="its nets are not installed")
@pytest.mark.parametrize(("path", "shape"), real_files(), ids=["direction", "detection"])
def test_nets_that_others_trained_run_and_train(path, shape):
    model, x = fn.onnx.load(path), floats(*shape)
    (expected,) = run(path, x)
    np.testing.assert_allclose(model(x), expected, rtol=0, atol=1e-4)
    target = np.linspace(0, 2, expected.size).reshape(expected.shape).astype(np.float32)
    target /= np.abs(expected).mean()

    def loss(output, target):
        return (output * target).mean()

    _, grads = fn.value_and_grad(model, loss)(x, target)
    largest = max(grads, key=lambda name: np.abs(grads[name]).max())
    weight, grad = dict(model.named_parameters())[largest], grads[largest]
    before, direction = weight.data.copy(), grad / np.linalg.norm(grad)
    slopes = []
    for size in np.array([2e-3, 1e-3]) / np.linalg.norm(grad):
        ends = []
        for sign in (1, -1):
            weight.data = before + sign * size * direction
            ends.append((model(x).astype(np.float64) * target).mean())
        slopes.append((ends[0] - ends[1]) / (2 * size))
    weight.data = before
    slope = (4 * slopes[1] - slopes[0]) / 3  # Richardson's: without the third derivative
    assert slope == pytest.approx(np.linalg.norm(grad), rel=0.05)
    step = fn.TrainStep(model, loss, optim.Adam(model.parameters(), lr=1e-4))
    losses = [step(x, target) for _ in range(4)]
    assert losses[-1] < losses[0]
