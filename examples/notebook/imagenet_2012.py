"""AlexNet of 2012 and VGG of 2014, sized for a CPU: what their parts are worth on small pictures.

AlexNet as in its paper: the mean image subtracted, ReLU, local response normalisation, overlapping
pooling, dropout; and with one part left out. VGG: the mean of the channels subtracted, 3x3
convolutions alone, batch norm. Drawn: the accuracies, the mean image, and what AlexNet's first
layer looks for. Run it: python examples/notebook/imagenet_2012.py
"""

import numpy as np
from lesson import COLORS, Lesson

import fastnn as fn
from fastnn import data, models, nn, optim

lesson = Lesson(__doc__)
EXAMPLES, EPOCHS, SEEDS, KEPT = lesson.choose((200, 10, 1, slice(2, None, 2)),
                                              (1500, 10, 1, slice(None)))
pictures = data.load_fashion_mnist_small()
x, other_x = (np.pad(part[0], ((0, 0), (0, 0), (2, 2), (2, 2))).astype(np.float32) / 255
              for part in (pictures.train, pictures.test))  # 32x32
x, y, other_y = x[:EXAMPLES], pictures.train[1][:EXAMPLES], pictures.test[1]
mean_image, mean_channel = data.MeanImage().fit(x), data.ChannelMean().fit(x)


def alexnet(**options):
    return models.alexnet_2012(10, 1, kind="cifar", **options)


def vgg():
    """Eight layers, eight times narrower than VGG-11; pooling halves the sides, widths double."""
    pool = models.vgg.POOL
    return models.VGG((16, pool, 32, pool, 64, 64, pool, 64, 64, pool), 10, 1)


NETS = {  # name: (makes it, what is subtracted)
    "AlexNet": (alexnet, mean_image),
    "without LRN": (lambda: alexnet(lrn=False), mean_image),
    "without dropout": (lambda: alexnet(dropout=0.0), mean_image),
    "without the mean image": (alexnet, None),
    "VGG": (vgg, mean_channel),
    "VGG, no mean subtracted": (vgg, None),
}
NETS = dict(list(NETS.items())[KEPT])
found, parameters, first = {}, {}, None
for name, (make, mean) in NETS.items():
    runs = []
    for seed in range(SEEDS):
        fn.manual_seed(seed)
        net = make()
        whole = nn.Sequential(nn.Preprocess(mean), net) if mean else net
        optimizer = optim.AdamW(whole.parameters(), lr=1e-3, weight_decay=0.1)
        trainer = fn.Trainer(whole, "cross_entropy", optimizer,
                             optim.lr_scheduler.StepLR(optimizer, 2 * EPOCHS // 3, 0.1))
        trainer.fit((x, y), epochs=EPOCHS, batch_size=50, seed=seed)
        runs.append([trainer.evaluate(part)["accuracy"] for part in ((x, y), (other_x, other_y))])
        first = net if first is None else first
    found[name] = np.mean(runs, axis=0)
    parameters[name] = sum(parameter.size for parameter in net.parameters())

figure, axes = lesson.figure(1, 3, width=13, height=4, width_ratios=(1.6, 0.7, 1.1))
places = np.arange(len(found))
for shift, column, color, label in ((-0.2, 1, COLORS[0], "other pictures"),
                                    (0.2, 0, "#c5ccd6", "training pictures")):
    bars = axes[0].barh(places + shift, [value[column] for value in found.values()], 0.38,
                        color=color, label=label)
    axes[0].bar_label(bars, fmt="%.3f", fontsize=8, padding=2)
axes[0].set(yticks=places, yticklabels=list(found), xlim=(0, 1.1), xlabel="accuracy",
            title=f"{EXAMPLES} pictures, {EPOCHS} epochs")
axes[0].set_ylim(len(found) + 0.5, -0.6)  # downwards, with room for the legend
axes[0].legend(loc="lower center", ncols=2, fontsize=8)
axes[1].imshow(mean_image.mean[0], cmap="Greys")
axes[1].set(title="The mean image", xticks=(), yticks=())
kernels = first.features[0].weight.data[:, 0]
grid = np.pad(kernels / np.abs(kernels).max(axis=(1, 2), keepdims=True), ((0, 0), (1, 1), (1, 1)))
axes[2].imshow(grid.reshape(4, 8, 7, 7).swapaxes(1, 2).reshape(28, 56), cmap="Greys")
axes[2].set(title="AlexNet's first 32 kernels", xticks=(), yticks=())
for ax in axes[1:]:
    ax.grid(visible=False)
lesson.save(figure)
for name, (seen, other) in found.items():
    print(f"{name:26}{parameters[name]:>9,} parameters{seen:9.1%} of its own{other:7.1%} of others")
lesson.end(**{name.lower().replace(" ", "_").replace(",", ""): other
              for name, (_, other) in found.items()})
