"""Values named by their content: what a call gave, kept under a key made of everything that could change it.

The one cache of answers, retrievals, completions, judgements and vectors. Invariants: a key holds one value for ever
(the first that was written); with a journal, what `put` took survives kill -9, without one what `flush` acknowledged;
reading never waits for a writer. Proved by `tests/unit/ledger/test_values.py` and the kill story of evaluations.
"""

import atexit
import hashlib
import json
import logging
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from assay.errors import AssayError, Conflict, Upstream
from assay.ledger.database import Database, metadata
from assay.ledger.journal import Journal, Record, folder_beside, take_over

GAP_SECONDS = 0.2
RETRY_SECONDS = 0.5
PENDING_BYTES = 32 * 2**20
_BATCH_VALUES = 500
_CHUNK_KEYS = 400  # SQLite before 3.32 takes 999 parameters
_COMPRESSED_FROM_BYTES = 1024

_logger = logging.getLogger(__name__)

value = sa.Table(
    "value",
    metadata,
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(12), nullable=False),  # output, chat, retrieval, vector
    sa.Column("data", sa.LargeBinary, nullable=False),  # a letter, then JSON (j), the same through zlib (z), bytes (b)
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Index("ix_value_created_ns", "created_ns"),
)


def key_of(kind: str, parts: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the kind and the canonical JSON of `parts`. Raises TypeError for what is not JSON."""
    canonical = json.dumps([kind, parts], sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


class Values:
    """Reads and writes values. Safe to share between threads; any number of processes may have one open.

    A value is JSON, or bytes as a whole. One thread commits what was put, all that is pending in one transaction.
    `journal` is a folder where what is pending is also written down at once (default: beside a SQLite file; none for
    PostgreSQL, where a value is then committed as soon as the thread gets to it). A `put` that finds
    `pending_bytes` waiting blocks until the thread has caught up.
    """

    def __init__(self, database: Database, *, journal: Path | None = None, pending_bytes: int = PENDING_BYTES) -> None:
        self._database = database
        self._most_bytes = pending_bytes
        self._reader = _Reader(database)
        folder = journal or folder_beside(database)
        if folder:
            take_over(folder, self._commit)
        self._journal = Journal(folder) if folder else None
        self._changed = threading.Condition()
        self._pending: dict[str, Record] = {}
        self._writing: dict[str, Record] = {}
        self._bytes = 0
        self._failure: AssayError | None = None
        self._hurry = self._closing = False
        self._thread = threading.Thread(target=self._run, name="assay-values", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def get(self, key: str) -> Any | None:
        """The value, or None where there is none (a value is never None)."""
        record = self._waiting(key)
        data = record.data if record else self._reader.one(key)
        return None if data is None else _decoded(data)

    def get_many(self, keys: Sequence[str]) -> dict[str, Any]:
        """The values there are, by key, read in one query for some hundreds."""
        found: dict[str, Any] = {}
        asked = []
        for key in keys:
            record = self._waiting(key)
            if record:
                found[key] = _decoded(record.data)
            else:
                asked.append(key)
        for some in _chunks(asked, _CHUNK_KEYS):
            found.update((key, _decoded(data)) for key, data in self._reader.many(some))
        return found

    def known(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that have a value; the values are not read."""
        found = {key for key in keys if self._waiting(key)}
        for some in _chunks([key for key in keys if key not in found], _CHUNK_KEYS):
            found.update(self._reader.keys(some))
        return found

    def put(self, key: str, kind: str, value: Any) -> None:
        """Keep a value under a key that has none; `get` sees it at once. A key that has one keeps it.

        Raises TypeError or ValueError for what is not JSON (NaN is not), and what stopped the writer, if it stopped.
        """
        if value is None:
            raise TypeError("None cannot be kept: it is how an absent value reads")
        record = Record(key, kind, _encoded(value))
        with self._changed:
            if self._bytes > self._most_bytes:
                self._hurry = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._bytes <= self._most_bytes or self._failure is not None)
            self._check()
            if key in self._pending or key in self._writing:
                return
            if self._journal:
                self._journal.append(record)
            self._pending[key] = record
            self._bytes += len(record.data)
            if len(self._pending) == 1:
                self._changed.notify_all()

    def flush(self) -> None:
        """Wait until everything put before is committed. Raises what stopped the writer, if it stopped."""
        with self._changed:
            waiting = [*self._writing, *self._pending]
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: (
                    self._failure is not None
                    or not any(key in self._pending or key in self._writing for key in waiting)
                )
            )
            self._check()

    def close(self) -> None:
        """Commit what is left and end the thread; the database stays open. Safe to call twice."""
        with self._changed:
            already = self._closing
            self._closing = True
            self._changed.notify_all()
        if already:
            return
        atexit.unregister(self.close)
        self._thread.join()
        self._reader.close()
        left = len(self._pending) + len(self._writing)
        if self._journal:
            self._journal.close(keep=bool(left))
        if left:
            kept = "the next run takes them over" if self._journal else "they are lost"
            _logger.warning("%d cached values were not committed (%s): %s.", left, self._failure, kept)

    def _waiting(self, key: str) -> Record | None:
        return self._pending.get(key) or self._writing.get(key)

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._closing:
            raise ValueError("these values are closed")

    def _run(self) -> None:
        while self._next_batch():
            try:
                while not self._written():
                    with self._changed:
                        self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)
                        if self._closing:
                            return
            except AssayError as error:
                self._stop(error)
                return
            except Exception as error:  # noqa: BLE001 the edge of a background thread: callers must learn that it ended
                self._stop(Conflict(f"Values can no longer be kept: {error!r}.", hint="Run the command again."))
                return

    def _next_batch(self) -> bool:
        """Move what is pending to `_writing`; False when there is no more to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._closing)
            if not self._pending:
                return False
            if self._journal:
                self._changed.wait_for(
                    lambda: self._hurry or self._closing or self._bytes > self._most_bytes // 2, GAP_SECONDS
                )
                self._journal.turn()
            self._hurry = False
            # In this order a reader without the lock finds a key in one of the two at any moment.
            self._writing = self._pending
            self._pending = {}
            return True

    def _written(self) -> bool:
        """Commit the batch. False where trying again may help; raises where it will not."""
        try:
            self._commit(self._writing.values())
        except Upstream:
            return False
        except Conflict as error:
            if error.slug != "conflict":  # locked is the only one that passes
                raise
            return False
        with self._changed:
            self._bytes -= sum(len(record.data) for record in self._writing.values())
            self._writing = {}
            if self._journal:
                self._journal.committed()
            self._changed.notify_all()
        return True

    def _commit(self, records: Iterable[Record]) -> None:
        mark = "?" if self._database.is_sqlite else "%s"
        columns = "key, kind, data, created_ns"
        # Written by hand: through SQLAlchemy's Core the same insert costs the thread about twice the time.
        insert = f"insert into value ({columns}) values ({mark}, {mark}, {mark}, {mark}) on conflict do nothing"  # noqa: S608
        now = time.time_ns()
        # Sorted, so that two processes that write the same keys on PostgreSQL never wait for each other in turn.
        left = iter(sorted(records))
        with self._database.write() as connection:
            while some := list(islice(left, _BATCH_VALUES)):
                rows = [(record.key, record.kind, _compressed(record.data), now) for record in some]
                connection.exec_driver_sql(insert, rows)

    def _stop(self, error: AssayError) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()


class _Reader:
    """Point reads on a connection of its own: through SQLAlchemy one costs twenty times as much.

    A failure there is repeated through `Database.read`, which knows what to call it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._mark = "?" if database.is_sqlite else "%s"
        self._lock = threading.Lock()
        self._connection: Any = None

    def one(self, key: str) -> bytes | None:
        rows = self.many([key])
        return rows[0][1] if rows else None

    def many(self, keys: Sequence[str]) -> list[tuple[str, bytes]]:
        return [(key, bytes(data)) for key, data in self._rows("key, data", keys)]

    def keys(self, keys: Sequence[str]) -> list[str]:
        return [key for (key,) in self._rows("key", keys)]

    def close(self) -> None:
        with self._lock:
            self._drop()

    def _rows(self, columns: str, keys: Sequence[str]) -> Sequence[Any]:
        query = f"select {columns} from value where key in ({', '.join([self._mark] * len(keys))})"  # noqa: S608
        with self._lock:
            try:
                cursor = self._opened().cursor()
                cursor.execute(query, tuple(keys))
                # To the last row: an open cursor would hold a snapshot, and with it SQLite's log.
                rows: Sequence[Any] = cursor.fetchall()
                cursor.close()
                return rows
            except self._database.engine.dialect.dbapi.Error:  # type: ignore[union-attr]  # the engine's driver is loaded
                self._drop()
                with self._database.read() as connection:
                    return connection.exec_driver_sql(query, tuple(keys)).all()

    def _opened(self) -> Any:
        if self._connection is None:
            connection = self._database.engine.raw_connection()
            connection.detach()
            if not self._database.is_sqlite:
                connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
            self._connection = connection
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _encoded(value: Any) -> bytes:
    if isinstance(value, bytes):
        return b"b" + value
    return b"j" + json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()


def _compressed(data: bytes) -> bytes:
    if data[:1] != b"j" or len(data) < _COMPRESSED_FROM_BYTES:
        return data
    short = b"z" + zlib.compress(data[1:], 1)
    return short if len(short) < len(data) else data


def _decoded(data: bytes) -> Any:
    form, content = data[:1], data[1:]
    if form == b"b":
        return content
    return json.loads(zlib.decompress(content) if form == b"z" else content)


def _chunks(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for start in range(0, len(keys), size):
        yield keys[start : start + size]
