"""Several nets are right more often than one, and know better how sure to be; what it costs.

Members that were trained alone from different seeds err differently, and the mean of their
probabilities is better than each. Cheaper sources: snapshots of one run at the ends of cosine
cycles; the mean of weights along one run, which costs nothing in use; and dropout's masks at test
time. Left: accuracy by members. Middle: loss of each, as trained and with a calibrated temperature.
Right: confidence against accuracy. Run it: python examples/notebook/ensemble.py
"""

import numpy as np
from lesson import COLORS, DASHES, Lesson

import fastnn as fn
from fastnn import data, metrics, nn, optim
from fastnn.ensembles import Snapshots

lesson = Lesson(__doc__)
EXAMPLES, EPOCHS, MEMBERS, CYCLES, MAPS = lesson.choose((500, 18, 3, 3, 8), (2000, 40, 6, 5, 16))
pictures = data.load_fashion_mnist_small()
x = np.concatenate([pictures.train[0], pictures.test[0]]).astype(np.float32) / 255
y = np.concatenate([pictures.train[1], pictures.test[1]])
held, test = ((x[part], y[part]) for part in (slice(-3000, -2500), slice(-2500, None)))
x, y = x[:EXAMPLES], y[:EXAMPLES]  # some train, 500 calibrate, 2,500 are measured


def net():
    """A small convolutional net with dropout."""
    return nn.Sequential(
        nn.Conv2d(1, MAPS, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(MAPS, 2 * MAPS, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(2 * MAPS * 49, 8 * MAPS), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8 * MAPS, 10))


def train(model, epochs=EPOCHS, cycles=1, callbacks=()):
    """A run whose rate falls along cosines, and starts anew after each cycle."""
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=epochs // cycles)
    trainer = fn.Trainer(model, "cross_entropy", optimizer, schedule, callbacks=list(callbacks))
    trainer.fit((x, y), epochs=epochs, batch_size=50)


def measured(log_chances):
    """(accuracy, loss, calibration error) of logarithms of probabilities."""
    found = [metrics.metric(name) for name in ("accuracy", "nll", "ece")]
    for metric in found:
        metric.update(log_chances, test[1])
    return [float(metric.value()) for metric in found]


def both(crowd):
    """Measured as it is, and with the temperature that fits the held half."""
    plain = measured(crowd.predict_log_proba(test[0]))
    return plain, measured(crowd.calibrate(*held).predict_log_proba(test[0]))


runs = fn.Ensemble.trained(net, train, MEMBERS)
fn.manual_seed(0)
snapshots, cycled = Snapshots(EPOCHS // CYCLES), net()
train(cycled, EPOCHS, CYCLES, [snapshots])
fn.manual_seed(0)
constant = net()
average = optim.swa_utils.AveragedModel(constant)
fn.Trainer(constant, "cross_entropy", optim.Adam(constant.parameters(), lr=2e-3), callbacks=[
    lambda trainer: trainer.epoch > EPOCHS // 2 and average.update_parameters(constant),
]).fit((x, y), epochs=EPOCHS, batch_size=50)  # the mean of the weights of its second half

sizes = range(1, MEMBERS + 1)
by_size = [[measured(fn.Ensemble([runs.members[(first + i) % MEMBERS] for i in range(size)])
                     .predict_log_proba(test[0])) for first in range(MEMBERS)] for size in sizes]
by_size = np.array(by_size)  # (sizes, first member, figures)
masks = measured(np.log(fn.mc_dropout(runs.members[0], test[0], samples=30).probabilities))
crowds = {"one net": fn.Ensemble([runs.members[0]]), f"{MEMBERS} runs": runs,
          f"{CYCLES} snapshots of one": snapshots.ensemble(cycled),
          "last of them": fn.Ensemble([cycled]), "constant rate": fn.Ensemble([constant]),
          "its mean weights": fn.Ensemble([average.module])}
sure = {"one net": runs.members[0](test[0])}
found = {name: both(crowd) for name, crowd in crowds.items()}
sure["one, calibrated"] = crowds["one net"].predict_log_proba(test[0])
sure[f"{MEMBERS} runs, calibrated"] = runs.predict_log_proba(test[0])
found["30 masks of dropout"] = masks, None

figure, (left, middle, right) = lesson.figure(1, 3, width=14, height=4.2)
left.fill_between(sizes, by_size[:, :, 0].min(1), by_size[:, :, 0].max(1), color="#d8e0ea")
left.plot(sizes, by_size[:, :, 0].mean(1), "o-")
left.set(xlabel="members", ylabel="accuracy", title="Independent runs: mean and range")
for place, (plain, calm) in enumerate(found.values()):
    middle.plot(plain[1], place, "o", markerfacecolor="white", color=COLORS[0], markersize=8,
                label=None if place else "as trained")
    if calm:
        middle.plot(calm[1], place, "D", color=COLORS[1], label=None if place else "calibrated")
middle.set(yticks=range(len(found)), yticklabels=list(found), xlabel="loss (-log p)",
           title="Loss of each")
middle.invert_yaxis()
middle.legend()
for place, (name, chances) in enumerate(sure.items()):
    confidence, accuracy, share = metrics.reliability(chances, test[1], bins=10).value().T
    full = share >= 0.02
    right.plot(confidence[full], accuracy[full], marker="o", color=COLORS[place],
               linestyle=DASHES[place], label=name)
right.plot([0, 1], [0, 1], color="#999999", linestyle="-", linewidth=0.8)
right.set(xlabel="confidence", ylabel="accuracy", title="As sure as right?", xlim=(0.2, 1))
right.legend(fontsize=9)
lesson.save(figure)

print(f"{'':24}{'accuracy':>9}{'loss':>8}{'error':>8}{'calibrated: loss':>18}{'error':>8}")
for name, (plain, calm) in found.items():
    print(f"{name:24}{plain[0]:9.1%}{plain[1]:8.3f}{plain[2]:8.3f}"
          + (f"{calm[1]:18.3f}{calm[2]:8.3f}" if calm else ""))
cost, few = runs.cost(test[0][:256]), f"{CYCLES} snapshots of one"
print(cost)
lesson.end(one=by_size[0, :, 0].mean(), crowd=by_size[-1, 0, 0], one_loss=by_size[0, :, 1].mean(),
           crowd_loss=by_size[-1, 0, 1], calibrated_loss=found["one net"][1][1],
           crowd_calibrated_loss=found[f"{MEMBERS} runs"][1][1], one_ece=found["one net"][0][2],
           calibrated_ece=found["one net"][1][2], snapshots=found[few][0][0],
           last=found["last of them"][0][0], snapshots_loss=found[few][0][1],
           last_loss=found["last of them"][0][1], mean_weights=found["its mean weights"][0][0],
           constant=found["constant rate"][0][0], masks=masks[0], masks_loss=masks[1],
           cost=cost.parameters / cost.one.parameters)
