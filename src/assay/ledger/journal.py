"""Two files that hold what a process has accepted and not yet committed, so that kill -9 loses none of it.

A record is written before `append` returns, without waiting for the disk: it survives the death of the process, not
of the machine. The files alternate: while the batch of one is being committed, new records go to the other, and a
committed file is emptied, so neither grows beyond what is pending. Whoever opens the folder later takes over the
files of the dead; a death between commit and emptying makes it see a committed record again. Proved by
`tests/unit/ledger/test_journal.py` and the kill story of evaluations.
"""

import contextlib
import os
import secrets
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from assay.errors import Conflict
from assay.ledger.database import Database
from assay.ledger.lock import held

_HEADER = struct.Struct("<IIHH")  # crc32 of what follows the header, lengths of data, key and kind


class Record(NamedTuple):
    """Something on its way to the database; what `key`, `kind` and `data` mean is its owner's business."""

    key: str
    kind: str
    data: bytes


class Journal:
    """This process's files in `folder`. Not thread-safe: the owner holds its own lock around every call."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._stack = contextlib.ExitStack()
        # A random name is never used twice, so the lock file may be removed when its owner is done.
        self._name = folder / secrets.token_hex(8)
        self._stack.enter_context(held(self._name.with_suffix(".lock")))
        self._paths = [Path(f"{self._name}-{side}.log") for side in (0, 1)]
        self._files = [os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600) for path in self._paths]
        self._sizes = [0, 0]
        self._side = 0

    def append(self, record: Record) -> None:
        """Write one record. Raises Conflict where the disk is full or fails; nothing of the record stays then."""
        key, kind = record.key.encode(), record.kind.encode()
        body = key + kind + record.data
        line = _HEADER.pack(zlib.crc32(body), len(record.data), len(key), len(kind)) + body
        file = self._files[self._side]
        try:
            written = os.write(file, line)
            while written < len(line):
                written += os.write(file, line[written:])
        except OSError as error:
            # A torn record would hide those that follow it.
            os.ftruncate(file, self._sizes[self._side])
            raise Conflict(
                f"{self._paths[self._side]} cannot be written: {error.strerror}.",
                hint="Free some space and run the command again; what was stored is intact.",
                code="disk_full",
            ) from error
        self._sizes[self._side] += len(line)

    def turn(self) -> None:
        """Send what follows to the other file; call when everything appended so far becomes one batch."""
        self._side = 1 - self._side

    def committed(self) -> None:
        """Empty the file of the batch that is now in the database."""
        other = 1 - self._side
        if self._sizes[other]:
            os.ftruncate(self._files[other], 0)
            self._sizes[other] = 0

    def close(self, *, keep: bool) -> None:
        """Give up the files: removed, or kept for the next process where something was not committed."""
        for file, path in zip(self._files, self._paths, strict=True):
            os.close(file)
            if not keep:
                path.unlink(missing_ok=True)
        self._stack.close()
        if not keep:
            self._name.with_suffix(".lock").unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody else's files are in it
                self._name.parent.rmdir()


def folder_beside(database: Database) -> Path | None:
    """Where journals of a SQLite file are; None for PostgreSQL and for a database in memory."""
    name = database.engine.url.database
    return Path(f"{name}.pending") if database.is_sqlite and name and name != ":memory:" else None


def take_over(folder: Path, commit: Callable[[Iterable[Record]], None]) -> None:
    """Give `commit` what each dead process left in `folder`, in no order between its two files, then remove those."""
    for lock in sorted(folder.glob("*.lock")) if folder.is_dir() else []:
        with held(lock) as dead:
            if not dead:
                continue
            paths = sorted(folder.glob(f"{lock.stem}-*.log"))
            commit(record for path in paths for record in _records(path))
            for path in paths:
                path.unlink(missing_ok=True)
        lock.unlink(missing_ok=True)


def _records(path: Path) -> Iterator[Record]:
    """The whole records of a file; a last one cut short by a kill was never acknowledged."""
    with path.open("rb") as file:
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            crc, data, key, kind = _HEADER.unpack(header)
            body = file.read(data + key + kind)
            if len(body) < data + key + kind or zlib.crc32(body) != crc:
                return
            yield Record(body[:key].decode(), body[key : key + kind].decode(), body[key + kind :])
