"""The one way to write a file: atomically, even if others write too or a writer is killed.

The contents go to a temporary file in the same folder, which is synced and then renamed. Until then
the writer holds a lock on it (flock), which ends with the process in any case. So the next writer
in the folder can tell leftovers from files in use, also those of other threads, of other containers
that share the folder, and of processes whose number was reused.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from fastnn.files.regular import Path, check_regular

# A fixed length, so that a file with a name of the maximal length can be saved too.
TEMPORARY = re.compile(r"\.fastnn-[0-9a-f]{16}\.part")


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream whose contents replace the file `path` at the end, all or nothing.

    After an error the old file is as it was and the temporary one is gone. Of several writers of
    one path the last one wins. An old file's mode and, where that is allowed, its owner are kept;
    a new one follows the umask. A symbolic link stays, and the file that it names is replaced.

    Raises OSError that names `path`: no such folder, no permission, a full disk, or not a regular
    file (a folder, a FIFO, a device).
    """
    try:
        target, old = _target(path)
        folder = os.path.dirname(target)
        sweep(folder)
        temporary, descriptor = _create(folder, 0o666 if old is None else 0o600)
        try:
            with os.fdopen(descriptor, "wb") as stream:  # closed, and unlocked, after the rename
                yield stream
                stream.flush()
                if old is not None:
                    _take_after(descriptor, old)
                os.fsync(descriptor)
                os.replace(temporary, target)
        finally:
            with suppress(OSError):
                os.unlink(temporary)
        _sync_folder(folder)
    except OSError as error:
        raise OSError(error.errno, f"cannot write: {error.strerror or error}", os.fspath(path)) \
            from error


def sweep(folder: Path) -> None:
    """Remove what dead writers have left in a folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in [entry for entry in entries if TEMPORARY.fullmatch(entry.name)]:
            with suppress(OSError):  # locked by its writer, gone already, or not ours to remove
                descriptor = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(entry.path)
                finally:
                    os.close(descriptor)


def _target(path: Path) -> tuple[str, os.stat_result | None]:
    """The real file that a path names, and its status if it is there."""
    target = os.path.realpath(os.fsdecode(path))
    if not os.path.basename(os.fspath(path)):  # "" or "folder/": realpath would find another name
        raise IsADirectoryError(errno.EISDIR, "no name of a file", os.fspath(path))
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return target, None
    check_regular(old.st_mode, path)
    if not os.access(target, os.W_OK):  # a rename checks only the folder's permissions
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
    return target, old


def _create(folder: str, mode: int) -> tuple[str, int]:
    """(path, descriptor) of a new temporary file with a lock on it."""
    while True:
        path = os.path.join(folder, f".fastnn-{secrets.token_hex(8)}.part")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:  # not swept between its creation and its lock
            return path, descriptor
        os.close(descriptor)


def _take_after(descriptor: int, old: os.stat_result) -> None:
    """Give a file the owner and mode of the file that it replaces."""
    with suppress(OSError):
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _sync_folder(folder: str) -> None:
    """Make the rename survive a power cut, where the system supports that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
