"""The deep nets of speech recognition, 2010: a window of frames, layers pretrained one by one.

Synthetic speech of eight sounds, by speakers of different pitch and in noise. Many frames of a
glide are those of a vowel, so that a net needs the frames around. Drawn: an utterance as energies
in bands, with the sounds that were spoken and heard; and the share of wrong frames of five systems.
Run it: python examples/notebook/speech_2010.py
"""

from itertools import pairwise

import numpy as np
from lesson import COLORS, Lesson

import fastnn as fn
from fastnn import data, nn, optim
from fastnn.pretraining import pretrain

lesson = Lesson(__doc__)
COUNT, SIZES, EPOCHS, PRETRAINED = lesson.choose((40, (64, 64), 12, 6), (150, (128,) * 4, 20, 10))
RATE, HOP, WINDOW, BANDS = 8000, 80, 200, 20  # samples a second, of a hop and of a frame
# Two formants at the start and at the end of each sound, in hertz; the last is a hiss.
SOUNDS = {"a": (700, 1200, 700, 1200), "i": (300, 2300, 300, 2300), "u": (300, 800, 300, 800),
          "ai": (700, 1200, 300, 2300), "ia": (300, 2300, 700, 1200), "ui": (300, 800, 300, 2300),
          "iu": (300, 2300, 300, 800), "s": None}
NAMES, random = list(SOUNDS), np.random.default_rng(0)


def spoken(sounds, speaker):
    """(samples, the number of the sound in each frame) of an utterance."""
    parts, frames = [], []
    for number in sounds:
        length, formants = int(random.integers(8, 16)), SOUNDS[NAMES[number]]
        frames += [number] * length
        if formants is None:
            parts.append(np.diff(random.standard_normal(length * HOP + 1)))
            continue
        start, end = np.array(formants).reshape(2, 2, 1)
        hertz = speaker * (start + (end - start) * np.linspace(0, 1, length * HOP))
        parts.append([1.0, 0.6] @ np.sin(2 * np.pi * np.cumsum(hertz, axis=1) / RATE))
    samples = np.concatenate([*parts, np.zeros(WINDOW - HOP)])
    return samples + 0.5 * random.standard_normal(len(samples)), np.array(frames)


def energies(samples, count):
    """Logarithms of the energy in triangular bands of the mel scale, of each frame."""
    frames = np.stack([samples[i * HOP:i * HOP + WINDOW] for i in range(count)])
    power = np.abs(np.fft.rfft(frames * np.hamming(WINDOW), 256)) ** 2
    mel = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1) / RATE * 256
    bands = [np.interp(np.arange(129), edges[i:i + 3], [0, 1, 0]) for i in range(BANDS)]
    return np.log(power @ np.array(bands).T + 1e-3)


def sets(reach):
    """(x, y) to train on and to test, standardised: each frame with `reach` to either side."""
    found = []
    for part in (slice(COUNT // 3, None), slice(COUNT // 3)):
        padded = [np.pad(each, ((reach, reach), (0, 0)), mode="edge") for each in spectra[part]]
        x = np.vstack([np.hstack([each[i:len(each) - 2 * reach + i] for i in range(2 * reach + 1)])
                       for each in padded]).astype(np.float32)
        scale = scale if found else data.Standardize().fit(x)  # noqa: F821
        found.append((scale.transform(x), np.concatenate(labels[part])))
    return found


def net(inputs, activation, init):
    """Layers of the sizes above, with weights by a rule."""
    layers = []
    for size in SIZES:
        layers += [nn.Linear(inputs, size), activation()]
        init(layers[-2].weight)
        nn.init.zeros_(layers[-2].bias)
        inputs = size
    return nn.Sequential(*layers)


utterances = [spoken(random.integers(0, len(SOUNDS), 8), random.uniform(0.8, 1.2))
              for _ in range(COUNT)]
labels = [frames for _, frames in utterances]
spectra = [energies(samples, len(frames)) for samples, frames in utterances]
inputs = {reach: sets(reach) for reach in (0, 5)}
SYSTEMS = {  # name: (frames to either side, makes the layers below the last)
    "linear, 1 frame": (0, lambda x: nn.Sequential()),
    "net of today, 1 frame": (0, lambda x: net(x.shape[1], nn.ReLU, nn.init.kaiming_normal_)),
    "sigmoid, 11 frames": (5, lambda x: net(
        x.shape[1], nn.Sigmoid, lambda weight: nn.init.normal_(weight, 0, 0.01))),
    "the same, pretrained": (5, lambda x: pretrain(x, SIZES, epochs=PRETRAINED,
                                                   visible_type="gaussian")),
    "net of today, 11 frames": (5, lambda x: net(x.shape[1], nn.ReLU, nn.init.kaiming_normal_))}
wrong, heard = {}, {}
for name, (reach, make) in SYSTEMS.items():
    fn.manual_seed(0)
    (x, y), test = inputs[reach]
    model = make(x)
    model.append(nn.Linear(SIZES[-1] if len(model) else x.shape[1], len(SOUNDS)))
    trainer = fn.Trainer(model, "cross_entropy", optim.Adam(model.parameters(), lr=1e-3))
    trainer.fit((x, y), epochs=EPOCHS, batch_size=64, seed=0)
    wrong[name] = 1 - trainer.evaluate(test)["accuracy"]
    heard[name] = trainer.predict(test[0][:len(labels[0])]).argmax(axis=1)

figure, (left, right) = lesson.figure(1, 2, width=12, height=4.4, width_ratios=(1.5, 1))
left.imshow(spectra[0].T, origin="lower", aspect="auto", cmap="Greys",
            extent=(0, len(labels[0]), 0, BANDS))
for row, sounds in enumerate((heard["the same, pretrained"], labels[0])):
    ends, height = [0, *(np.flatnonzero(np.diff(sounds)) + 1), len(sounds)], BANDS + 1.2 + 2.2 * row
    for start, end in pairwise(ends):
        left.plot([start + 0.2, end - 0.2], [height] * 2, color=COLORS[row], lw=3, linestyle="-")
        if end - start > 2:
            left.text((start + end) / 2, height + 0.3, NAMES[sounds[start]], ha="center",
                      va="bottom", fontsize=9)
left.set(ylim=(0, BANDS + 6), xlabel="frame (10 ms)", yticks=(0, 10, 20), ylabel="band",
         title="Spoken (upper line) and heard (lower line)")
left.grid(visible=False)
bars = right.barh(list(wrong), list(wrong.values()), color=COLORS[0])
right.bar_label(bars, [f" {value:.1%}" for value in wrong.values()], fontsize=9)
right.invert_yaxis()
right.set(xlabel="wrong frames", title="Other utterances", xlim=(0, 1.2 * max(wrong.values())))
lesson.save(figure)
keys = ("linear", "one_frame", "random", "pretrained", "today")
lesson.end(**dict(zip(keys, wrong.values(), strict=True)))
