"""fastnn with a memory budget, as a peer that `fastnn.bench.serve` loads."""

import fastnn as fn
from bench.studies.plan_nets import resnet50
from fastnn._kernels import dispatch

LEARNING_RATE, MOMENTUM = 0.01, 0.9


class Peer:
    """Training steps within a budget."""

    def __init__(self, threads, budget):
        fn.set_num_threads(threads)
        fn.manual_seed(0)
        self.version, self.budget = f"fastnn {dispatch.level()}", budget

    def net(self, name, x, y):
        model = resnet50() if name == "resnet50" else fn.models.create(name)
        optimizer = fn.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
        step = fn.TrainStep(model, fn.nn.CrossEntropyLoss(), optimizer, self.budget)
        step.plan(x.shape)
        return {"step": lambda: step(x, y)}, sum(p.size for p in model.parameters())
