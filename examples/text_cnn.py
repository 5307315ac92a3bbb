"""Sentences by a CNN: an embedding, convolutions over two and three words, the maximum over time.

The sentences are made up: whether one is kind depends on pairs of words ("not bad", "very good"),
which words alone do not tell. (Kim, "Convolutional neural networks for sentence classification",
2014) Run it: python examples/text_cnn.py
"""

import numpy as np

import fastnn as fn
from fastnn import nn, optim

LENGTH = 16
FILLERS = ["the", "a", "film", "plot", "actor", "scene", "was", "with", "and", "story", "end"]
WORDS = ["<pad>", "very", "not", "good", "bad", *FILLERS]
NUMBERS = {word: number for number, word in enumerate(WORDS)}


def sentence(rng):
    """Words, and 1 if it is kind: "very good" and "not bad" are, "not good" and "very bad" not."""
    kind = rng.integers(2)
    pair = [["not good", "very bad"], ["very good", "not bad"]][kind][rng.integers(2)].split()
    fillers = rng.choice(FILLERS, rng.integers(4, LENGTH - 1))
    place = rng.integers(len(fillers) + 1)
    return [*fillers[:place], *pair, *fillers[place:]], kind


def sentences(count, rng):
    """Numbers of words (count, LENGTH), padded with 0, and classes."""
    numbers, classes = np.zeros((count, LENGTH), np.int64), np.zeros(count, np.int64)
    for row, at in zip(numbers, range(count), strict=True):
        words, classes[at] = sentence(rng)
        row[:len(words)] = [NUMBERS[word] for word in words]
    return numbers, classes


def batches(numbers, classes, size=50):
    return [(numbers[i:i + size], classes[i:i + size]) for i in range(0, len(classes), size)]


class TextCNN(nn.Module):
    def __init__(self, embedding=16, filters=16, widths=(2, 3)):
        super().__init__()
        self.embedding = nn.Embedding(len(WORDS), embedding, padding_idx=0)
        self.convolutions = nn.ModuleList(nn.Conv1d(embedding, filters, w) for w in widths)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(filters * len(widths), 2)

    def forward(self, numbers):
        x = self.embedding(numbers).transpose(1, 2)  # (N, words, channels) to (N, channels, words)
        found = [fn.relu(convolve(x)).amax(dim=2) for convolve in self.convolutions]
        return self.head(self.dropout(fn.cat(found, dim=1)))


fn.manual_seed(0)
rng = np.random.default_rng(0)
training, held_out = sentences(2000, rng), sentences(500, rng)
model = TextCNN()
trainer = fn.Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=5e-3),
                     metrics=["accuracy"])
for record in trainer.fit(batches(*training), validation=[held_out], epochs=6):
    print(f"epoch {record['epoch']}  loss {record['loss']:.4f}  "
          f"validation accuracy {record['validation_accuracy']:.3f}")
print(f"accuracy {trainer.evaluate([held_out])['accuracy']:.3f}")
