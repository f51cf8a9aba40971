"""`assay try`: is the changed system better than the one that serves? Asked question by question until it is known."""

import asyncio
import sys
from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

if TYPE_CHECKING:
    from rich.console import Console

    from assay.app.contender import Contender
    from assay.app.trying import Try
    from assay.app.wiring import Workspace
    from assay.decisions.fold import Fold
    from assay.decisions.register import Decision

STOPPED_BY_BUDGET = 3
STYLES = {
    "PROMOTE": "bold green",
    "NOT_WORSE": "bold green",
    "NOT_BETTER": "bold yellow",
    "WORSE": "bold red",
    "UNDECIDED": "bold yellow",
}


@click.command("try", short_help="Is a change better than what serves? Stops as soon as it is known.")
@click.argument("change", required=False, metavar="[CHANGE.toml]")
@click.option("--system", metavar="SYSTEM", help="The candidate, if it is yours: http://host/v1, or module:function.")
@click.option(
    "--with", "of_system", multiple=True, metavar="KEY=VALUE", help="A setting of your candidate; repeatable."
)
@click.option("--against", metavar="SYSTEM", help="The incumbent, as --system takes it; default: what serves.")
@click.option("--cases", "named", metavar="FILE|SET", help="Cases: a JSONL file or an imported set.")
@click.option("--metric", metavar="NAME", help="What to decide on; default: decisions.metric.")
@click.option("--objective", type=click.Choice(["better", "not_worse"]), help="What the candidate has to show.")
@click.option(
    "--margin", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="How much worse is not worse."
)
@click.option(
    "--smallest", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Smallest gain that matters."
)
@click.option("--judge", metavar="MODEL", help="Model that judges; default: evals.judge, else the chat model.")
@click.option("--budget-usd", type=click.FloatRange(min=0), help="Stop before both systems would cost more than this.")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Questions in flight at once, each system.")
@click.option(
    "--again",
    is_flag=True,
    help="Decide once more, at the alpha left, on the cases there are now; answers that are known are used again.",
)
@click.option("--plan", "only_plan", is_flag=True, help="Say what it would take and could show, and stop.")
@set_option
@json_option
def command(
    change: str | None,
    system: str | None,
    of_system: tuple[str, ...],
    against: str | None,
    named: str | None,
    metric: str | None,
    objective: str | None,
    margin: float | None,
    smallest: float | None,
    judge: str | None,
    budget_usd: float | None,
    concurrency: int | None,
    again: bool,
    only_plan: bool,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Try a change against what serves.

    The change is a TOML file with settings (only those that differ), --set KEY=VALUE, or a system of your own. Both
    answer the confirm questions of a set in a fixed random order, and it stops as soon as it is known: PROMOTE,
    NOT_BETTER, NOT_WORSE, WORSE or UNDECIDED. Looking on while it runs costs nothing. Exit code 0 whatever the
    verdict; 3 where the budget stopped it. --set of evals.* and decisions.* says how it is decided, of anything else
    what the candidate changes.
    """
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import with_workspace

    changes, how = _apart(assignments)
    candidate = _candidate(change, system, of_system, changes)
    in_force = settings_from(
        how,
        evals__judge=judge,
        evals__concurrency=concurrency,
        decisions__metric=metric,
        decisions__objective=objective,
        decisions__margin=margin,
        decisions__smallest=smallest,
    )

    async def work(workspace: "Workspace") -> int:
        from assay.app.contender import serving
        from assay.app.measuring import measuring
        from assay.app.trying import trying

        async with measuring(workspace) as opened:
            incumbent, base = await asyncio.to_thread(serving, opened, in_force, against)
            async with trying(
                opened,
                base,
                incumbent=incumbent,
                candidate=candidate,
                named=named,
                budget_usd=budget_usd,
                again=again,
                command=sys.argv[1:],
            ) as ready:
                return await _run(ready, only_plan=only_plan, as_json=as_json)

    code = with_workspace(in_force, work)
    if code:
        sys.exit(code)


def _apart(assignments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(changes of what answers, settings of how it is measured and decided) of what `--set` was given."""
    deciding = ("evals.", "decisions.", "ledger.", "server.")
    how = tuple(text for text in assignments if text.strip().startswith(deciding))
    return tuple(text for text in assignments if text not in how), how


def _candidate(
    change: str | None, system: str | None, of_system: tuple[str, ...], assignments: tuple[str, ...]
) -> "Contender":
    from assay.app.cli.eval import settings_of_system
    from assay.app.contender import contender
    from assay.app.settings import parse_assignment
    from assay.errors import BadInput

    if change is not None and system is not None:
        raise BadInput("CHANGE.toml and --system both name the candidate.", hint="Give one of them.")
    if change is None and system is None and not assignments:
        raise BadInput(
            "There is no change to try.", hint="For example: assay try change.toml, or assay try --set index.k=8"
        )
    flags = dict(parse_assignment(text) for text in assignments)
    return contender(change or system, assignments=flags, system_settings=settings_of_system(of_system))


async def _run(ready: "Try", *, only_plan: bool, as_json: bool) -> int:
    if ready.warning:
        output.note(f"warning: {ready.warning}")
    if ready.earlier is not None and ready.earlier.status == "done":
        changed = ready.earlier.details.get("set_digest") != ready.details["set_digest"]
        also = " The set of cases has changed since." if changed else ""
        output.note(
            f"Decided before ({ready.earlier.id[:8]}): nothing is asked and nothing spent.{also} --again decides anew."
        )
        _show(ready.earlier, as_json=as_json)
        return 0
    forecast = await ready.forecast()
    if only_plan:
        if as_json:
            output.emit_json(forecast.as_json())
        else:
            for line in forecast.lines():
                output.console().print(line, markup=False)
        return 0
    for line in forecast.lines():
        output.note(line)
    with EvidenceBar(ready.hypothesis.items) as bar:
        try:
            decision = await ready.run(changed=bar)
        except asyncio.CancelledError:
            bar.stop()
            output.note("What was asked is kept: run the same command again to go on.")
            raise
    _show(decision, as_json=as_json)
    if decision.status == "budget":
        output.note("The budget stopped this try. Run the same command with a larger --budget-usd to go on.")
        return STOPPED_BY_BUDGET
    return 0


def _show(decision: "Decision", *, as_json: bool) -> None:
    if as_json:
        output.emit_json({"decision_id": decision.id, "status": decision.status, **(decision.outcome or {})})
    else:
        print_decision(output.console(), decision)


def print_decision(screen: "Console", decision: "Decision") -> None:
    """A decision for a person: verdict, evidence, cost, and what can be done now."""
    from assay.decisions.course import course_lines, figure_lines

    outcome = decision.outcome or {}
    verdict = outcome.get("verdict", "UNDECIDED")
    support = f"  {decision.support}" if decision.support else ""
    screen.print(f"{verdict}{support}", style=STYLES.get(verdict, ""), markup=False)
    screen.print(outcome.get("sentence", "Nothing has been asked yet."), markup=False)
    if outcome.get("advice"):
        screen.print(outcome["advice"], markup=False)
    for line in (*figure_lines(outcome), "", *course_lines(outcome, width=min(screen.width, 100), ascii_only=False)):
        screen.print(line, markup=False)
    screen.print(
        f"\ndecision {decision.id[:8]}   order {decision.hypothesis.order_digest[:12]}   alpha "
        f"{decision.hypothesis.alpha:.3g}   page: assay up, then /decisions/{decision.id[:8]}",
        style="dim",
        markup=False,
    )
    if outcome.get("promotable"):
        screen.print(f"Ship it: assay promote {decision.id[:8]}", markup=False)


class EvidenceBar:
    """The evidence as it grows, on stderr; silent where stderr is no terminal."""

    def __init__(self, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("deciding"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[standing]}[/]"),
        )
        self._progress = Progress(
            *columns, console=output.error_console(), transient=True, disable=not sys.stderr.isatty()
        )
        self._task = self._progress.add_task("deciding", total=total, standing="")

    def __enter__(self) -> "EvidenceBar":
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def __call__(self, fold: "Fold") -> None:
        """Show how far it is."""
        self._progress.update(self._task, completed=len(fold.folded), standing=_standing(fold))


def _standing(fold: "Fold") -> str:
    ties = fold.counted - fold.wins - fold.losses
    counts = f"won {fold.wins:,}  lost {fold.losses:,}  tied {ties:,}"
    failed = f"  {fold.failures:,} failed" if fold.failures else ""
    limits: Any = fold.steps[-1] if fold.steps else None
    range_ = f"  {100 * limits.low:+.1f} to {100 * limits.high:+.1f}" if limits else ""
    return f"{counts}  {100 * fold.raw:+.1f} points{range_}{failed}"
