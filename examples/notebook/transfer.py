"""Transfer: with a net that was trained on ImageNet, a few hundred pictures are enough.

The pictures are stamps for children (Debian's tuxpaint-stamps-default): drawings and photographs,
labelled by their folder. EfficientNet-Lite0 gets a new head, its body is frozen and runs over the
pictures once; the head is a linear model on these features. 5-fold cross-validation, beside the
same linear model on raw pixels, and on features of the same net with random weights.
Run it: python examples/notebook/transfer.py
"""

import sys
from pathlib import Path

import numpy as np
from lesson import COLORS, Lesson
from PIL import Image

import fastnn as fn
from fastnn import data, nn, optim

STAMPS = Path("/usr/share/tuxpaint/stamps")
# Folders of things: letters and signs are another matter, and a season is no kind of thing.
LEFT_OUT, LEAST = {"symbols", "seasonal"}, 30
lesson = Lesson(__doc__)
PER_CLASS, EPOCHS, FOLDS = lesson.choose((20, 40, 5), (1000, 60, 5))


def stamps():
    """{class: files}: the top folders with at least 30 PNG pictures, mirrored ones left out."""
    files = [path for path in sorted(STAMPS.rglob("*.png")) if "mirror" not in path.stem]
    names = [path.relative_to(STAMPS).parts[0] for path in files]
    kept = [name for name in sorted(set(names) - LEFT_OUT) if names.count(name) >= LEAST]
    if not kept:
        sys.exit("no stamps: apt-get install tuxpaint-stamps-default")
    found = {name: [path for path, its in zip(files, names, strict=True) if its == name]
             for name in kept}
    spread = {name: np.linspace(0, len(paths) - 1, min(len(paths), PER_CLASS)).astype(int)
              for name, paths in found.items()}
    return {name: [found[name][place] for place in spread[name]] for name in kept}


def on_white(path):
    """A picture in the middle of a white square."""
    with Image.open(path) as opened:
        image = opened.convert("RGBA")
    side = max(image.size)
    paper = Image.new("RGBA", (side, side), "white")
    paper.alpha_composite(image, ((side - image.width) // 2, (side - image.height) // 2))
    return paper.convert("RGB")


def cross_validated(x, y, classes):
    """The share of right answers in each fold, of a linear model that never saw the fold."""
    order, shares = np.random.default_rng(0).permutation(len(y)), []
    folds = np.empty(len(y), np.int64)
    for number in range(classes):  # each class in equal parts
        members = order[y[order] == number]
        folds[members] = np.arange(len(members)) % FOLDS
    for fold in range(FOLDS):
        fn.manual_seed(fold)
        kept = folds != fold
        preprocess = data.Standardize().fit(x[kept])
        head = nn.Sequential(nn.Preprocess(preprocess), nn.Linear(x.shape[1], classes))
        trainer = fn.Trainer(head, "cross_entropy", optim.AdamW(
            head.parameters(), lr=1e-3, weight_decay=0.1))
        trainer.fit((x[kept], y[kept]), epochs=EPOCHS, batch_size=32, seed=fold)
        shares.append(trainer.evaluate((x[~kept], y[~kept]))["accuracy"])
    return shares


files = stamps()
try:
    net = fn.models.load("efficientnet-lite0")
except FileNotFoundError as error:
    sys.exit(str(error))
y = np.repeat(np.arange(len(files)), [len(paths) for paths in files.values()])
pictures = net.pretrained.pictures([on_white(path) for paths in files.values() for path in paths])
x = net.pretrained.preprocessor.transform(pictures)
small = np.stack([np.asarray(Image.fromarray(each.transpose(1, 2, 0)).resize((32, 32)), np.float32)
                  for each in pictures]).reshape(len(y), -1) / 255
features = fn.transfer(net, len(files)).features(x, batch_size=32)  # the body runs once
found = {"features of ImageNet's net": cross_validated(features, y, len(files)),
         "raw pixels, 32 x 32": cross_validated(small, y, len(files))}
if lesson.full:
    fn.manual_seed(0)
    features = fn.transfer(fn.models.efficientnet_lite0(), len(files)).features(x, batch_size=32)
    found["features of random weights"] = cross_validated(features, y, len(files))
for name, shares in found.items():
    print(f"{name:28s} {np.mean(shares):.3f}, folds {min(shares):.3f} to {max(shares):.3f}")

figure, axes = lesson.figure(len(files), 9, width=11, height=4.6)
for row, (number, name) in zip(axes, enumerate(files), strict=True):
    shown = np.flatnonzero(y == number)[:: max(1, (y == number).sum() // 6)][:6]
    for place, index in zip(row, shown, strict=False):
        place.imshow(pictures[index].transpose(1, 2, 0))
        place.set(xticks=[], yticks=[])
        place.grid(visible=False)
        place.spines[:].set_visible(False)
    row[0].set_ylabel(f"{name}\n{(y == number).sum()}", rotation=0, ha="right", va="center")
    for place in row[6:]:
        place.remove()
bars = figure.add_subplot(axes[0, 0].get_gridspec()[:, 6:])
means = [np.mean(shares) for shares in found.values()]
bars.bar(range(len(found)), means, color=COLORS[0], width=0.6)
for place, (mean, shares) in enumerate(zip(means, found.values(), strict=True)):
    bars.plot([place] * len(shares), shares, "_", color=COLORS[3], markersize=12)
    bars.text(place, 0.03, f"{mean:.0%}", ha="center", color="white", fontsize=13)
most = np.bincount(y).max() / len(y)
bars.axhline(most, color=COLORS[1], linestyle="--", label="always the largest class")
bars.legend(loc="upper right")
bars.set(ylim=(0, 1), title=f"accuracy, {len(y)} pictures, {FOLDS} folds")
bars.set_xticks(range(len(found)), [name.replace(" of ", "\nof ").replace(", ", "\n")
                                    for name in found], fontsize=8)
lesson.save(figure)
names = ("transfer", "raw_pixels", "random_weights")
lesson.end(pictures=len(y), most_common=most, **dict(zip(names, means, strict=False)))
