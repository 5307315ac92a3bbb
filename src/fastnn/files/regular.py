"""Regular files only: a FIFO or a device might block forever, or never end."""

from __future__ import annotations

import errno
import os
import stat

Path = str | os.PathLike[str]
KINDS = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"),
         (stat.S_ISBLK, "a device"))


def check_regular(mode: int, path: Path) -> None:
    """Raise OSError that names `path` unless `mode`, of its status, is that of a regular file."""
    if stat.S_ISREG(mode):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "a folder, expected a file", os.fspath(path))
    kind = next((name for is_kind, name in KINDS if is_kind(mode)), "a special file")
    raise OSError(errno.EINVAL, f"{kind}, not a regular file", os.fspath(path))
