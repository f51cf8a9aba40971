"""`assay gate`: not worse than the baseline by more than a margin, or the build stops."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

if TYPE_CHECKING:
    from assay.app.settings import SettingsInForce
    from assay.decisions.gate import Called, Gate
    from assay.decisions.results import Scored
    from assay.errors import AssayError

_OPEN = {"min_open": True, "max_open": True}


@click.command("gate", short_help="Stop a build that makes answers worse than a margin.")
@click.option("--baseline", required=True, metavar="REF", help="A run, a release, `live`, or a JSONL file of scores.")
@click.option("--candidate", metavar="REF", help="A run or a JSONL file; default: the system is measured now.")
@click.option("--margin", type=click.FloatRange(0, 1, **_OPEN), help="How much worse still passes: 0.02 is 2 points.")
@click.option("--smallest", type=click.FloatRange(0, 1, **_OPEN), help="Smallest gain that matters.")
@click.option(
    "--alpha", type=click.FloatRange(0, 0.5, **_OPEN), default=0.05, show_default=True, help="Level of each limit."
)
@click.option("--metric", metavar="NAME", help="What to decide on; default: decisions.metric.")
@click.option("--cases", "named", metavar="FILE|SET", help="Cases to measure on; default: the baseline's.")
@click.option("--system", metavar="SYSTEM", help="What is measured, as assay eval takes it; default: Assay as set.")
@click.option("--with", "of_system", multiple=True, metavar="KEY=VALUE", help="A setting of the system; repeatable.")
@click.option("--budget-usd", type=click.FloatRange(min=0), help="Stop before the run would cost more than this.")
@click.option(
    "--markdown", "markdown_path", type=click.Path(path_type=Path), help="Write a comment for a pull request."
)
@click.option("--junit", "junit_path", type=click.Path(path_type=Path), help="Write a JUnit report.")
@set_option
@json_option
def command(
    baseline: str,
    candidate: str | None,
    margin: float | None,
    smallest: float | None,
    alpha: float,
    metric: str | None,
    named: str | None,
    system: str | None,
    of_system: tuple[str, ...],
    budget_usd: float | None,
    markdown_path: Path | None,
    junit_path: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Hold a candidate against a baseline.

    Exit code 0: better, or not worse by more than the margin. 1: shown to be worse by more than the margin. 2: neither
    was shown, also where a system failed or a budget stopped it. 64 and above: a wrong flag, setting or file. The
    reports are written whatever the end.
    """
    from assay.app.cli.options import settings_from
    from assay.decisions.gate import gate
    from assay.decisions.hypothesis import Margins
    from assay.errors import AssayError

    in_force = settings_from(
        assignments, decisions__margin=margin, decisions__smallest=smallest, decisions__metric=metric
    )
    for path in (markdown_path, junit_path):
        _check_target(path)
    options = in_force.settings.decisions
    margins = Margins(options.margin, options.smallest, options.cost_ratio or None, options.latency_ratio or None)
    try:
        sides, called = _sides(
            in_force,
            baseline,
            candidate,
            metric,
            named=named,
            system=system,
            of_system=of_system,
            budget_usd=budget_usd,
        )
        found = gate(sides[0], sides[1], margins=margins, alpha=alpha, called=called)
    except AssayError as error:
        _write_failed(error, markdown_path, junit_path)
        _end_as_not_shown(error, as_json=as_json)
        raise
    _write(found, markdown_path, junit_path)
    if as_json:
        output.emit_json(found.as_json())
    else:
        print_gate(found)
    sys.exit(int(found.passing))


def print_gate(found: "Gate") -> None:
    """The finding for a person."""
    from assay.app.cli.try_ import STYLES
    from assay.decisions.gate import Passing

    screen = output.console()
    style = STYLES[str(found.verdict)] if found.passing is not Passing.WORSE else "bold red"
    screen.print(str(found.verdict), style=style, markup=False)
    screen.print(found.sentence(), markup=False)
    for note in (*found.comparison.notes, *found.joint.reasons):
        screen.print(f"! {note}", style="yellow", markup=False)
    difference = found.comparison.difference
    screen.print(f"{difference.method} ({difference.reason}), each limit at {found.alpha:g}", style="dim", markup=False)


