"""A run under way: results and spending go in one by one and are written down in batches.

Invariants: a batch of results, the totals and the standing change in one transaction, so they agree after kill -9; a
result that was added is in the journal at once (on SQLite), so it is never lost, and counted once; one that failed is
replaced when it is tried again. Proved by
`tests/unit/evals/test_runs.py` on both databases and `tests/story/test_eval_kill.py`.
"""

import json
import secrets
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from assay.errors import Conflict, Upstream
from assay.evals.result import Result, scores_from, scores_json, standing_from
from assay.evals.run_spec import RunSpec, Status
from assay.evals.scorer import Score
from assay.evals.tables import result as result_table
from assay.evals.tables import run as run_table
from assay.gateway.tally import Tally
from assay.ledger.database import Database
from assay.ledger.journal import Journal, Record, folder_beside, take_over

_COLUMNS = (
    *("run_id", "ordinal", "replica", "case_id", "error", "output", "scores", "cost_usd", "latency_ms", "retry"),
    *("judge_calls", "judge_paid_calls", "judge_cost_usd", "judge_ms"),
)
_PATIENCE_SECONDS = 60.0
FINISHED, FAILED = 1, 2


class LiveRun:
    """A run this process works on. `add` and `spend` are for one thread; `flush` may run in another.

    `state` says of every case and replica (at `ordinal * replicas + replica`) whether it is new (0), finished (1), or
    failed and to be tried again (2). Leaving the context without `finish` leaves the run interrupted.
    """

    def __init__(self, database: Database, spec: RunSpec, row: Row[Any], stack: ExitStack) -> None:
        self.id: str = row.id
        self.spec = spec
        self.standing = standing_from(row.progress)
        self.totals = Tally(row.paid_calls, row.cached_calls, row.cost_usd, row.unpriced)
        self.resumed = row.progress is not None
        self.state = bytearray(spec.cases * spec.replicas)
        self._failed_scores: dict[int, str] = {}  # by place, as written: taken back when it is tried again
        self._database, self._stack = database, stack
        self._insert = _insert_statement(database)
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # an older standing must not be written after a newer one
        self._rows: list[tuple[Any, ...]] = []
        self.added = 0  # results in this attempt
        self.waiting_bytes = 0  # of results added and not yet written, roughly
        self._unwritten = Tally()
        self._finished = False
        # An attempt that never ended has paid for outputs that no result tells of.
        self._killed = frozenset(self.standing.attempts)
        self.attempt = secrets.token_hex(4)
        self.standing.attempts[self.attempt] = 0
        self._load_state()
        folder = folder_beside(database)
        self._journal: Journal | None = None
        if folder:
            take_over(folder / self.id, self._recover)
            self._journal = Journal(folder / self.id)
        self._write("running", finished_ns=None, summary=None)

    def __enter__(self) -> "LiveRun":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if not self._finished:
                self.finish("interrupted")
        finally:
            if self._journal:
                self._journal.close(keep=not self._finished)
            self._stack.close()

    def paid_before(self, attempt: str, place: int) -> bool:
        """True where `attempt` of this run was killed after it paid for the output at `place` and before it said so."""
        return attempt in self._killed and not self.state[place]

    def add(self, result: Result, spent: Tally) -> None:
        """Take a result and what it cost now. Raises ValueError or TypeError where it cannot be kept as JSON."""
        output = json.dumps(result.output.as_json(), separators=(",", ":"), allow_nan=False) if result.output else None
        scores = scores_json(result.scores)
        row = (
            *(self.id, result.ordinal, result.replica, _storable(result.case_id), _storable(result.error), output),
            *(scores, result.cost_usd, result.latency_ms, result.retry),
            *(result.judge_calls, result.judge_paid_calls, result.judge_cost_usd, result.judge_ms),
        )
        with self._lock:
            self.added += 1
            if self._journal:
                spending = [spent.paid_calls, spent.cached_calls, spent.cost_usd, spent.unpriced_calls]
                data = json.dumps([row, spending], separators=(",", ":")).encode()
                self._journal.append(Record(self.attempt, str(self.added), data))
            self._take(row, result.scores, spent)

    def spend(self, spent: Tally) -> None:
        """Count what was spent on a case that was not finished."""
        with self._lock:
            self._count(spent)

    def flush(self) -> None:
        """Write what was added, in one transaction. Waits up to a minute for a database that is locked or away."""
        with self._writing:
            if self._rows and not self._finished:
                self._write("running", finished_ns=None)

    def finish(self, status: Status, summary: Mapping[str, Any] | None = None) -> None:
        """Write what is left and how the run ended."""
        kept = {} if summary is None else {"summary": json.dumps(summary, allow_nan=False)}
        with self._writing:
            with self._lock:
                self.standing.attempts.pop(self.attempt, None)
            self._write(status, finished_ns=time.time_ns(), **kept)
            self._finished = True

    def _take(self, row: tuple[Any, ...], scores: Mapping[str, Score], spent: Tally) -> None:
        _, ordinal, replica, *_ = row
        retry = row[_COLUMNS.index("retry")]
        place = ordinal * self.spec.replicas + replica
        self._rows.append(row)
        self.waiting_bytes += sum(len(part) for part in row if isinstance(part, str))
        if self.state[place] == FAILED:
            self.standing.take_back(scores_from(self._failed_scores.pop(place)))
        if retry:
            self._failed_scores[place] = row[_COLUMNS.index("scores")]
        self.standing.add(scores, failed=retry)
        self.state[place] = FAILED if retry else FINISHED
        self._count(spent)

    def _recover(self, records: Iterable[Record]) -> None:
        """Write the results a killed attempt had and did not write."""
        written = self.standing.attempts
        for record in sorted(records, key=lambda record: int(record.kind)):
            if record.key in written and int(record.kind) > written[record.key]:
                row, spent = json.loads(record.data)
                self._take(tuple(row), scores_from(row[_COLUMNS.index("scores")]), Tally(*spent))
                written[record.key] = int(record.kind)
        self._write("running", finished_ns=None)

    def _count(self, spent: Tally) -> None:
        self._unwritten.add(spent)
        self.totals.add(spent)

    def _load_state(self) -> None:
        c = result_table.c
        with self._database.read() as connection:
            query = sa.select(c.ordinal, c.replica, c.retry).where(c.run_id == self.id)
            for ordinal, replica, retry in connection.execute(query):
                self.state[ordinal * self.spec.replicas + replica] = FAILED if retry else FINISHED
            failed = sa.select(c.ordinal, c.replica, c.scores).where(c.run_id == self.id, c.retry)
            for ordinal, replica, scores in connection.execute(failed):
                self._failed_scores[ordinal * self.spec.replicas + replica] = scores

    def _write(self, status: Status, **changed: Any) -> None:
        with self._lock:
            rows, self._rows, self.waiting_bytes = self._rows, [], 0
            spent, self._unwritten = self._unwritten, Tally()
            if self._journal:
                self._journal.turn()
            if self.attempt in self.standing.attempts:
                self.standing.attempts[self.attempt] = self.added
            progress = self.standing.as_json()
        c = run_table.c
        added = {
            "paid_calls": c.paid_calls + spent.paid_calls,
            "cached_calls": c.cached_calls + spent.cached_calls,
            "cost_usd": c.cost_usd + spent.cost_usd,
            "unpriced": c.unpriced + spent.unpriced_calls,
        }
        update = sa.update(run_table).where(c.id == self.id)
        try:
            self._commit(rows, update.values(status=status, progress=progress, **added, **changed))
        except BaseException:
            with self._lock:
                self._rows = rows + self._rows
                self._unwritten.add(spent)
            raise
        if self._journal:
            with self._lock:
                self._journal.committed()

    def _commit(self, rows: Sequence[tuple[Any, ...]], update: sa.Update) -> None:
        patience = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with self._database.write() as connection:
                    if rows:
                        connection.exec_driver_sql(self._insert, list(rows))
                    connection.execute(update)
                return
            except (Upstream, Conflict) as error:
                if error.slug == "disk_full" or time.monotonic() > patience:
                    raise
            time.sleep(0.5)


def _insert_statement(database: Database) -> str:
    # Written by hand: through SQLAlchemy's Core the same insert costs about twice the time.
    marks = ", ".join(["?" if database.is_sqlite else "%s"] * len(_COLUMNS))
    replaced = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[3:])
    into = f"insert into result ({', '.join(_COLUMNS)}) values ({marks})"  # noqa: S608
    return f"{into} on conflict (run_id, ordinal, replica) do update set {replaced}"


def _storable(text: str) -> str:
    """PostgreSQL keeps neither NUL nor lone surrogates."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
