"""How near does the planner come to the optimum? Random graphs and motifs at six budgets each.

    python -m bench.studies.plan_oracle --first 0 --count 50

The optimum is found by search over live sets (tests/plan/oracles.py), which knows nothing of the
planner. Columns: seconds of all tasks over the optimum's; the part above keeping everything alone
(where the optimum recomputes at all); smallest peak over the smallest possible one.
"""

import numpy as np

from bench.studies.options import parser_of
from fastnn.plan.recompute.frontier import frontier
from tests.plan.oracles import LiveSets
from tests.plan.random_problems import MOTIFS, random_problem

BUDGETS = 6


def compare(problem):
    """[(total over the optimum's, recomputation over the optimum's or None)], least bytes ratio."""
    points, oracle = frontier(problem), LiveSets(problem)
    least, most = oracle.least_bytes(), points[-1].bytes
    whole = problem.seconds(problem.everything)
    rows = []
    for k in range(BUDGETS):
        limit = int(1.05 * least + (most - 1.05 * least) * k / BUDGETS)
        ours = min((p.seconds for p in points if p.bytes <= limit), default=np.inf)
        best = oracle.least_seconds(limit)
        extra = best - whole
        rows.append((ours / best, (ours - whole) / extra if extra > 1e-9 * whole else None))
    return rows, points[0].bytes / least


def main():
    parser = parser_of(__doc__)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=50, help="random graphs")
    parser.add_argument("--motifs", type=int, default=3, help="variants of each motif")
    options = parser.parse_args()
    families = {"random": (lambda seed: random_problem(seed, 8),
                           range(options.first, options.first + options.count))}
    families |= {name: (make, range(options.motifs)) for name, make in MOTIFS.items()}
    print(f"{'family':12s} {'plans':>5s} {'optimal':>8s} | {'total':>6s} {'p99':>6s} {'worst':>6s} "
          f"| {'recomp':>6s} {'p95':>6s} {'worst':>6s} | {'bytes':>6s}")
    for name, (make, seeds) in families.items():
        results = [compare(make(seed)) for seed in seeds]
        if not results:
            continue
        total = np.array([total for rows, _ in results for total, _ in rows])
        extra = np.array([extra for rows, _ in results for _, extra in rows if extra is not None])
        least = max(ratio for _, ratio in results)
        print(f"{name:12s} {total.size:5d} {(total < 1 + 1e-9).mean():8.1%} | "
              f"{np.median(total):6.3f} {np.quantile(total, 0.99):6.3f} {total.max():6.3f} | "
              f"{np.median(extra):6.3f} {np.quantile(extra, 0.95):6.3f} {extra.max():6.3f} | "
              f"{least:6.3f}", flush=True)


if __name__ == "__main__":
    main()
