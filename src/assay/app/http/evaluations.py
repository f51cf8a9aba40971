"""Assay's own routes for evaluations: /api/runs and /api/cases, read-only, in the OpenAPI document.

Everything waits for the database, so every route is a plain function: the framework runs it in a thread.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from assay.app.report.archive import Archive
from assay.app.report.run_index import RunIndex, Selection
from assay.evals.case import Case
from assay.evals.runs import RunRecord

Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0)]


class CasesSetShape(BaseModel):
    """The exact set of cases of a run."""

    name: str
    digest: str
    cases: int


class RunShape(BaseModel):
    """A run: what was measured on what, how it stands, what it cost."""

    run_id: str
    created_ns: int = Field(description="nanoseconds since 1970")
    finished_ns: int | None
    status: Literal["running", "done", "budget", "interrupted", "failed"]
    system: str
    cases_set: CasesSetShape
    replicas: int
    results: int = Field(description="answers in it so far, of cases times replicas")
    failed: int = Field(description="those of them that failed and are tried again when the run is resumed")
    cost_usd: float
    unpriced_calls: int
    paid_calls: int
    cached_calls: int
    means: dict[str, float] = Field(description="running means of what did not fail: for watching, not for a report")


class RunDetailShape(RunShape):
    """A run with its scoreboard: the object of `assay eval --json` and more."""

    metrics: dict[str, dict[str, Any]] = Field(description="by name: value, low, high, n, failed, method, ...")
    slices: dict[str, Any]
    notes: list[str]
    scorers: list[dict[str, Any]] = Field(description="metrics, digest, and the judge with its last check")


class RunsResponse(BaseModel):
    """Runs, newest first."""

    runs: list[RunShape]


class CaseResultShape(BaseModel):
    """A case and what its worst replica got."""

    case: dict[str, Any] = Field(description="as in a line of JSONL")
    outcome: str
    replica: int
    replicas: int
    text: str
    declined: bool
    error: str
    scores: dict[str, float | None] = Field(description="null where the judge failed")
    latency_ms: float
    cost_usd: float | None
    trace_id: str


class RunCasesResponse(BaseModel):
    """Cases of a run that fit, in the order asked for; `total` counts all that fit."""

    total: int
    cases: list[CaseResultShape]


class SetShape(BaseModel):
    """The newest version of a named set of cases."""

    name: str
    digest: str
    cases: int
    created_ns: int
    origin: str


class SetsResponse(BaseModel):
    """Named sets of cases, the newest first."""

    sets: list[SetShape]


def router(archive: Archive) -> APIRouter:
    """The routes over the evaluations of a workspace."""
    routes = APIRouter(prefix="/api", tags=["evaluations"])

    @routes.get("/runs", summary="Runs, newest first", response_model=RunsResponse)
    def runs(
        limit: Limit = 50, offset: Offset = 0, cases: Annotated[str, Query(description="a set by name or digest")] = ""
    ) -> Any:
        digest = archive.cases.digest(cases) if cases else None
        return {"runs": [_run(run) for run in archive.newest(limit=limit, offset=offset, set_digest=digest)]}

    @routes.get("/runs/{run_id}", summary="A run and its scoreboard", response_model=RunDetailShape)
    def run(run_id: str) -> Any:
        found = archive.runs.get(run_id)
        board = archive.index(found).board.as_json()
        scorers = [dict(scorer) for scorer in found.spec.scorers]
        return _run(found) | {key: board[key] for key in ("metrics", "slices", "notes")} | {"scorers": scorers}

    @routes.get("/runs/{run_id}/cases", summary="Cases of a run, worst first", response_model=RunCasesResponse)
    def run_cases(
        run_id: str,
        outcome: str = "",
        tag: str = "",
        q: Annotated[str, Query(max_length=1000, description="text in question, answers, evidence, reasons")] = "",
        order: Annotated[str, Query(description="best, slowest, low:METRIC or high:METRIC; default: worst first")] = "",
        limit: Limit = 50,
        offset: Offset = 0,
    ) -> Any:
        found = archive.runs.get(run_id)
        index = archive.index(found)
        chosen = archive.chosen(found, index, Selection(outcome=outcome, tag=tag, q=q, order=order))
        shown = [_case(archive, found, index, ordinal) for ordinal in chosen[offset : offset + limit]]
        return {"total": len(chosen), "cases": shown}

    @routes.get("/cases", summary="Named sets of cases", response_model=SetsResponse)
    def cases() -> Any:
        return {
            "sets": [
                {
                    "name": one.name,
                    "digest": one.digest,
                    "cases": one.size,
                    "created_ns": one.created_ns,
                    "origin": one.origin,
                }
                for one in archive.sets()
            ]
        }

    return routes


def _run(run: RunRecord) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "created_ns": run.created_ns,
        "finished_ns": run.finished_ns,
        "status": run.status,
        "system": _sendable(run.spec.system),
        "cases_set": {"name": run.spec.set_name, "digest": run.spec.set_digest, "cases": run.spec.cases},
        "replicas": run.spec.replicas,
        "results": run.results,
        "failed": run.failed,
        "cost_usd": run.cost_usd,
        "unpriced_calls": run.unpriced_calls,
        "paid_calls": run.paid_calls,
        "cached_calls": run.cached_calls,
        "means": dict(run.means),
    }


def _case(archive: Archive, run: RunRecord, index: RunIndex, ordinal: int) -> dict[str, Any]:
    case, standing = index.cases[ordinal], index.standings[ordinal]
    result = archive.runs.result(run.id, case.id, replica=standing.replica, ordinal=ordinal)
    output = result.output
    return {
        "case": _sendable_case(case),
        "outcome": standing.outcome,
        "replica": standing.replica,
        "replicas": standing.replicas,
        "text": "" if output is None else _sendable(output.text),
        "declined": output is not None and output.declined,
        "error": _sendable(result.error),
        "scores": {name: score.value for name, score in result.scores.items()},
        "latency_ms": result.latency_ms,
        "cost_usd": result.cost_usd,
        "trace_id": "" if output is None else output.trace_id,
    }


def _sendable_case(case: Case) -> Any:
    return _deep(case.as_json())


def _deep(value: Any) -> Any:
    if isinstance(value, str):
        return _sendable(value)
    if isinstance(value, Mapping):
        return {key: _deep(part) for key, part in value.items()}
    return [_deep(part) for part in value] if isinstance(value, list) else value


def _sendable(text: str) -> str:
    # Lone surrogates, which models and broken files yield, cannot be sent as UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")
