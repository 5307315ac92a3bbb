"""Preprocessing: centre, standardise, rotate (PCA), whiten (PCA and ZCA), and what it is worth.

Above, a cloud of points through each step. In the middle, what the steps make of pictures: the mean
image that AlexNet subtracted, and a picture whitened. Below, the test accuracy of a small
convolutional net after each, trained alike: "centre only" is enough for pictures, and the scale
of the numbers is what matters. Run it: python examples/notebook/preprocessing.py
"""

import numpy as np
from lesson import COLORS, INK, Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
EPOCHS, EXAMPLES, SEEDS = lesson.choose((2, 1500, 1), (6, 4000, 3))
generator = np.random.default_rng(3)
STEPS = {"as it came": None, "centred": data.ChannelMean(), "standardised": data.Standardize(),
         "PCA": data.PCA(), "PCA whitened": data.Whiten("pca"), "ZCA whitened": data.Whiten("zca")}


def draw_cloud(axes):
    """The cloud after each step; the variances and the correlation stand in the titles."""
    cloud = generator.normal(size=(400, 2)) @ [[2.0, 1.1], [0.0, 0.5]] + [4, 3]
    for place, (name, step) in zip(axes, STEPS.items(), strict=True):
        y = cloud if step is None else step.fit_transform(cloud)
        place.scatter(*y.T, s=4, color=COLORS[0], alpha=0.5)
        place.axhline(0, color=INK, linewidth=0.8)
        place.axvline(0, color=INK, linewidth=0.8)
        place.set(title=name, xlim=(-8, 10), ylim=(-8, 10), aspect="equal")
        place.set_xlabel(f"correlation {abs(np.corrcoef(y.T)[0, 1]):.2f}\n"
                         f"variances {y[:, 0].var():.1f}, {y[:, 1].var():.1f}", fontsize=9)


def draw_pictures(axes, x):
    """The mean image, and pictures after centring and after ZCA whitening."""
    mean = data.MeanImage().fit(x)
    zca = data.Whiten("zca", eps=0.01).fit(x)
    shown = {"mean image": mean.mean, "a picture": x[7],
             "less the mean image": mean.transform(x)[7],
             "ZCA whitened": zca.transform(x[7:8])[0], "another": x[12],
             "another, whitened": zca.transform(x[12:13])[0]}
    for place, (name, picture) in zip(axes, shown.items(), strict=True):
        place.imshow(picture.reshape(28, 28), cmap="gray")
        place.set(title=name, xticks=[], yticks=[])
        place.grid(visible=False)


def accuracy(preprocess, factor, train, test, seed):
    """Test accuracy of a small net, trained on pictures times `factor`."""
    fn.manual_seed(seed)
    layers = [] if preprocess is None else [nn.Preprocess(preprocess)]
    net = nn.Sequential(*layers, nn.Conv2d(1, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3),
                        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 25, 10))
    trainer = fn.Trainer(net, nn.CrossEntropyLoss(),
                         optim.SGD(net.parameters(), lr=0.02, momentum=0.9), callbacks=[])
    try:
        trainer.fit((train[0] * factor, train[1]), epochs=EPOCHS, batch_size=32, seed=seed)
    except fn.NonFiniteError:  # it diverged
        return 0.1
    return trainer.evaluate((test[0] * factor, test[1]))["accuracy"]


pictures = data.load_fashion_mnist_small()
x, y = pictures.train[0][:EXAMPLES].astype(np.float32) / 255, pictures.train[1][:EXAMPLES]
test = pictures.test[0].astype(np.float32) / 255, pictures.test[1]
figure, axes = lesson.figure(3, 6, width=13, height=8.2)
draw_cloud(axes[0])
draw_pictures(axes[1], x)

kinds = {"bytes, 0 to 255": (None, 255), "0 to 1": (None, 1), "mean image": (data.MeanImage(), 1),
         "channel mean": (data.ChannelMean(), 1), "standardised": (data.Standardize(), 1),
         "ZCA whitened": (data.Whiten("zca", eps=0.01), 1)}
found = {}
for name, (kind, factor) in kinds.items():
    fitted = None if kind is None else kind.fit(x)
    found[name] = [accuracy(fitted, factor, (x, y), test, seed) for seed in range(SEEDS)]
    print(f"{name:16s} accuracy {np.mean(found[name]):.3f}")

for place in axes[2]:
    place.remove()
bars = figure.add_subplot(axes[2, 0].get_gridspec()[2, :])
means = [np.mean(each) for each in found.values()]
bars.barh(list(found), means, color=COLORS[0], height=0.6)
for row, (mean, each) in enumerate(zip(means, found.values(), strict=True)):
    bars.text(mean + 0.005, row, f"{mean:.3f}  ({min(each):.3f} to {max(each):.3f})", va="center")
bars.invert_yaxis()
bars.set(xlim=(0, 1), xlabel=f"test accuracy after {EPOCHS} epochs of {EXAMPLES:,} pictures, "
         f"{SEEDS} seed{'s' if SEEDS > 1 else ''}, one learning rate",
         title="What it is worth to a small convolutional net")
lesson.save(figure)

names = ("bytes", "unit", "mean_image", "channel_mean", "standardised", "zca")
lesson.end(**dict(zip(names, means, strict=True)))
