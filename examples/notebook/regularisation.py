"""What keeps a net from learning its examples by heart: dropout, DropConnect, decay, smoothing.

A large net learns a few hundred pictures by heart. Each remedy alone, over several seeds: left,
accuracy on the training pictures and on others; right, the loss on others along training, where
early stopping would stop. Weights that die away, masks and soft labels all lower the gap; how much
is gained is another matter. Run it: python examples/notebook/regularisation.py
"""

import numpy as np
from lesson import COLORS, DASHES, Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
EXAMPLES, EPOCHS, SEEDS, WIDTH = lesson.choose((300, 25, 1, 256), (500, 60, 3, 512))
pictures = data.load_fashion_mnist_small()
scale = data.Standardize().fit(pictures.train[0])
x, other_x = (scale.transform(part[0]).reshape(len(part[0]), -1)
              for part in (pictures.train, pictures.test))
x, y, other_y = x[:EXAMPLES], pictures.train[1][:EXAMPLES], pictures.test[1]


def net(drop=None, connect=None):
    """Two wide hidden layers; drop, connect: shares of values and of weights that are dropped."""
    layers = [nn.Dropout(0.4)] if drop else []
    for inputs, outputs in ((784, WIDTH), (WIDTH, WIDTH), (WIDTH, 10)):
        layer = nn.Linear(inputs, outputs)
        is_last = outputs == 10
        layers.append(nn.DropConnect(layer, connect) if connect and not is_last else layer)
        if not is_last:
            layers += [nn.ReLU(), nn.Dropout(drop)] if drop else [nn.ReLU()]
    return nn.Sequential(*layers)


# name: (options of the net, weight decay, label smoothing)
REMEDIES = {
    "none": ({}, 0.0, 0.0),
    "dropout 0.5 (inputs 0.4)": ({"drop": 0.5}, 0.0, 0.0),
    "DropConnect 0.7": ({"connect": 0.7}, 0.0, 0.0),
    "weight decay 5": ({}, 5.0, 0.0),
    "label smoothing 0.1": ({}, 0.0, 0.1),
    "dropout and decay": ({"drop": 0.5}, 5.0, 0.0),
}


def trained(remedy, seed):
    """The history of a fit, whose losses are without smoothing."""
    options, decay, smoothing = REMEDIES[remedy]
    fn.manual_seed(seed)
    model = net(**options)
    optimizer = optim.AdamW(model.parameters(), lr=5e-4, weight_decay=decay)
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(label_smoothing=smoothing), optimizer,
                         metrics=["accuracy", "nll"])
    trainer.fit((x, y), validation=(other_x, other_y), epochs=EPOCHS, batch_size=50, seed=seed)
    seen = trainer.evaluate((x, y))["accuracy"]
    return seen, [[record[f"validation_{name}"] for name in ("accuracy", "nll")]
                  for record in trainer.history]


figure, (left, right) = lesson.figure(1, 2, width=12, height=4.2)
gaps, accuracies, losses, stopped, table = {}, {}, {}, {}, []
for place, remedy in enumerate(REMEDIES):
    runs = [trained(remedy, seed) for seed in range(SEEDS)]
    seen = np.mean([run[0] for run in runs])
    curves = np.array([run[1] for run in runs])  # (seeds, epochs, 2)
    ends, loss = curves[:, -1, 0], curves[:, :, 1].mean(axis=0)
    best = curves[:, :, 1].argmin(axis=1)
    accuracies[remedy], gaps[remedy] = ends.mean(), seen - ends.mean()
    losses[remedy] = loss[-1]
    stopped[remedy] = curves[np.arange(SEEDS), best, 0].mean(), curves[:, :, 1].min(1).mean()
    table.append(f"{remedy:25}{seen:9.1%}{ends.mean():9.1%} ± {ends.std():.1%}"
                 f"{loss[-1]:8.2f}{best.mean() + 1:8.0f}{stopped[remedy][0]:9.1%}"
                 f"{stopped[remedy][1]:8.2f}")
    left.plot([ends.mean(), seen], [place, place], color="#999999", linestyle="-", zorder=1)
    left.scatter([seen], [place], s=55, facecolor="white", edgecolor=COLORS[0], zorder=2,
                 label=None if place else "the training pictures")
    left.scatter(ends, [place] * SEEDS, s=25, color=COLORS[1], marker="D", zorder=3,
                 label=None if place else "others, each seed")
    color, dash = COLORS[place], DASHES[place]
    right.plot(range(1, EPOCHS + 1), loss, color=color, linestyle=dash, label=remedy)
    right.plot(loss.argmin() + 1, loss.min(), "o", color=color, markersize=5)
left.set(yticks=range(len(REMEDIES)), yticklabels=list(REMEDIES), xlabel="accuracy",
         title=f"Learned by heart, and learned ({EXAMPLES} pictures)")
left.set_ylim(len(REMEDIES) + 0.5, -0.5)  # downwards, with room for the legend
left.legend(loc="lower center", fontsize=9)
right.set(xlabel="epoch", ylabel="loss (-log p)", title="Loss on others; dots: where to stop",
          ylim=(0.4, None))
right.legend(fontsize=9)
lesson.save(figure)

print(f"{'':25}{'seen':>9}{'others':>9}{'':7}{'loss':>8}{'stop at':>8}{'others':>9}{'loss':>8}")
print("\n".join(table))
names = ("none", "dropout", "dropconnect", "decay", "smoothing", "both")
lesson.end(gap=gaps["none"], stopped_loss=stopped["none"][1], stopped_accuracy=stopped["none"][0],
           **{f"{name}_loss": loss for name, loss in zip(names, losses.values(), strict=True)},
           **{f"{name}_accuracy": accuracy
              for name, accuracy in zip(names, accuracies.values(), strict=True)})
