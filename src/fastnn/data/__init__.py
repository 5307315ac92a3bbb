"""Data sets, preprocessing, augmentation and batching: NumPy alone, Pillow for images.

>>> data = load("fashion-mnist-small")
>>> standardize = Standardize().fit(data.train[0])
>>> batches = Batches(*data.train, 128, transform=RandomShift(2), preprocess=standardize)
>>> for x, y in batches.epoch(0, start=39):
...     print(x.shape, x.dtype, y.dtype)
(8, 1, 28, 28) float32 int64
"""

from fastnn.data.augment import Compose, RandomHorizontalFlip, RandomShift
from fastnn.data.batches import Batches
from fastnn.data.central import central_pictures
from fastnn.data.checks import check_arrays
from fastnn.data.dataset import Dataset
from fastnn.data.idx import load_fashion_mnist, load_idx, read_idx
from fastnn.data.images import load_image_folder
from fastnn.data.labels import LabelEncoder
from fastnn.data.mixing import CutMix, MixUp
from fastnn.data.npy import load_npy
from fastnn.data.npz import load_npz
from fastnn.data.pca import PCA
from fastnn.data.prefetch import Prefetch
from fastnn.data.preprocess import ChannelMean, MeanImage, Preprocessor, Standardize
from fastnn.data.registry import DATASETS, load
from fastnn.data.shipped import load_fashion_mnist_small
from fastnn.data.whiten import Whiten

__all__ = [
    "DATASETS",
    "PCA",
    "Batches",
    "ChannelMean",
    "Compose",
    "CutMix",
    "Dataset",
    "LabelEncoder",
    "MeanImage",
    "MixUp",
    "Prefetch",
    "Preprocessor",
    "RandomHorizontalFlip",
    "RandomShift",
    "Standardize",
    "Whiten",
    "central_pictures",
    "check_arrays",
    "load",
    "load_fashion_mnist",
    "load_fashion_mnist_small",
    "load_idx",
    "load_image_folder",
    "load_npy",
    "load_npz",
    "read_idx",
]
