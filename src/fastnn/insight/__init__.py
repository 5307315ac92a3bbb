"""Looking into nets: what layers compute, how gradients flow, how initial values carry signals."""

from fastnn.insight.callback import Inspect
from fastnn.insight.explain import explain
from fastnn.insight.features import features
from fastnn.insight.flow import Flow
from fastnn.insight.inspect import inspect
from fastnn.insight.picture_grid import picture_grid
from fastnn.insight.report import Report, Row

__all__ = ["Flow", "Inspect", "Report", "Row", "explain", "features", "inspect",
           "picture_grid"]
