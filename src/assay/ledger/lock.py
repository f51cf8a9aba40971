"""A lock between processes (and between threads of one), held on a file, that can say who holds it.

The operating system releases it when its holder dies, however it dies. The holder writes its process
id into the file; the lock itself lies on a byte far behind, so the id can be read on every system.
Proved by `tests/unit/ledger/test_lock.py`, with a holder in another process that is killed.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCKED_BYTE = 1 << 20
_POLL_SECONDS = 0.05


@contextmanager
def held(path: Path, *, wait_seconds: float = 0.0) -> Iterator[bool]:
    """Try to hold the lock file `path` for at most `wait_seconds`; yields whether it is held. The file stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + wait_seconds
        while not (won := _try_lock(descriptor)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if won:
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, str(os.getpid()).encode())
        yield won
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    """The process id of who holds the lock file, or an empty string where it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        # flock, not lockf: two descriptors of one process exclude each other too.
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
