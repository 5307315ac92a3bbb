"""Initial weights: what carries a signal through 10, 20 and 50 layers, and what equal weights do.

First picture: the standard deviation of values (above) and of the loss's gradient (below) from
layer to layer, for tanh and ReLU: small random weights collapse to 0, large ones saturate or
explode, Xavier suits tanh and He suits ReLU. Printed: a net whose weights all begin equal learns
one unit, however many it has. Run it: python examples/notebook/initialisation.py
"""

import matplotlib.pyplot as plt
import numpy as np
from lesson import Lesson

import fastnn as fn
from fastnn import data, nn, optim

lesson = Lesson(__doc__)
tanh = fn.init.scan(activation=nn.Tanh)
relu = fn.init.scan(activation=nn.ReLU)
for scan in (tanh, relu):
    print(scan, end="\n\n")
    figure = scan.plot()
    path = lesson.path(part=scan.activation.lower())
    figure.savefig(path)
    plt.close("all")
    print(f"wrote {path}\n")

pictures = data.load_fashion_mnist_small()
x = data.Standardize().fit_transform(pictures.train[0][:1000]).reshape(1000, -1)
y = pictures.train[1][:1000]


def trained(fill):
    """(how many different units the hidden layer has after training, the accuracy)."""
    fn.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 32), nn.Tanh(), nn.Linear(32, 10))
    for layer in (model[0], model[2]):
        fill(layer.weight)
        nn.init.zeros_(layer.bias)
    trainer = fn.Trainer(model, nn.CrossEntropyLoss(),
                         optim.SGD(model.parameters(), lr=0.05, momentum=0.9), callbacks=[])
    trainer.fit((x, y), epochs=lesson.choose(5, 20), batch_size=50, seed=0)
    units = np.unique(model[0].weight.data.round(4), axis=0)
    return len(units), trainer.evaluate((x, y))["accuracy"]


equal, accuracy_equal = trained(lambda weight: nn.init.constant_(weight, 0.05))
random, accuracy_random = trained(nn.init.xavier_normal_)
print(f"all weights 0.05: {equal} different of 32 units, accuracy {accuracy_equal:.3f}")
print(f"Xavier:           {random} different of 32 units, accuracy {accuracy_random:.3f}")

lesson.end(small_last=tanh["normal, std 0.01", 50].std[-1], xavier_last=tanh["Xavier", 50].std[-1],
           he_last=relu["He", 50].std[-1], xavier_relu_last=relu["Xavier", 50].std[-1],
           large_flat=tanh["normal, std 0.3", 50].flat[-1], equal_units=equal,
           random_units=random, accuracy_equal=accuracy_equal, accuracy_random=accuracy_random)
