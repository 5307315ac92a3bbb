"""PyTorch's ResNets with `torch.utils.checkpoint` placed by hand; `fastnn.bench.serve` loads it.

A net is a stem, blocks in stages, and a head. PLACES say which runs of blocks (the stem counts as
one) are computed again in the backward pass. Running statistics then move twice in a step, which
a user would have to mend; neither time nor memory depend on it.
"""

import math
import re
from functools import partial

import torch
from torch import nn
from torch.nn import functional
from torch.utils import checkpoint
from torch_nets import ResNet

LEARNING_RATE, MOMENTUM = 0.01, 0.9

again = partial(checkpoint.checkpoint, use_reentrant=False, preserve_rng_state=False)


def pair(block, x):
    """A basic block as in torch_nets, with sums and ReLU in place as torchvision has them."""
    y = block.bn2(block.conv2(opening(block, x)))
    return joined(block, y, x)


def halved(block, x):
    """The same with both halves computed again: only their inputs are kept."""
    return again(lambda y, x: joined(block, block.bn2(block.conv2(y)), x),
                 again(partial(opening, block), x), x)


def opening(block, x):
    return functional.relu_(block.bn1(block.conv1(x)))


def joined(block, y, x):
    if block.downsample is not None:
        x = block.downsample(x)
    elif block.extra:
        x = functional.pad(x[:, :, :: block.stride, :: block.stride],
                           (0, 0, 0, 0, 0, block.extra))
    return functional.relu_(y.add_(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions with a skip; the stride is the 3x3's, as in torchvision."""

    def __init__(self, inputs, width, stride):
        super().__init__()
        outputs = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = functional.relu_(self.bn1(self.conv1(x)))
        y = functional.relu_(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return functional.relu_(y.add_(x if self.downsample is None else self.downsample(x)))


class ResNet50(nn.Module):
    """ResNet-50 for images of 224 pixels."""

    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.stages, channels = 4, 64
        for number, count in enumerate((3, 4, 6, 3), 1):
            width, blocks = 32 << number, []
            for place in range(count):
                stride = 2 if number > 1 and place == 0 else 1
                blocks.append(Bottleneck(channels, width, stride))
                channels = 4 * width
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)


def make(name, classes):
    """resnet50, resnet18, or a CIFAR net of 6 n + 2 layers."""
    if name == "resnet50":
        return ResNet50(classes)
    if name == "resnet18":
        return ResNet((64, 128, 256, 512), 2, plain=False)
    return ResNet((16, 32, 64), (int(re.fullmatch(r"resnet(\d+)", name)[1]) - 2) // 6, plain=True)


def runs(units, length):
    """Units in runs of at most so many."""
    return [units[start:start + length] for start in range(0, len(units), length)]


def chain(units):
    """One function of several in a row."""
    def run(x):
        for unit in units:
            x = unit(x)
        return x
    return run


def remade(unit):
    """The function, computed again in the backward pass."""
    return partial(again, unit)


def halving(units):
    """Computed again as a whole, and the halves of it again, down to single blocks."""
    if len(units) == 1:
        return remade(units[0])
    middle = len(units) // 2
    return remade(chain([halving(units[:middle]), halving(units[middle:])]))


def flat(stages):
    return [unit for stage in stages for unit in stage]


def root(stages):
    return math.isqrt(len(flat(stages)))


# From stages of units to what runs: nothing again, each stage, runs of blocks, each block, both.
PLACES = {
    "none": flat,
    "stages": lambda stages: [remade(chain(stage)) for stage in stages],
    "sqrt": lambda stages: [remade(chain(run)) for run in runs(flat(stages), root(stages))],
    "blocks": lambda stages: [remade(unit) for unit in flat(stages)],
    "sqrt and blocks": lambda stages: [remade(chain([remade(unit) for unit in run]))
                                       for run in runs(flat(stages), root(stages))],
    "halving": lambda stages: [halving(flat(stages))],
}
PLACES["halves of blocks"] = PLACES["none"]
PLACES["blocks and halves"] = PLACES["blocks"]


class Peer:
    """Training steps with a net's blocks computed again where `place` says."""

    def __init__(self, threads, place, channels_last=True):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        self.version = f"torch {torch.__version__}"
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.place = place

    def _units(self, model, pool):
        """The stem as the first block of the first stage, then the blocks of each stage."""
        def stem(x):
            x = functional.relu_(model.bn1(model.conv1(x)))
            return functional.max_pool2d(x, 3, 2, padding=1) if pool else x

        run = halved if "halves" in self.place else pair
        stages = [[block if isinstance(block, Bottleneck) else partial(run, block)
                   for block in model.get_submodule(f"layer{number}")]
                  for number in range(1, model.stages + 1)]
        stages[0].insert(0, stem)
        return PLACES[self.place](stages)

    def net(self, name, x, y):
        classes = 1000 if name == "resnet50" else 10
        model = make(name, classes).to(memory_format=self.format)
        features = chain(self._units(model, pool=name == "resnet50"))
        x = torch.from_numpy(x).contiguous(memory_format=self.format)
        y = torch.from_numpy(y)
        optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM,
                                    fused=True)
        criterion = torch.nn.CrossEntropyLoss()

        def step():
            optimizer.zero_grad()
            output = functional.adaptive_avg_pool2d(features(x), 1).flatten(1)
            loss = criterion(model.fc(output), y)
            loss.backward()
            optimizer.step()
            return loss.item()

        return {"step": step}, sum(p.numel() for p in model.parameters())
