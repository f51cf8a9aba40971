"""A file's bytes, read once, whole, bounded, and from one moment.

Invariant: what is returned was the file's content between two looks that agree on inode, size and
modification time; no more than the limit is ever held; nothing but a regular file is ever read, so a
named pipe or a device cannot block. Proved by `tests/story/test_bad_documents.py`.
"""

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

from assay.errors import NotFound, Unreadable

Read = Callable[[int, int], bytes]

_MEGABYTE = 1_048_576
_NO_FILE = frozenset({errno.ENXIO, errno.ENODEV, errno.ELOOP})  # sockets, dead devices, links to themselves
_PAUSE_SECONDS = 0.05  # before the second try at a file that changed: lets a writer finish its burst


def contents(path: Path, *, name: str, max_mb: int, read: Read = os.read) -> bytes:
    """The bytes of a regular file of at most `max_mb` MiB, taken from its descriptor by `read`.

    Raises NotFound, or Unreadable with code `not_a_file`, `empty`, `too_large`, `permission`, `changed`
    (it changed while it was read, twice) or `unreadable` (the disk said no).
    """
    for attempt in range(2):
        if attempt:
            time.sleep(_PAUSE_SECONDS)
        content = _read_once(path, name, max_mb, read)
        if content is not None:
            return content
    raise Unreadable(
        f"{name} changed while it was read",
        hint="Wait until whatever writes the file is done, then ingest it again.",
        code="changed",
    )


def _read_once(path: Path, name: str, max_mb: int, read: Read) -> bytes | None:
    """The content, or None where two looks at the file disagree."""
    try:
        # Without O_NONBLOCK, opening a named pipe waits for its writer forever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            before = os.fstat(descriptor)
            _refuse(before, name, max_mb)
            content = _drain(descriptor, before.st_size, read)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        same = _stamp(before) == _stamp(after) == _stamp(os.stat(path))
    except OSError as error:
        raise _failure(error, name) from error
    return content if same and len(content) == before.st_size else None


def _refuse(status: os.stat_result, name: str, max_mb: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unreadable(f"{name} is not a regular file", hint="Name a file or a folder of files.", code="not_a_file")
    if status.st_size > max_mb * _MEGABYTE:
        raise Unreadable(
            f"{name} is {status.st_size / _MEGABYTE:,.0f} MiB, more than the {max_mb} MiB allowed",
            hint="Split the file, or raise documents.max_file_mb.",
            code="too_large",
        )
    if status.st_size == 0:
        raise Unreadable(f"{name} is empty", hint="Fill the file or leave it out.", code="empty")


def _drain(descriptor: int, expected: int, read: Read) -> bytes:
    """At most one byte more than expected, so a growing file is noticed and never held whole."""
    parts: list[bytes] = []
    left = expected + 1
    while left > 0 and (part := read(descriptor, min(left, _MEGABYTE))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _failure(error: OSError, name: str) -> NotFound | Unreadable:
    match error:
        case FileNotFoundError():
            return NotFound(f"{name} does not exist", hint="Check the path.")
        case PermissionError():
            return Unreadable(
                f"{name} may not be read by this user", hint="Change the file's permissions.", code="permission"
            )
        case IsADirectoryError():
            return Unreadable(f"{name} is a folder", hint="Name a file.", code="not_a_file")
        case _ if error.errno in _NO_FILE:
            return Unreadable(
                f"{name} is not a regular file", hint="Name a file or a folder of files.", code="not_a_file"
            )
        case _:
            return Unreadable(
                f"{name} cannot be read: {error.strerror}", hint="Check the disk and the path.", code="unreadable"
            )
