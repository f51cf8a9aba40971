"""`assay demo`: the whole loop on the handbook that ships with Assay."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

if TYPE_CHECKING:
    from assay.app.demo import DemoResult
    from assay.app.wiring import Workspace
    from assay.evals.measured import Measured


@click.command("demo")
@click.option("--once", is_flag=True, help="Print and exit instead of serving the page.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the page; default: server.port.")
@set_option
@json_option
def command(once: bool, port: int | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """Index the handbook, answer three questions, score itself, judge one planted change, serve the page."""
    from assay.app.cli.options import settings_from
    from assay.app.cli.serving import serve
    from assay.app.cli.session import with_workspace

    async def work(workspace: "Workspace") -> None:
        result = await _demonstrate(workspace, quiet=as_json)
        if as_json:
            output.emit_json(demo_shape(result))
        if not once:
            await serve(workspace)

    try:
        with_workspace(settings_from(assignments, server__port=port), work)
    except KeyboardInterrupt:
        if once:
            raise
        output.note("Stopped.")


def demo_shape(result: "DemoResult") -> dict[str, Any]:
    """The object of `assay demo --once --json`."""
    from assay.app.shapes import outcome_shape
    from assay.decisions.compare import comparison_shape

    score = result.score
    return {
        "answers": [{"question": question, **outcome_shape(outcome)} for question, outcome in result.answers],
        "score": {
            "value": score.value,
            "low": score.low,
            "high": score.high,
            "n": len(result.incumbent),
            "method": score.method,
        },
        "change": {"name": result.change_name, **comparison_shape(result.change)},
    }


async def _demonstrate(workspace: "Workspace", *, quiet: bool) -> "DemoResult":
    from assay.app.cli.ask import print_outcome
    from assay.app.cli.compare import print_comparison
    from assay.app.cli.session import IngestBar, watching_models
    from assay.app.demo import check_empty, demo_cases, index_handbook, run_demo

    screen = output.console()

    def say(text: str = "", **style: Any) -> None:
        if not quiet:
            screen.print(text, markup=False, **style)

    def answered(question: str, outcome: Any) -> None:
        say(f"\n? {question}", style="bold")
        if not quiet:
            print_outcome(screen, outcome)

    await check_empty(workspace)
    workspace.start_loading()
    await watching_models(workspace, workspace.embedder())
    with IngestBar() as bar:
        report = await index_handbook(workspace, bar)
    await watching_models(workspace, workspace.chat())
    say(f"Indexed the handbook: {report.documents} chapters, {report.passages} passages.")

    with _Scoring() as scoring:
        result = await run_demo(workspace, cases=demo_cases(), answered=answered, progress=scoring.follow)
    files = _keep(workspace.home / "demo", result)

    score = result.score
    say(f"\nIts own score: {score.value:.1%} of {len(result.incumbent)} questions right", style="bold")
    say(f"95% interval {score.low:.1%} to {score.high:.1%} ({score.method}).")
    say("Right: it cites the evidence where there is some, and declines where there is none.", style="dim")
    say(f"\nOne change: {result.change_name}", style="bold")
    if not quiet:
        print_comparison(screen, result.change)
        say(f"\nThe same again: assay compare {files[0]} {files[1]}", style="dim")
    return result


def _keep(folder: Path, result: "DemoResult") -> tuple[str, str]:
    """Write both result files, so that `assay compare` can be tried on them; their paths as typed."""

    def write(name: str, rows: "Sequence[Measured]") -> str:
        path = folder / name
        lines = [
            json.dumps(
                {
                    "case": row.case,
                    "score": row.score,
                    "cluster": row.cluster,
                    "cost_usd": row.cost_usd,
                    "latency_ms": round(row.latency_ms, 2),
                }
            )
            for row in rows
        ]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        here = Path.cwd()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    folder.mkdir(parents=True, exist_ok=True)
    return write("as-it-is.jsonl", result.incumbent), write("changed.jsonl", result.candidate)


class _Scoring:
    """Two progress bars on stderr: the questions as it is, and with the change."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = output.error_console()
        columns = (TextColumn("scoring: {task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> "_Scoring":
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._progress.stop()

    def follow(self, name: str, done: int, total: int) -> None:
        """Show how many questions are scored."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total)
        self._progress.update(self._tasks[name], completed=done)
