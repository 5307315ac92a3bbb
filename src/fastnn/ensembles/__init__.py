"""Several predictions in place of one: ensembles of nets, of snapshots, and of dropout's masks.

>>> import numpy as np, fastnn as fn
>>> fn.manual_seed(0)
>>> crowd = fn.Ensemble([fn.nn.Linear(4, 3) for _ in range(5)])
>>> crowd.predict_proba(np.ones((2, 4), np.float32)).sum(axis=1).round(5).tolist()
[1.0, 1.0]
"""

from fastnn.ensembles.cost import Cost
from fastnn.ensembles.ensemble import Ensemble
from fastnn.ensembles.monte_carlo import MonteCarlo, mc_dropout
from fastnn.ensembles.snapshots import Snapshots

__all__ = ["Cost", "Ensemble", "MonteCarlo", "Snapshots", "mc_dropout"]
