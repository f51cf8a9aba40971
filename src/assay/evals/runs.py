"""Runs in the ledger: started or resumed, appended to in batches, finished, listed, read back.

Invariant: one process at a time works on a run, and whoever finds it taken is told by whom; what died is shown as
interrupted, whatever it last wrote. Proved by `tests/unit/evals/test_runs.py` on both databases and
`tests/story/test_eval_kill.py`.
"""

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from assay.errors import BadInput, Conflict, NotFound
from assay.evals.live_run import LiveRun
from assay.evals.output import output_from
from assay.evals.result import Result, scores_from, standing_from
from assay.evals.run_spec import SHOWN, RunSpec, Status
from assay.evals.tables import result as result_table
from assay.evals.tables import run as run_table
from assay.ledger.claim import claimed, is_claimed
from assay.ledger.database import Database

_PAGE_RESULTS = 500
_SHOWN_CANDIDATES = 8
_SEE_RUNS = "Run `assay runs` to see them."


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as it stands. `results` counts those written, `failed` those of them that failed and can be tried again.

    `cost_usd` sums the calls that have a price; `unpriced_calls` counts those that have none. `means` are of every
    metric there is, what failed at 0, and of a finished run the scoreboard's own values.
    """

    id: str
    created_ns: int
    finished_ns: int | None
    status: Status
    spec: RunSpec
    cost_usd: float
    unpriced_calls: int
    paid_calls: int
    cached_calls: int
    results: int
    failed: int
    means: Mapping[str, float]
    summary: Mapping[str, Any] | None

    @property
    def shown(self) -> tuple[str, ...] | None:
        """The metrics whoever asked for the run wanted to see, in that order; None: all there are."""
        asked = self.spec.details.get(SHOWN)
        return None if asked is None else tuple(asked)


class Runs:
    """Every run of a workspace. Safe to share between threads and processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def id_for(self, spec: RunSpec, *, resume: bool = True) -> str:
        """The id `start` will work under: for what must know it before, such as a budget."""
        row = self._unfinished(spec.digest) if resume else None
        return row.id if row else _new_id()

    def start(self, spec: RunSpec, *, resume: bool = True, run_id: str | None = None) -> LiveRun:
        """The newest unfinished run of this spec, or a new one under `run_id`; use it as a context manager.

        Raises Conflict, naming the process, where another one is at work on this spec.
        """
        stack = ExitStack()
        try:
            who = stack.enter_context(claimed(self.database, _claim_name(spec.digest)))
            if who:
                raise Conflict(
                    f"This evaluation is already running ({who}).",
                    hint="Wait until it has finished, or stop it; it can be resumed.",
                    code="run_in_progress",
                )
            row = self._unfinished(spec.digest) if resume else None
            return LiveRun(self.database, spec, row, stack) if row else self._new(spec, run_id or _new_id(), stack)
        except BaseException:
            stack.close()
            raise

    def unfinished(self, spec: RunSpec) -> RunRecord | None:
        """The run that `start` would resume."""
        row = self._unfinished(spec.digest)
        return self._record(row) if row else None

    def get(self, run_id: str) -> RunRecord:
        """The run whose id is or begins with `run_id`. Raises NotFound, or BadInput where several begin so."""
        prefix = run_id.strip().lower()
        if not prefix or set(prefix) - set("0123456789abcdef"):
            raise BadInput(f"{run_id!r} is not a run id: they are hexadecimal digits.", hint=_SEE_RUNS)
        begins = sa.select(run_table).where(run_table.c.id.startswith(prefix)).order_by(run_table.c.id)
        with self.database.read() as connection:
            rows = connection.execute(begins.limit(_SHOWN_CANDIDATES + 1)).all()
        if not rows:
            raise NotFound(f"There is no run {run_id}.", hint=_SEE_RUNS)
        if len(rows) > 1 and rows[0].id != prefix:
            more = ", ..." if len(rows) > _SHOWN_CANDIDATES else ""
            candidates = ", ".join(row.id for row in rows[:_SHOWN_CANDIDATES]) + more
            raise BadInput(f"Several runs begin with {prefix}.", hint=f"Give more digits; there are {candidates}.")
        return self._record(rows[0])

    def list(self, limit: int = 50, *, set_digest: str | None = None, system: str | None = None) -> list[RunRecord]:
        """The newest runs first; of one set of cases or one system where given."""
        query = sa.select(run_table).order_by(run_table.c.created_ns.desc(), run_table.c.id).limit(limit)
        if set_digest is not None:
            query = query.where(run_table.c.set_digest == set_digest)
        if system is not None:
            query = query.where(run_table.c.system == system)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [self._record(row) for row in rows]

    def results(self, run_id: str, *, outputs: bool = True) -> Iterator[Result]:
        """The results of a run (its whole id) in order of case and replica, read page by page.

        With `outputs` False every `output` is None and the outputs are not read.
        """
        c = result_table.c
        columns = [column for column in c if outputs or column is not c.output]
        page = sa.select(*columns).where(c.run_id == run_id).order_by(c.ordinal, c.replica).limit(_PAGE_RESULTS)
        after: tuple[int, int] | None = None
        while True:
            query = page if after is None else page.where(sa.tuple_(c.ordinal, c.replica) > sa.tuple_(*after))
            with self.database.read() as connection:
                rows = connection.execute(query).all()
            yield from map(_result, rows)
            if len(rows) < _PAGE_RESULTS:
                return
            after = rows[-1].ordinal, rows[-1].replica

    def result(self, run_id: str, case_id: str, *, replica: int = 0, ordinal: int | None = None) -> Result:
        """One result of a run (its whole id). Raises NotFound.

        With the case's `ordinal` in its set it is looked up; without, all results of the run are gone through.
        """
        c = result_table.c
        query = sa.select(result_table).where(c.run_id == run_id, c.case_id == case_id, c.replica == replica)
        if ordinal is not None:
            query = query.where(c.ordinal == ordinal)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"Run {run_id} has no result for case {case_id!r}.")
        return _result(row)

    def summarise(self, run_id: str, summary: Mapping[str, Any]) -> None:
        """Keep the scoreboard (JSON) with a run (its whole id)."""
        kept = json.dumps(summary, allow_nan=False)
        with self.database.write() as connection:
            connection.execute(sa.update(run_table).where(run_table.c.id == run_id).values(summary=kept))

    def _new(self, spec: RunSpec, run_id: str, stack: ExitStack) -> LiveRun:
        row = {
            "id": run_id,
            "created_ns": time.time_ns(),
            "status": "running",
            "system": spec.system,
            "subject": spec.subject,
            "set_digest": spec.set_digest,
            "spec_digest": spec.digest,
            "spec": json.dumps(asdict(spec)),
        }
        with self.database.write() as connection:
            connection.execute(sa.insert(run_table).values(row))
            stored = connection.execute(sa.select(run_table).where(run_table.c.id == row["id"])).one()
        return LiveRun(self.database, spec, stored, stack)

    def _unfinished(self, spec_digest: str) -> Row[Any] | None:
        c = run_table.c
        query = sa.select(run_table).where(c.spec_digest == spec_digest, c.status != "done")
        with self.database.read() as connection:
            return connection.execute(query.order_by(c.created_ns.desc(), c.id).limit(1)).first()

    def _record(self, row: Row[Any]) -> RunRecord:
        status: Status = row.status
        if status == "running" and not is_claimed(self.database, _claim_name(row.spec_digest)):
            status = "interrupted"  # its process died before it could say so
        spec = json.loads(row.spec)
        standing = standing_from(row.progress)
        summary: dict[str, Any] | None = json.loads(row.summary) if row.summary else None
        return RunRecord(
            id=row.id,
            created_ns=row.created_ns,
            finished_ns=row.finished_ns,
            status=status,
            spec=RunSpec(**(spec | {"scorers": tuple(spec["scorers"])})),
            cost_usd=row.cost_usd,
            unpriced_calls=row.unpriced,
            paid_calls=row.paid_calls,
            cached_calls=row.cached_calls,
            results=standing.results,
            failed=standing.failed,
            means=standing.means() | _values_of(summary),
            summary=summary,
        )


def _values_of(summary: Mapping[str, Any] | None) -> dict[str, float]:
    return {name: metric["value"] for name, metric in ((summary or {}).get("metrics") or {}).items()}


def _new_id() -> str:
    return secrets.token_hex(8)


def _claim_name(spec_digest: str) -> str:
    return f"run-{spec_digest[:32]}"


def _result(row: Row[Any]) -> Result:
    output = getattr(row, "output", None)
    return Result(
        ordinal=row.ordinal,
        replica=row.replica,
        case_id=row.case_id,
        output=output_from(json.loads(output)) if output else None,
        scores=scores_from(row.scores),
        error=row.error,
        cost_usd=row.cost_usd,
        latency_ms=row.latency_ms,
        judge_calls=row.judge_calls,
        judge_paid_calls=row.judge_paid_calls,
        judge_cost_usd=row.judge_cost_usd,
        judge_ms=row.judge_ms,
    )
