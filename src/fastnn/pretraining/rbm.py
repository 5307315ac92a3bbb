"""Restricted Boltzmann machines: a layer that is trained without labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnn.arguments import choice, flag, integer, real
from fastnn.data.arrays import as_float, pieces
from fastnn.data.batches import Batches
from fastnn.engine.inputs import NonFiniteError, as_input
from fastnn.engine.train_step import TrainStep
from fastnn.graph import as_tensor
from fastnn.nn.init import normal_
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.ops.linear import linear
from fastnn.ops.matmul import matmul
from fastnn.ops.pointwise import FUNCTIONS
from fastnn.ops.random import bernoulli, randn
from fastnn.optim.sgd import SGD
from fastnn.plan.budget import Budget
from fastnn.runtime.locks import process_lock
from fastnn.runtime.random import get_rng_state, next_step
from fastnn.spec import ShapeError
from fastnn.training.prediction import Outputs, computed

BATCH = 256  # examples at a time, where nothing is trained
VISIBLE = ("bernoulli", "gaussian")
sigmoid, softplus, square = (FUNCTIONS[name] for name in ("sigmoid", "softplus", "square"))


class RBM(Module):
    """A restricted Boltzmann machine of `visible` and `hidden` units, each either 0 or 1.

    p(v, h) ∝ exp(aᵀv + bᵀh + hᵀWv), so that units of one kind are independent given the others:
    p(h = 1 | v) = σ(W v + b), p(v = 1 | h) = σ(Wᵀ h + a). Called, it returns p(h = 1 | v), as a
    layer does. `fit` raises the likelihood of examples by contrastive divergence.

    visible_type: "bernoulli" for values in [0, 1], or "gaussian" for real ones of variance 1 (see
    `data.Standardize`), with p(v | h) a Gaussian around Wᵀh + a. Parameters: weight (hidden,
    visible), visible_bias, hidden_bias; weight and hidden_bias are those of an `nn.Linear`.

    Raises ValueError for sizes below 1 or another visible_type.

    Source: Smolensky, 1986; Hinton, "Training products of experts by minimizing contrastive
    divergence", 2002, and "A practical guide to training restricted Boltzmann machines", 2010.

    >>> import fastnn as fn
    >>> rbm = fn.nn.RBM(6, 4)
    >>> x = np.eye(6, dtype=np.float32)[np.arange(60) % 6]
    >>> history = rbm.fit(x, epochs=3, lr=0.1)
    >>> rbm.reconstruct(x).shape, rbm.transform(x).shape, len(history)
    ((60, 6), (60, 4), 3)
    """

    def __init__(self, visible: int, hidden: int, visible_type: str = "bernoulli") -> None:
        super().__init__()
        self.visible = integer(visible, "visible", "a number of units from 1 on", 1)
        self.hidden = integer(hidden, "hidden", "a number of units from 1 on", 1)
        self.visible_type = choice(visible_type, "visible_type", VISIBLE)
        self.weight = normal_(Parameter(np.zeros((self.hidden, self.visible), np.float32)), 0, 0.01)
        self.visible_bias = Parameter(np.zeros(self.visible, np.float32))
        self.hidden_bias = Parameter(np.zeros(self.hidden, np.float32))

    def forward(self, v: Any) -> Any:
        return sigmoid(linear(self._rows(v), self.weight, self.hidden_bias))

    def fit(
        self, x: Any, epochs: int = 10, lr: float = 0.1, batch_size: int = 32, k: int = 1,
        persistent: bool = False, momentum: float = 0.0, weight_decay: float = 0.0,
        memory_budget: Budget = None, callback: Callable[[int, float], Any] | None = None,
    ) -> list[float]:
        """Train on the examples x (n, visible) by contrastive divergence, CD-k.

        Each step follows the gradient of mean F(v_0) - mean F(v_k), where F is the free energy,
        v_0 a batch, and v_k what k rounds of sampling h and v make of it. persistent: the rounds go
        on from those of the last step (persistent CD; Tieleman, 2008), which comes nearer to the
        likelihood and wants a smaller lr. Batches are shuffled; a memory-mapped x stays on disk.

        callback: called with (epoch, error) after each. Returns for each epoch the mean squared
        error of one reconstruction, which shows that training goes on, and not how good it is.

        Raises ValueError for x outside of [0, 1] (Bernoulli), and options out of range; ShapeError
        for another number of units; NonFiniteError if it diverges, with the weights before.
        """
        epochs = integer(epochs, "epochs", "a number from 1 on", 1)
        lr = real(lr, "lr", "a number above 0", np.nextafter(0, 1))
        rounds = integer(k, "k", "a number of rounds from 1 on", 1)
        x = self._examples(x)
        batches = Batches(x, np.zeros(len(x), np.int64), batch_size,
                          seed=int(get_rng_state()["key"][0]))  # type: ignore[index]
        chains = self._draw_chains(min(int(batch_size), len(x))) if flag(
            persistent, "persistent") else None
        step = TrainStep(_Contrast(self, rounds, chains is not None), _first,
                         SGD(self.parameters(), lr=lr, momentum=momentum,
                             weight_decay=weight_decay), memory_budget, keep_output=True)
        return [self._epoch(step, batches, epoch, chains, callback) for epoch in range(epochs)]

    def _epoch(
        self, step: TrainStep, batches: Batches, epoch: int, chains: np.ndarray | None,
        callback: Callable[[int, float], Any] | None,
    ) -> float:
        errors, count = 0.0, 0
        for number, (v, _) in enumerate(batches.epoch(epoch)):
            try:
                with process_lock:  # until the outputs are read, no other thread may compute
                    step((v,) if chains is None else (v, chains[:len(v)]))
                    _, sampled, error = step.outputs
            except NonFiniteError as fault:
                raise NonFiniteError(f"RBM: epoch {epoch + 1}, batch {number + 1}: {fault}; a "
                                     "smaller lr may help") from fault
            if chains is not None:
                chains[:len(v)] = sampled
            errors += float(error) * len(v)
            count += len(v)
        if callback is not None:
            callback(epoch + 1, errors / count)
        return errors / count

    def transform(self, x: Any) -> np.ndarray:
        """p(h = 1 | v) for examples x (n, visible): (n, hidden)."""
        return self._each(self, x)

    def reconstruct(self, x: Any) -> np.ndarray:
        """The means of v given the means of h given x: (n, visible)."""
        return self._each(_Reconstruction(self), x)

    def free_energy(self, x: Any) -> np.ndarray:
        """F(v) of each example, with p(v) ∝ exp(-F(v)): F = -aᵀv - Σ softplus(W v + b)."""
        return self._each(_Energy(self), x)

    def score_samples(self, x: Any, seed: int = 0) -> np.ndarray:
        """The pseudo-likelihood's logarithm of each example, for Bernoulli units.

        visible · log σ(F(v with one unit flipped) - F(v)), the unit drawn for each example; as
        scikit-learn's BernoulliRBM.
        """
        if self.visible_type != "bernoulli":
            raise ValueError("score_samples flips units: it is for visible_type='bernoulli'")
        x = np.array(as_float(self._examples(x)), np.float32)
        before = self.free_energy(x).astype(np.float64)
        rows = np.arange(len(x))
        units = np.random.default_rng(seed).integers(0, self.visible, len(x))
        x[rows, units] = 1 - x[rows, units]
        change = self.free_energy(x) - before
        return np.asarray(-self.visible * np.logaddexp(0, -change))

    def gibbs(self, v: Any, rounds: int = 1) -> np.ndarray:
        """Sample h and then v so many times, from v (n, visible); each call draws anew."""
        rounds = integer(rounds, "rounds", "a number from 1 on", 1)
        with process_lock:
            sampled = np.asarray(_Sampling(self, rounds)(self._examples(v)))
            next_step()
        return sampled

    def _each(self, model: Module, x: Any) -> np.ndarray:
        """What a model makes of the examples, batch by batch, so that a map stays on disk."""
        return np.asarray(computed(Outputs(model), self._examples(x), BATCH, None,
                                   "an RBM's values"))

    def energy(self, v: Any) -> Any:
        """F(v) as a symbolic tensor, inside of a forward: (n,)."""
        hidden = softplus(linear(v, self.weight, self.hidden_bias)).sum(1)
        if self.visible_type == "gaussian":
            return square(v - self.visible_bias).sum(1) / 2 - hidden
        return -matmul(v, self.visible_bias) - hidden

    def sampled(self, v: Any, rounds: int) -> Any:
        """v after rounds of sampling, as a symbolic tensor; no gradient passes."""
        for _ in range(rounds):
            h = bernoulli(self(v).detach())
            v = self.mean_given(h).detach()
            v = v + randn(*v.shape) if self.visible_type == "gaussian" else bernoulli(v)
        return v

    def mean_given(self, h: Any) -> Any:
        """The mean of v given h, as a symbolic tensor."""
        total = matmul(h, self.weight) + self.visible_bias
        return total if self.visible_type == "gaussian" else sigmoid(total)

    def _draw_chains(self, count: int) -> np.ndarray:
        """Where persistent chains begin: at random."""
        random = np.random.default_rng(int(get_rng_state()["key"][0]))  # type: ignore[index]
        if self.visible_type == "gaussian":
            return random.standard_normal((count, self.visible), np.float32)
        return random.integers(0, 2, (count, self.visible)).astype(np.float32)

    def _rows(self, v: Any) -> Any:
        v = as_tensor(v)
        if v.ndim != 2 or v.shape[1] != self.visible:
            raise ShapeError(f"RBM: got shape {v.shape}, expected (n, {self.visible})")
        return v

    def _examples(self, given: Any) -> np.ndarray:
        x: np.ndarray = given
        # A map is read in pieces, and pictures of bytes count as numbers from 0 to 1, later.
        if not isinstance(x, np.memmap) and getattr(x, "dtype", None) != np.uint8:
            x = as_input(x, "x")
        if x.ndim != 2 or x.shape[1] != self.visible:
            raise ShapeError(f"RBM: x has shape {x.shape}, expected (n, {self.visible})")
        if self.visible_type == "bernoulli" and x.dtype != np.uint8 and len(x):
            ends = [(float(piece.min()), float(piece.max())) for piece in pieces(x)]
            least, most = min(end[0] for end in ends), max(end[1] for end in ends)
            if not (least >= 0 and most <= 1):
                raise ValueError(f"RBM: x has values from {least:.4g} to {most:.4g}, expected 0 to "
                                 "1; for others, visible_type='gaussian'")
        return x

    def extra_repr(self) -> str:
        return f"{self.visible}, {self.hidden}, visible_type={self.visible_type!r}"


def _first(outputs: Any) -> Any:
    """The loss of a step: of (loss, samples, error)."""
    return outputs[0]


class _Contrast(Module):
    """(mean F(v) - mean F(samples), the samples, the error of a reconstruction)."""

    def __init__(self, rbm: RBM, rounds: int, persistent: bool) -> None:
        super().__init__()
        self.rbm, self.rounds, self.persistent = rbm, rounds, persistent

    def forward(self, v: Any, chains: Any = None) -> Any:
        sampled = self.rbm.sampled(chains if self.persistent else v, self.rounds)
        loss = self.rbm.energy(v).mean() - self.rbm.energy(sampled).mean()
        error = square(v - self.rbm.mean_given(self.rbm(v))).mean()
        return loss, sampled, error


class _Reconstruction(Module):
    def __init__(self, rbm: RBM) -> None:
        super().__init__()
        self.rbm = rbm

    def forward(self, v: Any) -> Any:
        return self.rbm.mean_given(self.rbm(v))


class _Energy(Module):
    def __init__(self, rbm: RBM) -> None:
        super().__init__()
        self.rbm = rbm

    def forward(self, v: Any) -> Any:
        return self.rbm.energy(v)


class _Sampling(Module):
    def __init__(self, rbm: RBM, rounds: int) -> None:
        super().__init__()
        self.rbm, self.rounds = rbm, rounds

    def forward(self, v: Any) -> Any:
        return self.rbm.sampled(v, self.rounds)
