"""The writer of spans: a bounded queue, one thread, batches in one transaction each.

`put` never blocks and never raises. The thread gathers what arrives within `GAP_SECONDS` and
commits it, so a process killed at any moment loses at most that window and the batch under way,
and the database stays whole (`tests/story/test_ledger_kill.py` kills it). A locked database or a
PostgreSQL that is away is waited for; a full queue drops and counts; a full disk or a damaged
database stops recording with one warning. Requests go on in every case.
"""

import atexit
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan

from assay.errors import AssayError, Conflict, Upstream
from assay.ledger.database import Database
from assay.ledger.retention import Retention
from assay.ledger.rows import COLUMNS, Row, row_of
from assay.ledger.settings import LedgerSettings

GAP_SECONDS = 0.1
BATCH_SPANS = 500
QUEUE_SPANS = 10_000
RETRY_SECONDS = 0.5

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WriterState:
    """Spans so far: `recorded` were put, `written` committed, `dropped` lost to a full queue or a stopped
    writer; the rest is `waiting`. `stopped` is the reason recording ended early, or empty."""

    recorded: int
    written: int
    dropped: int
    stopped: str = ""

    @property
    def waiting(self) -> int:
        """Spans accepted and not yet committed."""
        return self.recorded - self.written - self.dropped


class SpanWriter:
    """Writes finished spans in the background until closed.

    `capacity` is the number of spans the queue holds; one that finds it full is dropped.
    """

    def __init__(
        self,
        database: Database,
        settings: LedgerSettings,
        *,
        secrets: Iterable[str] = (),
        capacity: int = QUEUE_SPANS,
    ) -> None:
        self._database = database
        self._record_content = settings.record_content
        # Replacing a very short string everywhere would shred ordinary text.
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 6)
        self._capacity = capacity
        self._insert = _insert_statement(database)
        self._retention = Retention(database, keep_days=settings.keep_days)
        # A re-entrant lock: the garbage collector may end a span inside `put` on the same thread.
        self._changed = threading.Condition(threading.RLock())
        self._queue: list[ReadableSpan] = []
        self._recorded = self._written = self._dropped = 0
        self._stopped = ""
        self._hurry = self._closing = False
        self._thread = threading.Thread(target=self._run, name="assay-spans", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, span: ReadableSpan) -> None:
        """Take a finished span, or drop and count it when the queue is full or writing has stopped."""
        with self._changed:
            self._recorded += 1
            if self._stopped or self._closing:
                self._dropped += 1
                return
            if len(self._queue) >= self._capacity:
                self._dropped += 1
                first = self._dropped == 1
            else:
                first = False
                self._queue.append(span)
                if len(self._queue) == 1:
                    self._changed.notify_all()
        if first:
            _logger.warning(
                "Spans arrive faster than they can be written: some are dropped. Requests are not affected."
            )

    def state(self) -> WriterState:
        """The counts so far."""
        with self._changed:
            return WriterState(self._recorded, self._written, self._dropped, self._stopped)

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Wait until what was put before is committed; False when it was dropped or not in time."""
        with self._changed:
            target = self._recorded
            dropped = self._dropped
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._written + self._dropped >= target or self._stopped or not self._thread.is_alive(),
                timeout_seconds,
            )
            return self._written + dropped >= target

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Commit what is left and end the thread; waits at most `timeout_seconds`."""
        with self._changed:
            already = self._closing
            self._closing = True
            self._changed.notify_all()
        if already:
            return
        atexit.unregister(self.close)
        self._thread.join(timeout_seconds)
        left = self.state()
        if left.waiting or left.dropped:
            _logger.warning("%d of %d spans were not recorded.", left.waiting + left.dropped, left.recorded)

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if batch is None:
                return
            if batch:
                self._write(batch)
            if not self._stopped and not self._closing:
                self._prune()

    def _next_batch(self) -> list[ReadableSpan] | None:
        """The next spans to write; an empty list when it is time to prune, None when there is no more to do."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closing, self._retention.seconds_until_due())
            if not self._queue:
                return None if self._closing else []
            if len(self._queue) < BATCH_SPANS:
                self._changed.wait_for(
                    lambda: self._hurry or self._closing or len(self._queue) >= BATCH_SPANS, GAP_SECONDS
                )
            batch, self._queue = self._queue[:BATCH_SPANS], self._queue[BATCH_SPANS:]
            self._hurry = self._hurry and bool(self._queue)
            return batch

    def _write(self, batch: list[ReadableSpan]) -> None:
        try:
            rows = [row_of(span, record_content=self._record_content, secrets=self._secrets) for span in batch]
            while not self._committed(rows):
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, RETRY_SECONDS)
                    if self._closing:
                        break
            else:
                return
        except Exception as error:  # noqa: BLE001 the edge of a background thread: recording must not end the program
            self._stop(error)
        with self._changed:
            self._dropped += len(batch)
            self._changed.notify_all()

    def _committed(self, rows: list[Row]) -> bool:
        """Insert in one transaction. False where trying again may help; raises where it will not."""
        try:
            with self._database.write() as connection:
                connection.exec_driver_sql(self._insert, rows)
        except Upstream:
            return False
        except Conflict as error:
            if error.slug == "disk_full":
                raise
            return False
        with self._changed:
            self._written += len(rows)
            self._changed.notify_all()
        return True

    def _prune(self) -> None:
        try:
            self._retention.step()
        except AssayError as error:
            # Old rows can wait; a full disk or a damaged file will show itself on the next write.
            _logger.debug("Pruning old traces failed: %s", error)

    def _stop(self, error: Exception) -> None:
        with self._changed:
            self._stopped = str(error) or type(error).__name__
            self._dropped += len(self._queue)
            self._queue.clear()
        _logger.warning("Requests are no longer recorded: %s Requests themselves are not affected.", self._stopped)


def _insert_statement(database: Database) -> str:
    # Written by hand: through SQLAlchemy's Core the same insert costs the thread about twice the time.
    placeholder = "?" if database.is_sqlite else "%s"
    marks = ", ".join([placeholder] * len(COLUMNS))
    return f"insert into span ({', '.join(COLUMNS)}) values ({marks}) on conflict do nothing"  # noqa: S608
