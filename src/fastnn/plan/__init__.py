"""From a graph to a plan; for users, what single values are to do: `keep` and `drop`."""

from fastnn.plan.recompute.pins import drop, keep

__all__ = ["drop", "keep"]
