"""Make src/fastnn/data/fashion_mnist_small.npz from the full Fashion-MNIST idx files.

The first 500 images of each class in the training file and the first 100 in the test file, in
the files' order (which is already mixed): anybody gets the same subset without a generator.

    python tools/make_fashion_mnist_small.py [FOLDER_WITH_IDX_FILES]
"""

import sys
from pathlib import Path

import numpy as np

from fastnn.data.idx import CLASSES, load_fashion_mnist

OUTPUT = Path(__file__).parents[1] / "src" / "fastnn" / "data" / "fashion_mnist_small.npz"


def first_of_each_class(x: np.ndarray, y: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first `count` examples of every class, in their original order."""
    chosen = np.concatenate([np.flatnonzero(y == label)[:count] for label in np.unique(y)])
    chosen.sort()
    return x[chosen, 0], y[chosen].astype(np.uint8)


def main() -> None:
    """Write the subset, and print its size."""
    full = load_fashion_mnist(sys.argv[1] if len(sys.argv) > 1 else None)
    assert full.test is not None
    x_train, y_train = first_of_each_class(*full.train, 500)
    x_test, y_test = first_of_each_class(*full.test, 100)
    np.savez_compressed(
        OUTPUT,
        x_train=x_train,
        y_train=y_train,
        x_test=x_test,
        y_test=y_test,
        classes=np.array(CLASSES),
    )
    print(f"{OUTPUT.name}: {len(y_train)} + {len(y_test)} images, {OUTPUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
