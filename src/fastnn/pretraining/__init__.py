"""Layers that are trained without labels, and stacked (Hinton et al., 2006)."""

from fastnn.pretraining.rbm import RBM
from fastnn.pretraining.stack import pretrain

__all__ = ["RBM", "pretrain"]
