"""`assay runs`: what was measured, what each run shows, and what changed between two."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assay.app.cli import output
from assay.app.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from assay.app.measuring import Measuring
    from assay.evals.diff import Diff
    from assay.evals.runs import RunRecord

T = TypeVar("T")


@click.group("runs", invoke_without_command=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The newest so many.")
@click.option("--cases", "named", metavar="SET", help="Only runs on this set of cases.")
@json_option
@click.pass_context
def command(context: click.Context, limit: int, named: str | None, as_json: bool) -> None:
    """The runs of this workspace, newest first; show one, compare two."""
    if context.invoked_subcommand is not None:
        return

    def work(opened: "Measuring") -> "list[RunRecord]":
        digest = opened.cases.digest(named) if named else None
        return opened.runs.list(limit, set_digest=digest)

    records = with_measuring((), work)
    if as_json:
        output.emit_json({"runs": [record_shape(record) for record in records]})
        return
    if not records:
        output.note("No runs yet. assay eval measures a system on cases.")
        return
    print_records(records)


@command.command("show", short_help="The scoreboard of one run.")
@click.argument("run_id")
@json_option
def show_command(run_id: str, as_json: bool) -> None:
    """The scoreboard of a run, also of one that is not finished."""
    from assay.app.cli.eval import print_run
    from assay.app.measuring import run_shape

    def work(opened: "Measuring") -> Any:
        record = opened.runs.get(run_id)
        return record, opened.board(record)

    record, board = with_measuring((), work)
    if as_json:
        output.emit_json(run_shape(record, board))
    else:
        print_run(record, board, None)


@command.command("diff", short_help="What changed from one run to another, case by case.")
@click.argument("first")
@click.argument("second")
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="Changed cases to show.")
@click.option("--metric", "metrics", multiple=True, help="Only this metric; repeat for more.")
@json_option
def diff_command(first: str, second: str, limit: int, metrics: tuple[str, ...], as_json: bool) -> None:
    """What changed from run FIRST to run SECOND: each metric's paired difference, and the cases that moved most.

    Of metrics at several cuts one is shown; name others with --metric, or see all with --json.
    """
    from assay.app.cli.scoreboard import print_diff
    from assay.errors import BadInput

    def work(opened: "Measuring") -> "tuple[list[RunRecord], Diff]":
        records = [opened.runs.get(run_id) for run_id in (first, second)]
        if records[0].id == records[1].id:
            raise BadInput(f"Both are run {records[0].id[:8]}.", hint="Name two runs; `assay runs` lists them.")
        return records, opened.diff(first, second, metrics=metrics or None)

    (a, b), found = with_measuring((), work)
    if as_json:
        output.emit_json(found.as_json())
    else:
        print_diff(output.console(), found, a=_called(a), b=_called(b), most_cases=limit, every_metric=bool(metrics))


@command.command("report", short_help="Write the HTML report of a run.")
@click.argument("run_id")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), help="Where it goes.")
@json_option
def report_command(run_id: str, path: Path | None, as_json: bool) -> None:
    """Write the single-file HTML report of a run; it opens without a server."""

    def work(opened: "Measuring") -> Path:
        return opened.write_report(opened.runs.get(run_id), path)

    written = with_measuring((), work)
    if as_json:
        output.emit_json({"report": str(written)})
    else:
        output.console().print(str(written), markup=False)


@command.command("export", short_help="Scores as JSONL for assay compare and other tools.")
@click.argument("run_id")
@click.option("--metric", required=True, help="Which metric is the score.")
def export_command(run_id: str, metric: str) -> None:
    """Write one line a case: case, score, cluster, cost_usd, latency_ms, error."""
    import json
    import sys

    def work(opened: "Measuring") -> None:
        for line in opened.score_lines(opened.runs.get(run_id), metric):
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")

    with_measuring((), work)


@command.command("read", short_help="Scores of another tool: JSONL, inspect_ai or promptfoo.")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--metric", help="Only this metric; needed with --output where there are several.")
@click.option("--system", help="Only this system of a file that holds several.")
@click.option(
    "-o", "--output", "lines", type=click.Path(path_type=Path, dir_okay=False), help="Write lines for assay compare."
)
@json_option
def read_command(path: Path, metric: str | None, system: str | None, lines: Path | None, as_json: bool) -> None:
    """The scoreboard of another tool's result file, with intervals.

    Reads JSONL lines {"case", "score"[, "metric", "cluster", "cost_usd", "latency_ms", "error"]}, inspect_ai logs and
    promptfoo results; nothing is kept.
    """
    from assay.app.cli.scoreboard import print_scoreboard
    from assay.errors import BadInput
    from assay.evals.foreign_score import metrics_of, rows_of_scores, write_lines
    from assay.evals.importers import import_scores
    from assay.evals.scoreboard import scoreboard

    scores = import_scores(path, system=system)
    names = metrics_of(scores)
    if metric is not None and metric not in names:
        raise BadInput(f"{path} has no metric {metric}.", hint=f"Use one of: {', '.join(names)}.")
    if lines is not None:
        if metric is None and len(names) > 1:
            raise BadInput(f"{path} has several metrics.", hint=f"Choose one with --metric: {', '.join(names)}.")
        write_lines(lines, scores, metric or names[0])
    board = scoreboard(rows_of_scores(scores), metrics=[metric] if metric else None)
    if as_json:
        output.emit_json(board.as_json())
    else:
        print_scoreboard(output.console(), board, every_metric=True)


def with_measuring(assignments: tuple[str, ...], work: "Callable[[Measuring], T]") -> T:
    """The result of `work` on the evaluations of the workspace, in a thread."""
    import asyncio

    from assay.app.cli.options import settings_from
    from assay.app.cli.session import with_workspace
    from assay.app.measuring import measuring

    async def inside(workspace: Any) -> T:
        async with measuring(workspace) as opened:
            return await asyncio.to_thread(work, opened)

    return with_workspace(settings_from(assignments), inside)


def record_shape(record: "RunRecord") -> dict[str, Any]:
    """A run as an object: what, on what, how it stands, what it cost."""
    return {
        "run_id": record.id,
        "created": iso(record.created_ns),
        "status": record.status,
        "system": record.spec.system,
        "cases_set": {"name": record.spec.set_name, "digest": record.spec.set_digest, "cases": record.spec.cases},
        "replicas": record.spec.replicas,
        "results": record.results,
        "failed": record.failed,
        "cost_usd": record.cost_usd,
        "paid_calls": record.paid_calls,
        "cached_calls": record.cached_calls,
        "means": dict(record.means),
    }


def _called(record: "RunRecord") -> str:
    when = iso(record.created_ns)[:16].replace("T", " ")
    return f"{record.id[:8]}  {when}  {record.spec.system} on {record.spec.set_name or record.spec.set_digest[:8]}"


def print_records(records: "list[RunRecord]") -> None:
    """Runs as a table."""
    from assay.evals.metrics import HEADLINE

    rows = [("run", "when", "status", "done", "score", "cases", "system")]
    for record in records:
        names = HEADLINE if record.shown is None else record.shown
        score = next((f"{name} {record.means[name]:.3f}" for name in names if name in record.means), "")
        when = iso(record.created_ns)[:16].replace("T", " ")
        done = f"{record.results:,}/{record.spec.cases * record.spec.replicas:,}"
        cases = output.on_one_line(record.spec.set_name or record.spec.set_digest[:8])
        rows.append((record.id[:8], when, record.status, done, score, cases, output.on_one_line(record.spec.system)))
    output.print_columns(rows, leaving_out=(1, 3, 5))


def iso(ns: int) -> str:
    """Nanoseconds since 1970 as local time in ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(ns / 1e9))
