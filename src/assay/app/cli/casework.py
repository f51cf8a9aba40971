"""`assay cases generate`, `review` and `audit`: questions made from documents, and what people say of them."""

import sys
from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

if TYPE_CHECKING:
    from assay.app.measuring import Measuring
    from assay.app.wiring import Workspace
    from assay.evals.generation.generated import Generated, GenerationProgress


@click.command("generate", short_help="Make cases from the workspace's documents.")
@click.option("-n", "n", type=click.IntRange(1, 100_000), default=50, show_default=True, help="About so many.")
@click.option("--name", default="generated", show_default=True, help="What to call the set.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed draws other passages.")
@click.option("--by-rule", is_flag=True, help="Turn statements into questions by rule; no model is asked.")
@set_option
@json_option
def generate_command(n: int, name: str, seed: int, by_rule: bool, assignments: tuple[str, ...], as_json: bool) -> None:
    """Make cases from the workspace's documents: questions on one passage, on two, unanswerable ones, and traps.

    Every case quotes its evidence. What is dropped, and why, is said; so is how weak the questions are. Review them
    with `assay cases review` before a score on them decides anything.
    """
    from assay.app.casework import generate_cases
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import with_workspace
    from assay.app.measuring import measuring

    in_force = settings_from(assignments)

    async def work(workspace: "Workspace") -> "tuple[str, Generated]":
        async with measuring(workspace) as opened:
            with _Bar(n) as bar:
                made = await generate_cases(opened, in_force, n=n, seed=seed, by_rule=by_rule, progress=bar)
            return opened.cases.save(name, made.cases, "generated"), made

    digest, made = with_workspace(in_force, work)
    shape: dict[str, Any] = {"set": name, "digest": digest, "cases": len(made.cases)}
    if as_json:
        output.emit_json({**shape, **made.as_json()})
        return
    screen = output.console()
    screen.print(f"{len(made.cases):,} cases in {name} ({digest[:12]}).\n", markup=False)
    screen.print(made.warning, markup=False)
    for reason, count in made.reasons():
        screen.print(f"  {count:>6,}  dropped: {reason}", markup=False, style="dim")
    screen.print(f"\nassay cases review {name}", markup=False)


@click.command("review", short_help="Accept, fix or reject cases by keyboard.")
@click.argument("name")
@click.option("--as", "result", metavar="NAME", help="What to call the reviewed set; default: the same name.")
def review_command(name: str, result: str | None) -> None:
    """Accept (a), fix (f), reject (r) or skip (s) case after case; u takes the last one back, q stops.

    Every decision is kept at once. When all are decided, the accepted and fixed ones become the newest version.
    """
    from assay.app.cli.review import review_cases
    from assay.app.cli.runs import with_measuring
    from assay.app.corpus import StoredCorpus
    from assay.evals.review import ReviewQueue

    def work(opened: "Measuring") -> None:
        queue = ReviewQueue(opened.workspace.database, name)
        progress = review_cases(queue, screen=output.console(), corpus=StoredCorpus(opened.workspace.store))
        left = progress.to_review
        if left:
            output.note(f"{left:,} left to review; run the same command to go on.")
            return
        digest = queue.finish(result or name)
        kept = progress.accepted + progress.fixed
        output.note(f"{kept:,} of {progress.total:,} cases kept in {result or name} ({digest[:12]}).")

    with_measuring((), work)


@click.command("audit", short_help="How far can a set be trusted; does it rank systems as another does?")
@click.argument("name")
@click.argument("human", required=False)
@click.option("--metric", default="mrr", show_default=True, help="The score that ranks.")
@json_option
def audit_command(name: str, human: str | None, metric: str, as_json: bool) -> None:
    """How far can the set NAME be trusted, and does it rank systems as the set HUMAN does?

    Alone: how near its questions stand to the words of their evidence, and what else needs no run. With HUMAN: the
    newest finished run of each system that was measured on both is compared; four systems or more are needed.
    """
    from assay.app.casework import audit_sets, look_at_set
    from assay.app.cli.runs import with_measuring

    if human is None:
        seen = with_measuring((), lambda opened: look_at_set(opened, name))
        if as_json:
            output.emit_json(seen.as_json())
        else:
            for sentence in seen.sentences:
                output.console().print(sentence, markup=False)
        return
    found = with_measuring((), lambda opened: audit_sets(opened, name, human, metric=metric))
    if as_json:
        output.emit_json(found.as_json())
        return
    screen = output.console()
    screen.print(found.sentence, markup=False)
    width = max(map(len, found.configurations))
    screen.print(f"\n{'':<{width}}  synthetic  human   ({metric})", style="bold", markup=False)
    means = zip(found.configurations, found.synthetic_means, found.human_means, strict=True)
    for system, one, other in sorted(means, key=lambda row: -row[2]):
        screen.print(f"{output.on_one_line(system):<{width}}  {one:>9.3f}  {other:.3f}", markup=False)


class _Bar:
    """Progress of a generation on stderr; silent where stderr is no terminal."""

    def __init__(self, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("writing {task.fields[kind]}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        quiet = not sys.stderr.isatty()
        self._progress = Progress(*columns, console=output.error_console(), transient=True, disable=quiet)
        self._task = self._progress.add_task("writing", total=total, kind="")

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._progress.stop()

    def __call__(self, progress: "GenerationProgress") -> None:
        self._progress.update(
            self._task, completed=progress.kept_in_all, total=progress.wanted_in_all, kind=progress.kind
        )
