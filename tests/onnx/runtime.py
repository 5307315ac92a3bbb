"""What the tests of exported files share: onnxruntime beside fastnn."""

import numpy as np
import pytest

import fastnn as fn
from fastnn.engine.nesting import flat

onnxruntime = pytest.importorskip("onnxruntime")


def run(path, *inputs):
    """The outputs of a file in onnxruntime, on one thread."""
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), settings)
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def check(model, path, *inputs, tolerance=1e-4, sizes=(1, 5), **options):
    """Export, run batches of the size given and of `sizes`, and compare with the model's outputs.

    tolerance: of the largest difference, as a part of the largest output.
    """
    fn.onnx.save(model, path, inputs, **options)
    sizes = () if options.get("dynamic_batch") is False else sizes
    others = [tuple(np.resize(x, (size, *x.shape[1:])) for x in inputs) for size in sizes]
    for part in [inputs, *others]:
        expected = [np.asarray(y) for y in flat(model.eval()(*part))]
        for ours, theirs in zip(expected, run(path, *part), strict=True):
            assert ours.shape == theirs.shape
            assert ours.dtype == theirs.dtype
            largest = float(np.abs(ours[np.isfinite(ours)]).max(initial=0))
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=tolerance * max(largest, 1e-6))
