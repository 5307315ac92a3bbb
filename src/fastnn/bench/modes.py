"""The engines that can run beside fastnn, and the modes that each has."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[1]
# glibc then keeps large blocks instead of giving them back, so that pages fault once.
KEEP_BLOCKS = {"GLIBC_TUNABLES": "glibc.malloc.mmap_threshold=1073741824:"
                                 "glibc.malloc.trim_threshold=8589934592"}


@dataclass(frozen=True)
class Mode:
    """One way to run an engine, in a process of its own.

    fp32: whether it computes what the others do; other modes are shown for information.
    reports: what is measured in it, "step", "inference" or "ops": a report of `fastnn bench`.
    """

    name: str
    engine: str
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    fp32: bool = True
    reports: tuple[str, ...] = ("step",)


LAST = {"channels_last": True}
COMPILED = LAST | {"compile": True}
TUNED = {"tuned": True}
NETS = ("step", "inference")
FASTNN = Mode("fastnn", "fastnn", reports=(*NETS, "ops"))
MODES = (
    Mode("torch", "torch", reports=(*NETS, "ops")),
    Mode("torch channels_last", "torch", LAST, reports=(*NETS, "ops")),
    Mode("torch compile channels_last", "torch", COMPILED, reports=NETS),
    Mode("torch channels_last tuned", "torch", LAST | TUNED, KEEP_BLOCKS, reports=NETS),
    Mode("torch compile channels_last tuned", "torch", COMPILED | TUNED, KEEP_BLOCKS, reports=NETS),
    Mode("torch bf16 channels_last", "torch", LAST | {"bf16": True}, fp32=False, reports=NETS),
    Mode("jax jit", "jax"),
    Mode("tensorflow graph", "tensorflow"),
    Mode("sklearn MLPClassifier", "sklearn"),
    Mode("onnxruntime cpu", "onnxruntime", reports=("inference",)),
)
INSTALL = {"torch": "pip install 'fastnn[parity]'", "jax": "pip install jax",
           "tensorflow": "pip install tensorflow-cpu", "sklearn": "pip install scikit-learn",
           "onnxruntime": "pip install onnxruntime onnxscript"}


def engines_of(report: str) -> tuple[str, ...]:
    """The engines that can be beside fastnn in a report.

    >>> engines_of("inference")
    ('torch', 'onnxruntime')
    """
    return tuple(dict.fromkeys(mode.engine for mode in MODES if report in mode.reports))


def modes_of(engines: tuple[str, ...], report: str) -> list[Mode]:
    """fastnn, then the modes of the engines in a report."""
    return [FASTNN, *(mode for engine in dict.fromkeys(engines) for mode in MODES
                      if mode.engine == engine and report in mode.reports)]


def script(engine: str, folder: Path | None = None) -> Path:
    """The file that `serve` loads for an engine.

    folder: where the peers' scripts are; by default bench/peers/ of the checkout that fastnn
    comes from, or of the working directory. Raises FileNotFoundError that says so.
    """
    if engine == "fastnn":
        return Path(__file__).with_name("own.py")
    checkout = PACKAGE.parents[1] / "bench/peers"
    candidates = [folder] if folder else [checkout, Path("bench/peers")]
    name = f"{engine}_peer.py"
    for candidate in candidates:
        if (candidate / name).is_file():
            return candidate / name
    raise FileNotFoundError(2, "No such file; the peers are in bench/peers/ of the repository: "
                               "run there, or name it with --peers", str(candidates[-1] / name))
