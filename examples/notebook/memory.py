"""Gradient checkpointing: memory for time, for several nets.

A net keeps its activations until the backward pass has used them. It may drop some and compute
them again: each curve is what fastnn's planner can do for one net, from the least memory to the
least time, the memory of a step against its predicted time. The dotted line is half of the memory.
Run it: python examples/notebook/memory.py
"""

import numpy as np
from lesson import COLORS, DASHES, Lesson

import fastnn as fn
from fastnn import nn, optim

lesson = Lesson(__doc__)
BATCH = lesson.choose(16, 32)


def deep(layers=30):
    """A chain of equal convolutions, for which Chen et al. (2016) gave the rule of √n."""
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Tanh(), *(
        layer for _ in range(layers) for layer in (nn.Conv2d(16, 16, 3, padding=1), nn.Tanh())),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))


NETS = {"chain of 30 convolutions": deep, "ResNet-20": fn.models.resnet20,
        "VGG-11": lambda: fn.models.vgg11(num_classes=10),
        **lesson.choose({}, {"MobileNetV2": lambda: fn.models.mobilenet_v2(num_classes=10),
                             "DenseNet-121": lambda: fn.models.densenet121(num_classes=10)})}

figure, axes = lesson.figure(1, 1, width=8.5, height=4.6)
half, least = {}, {}
for number, (name, make) in enumerate(NETS.items()):
    model = make()
    step = fn.TrainStep(model, nn.CrossEntropyLoss(), optim.SGD(model.parameters(), lr=0.1))
    plan = step.plan((BATCH, 3, 32, 32))
    held = plan.peak_bytes - plan.layout.arena_bytes
    frontier = np.array(plan.frontier(), float)
    share = (frontier[:, 0] - held) / (frontier[-1, 0] - held)
    slower = frontier[:, 1] / frontier[-1, 1]
    half[name] = float(slower[share <= 0.5].min(initial=np.inf))
    axes.plot(share, slower, color=COLORS[number], linestyle=DASHES[number],
              drawstyle="steps-post",
              label=f"{name}: {(frontier[-1, 0] - held) / 2**20:.0f} MiB in all")
    least[name] = float(share[0])
    print(f"{name:26s} least memory {share[0]:.0%} at {slower[0]:.2f}x the time; "
          f"half the memory at {half[name]:.2f}x")
axes.axvline(0.5, color="#333333", linewidth=0.8, linestyle=":")
axes.set(xlabel="memory of a step, as a share of keeping all activations",
         ylabel="predicted time of a step", xlim=(0, 1.02), ylim=(0.96, 2.5),
         title=f"What memory costs in time, batches of {BATCH} pictures of 32x32")
axes.legend(fontsize=9)
lesson.save(figure)
lesson.end(chain_half=half["chain of 30 convolutions"], resnet_half=half["ResNet-20"],
           chain_least=least["chain of 30 convolutions"], vgg_least=least["VGG-11"])
