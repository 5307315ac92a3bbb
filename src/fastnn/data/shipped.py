"""The data set that ships in the package: a class-balanced subset of Fashion-MNIST."""

from dataclasses import replace
from pathlib import Path

from fastnn.data.dataset import Dataset
from fastnn.data.npz import load_npz, outline_npz
from fastnn.data.outline import Outline

SOURCE = "fashion-mnist-small (shipped with fastnn)"
FILE = Path(__file__).with_name("fashion_mnist_small.npz")


def load_fashion_mnist_small() -> Dataset:
    """Load 5,000 training and 1,000 test images of Fashion-MNIST: uint8, 28x28, 10 classes.

    The first 500 and 100 images of each class, in the order of the full files. The licence (MIT) is
    beside the file.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms" (2017).

    Example:
        >>> load_fashion_mnist_small().train[0].shape
        (5000, 1, 28, 28)
    """
    return replace(load_npz(FILE), source=SOURCE)


def outline_fashion_mnist_small() -> Outline:
    """What `load_fashion_mnist_small` returns and takes."""
    return Outline(replace(outline_npz(FILE).data, source=SOURCE))
