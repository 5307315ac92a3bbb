"""Settings of OpenMP, and numbers of threads, that cost speed: one sentence for each."""

from __future__ import annotations

from collections.abc import Mapping

BINDING = ("true", "close", "spread")
MOST = 1 << 16  # processors


def warnings(threads: int, cores: int, environment: Mapping[str, str]) -> list[str]:
    """What slows down so many threads on so many cores, in an environment.

    >>> warnings(4, 4, {})
    []
    >>> warnings(4, 4, {"OMP_PROC_BIND": "master"})
    ['OMP_PROC_BIND=master binds all 4 threads to the place of the first one; unset it']
    """
    found = []
    if threads > cores:
        found.append(f"{threads} threads on {cores} core(s): hyper-threads share the units of a "
                     "core, and a quota makes threads wait; unset OMP_NUM_THREADS, or set it to "
                     f"{cores}")
    bind = environment.get("OMP_PROC_BIND", "").strip().lower()
    if bind in ("master", "primary") and threads > 1:
        found.append(f"OMP_PROC_BIND={bind} binds all {threads} threads to the place of the first "
                     "one; unset it")
    if bind.split(",")[0] in BINDING:
        found.append(f"OMP_PROC_BIND={bind} binds threads from the first processor on: two "
                     "processes that set it share cores; give each its own with taskset")
    affinity = environment.get("GOMP_CPU_AFFINITY", "")
    places = len(_processors(affinity)) if affinity else threads
    if places < threads:
        found.append(f"GOMP_CPU_AFFINITY={affinity} names {places} processor(s) for {threads} "
                     "threads; name one for each, or unset it")
    if environment.get("OMP_WAIT_POLICY", "").strip().lower() == "active":
        found.append("OMP_WAIT_POLICY=active lets threads spin between steps, where other "
                     "processes could run; unset it")
    return found


def _processors(affinity: str) -> set[int]:
    """The processors of GOMP_CPU_AFFINITY, such as "0 3 1-2 4-15:2", below MOST; nothing else."""
    found: set[int] = set()
    for item in affinity.replace(",", " ").split():
        span, _, step = item.partition(":")
        first, _, last = span.partition("-")
        numbers = (first, last or first, step or "1")
        if all(number.isdecimal() for number in numbers) and int(numbers[2]) > 0:
            end = min(int(numbers[1]) + 1, MOST)
            found.update(range(int(first), end, int(numbers[2])))
    return found
