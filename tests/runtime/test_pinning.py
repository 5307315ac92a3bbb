"""Settings of OpenMP that cost speed, and those that do not."""

import pytest

from fastnn.runtime.pinning import warnings


@pytest.mark.parametrize(("threads", "environment", "beginnings"), [
    (4, {}, []), (1, {"OMP_PROC_BIND": "master"}, []), (4, {"OMP_PROC_BIND": "false"}, []),
    (5, {}, ["5 threads on 4 core(s)"]),
    (4, {"OMP_PROC_BIND": "PRIMARY"}, ["OMP_PROC_BIND=primary binds all 4 threads"]),
    (2, {"OMP_PROC_BIND": "spread,close"}, ["OMP_PROC_BIND=spread,close binds threads from"]),
    (4, {"GOMP_CPU_AFFINITY": "0 3 1-2"}, []), (4, {"GOMP_CPU_AFFINITY": "0-7:2"}, []),
    (4, {"GOMP_CPU_AFFINITY": "0-7:4"}, ["GOMP_CPU_AFFINITY=0-7:4 names 2 processor(s) for 4"]),
    (4, {"GOMP_CPU_AFFINITY": "1,1,1,1"}, ["GOMP_CPU_AFFINITY=1,1,1,1 names 1 processor(s)"]),
    (4, {"GOMP_CPU_AFFINITY": "0-7:0 x 1-y 3:z 5"}, ["GOMP_CPU_AFFINITY=0-7:0 x 1-y 3:z 5 na"]),
    (4, {"GOMP_CPU_AFFINITY": "0-999999999999999"}, []),
    (4, {"OMP_WAIT_POLICY": "active"}, ["OMP_WAIT_POLICY=active"]),
    (8, {"OMP_PROC_BIND": "true", "OMP_WAIT_POLICY": "ACTIVE"},
     ["8 threads on 4", "OMP_PROC_BIND=true", "OMP_WAIT_POLICY=active"]),
])
def test_what_slows_four_cores_down(threads, environment, beginnings):
    found = warnings(threads, 4, environment)
    assert len(found) == len(beginnings)
    assert all(map(str.startswith, found, beginnings)), found
