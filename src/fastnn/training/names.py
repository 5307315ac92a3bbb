"""Losses and optimizers by name, as Keras' users write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from fastnn import nn, optim
from fastnn.nn.module import Module
from fastnn.optim.optimizer import Optimizer

LOSSES: dict[str, Callable[[], Module]] = {
    "bce": nn.BCELoss,
    "bce_with_logits": nn.BCEWithLogitsLoss,
    "binary_cross_entropy": nn.BCELoss,
    "binary_cross_entropy_with_logits": nn.BCEWithLogitsLoss,
    "binary_crossentropy": nn.BCELoss,
    "cross_entropy": nn.CrossEntropyLoss,
    "huber": nn.HuberLoss,
    "l1": nn.L1Loss,
    "mae": nn.L1Loss,
    "mean_absolute_error": nn.L1Loss,
    "mean_squared_error": nn.MSELoss,
    "mse": nn.MSELoss,
    "nll": nn.NLLLoss,
    "smooth_l1": nn.SmoothL1Loss,
}
OF_PROBABILITIES = ("categorical_crossentropy", "sparse_categorical_crossentropy")


def optimizers() -> dict[str, Any]:
    """The optimizers by the names of their classes, in small letters."""
    kinds = (getattr(optim, name) for name in optim.__all__)
    return {kind.__name__.lower(): kind for kind in kinds
            if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer}


def loss_of(value: Any) -> Any:
    """The loss, or one by name.

    >>> loss_of("cross_entropy")
    CrossEntropyLoss()
    """
    if not isinstance(value, str):
        return value
    if value in OF_PROBABILITIES:
        raise ValueError(f"the loss {value!r} is that of probabilities in Keras, models return "
                         "logits here: write loss='cross_entropy', and leave a last softmax out")
    return _named(value, "loss", LOSSES)()


def optimizer_of(value: Any, model: Any) -> Any:
    """The optimizer, or one by name of all parameters of a model, with its default rate."""
    if not isinstance(value, str):
        return value
    return _named(value, "optimizer", optimizers())(model.parameters())


def threshold_of(loss: Any) -> float | None:
    """The output above which a target of 0 or 1 is 1, for a loss of one output for each; or None.

    >>> threshold_of(nn.BCELoss()), threshold_of(nn.BCEWithLogitsLoss()), threshold_of(nn.MSELoss())
    (0.5, 0.0, None)
    """
    if isinstance(loss, nn.BCELoss):
        return 0.0 if isinstance(loss, nn.BCEWithLogitsLoss) else 0.5
    return None


def _named(name: str, what: str, known: Mapping[str, Any]) -> Any:
    if name.lower() in known:
        return known[name.lower()]
    near = get_close_matches(name.lower(), known, 1)
    hint = f", perhaps {near[0]!r}? There" if near else "; there"
    raise ValueError(f"no {what} is named {name!r}{hint} are {', '.join(sorted(known))}")
