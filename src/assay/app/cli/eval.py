"""`assay eval`: score a system on cases, with error bars and a bill known beforehand."""

import asyncio
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option
from assay.app.failures import FINISHED_WITH_FAILURES
from assay.decisions.figures import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assay.app.evaluating import Evaluation
    from assay.app.measuring import Measuring
    from assay.app.wiring import Workspace
    from assay.evals.progress import Progress
    from assay.evals.runs import RunRecord
    from assay.evals.scoreboard import Scoreboard

LONG_SECONDS = 60.0
_BAR_WIDTH = 16
_REST_WIDTH = 72  # the bar, counts to 100,000, times to an hour and the space between

STOPPED_BY_BUDGET = 3
"""The exit code of a run that a budget stopped: finished honestly, but not whole."""


@click.command("eval", short_help="Score a system on cases, with error bars and a bill known beforehand.")
@click.option(
    "--cases", "named", metavar="FILE|SET", help="Cases: a JSONL file or an imported set; default: the newest set."
)
@click.option(
    "--system",
    metavar="SYSTEM",
    help="assay.toml or a system file, http://host/v1, or module:function; default: Assay with the settings in force.",
)
@click.option(
    "--with",
    "of_system",
    multiple=True,
    metavar="KEY=VALUE",
    help="A setting of the system, such as --with k=5; repeatable.",
)
@click.option("--metrics", metavar="LIST", help="Metrics by comma, or auto; see --list-metrics.")
@click.option("--judge", metavar="MODEL", help="Model that judges; default: evals.judge, else the chat model.")
@click.option(
    "--against", metavar="RUN_ID", help="Run whose answers the metric pairwise judges against; default: the references."
)
@click.option("--budget-usd", type=click.FloatRange(min=0), help="Stop before the run would cost more than this.")
@click.option("--limit", type=click.IntRange(min=1), help="Only the first so many cases.")
@click.option("--replicas", type=click.IntRange(1, 100), help="Ask each question so many times.")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Questions in flight at once.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Where the HTML report goes.")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be done, and stop.")
@click.option("--list-metrics", is_flag=True, help="Every metric, and what it needs.")
@set_option
@json_option
def command(
    named: str | None,
    system: str | None,
    of_system: tuple[str, ...],
    metrics: str | None,
    judge: str | None,
    against: str | None,
    budget_usd: float | None,
    limit: int | None,
    replicas: int | None,
    concurrency: int | None,
    report: Path | None,
    only_plan: bool,
    list_metrics: bool,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score a system on cases.

    Says first what it will do: cases, calls, cost, time, and the smallest difference these cases can show. What was
    computed before is not computed again; an interrupted run goes on where it was.
    """
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import with_workspace

    if list_metrics:
        _list_metrics(as_json=as_json)
        return
    given = settings_of_system(of_system)
    in_force = settings_from(
        assignments,
        evals__metrics=metrics,
        evals__judge=judge,
        evals__against=against,
        evals__replicas=replicas,
        evals__concurrency=concurrency,
    )

    if report is not None:
        from assay.app.report.page import check_writable

        check_writable(report)  # before anything is asked and paid for

    async def work(workspace: "Workspace") -> int:
        from assay.app.evaluating import evaluation
        from assay.app.measuring import measuring

        began = False
        try:
            async with measuring(workspace) as opened:
                chosen = await asyncio.to_thread(opened.choose, named, limit=limit)
                async with evaluation(
                    opened, chosen, in_force, system=system, system_settings=given, budget_usd=budget_usd
                ) as ready:
                    plan = await ready.planned()
                    for warning in _warnings(ready, plan, budget_usd):
                        output.note(warning)
                    if only_plan:
                        _say(plan, as_json=as_json)
                        return 0
                    print_plan(plan)
                    began = True
                    return await _run(opened, ready, report=report, as_json=as_json)
        except asyncio.CancelledError:
            if not began:
                output.note("Interrupted before the run began: nothing is kept.")
            raise

    code = with_workspace(in_force, work)
    if code:
        sys.exit(code)


def _warnings(ready: "Evaluation", plan: Any, budget_usd: float | None) -> list[str]:
    """What whoever starts this should know beforehand and the plan's figures do not say."""
    said = [compared.sentence for scorer in ready.scorers if (compared := getattr(scorer, "opponent", None))]
    cases = ready.chosen.cases
    if len(cases) > 1 and cases[0].cluster and all(case.cluster == cases[0].cluster for case in cases):
        said.append(
            f"! All {len(cases):,} cases are of one cluster ({output.on_one_line(cases[0].cluster)[:60]}), so no "
            "interval can be told: take cases of several."
        )
    if budget_usd is not None and plan.cost_usd is not None and plan.cost_usd.expected > budget_usd:
        said.append(
            f"! The budget of ${budget_usd:.2f} will stop this run before its end: it is expected to cost "
            f"${plan.cost_usd.expected:.2f}."
        )
    return said


def settings_of_system(texts: tuple[str, ...]) -> dict[str, Any]:
    """KEY=VALUE pairs; a value is read as TOML where it is some, so that 5 is a number, else as text."""
    import tomllib

    from assay.errors import BadInput

    given: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise BadInput(f"--with takes KEY=VALUE, not {text!r}.", hint="For example: --with k=5")
        try:
            given[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            given[key.strip()] = value
    return given


async def _run(opened: "Measuring", evaluation: "Evaluation", *, report: Path | None, as_json: bool) -> int:
    from assay.app.measuring import run_shape

    with EvalBar(evaluation.total, shown=evaluation.shown) as bar:
        try:
            record, board = await evaluation.run(progress=bar)
        except asyncio.CancelledError:
            bar.stop()
            if bar.run_id:
                output.note(
                    f"Interrupted. What is finished is kept: run the same command again to go on ({bar.run_id[:8]})."
                )
            raise
    path = await asyncio.to_thread(opened.write_report, record, report)
    if as_json:
        output.emit_json({**run_shape(record, board), "report": str(path)})
    else:
        print_run(record, board, path)
    if board.rows and board.failed == board.rows:
        first = next(iter(await asyncio.to_thread(lambda: list(islice(opened.results(record), 1)))))
        output.note(f"error: Every question failed. The first: {first.error}")
        output.note("hint: Correct the system and run the same command again; nothing was answered yet.")
        return FINISHED_WITH_FAILURES
    if record.status == "budget":
        output.note("The budget stopped this run. Run the same command with a larger --budget-usd to go on.")
        return STOPPED_BY_BUDGET
    return 0


def print_run(record: "RunRecord", board: "Scoreboard", report: Path | None) -> None:
    """The scoreboard of a run for a person, what it cost, and where more is to be seen."""
    from assay.app.cli.scoreboard import print_scoreboard

    screen = output.console()
    print_scoreboard(screen, board)
    questions = record.spec.cases * record.spec.replicas
    if missing := questions - board.rows:
        screen.print(
            f"! {board.rows:,} of {questions:,} questions were asked; the other {missing:,} are in no figure above.",
            style="yellow",
            markup=False,
        )
    cost = f"${record.cost_usd:.4f}" if record.cost_usd else "$0"
    unpriced = f" and {counted(record.unpriced_calls, 'unpriced call')}" if record.unpriced_calls else ""
    screen.print(
        f"\nrun {record.id[:8]} ({record.status}): {record.paid_calls:,} calls made, {record.cached_calls:,} from the "
        f"cache, {cost}{unpriced}",
        style="dim",
        markup=False,
    )
    if report is not None:
        screen.print(f"report   {report}", markup=False)
        screen.print(f"page     assay up, then /runs/{record.id[:8]}", style="dim", markup=False)


def _say(plan: Any, *, as_json: bool) -> None:
    if as_json:
        output.emit_json(plan.as_json())
    else:
        for line in plan.lines():
            output.console().print(line, markup=False)


def print_plan(plan: Any) -> None:
    """What will be done, on stderr."""
    for line in plan.lines():
        output.note(line)


def _list_metrics(*, as_json: bool) -> None:
    from assay.evals.metrics import described

    rows = described()
    if as_json:
        output.emit_json({"metrics": [{"name": name, "needs": needs, "meaning": what} for name, needs, what in rows]})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("metric", "needs", "what it says"):
        table.add_column(heading, no_wrap=heading != "what it says")
    for name, needs, what in rows:
        table.add_row(name, needs, what)
    output.console().print(table)


class EvalBar:
    """Progress of an evaluation on stderr with running scores and spend; where stderr is no terminal, one line says
    after the first cases how long it takes, if that is long.
    """

    def __init__(self, total: int, *, shown: "Sequence[str] | None" = None) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
        )

        columns = (
            TextColumn("measuring"),
            BarColumn(bar_width=_BAR_WIDTH),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            TextColumn("[dim]{task.fields[standing]}[/]"),
        )
        self._progress = Progress(
            *columns, console=output.error_console(), transient=True, disable=not sys.stderr.isatty()
        )
        self._task = self._progress.add_task("measuring", total=total, standing="", left="")
        self._said = False
        self.run_id = ""
        self._shown = shown

    def __enter__(self) -> "EvalBar":
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def __call__(self, progress: "Progress") -> None:
        """Show how far it is."""
        self.run_id = progress.run_id
        left = progress.remaining_seconds
        if self._progress.disable and not self._said and left is not None and left >= LONG_SECONDS:
            self._said = True
            output.note(f"{progress.done:,} of {progress.total:,} done, {_left(progress)}")
        self._progress.update(
            self._task,
            completed=progress.done,
            total=progress.total,
            standing=standing_of(progress, self._shown, room=self._progress.console.width - _REST_WIDTH),
            left=_left(progress),
        )


def _left(progress: "Progress") -> str:
    """How long it still takes, going by the cases that are done: rich's own column forgets a pace after 30 s."""
    from assay.evals.timing import clock

    if progress.remaining_seconds is None or progress.done >= progress.total:
        return ""
    return f"about {clock(progress.remaining_seconds)} left"


def standing_of(progress: "Progress", shown: "Sequence[str] | None", *, room: int) -> str:
    """What failed and what was spent, and of the metrics asked for as many as there is room for, three at most."""
    from assay.evals.metrics import HEADLINE

    spend = f"${progress.cost_usd:.4f}" if progress.cost_usd else "$0"
    if progress.unpriced_calls:
        spend += f" + {progress.unpriced_calls:,} unpriced"
    parts = [f"{progress.failed:,} failed"] * bool(progress.failed) + [spend]
    metrics = [f"{name} {progress.means[name]:.3f}" for name in shown or HEADLINE if name in progress.means][:3]
    while metrics and len("  ".join([*metrics, *parts])) > room:
        metrics.pop()
    text = "  ".join([*metrics, *parts])
    return text if len(text) <= room else ""
