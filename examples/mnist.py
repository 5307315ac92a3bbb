"""PyTorch's classic MNIST script, on the 5,000 pictures of Fashion-MNIST that ship with fastnn.

A module of one's own, a loop over epochs and batches, dropout, a schedule, a test; a file of
weights at the end. Run it: python examples/mnist.py
"""

import tempfile
from pathlib import Path

import fastnn as fn
from fastnn import nn, optim
from fastnn.data import Batches, Standardize, load_fashion_mnist_small

EPOCHS = 2


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3)
        self.conv2 = nn.Conv2d(32, 64, 3)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = fn.relu(self.conv1(x))
        x = fn.relu(self.conv2(x))
        x = self.dropout1(fn.max_pool2d(x, 2))
        x = fn.relu(self.fc1(x.flatten(1)))
        return fn.log_softmax(self.fc2(self.dropout2(x)), dim=1)


def test(model, x, y):
    model.eval()
    output = model(x)  # an array in, an array out; no gradients are kept, so none are switched off
    model.train()
    return float(fn.nll_loss(output, y)), (output.argmax(1) == y).mean()


fn.manual_seed(1)
data = load_fashion_mnist_small()
standardize = Standardize().fit(data.train[0])
batches = Batches(*data.train, batch_size=64, seed=1, preprocess=standardize)
held_out = standardize.transform(data.test[0]), data.test[1]

model = Net()
optimizer = optim.Adadelta(model.parameters(), lr=1.0)
schedule = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
step = fn.TrainStep(model, fn.nll_loss, optimizer)  # zero_grad, forward, backward and step

for epoch in range(EPOCHS):
    for number, (x, y) in enumerate(batches.epoch(epoch)):
        loss = step(x, y)
        if number % 20 == 0:
            print(f"epoch {epoch + 1}  batch {number:2d} of {len(batches)}  loss {loss:.4f}")
    schedule.step()
    loss, accuracy = test(model, *held_out)
    print(f"epoch {epoch + 1}  test loss {loss:.4f}  accuracy {accuracy:.3f}")

with tempfile.TemporaryDirectory() as folder:
    fn.save(Path(folder) / "mnist.safetensors", model)  # the names and shapes are PyTorch's
    again = Net()
    fn.load(Path(folder) / "mnist.safetensors", again)
print(f"accuracy {test(again, *held_out)[1]:.3f}")