def _sides(
    in_force: "SettingsInForce",
    baseline: str,
    candidate: str | None,
    metric: str | None,
    *,
    named: str | None,
    system: str | None,
    of_system: tuple[str, ...],
    budget_usd: float | None,
) -> "tuple[tuple[list[Scored], list[Scored]], Called]":
    from assay.app.gating import is_scores_file
    from assay.decisions.gate import Called
    from assay.decisions.results import read_results
    from assay.errors import BadInput

    if candidate is not None and (system is not None or of_system):
        raise BadInput("--candidate and --system both name the candidate.", hint="Give one of them.")
    if candidate is None or not is_scores_file(baseline) or not is_scores_file(candidate):
        return _measured(
            in_force, baseline, candidate, named=named, system=system, of_system=of_system, budget_usd=budget_usd
        )
    given = {"--cases": named is not None, "--budget-usd": budget_usd is not None}
    if useless := [flag for flag, is_given in given.items() if is_given]:
        raise BadInput(
            f"Between two files of scores nothing is measured, so {' and '.join(useless)} would change nothing.",
            hint=f"Leave out {' and '.join(useless)}, or name a run or a system to be measured.",
        )
    read = [read_results(Path(file), metric=metric) for file in (baseline, candidate)]
    return (read[0], read[1]), Called(baseline, candidate, metric or "score")


def _measured(
    in_force: "SettingsInForce",
    baseline: str,
    candidate: str | None,
    *,
    named: str | None,
    system: str | None,
    of_system: tuple[str, ...],
    budget_usd: float | None,
) -> "tuple[tuple[list[Scored], list[Scored]], Called]":
    from assay.app.cli.eval import settings_of_system
    from assay.app.cli.session import with_workspace
    from assay.app.gating import sides_of
    from assay.app.measuring import measuring

    async def work(workspace: object) -> "tuple[tuple[list[Scored], list[Scored]], Called]":
        async with measuring(workspace) as opened:  # type: ignore[arg-type]
            return await sides_of(
                opened,
                in_force,
                baseline,
                candidate,
                named=named,
                system=system,
                system_settings=settings_of_system(of_system),
                budget_usd=budget_usd,
                note=output.note,
            )

    return with_workspace(in_force, work)


def _check_target(path: Path | None) -> None:
    from assay.errors import BadInput

    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise BadInput(f"{path} cannot be written.", hint="Name a file in a folder that exists.")


def _write_failed(error: "AssayError", markdown_path: Path | None, junit_path: Path | None) -> None:
    from assay.decisions.gate_report import failed_junit, failed_markdown

    for path, text in ((markdown_path, failed_markdown), (junit_path, failed_junit)):
        if path is not None:
            path.write_text(text(error.message, error.hint), encoding="utf-8")
            output.note(f"Wrote {path}")


def _end_as_not_shown(error: "AssayError", *, as_json: bool) -> None:
    """A system that fails, or a budget that ends, shows nothing; whatever else is wrong is wrong with the command."""
    from assay.decisions.gate import Passing
    from assay.errors import LimitReached, Upstream

    if not isinstance(error, (Upstream, LimitReached)):
        return
    output.note(f"error: {error.message}" + (f"\nhint: {error.hint}" if error.hint else ""))
    if as_json:
        shape = {"code": error.slug, "message": error.message, "hint": error.hint}
        output.emit_json({"error": shape, "exit_code": int(Passing.NOT_SHOWN)})
    sys.exit(int(Passing.NOT_SHOWN))


def _write(found: "Gate", markdown_path: Path | None, junit_path: Path | None) -> None:
    from assay.decisions.gate_report import junit, markdown

    for path, text in ((markdown_path, markdown), (junit_path, junit)):
        if path is not None:
            path.write_text(text(found), encoding="utf-8")
            output.note(f"Wrote {path}")
