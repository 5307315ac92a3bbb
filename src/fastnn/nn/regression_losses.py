"""Losses of real numbers and of distributions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from fastnn.arguments import flag, real
from fastnn.nn.loss import _Loss
from fastnn.ops.distribution_losses import (
    KL_REDUCTIONS,
    gaussian_nll_loss,
    kl_div,
    poisson_nll_loss,
)
from fastnn.ops.regression_losses import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from fastnn.spec import Spec


class MSELoss(_Loss):
    """(output - target)², averaged, as torch.nn.MSELoss.

    >>> float(MSELoss()(np.zeros((4, 3)), np.full((4, 3), 2.0)))
    4.0
    """

    def forward(self, output: Any, target: Any) -> Any:
        return mse_loss(output, target, reduction=self.reduction)


class L1Loss(_Loss):
    """|output - target|, averaged, as torch.nn.L1Loss."""

    def forward(self, output: Any, target: Any) -> Any:
        return l1_loss(output, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """d² / (2 beta) for |d| < beta, else |d| - beta / 2, as torch.nn.SmoothL1Loss."""

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = real(beta, "beta", "a number from 0 on", 0)

    def forward(self, output: Any, target: Any) -> Any:
        return smooth_l1_loss(output, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """d² / 2 for |d| < delta, else delta (|d| - delta / 2), as torch.nn.HuberLoss."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        self.delta = real(delta, "delta", "a number above 0", above=0)

    def forward(self, output: Any, target: Any) -> Any:
        return huber_loss(output, target, self.reduction, self.delta)


class KLDivLoss(_Loss):
    """target (log(target) - output) of log-probabilities as output, as torch.nn.KLDivLoss.

    reduction="batchmean" is the divergence of two distributions, averaged over the batch.
    """

    reductions: ClassVar[tuple[str, ...]] = KL_REDUCTIONS

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = flag(log_target, "log_target")

    def forward(self, output: Any, target: Any) -> Any:
        return kl_div(output, target, reduction=self.reduction, log_target=self.log_target)

    def count(self, target: Any) -> float:
        """The number of values, or for "batchmean" of examples."""
        shape = np.shape(target)
        return float((*shape, 1)[0]) if self.reduction == "batchmean" else super().count(target)


class PoissonNLLLoss(_Loss):
    """exp(output) - target output, of logarithms of rates, as torch.nn.PoissonNLLLoss."""

    def __init__(
        self, log_input: bool = True, full: bool = False, size_average: Any = None,
        eps: float = 1e-8, reduce: Any = None, reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full = flag(log_input, "log_input"), flag(full, "full")
        self.eps = real(eps, "eps", "a number from 0 on", 0)

    def forward(self, output: Any, target: Any) -> Any:
        return poisson_nll_loss(output, target, self.log_input, self.full, eps=self.eps,
                                reduction=self.reduction)


class GaussianNLLLoss(_Loss):
    """(log(var) + (mean - target)² / var) / 2, as torch.nn.GaussianNLLLoss.

    Called with (mean, target, var); or with ((mean, var), target), as the loss of a model that
    returns both.

    >>> loss, mean, var = GaussianNLLLoss(), np.zeros((4, 2)), np.ones((4, 2))
    >>> loss(mean, mean, var).shape, loss((mean, var), mean).shape
    ((), ())
    """

    joins_outputs = True

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = flag(full, "full")
        self.eps = real(eps, "eps", "a number above 0", above=0)

    def forward(self, output: Any, target: Any, var: Any = None) -> Any:
        if var is None:
            if not isinstance(output, (tuple, list)) or len(output) != 2:
                raise TypeError("GaussianNLLLoss takes (mean, target, var) or ((mean, var), "
                                "target): the model returns a mean and a variance")
            output, var = output
        return gaussian_nll_loss(output, target, var, self.full, self.eps, self.reduction)

    def target_spec(self, output: tuple[Spec, ...]) -> Spec:  # type: ignore[override]
        """The spec of the means."""
        return output[0]
