"""A model that is frozen inside of another's step: a discriminator, a teacher."""

import numpy as np

import fastnn as fn
from fastnn import nn

RNG = np.random.default_rng(0)
Z = RNG.standard_normal((6, 5)).astype(np.float32)
X = RNG.standard_normal((6, 3, 8, 8)).astype(np.float32)


def generator():
    fn.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, 4))


def discriminator():
    fn.manual_seed(2)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.LeakyReLU(0.2), nn.Linear(8, 1))


class Gan(nn.Module):
    """What a discriminator says of what a generator makes."""

    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    def forward(self, z):
        return self.discriminator(self.generator(z))


def state_of(model):
    return {name: np.array(value) for name, value in model.state_dict().items()}


def changed(before, model):
    return {name for name, value in model.state_dict().items()
            if not np.array_equal(before[name], value)}


def names_of(plan):
    return [node.op.name for node in plan.graph.nodes]


def test_a_generator_learns_through_a_discriminator():
    made, judge = generator(), discriminator()
    gan = Gan(made, judge)
    judge.eval()
    step = fn.TrainStep(gan, lambda score: -score.mean(),
                        fn.optim.Adam(made.parameters(), lr=1e-2))
    judged, drawn = state_of(judge), state_of(made)
    losses = [step(Z) for _ in range(5)]
    assert losses[-1] < losses[0]
    assert not changed(judged, judge)
    assert {"0.weight", "1.running_mean", "3.bias"} <= changed(drawn, made)
    names = names_of(step.plan(Z.shape))
    assert names.count("linear_grad_weight") == 2  # the generator's
    assert names.count("batch_norm_update") == 1


def test_in_training_mode_only_its_statistics_move():
    made, judge = generator(), discriminator()
    step = fn.TrainStep(Gan(made, judge), lambda score: -score.mean(),
                        fn.optim.Adam(made.parameters(), lr=1e-2))
    judged = state_of(judge)
    step(Z)
    assert changed(judged, judge) == {"1.running_mean", "1.running_var", "1.num_batches_tracked"}


def test_both_steps_of_a_gan_take_turns():
    """The discriminator's step sees what the generator has become, and the other way round."""
    made, judge = generator(), discriminator()
    real = RNG.standard_normal((6, 4)).astype(np.float32)

    class Judging(nn.Module):
        def __init__(self):
            super().__init__()
            self.generator, self.discriminator = made, judge

        def forward(self, z, real):
            with fn.no_grad():
                fake = self.generator(z)
            return self.discriminator(fake).mean() - self.discriminator(real).mean()

    judging = fn.TrainStep(Judging(), lambda loss: loss, fn.optim.SGD(judge.parameters(), lr=0.05))
    making = fn.TrainStep(Gan(made, judge), lambda score: -score.mean(),
                          fn.optim.SGD(made.parameters(), lr=0.05))
    assert names_of(judging.plan((Z.shape, real.shape))).count("linear_grad_weight") == 4
    kept = state_of(made)
    first = judging((Z, real))
    assert {name for name in changed(kept, made) if "running" not in name} == {
        "1.num_batches_tracked"}
    making(Z)
    assert judging((Z, real)) != first


def test_a_teacher_of_a_student():
    """Distillation (Hinton et al., 2015): the teacher in eval mode, under no_grad."""
    def net(width):
        return nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(),
                             nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 5))

    teacher, student = net(16).eval(), net(4)

    class Distilled(nn.Module):
        def __init__(self):
            super().__init__()
            self.student, self.temperature = student, 2.0

        def forward(self, x):
            with fn.no_grad():
                target = fn.softmax(teacher(x) / self.temperature, 1)
            logs = fn.log_softmax(self.student(x) / self.temperature, 1)
            return fn.kl_div(logs, target, reduction="batchmean")

    step = fn.TrainStep(Distilled(), lambda loss: loss,
                        fn.optim.SGD(student.parameters(), lr=0.1))
    before = state_of(teacher)
    losses = [step(X) for _ in range(4)]
    assert losses[-1] < losses[0] and not changed(before, teacher)
    names = names_of(step.plan(X.shape))
    assert names.count("conv2d_grad_weight") == 1
    assert names.count("linear_grad_weight") == 1


def test_a_frozen_half_costs_no_gradient_of_its_weights():
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 1))
    model[2].requires_grad_(False)
    step = fn.TrainStep(model, lambda y: y.mean(), fn.optim.SGD(model.parameters(), lr=0.1))
    assert names_of(step.plan(Z.shape)).count("linear_grad_weight") == 2
