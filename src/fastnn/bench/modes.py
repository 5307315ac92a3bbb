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
    ops: whether single operations are measured in it too.
    """

    name: str
    engine: str
    options: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    fp32: bool = True
    ops: bool = False


LAST = {"channels_last": True}
COMPILED = LAST | {"compile": True}
FASTNN = Mode("fastnn", "fastnn", ops=True)
MODES = (
    Mode("torch", "torch", ops=True),
    Mode("torch channels_last", "torch", LAST, ops=True),
    Mode("torch compile channels_last", "torch", COMPILED),
    Mode("torch channels_last tuned", "torch", LAST | {"fused": True}, KEEP_BLOCKS),
    Mode("torch compile channels_last tuned", "torch", COMPILED | {"fused": True}, KEEP_BLOCKS),
    Mode("torch bf16 channels_last", "torch", LAST | {"bf16": True}, fp32=False),
    Mode("jax jit", "jax"),
    Mode("tensorflow graph", "tensorflow"),
    Mode("sklearn MLPClassifier", "sklearn"),
)
ENGINES = tuple(dict.fromkeys(mode.engine for mode in MODES))
INSTALL = {"torch": "pip install 'fastnn[parity]'", "jax": "pip install jax",
           "tensorflow": "pip install tensorflow-cpu", "sklearn": "pip install scikit-learn"}


def modes_of(engines: tuple[str, ...], ops: bool = False) -> list[Mode]:
    """fastnn, then the modes of the engines."""
    return [FASTNN, *(mode for engine in dict.fromkeys(engines) for mode in MODES
                      if mode.engine == engine and (mode.ops or not ops))]


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
