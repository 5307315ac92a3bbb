"""What does a budget cost that is larger than needed? Steps with it and without any, in turns.

    python -m bench.studies.ample --rounds 15

Both steps train the same net in one process and share its arena; each turn is some steps. `ratio`
is the median over rounds of the time with the budget over that without, with the least and most.
"""

import time

import numpy as np

import fastnn as fn
from bench.studies.options import add_rounds, add_threads, parser_of
from bench.studies.plan_nets import UNet, random_batch
from fastnn.bench.nets import NETS as SIZES
from fastnn.bench.nets import make

TURN = 0.05  # seconds, or one step


def net_of(name):
    """A net and the shape of its batch."""
    if name == "unet":
        return UNet(), (8, 3, 96, 96)
    return make(name), (SIZES[name].batch, *SIZES[name].example)


def timed(step, batch, count):
    start = time.perf_counter()
    for _ in range(count):
        step(*batch)
    return (time.perf_counter() - start) / count


def ratios(name, budget, rounds):
    """(milliseconds without a budget, ratios of the rounds), the first to go changing places."""
    net, shape = net_of(name)
    batch = random_batch(shape)
    optimizer = fn.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    loss = fn.nn.CrossEntropyLoss()
    steps = [fn.TrainStep(net, loss, optimizer, limit) for limit in (None, budget)]
    for step in steps:
        timed(step, batch, 2)
    count = max(1, int(TURN / timed(steps[0], batch, 2)))
    seconds = np.empty((rounds, 2))
    for number in range(rounds):
        for which in (0, 1) if number % 2 else (1, 0):
            seconds[number, which] = timed(steps[which], batch, count)
    return np.median(seconds[:, 0]) * 1e3, seconds[:, 1] / seconds[:, 0]


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--nets", nargs="+", default=["mlp-small", "mlp", "resnet20", "unet",
                                                      "resnet18"])
    parser.add_argument("--budgets", nargs="+", default=["8GiB", "auto"])
    add_rounds(parser, 15)
    add_threads(parser)
    options = parser.parse_args()
    fn.set_num_threads(options.threads)
    print(f"{'net':10s} {'budget':>6s} {'ms':>9s} {'ratio':>6s} {'least':>6s} {'most':>6s}")
    for name in options.nets:
        for budget in options.budgets:
            time_, found = ratios(name, budget, options.rounds)
            print(f"{name:10s} {budget:>6s} {time_:9.4g} {np.median(found):6.3f} "
                  f"{found.min():6.3f} {found.max():6.3f}", flush=True)


if __name__ == "__main__":
    main()
