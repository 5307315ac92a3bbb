"""Small nets that together have everything a plan must get right, and batches for them."""

import numpy as np

import fastnn as fn
from fastnn import nn, optim


class Block(nn.Module):
    """Conv-BN-ReLU-conv-BN with a skip, as in ResNet."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x):
        y = self.bn2(self.conv2(fn.relu(self.bn1(self.conv1(x)))))
        return fn.relu(y + x)


class Residual(nn.Module):
    """A stem with pooling, a block used twice, dropout, global average, a head."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 6, 3, padding=1)
        self.block = Block(6)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        x = fn.max_pool2d(fn.relu(self.stem(x)), 2)
        x = self.block(self.block(x))
        x = fn.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.head(self.drop(x))


class Dense(nn.Module):
    """Concatenation of all earlier values, as in DenseNet; overlapping pools, slices, gelu."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(2 + 3 * i, 3, 3, padding=1) for i in range(3))
        self.norm = nn.BatchNorm2d(11)
        self.head = nn.Linear(11, 4)

    def forward(self, x):
        for layer in self.layers:
            x = fn.cat([x, fn.gelu(layer(x))], 1)
        x = fn.relu(self.norm(x))
        pooled = fn.max_pool2d(x, 3, stride=2, padding=1) + fn.avg_pool2d(x, 2)
        x = pooled[:, :, 1:, ::2] * fn.sigmoid(x.mean((2, 3), keepdim=True))
        return self.head(x.mean((2, 3)))


class Mlp(nn.Module):
    """Linear, batch norm of vectors, dropout of values and of weights, a softmax gate."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Linear(32, 16), nn.BatchNorm1d(16)
        self.second = nn.DropConnect(nn.Linear(16, 16), 0.3)
        self.third = nn.Linear(16, 4)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x = fn.relu(self.norm(self.first(x.flatten(1))))
        x = self.drop(fn.relu(self.second(x))) * (fn.softmax(x, 1) + 0.5)
        return self.third(x)


NETS = {"residual": Residual, "dense": Dense, "mlp": Mlp}


def batch(count=6, seed=0):
    """Images (count, 2, 8, 8) for the convolutional nets, with their classes."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((count, 2, 8, 8)).astype(np.float32), rng.integers(0, 4, count)


def batch_for(name, count=6, seed=0):
    """A batch that fits a net of NETS."""
    x, y = batch(count, seed)
    return (x[:, :, :4, :4].copy(), y) if name == "mlp" else (x, y)


def make(name, seed=0):
    """A net of NETS with weights from a seed."""
    fn.manual_seed(seed)
    return NETS[name]()


def make_step(name="residual", **kwargs):
    """A net and its training step."""
    model = make(name)
    return model, fn.TrainStep(model, nn.CrossEntropyLoss(),
                               optim.SGD(model.parameters(), lr=0.1, momentum=0.9), **kwargs)


def state_of(model):
    """Copies of its parameters and buffers."""
    return {name: value.copy() for name, value in model.state_dict().items()}


def same_state(one, other):
    """The same bits?"""
    return all(one[name].tobytes() == other[name].tobytes() for name in one)
