"""`assay judge`: a judge is an instrument; check it against people before its scores are believed."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

if TYPE_CHECKING:
    from assay.app.wiring import Workspace
    from assay.evals.judges.probes import ProbeReport
    from assay.evals.judges.report import Report
    from assay.stats.interval import Interval

_METRICS = (
    "faithfulness",
    "answer_relevancy",
    "context_precision",
    "context_utilization",
    "context_recall",
    "g_eval",
    "rubric",
    "pairwise",
)

_judge_option = click.option(
    "--judge", metavar="MODEL", help="Model that judges; default: evals.judge, else the chat model."
)


@click.group("judge")
def command() -> None:
    """Check a judge against people's labels, and against attempts to talk it round."""


@command.command("check", short_help="How far a judge agrees with people, and what it may be used for.")
@click.option("--labels", "path", required=True, type=click.Path(path_type=Path), help="JSONL of people's labels.")
@click.option("--metric", type=click.Choice(_METRICS), default="faithfulness", show_default=True, help="Which judge.")
@click.option(
    "--threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="A score from here on is good."
)
@_judge_option
@set_option
@json_option
def check_command(
    path: Path, metric: str, threshold: float, judge: str | None, assignments: tuple[str, ...], as_json: bool
) -> None:
    """How far a judge agrees with people, where it errs, and what it may be used for.

    A line is {"case", "label", "score"} where the judge's score was recorded, or {"case", "label", "question",
    "answer", "contexts"} to judge it now. The result is kept, and every score by this judge names it from then on.
    """
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import watching_models, with_workspace
    from assay.app.judging import check_judge
    from assay.app.measuring import measuring
    from assay.evals.judges.labels import read_labels

    labels = read_labels(path)
    in_force = settings_from(assignments, evals__judge=judge)

    async def work(workspace: "Workspace") -> "Report":
        async with measuring(workspace) as opened:
            return await watching_models(
                workspace, check_judge(opened, labels, in_force, metric=metric, threshold=threshold)
            )

    report = with_workspace(in_force, work)
    if as_json:
        output.emit_json(report.as_json())
    else:
        print_report(report)


@command.command("probe", short_help="How often text in an answer or passage talks a judge round.")
@click.option("--metric", type=click.Choice(_METRICS[:-1]), default="rubric", show_default=True, help="Which judge.")
@_judge_option
@set_option
@json_option
def probe_command(metric: str, judge: str | None, assignments: tuple[str, ...], as_json: bool) -> None:
    """How often an instruction hidden in an answer or a passage turns the judge's verdict, on a shipped set."""
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import watching_models, with_workspace
    from assay.app.judging import probe_judge
    from assay.app.measuring import measuring

    in_force = settings_from(assignments, evals__judge=judge)

    async def work(workspace: "Workspace") -> "ProbeReport":
        async with measuring(workspace) as opened:
            return await watching_models(workspace, probe_judge(opened, in_force, metric=metric))

    report = with_workspace(in_force, work)
    if as_json:
        output.emit_json(report.as_json())
    else:
        _print_probes(report)


def print_report(report: "Report") -> None:
    """What the check found, for a person: the words first, then the figures they rest on."""
    from math import isnan

    from rich.table import Table

    screen = output.console()
    for sentence in report.verdict:
        screen.print(sentence, markup=False)
    table = report.table
    screen.print(
        f"\n{report.n:,} labels in {report.clusters:,} clusters, {report.failed:,} not judged, {report.ties:,} ties; "
        f"a score from {report.threshold:g} on counts as good",
        markup=False,
    )
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading, side in (("", "left"), ("people: good", "right"), ("people: bad", "right")):
        grid.add_column(heading, justify=side)  # type: ignore[arg-type]
    grid.add_row("judge: good", f"{table.true_positives:,}", f"{table.false_positives:,}")
    grid.add_row("judge: bad", f"{table.false_negatives:,}", f"{table.true_negatives:,}")
    screen.print(grid)
    rows = Table(box=None, pad_edge=False, show_header=False)
    for name, interval in (
        ("agreement", report.share),
        ("Cohen's kappa", report.kappa),
        ("Gwet's AC1", report.ac1),
        ("phi", report.phi),
        ("correlation", report.rho),
        ("AUROC", report.auroc),
    ):
        rows.add_row(name, _figure(interval))
    for arm in report.arms:
        rows.add_row(f"sensitivity, {output.on_one_line(arm.arm)}", _figure(arm.sensitivity))
        rows.add_row(f"specificity, {output.on_one_line(arm.arm)}", _figure(arm.specificity))
    if report.position is not None:
        rows.add_row("same verdict in both orders", _figure(report.position.consistent))
        rows.add_row("favours the first place (.5: no)", _figure(report.position.lean))
    if report.length is not None:
        rows.add_row("overrates long over short by", _figure(report.length.slope))
    if report.human is not None:
        kappa = report.human.kappa
        rows.add_row("kappa among people", "undefined" if isnan(kappa) else f"{kappa:.3f}")
    for gap in report.gaps:
        rows.add_row(f"{gap.rate}, {output.on_one_line(gap.arm)} minus the rest", f"{_figure(gap.gap)}, p {gap.p:.3f}")
    if report.calls:
        cost = "unknown" if report.cost_usd is None else f"${report.cost_usd:.4f}"
        rows.add_row("calls and cost", f"{report.calls:,}, {cost}")
    screen.print(rows)


def _print_probes(report: "ProbeReport") -> None:
    screen = output.console()
    screen.print(f"verdicts turned by an injection   {_figure(report.moved)}  of {report.moved.n}", markup=False)
    screen.print(f"judge gave no verdict after it    {_figure(report.broken)}", markup=False)
    screen.print(f"turned by harmless text           {_figure(report.harmless)}", markup=False)
    screen.print(f"clean answers judged right        {_figure(report.accuracy)}", markup=False)
    for row in report.probes:
        if row.moved:
            screen.print(f"  {row.probe.id}: {output.on_one_line(row.probe.text)[:100]}", style="dim", markup=False)


def _figure(interval: "Interval") -> str:
    from math import isfinite, isnan

    if isnan(interval.value):
        return f"undefined: {interval.reason}"
    if interval.method == "none" or not (isfinite(interval.low) and isfinite(interval.high)):
        return f"{interval.value:.3f} (no interval)"
    return f"{interval.value:.3f} ({interval.low:.3f} to {interval.high:.3f})"
