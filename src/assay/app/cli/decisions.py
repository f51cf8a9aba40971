"""`assay decisions`: what was decided, on what evidence, and whether the evidence still says so."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option

if TYPE_CHECKING:
    from assay.app.measuring import Measuring
    from assay.decisions.register import Decision, Register


@click.group("decisions", short_help="What was decided and on what evidence.", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """What was decided; show one, check one."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@command.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """Every decision, newest first."""
    _list(as_json=as_json)


@command.command("show")
@click.argument("decision_id")
@json_option
def show_command(decision_id: str, as_json: bool) -> None:
    """One decision with its evidence."""
    from assay.app.cli.try_ import print_decision

    decision = _with(lambda opened: _as_it_stands(opened, _register(opened).get(decision_id)))
    if as_json:
        output.emit_json(decision_shape(decision))
    else:
        output.console().print(decision.hypothesis.sentence(), markup=False)
        print_decision(output.console(), decision)


@command.command("check")
@click.argument("decision_id")
@json_option
def check_command(decision_id: str, as_json: bool) -> None:
    """Fold the results of a decision again and see whether they give the verdict that was written down.

    Exit code 1 where they do not.
    """
    from assay.app.deciding import checked_shape, replay

    shape = _with(lambda opened: checked_shape(replay(opened, _register(opened).get(decision_id))))
    if as_json:
        output.emit_json(shape)
    else:
        words = "agree with" if shape["agrees"] else "DO NOT GIVE"
        output.console().print(
            f"{shape['n']:,} results of decision {decision_id[:8]} {words} what was written down of quality: "
            f"{shape['written']} (folded again: {shape['replayed']}, {shape['wins']} won, {shape['losses']} lost).",
            markup=False,
        )
    if not shape["agrees"]:
        raise SystemExit(1)


@command.command("report", short_help="Write the HTML page of a decision.")
@click.argument("decision_id")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False), required=False)
@json_option
def report_command(decision_id: str, path: Path | None, as_json: bool) -> None:
    """Write the page of a decision as one HTML file; it opens without a server."""

    def work(opened: "Measuring") -> Path:
        from assay.app.report.archive import Archive
        from assay.app.report.decision_archive import DecisionArchive
        from assay.app.report.decision_file import saved

        found = DecisionArchive(Archive(opened.workspace.database))
        return saved(found, decision_id, path, folder=opened.workspace.home / "reports")

    written = _with(work)
    if as_json:
        output.emit_json({"report": str(written)})
    else:
        output.console().print(str(written), markup=False)


def decision_shape(decision: "Decision") -> dict[str, Any]:
    """A decision as JSON: hypothesis, outcome, what put it together."""
    return {
        "decision_id": decision.id,
        "created_ns": decision.created_ns,
        "finished_ns": decision.finished_ns,
        "status": decision.status,
        "hypothesis": decision.hypothesis.as_json(),
        "hypothesis_digest": decision.hypothesis.digest,
        "runs": {"incumbent": decision.incumbent_run, "candidate": decision.candidate_run},
        "support": decision.support,
        "details": dict(decision.details),
        **(decision.outcome or {}),
        "verdict": decision.verdict,
    }


def _list(*, as_json: bool) -> None:
    found: list[Decision] = _with(lambda opened: [_as_it_stands(opened, one) for one in _register(opened).list()])
    if as_json:
        output.emit_json({"decisions": [decision_shape(decision) for decision in found]})
        return
    if not found:
        output.console().print("Nothing was decided yet. Try a change: assay try --set index.k=12", markup=False)
        return
    from assay.app.cli.try_ import STYLES
    from assay.decisions.figures import points

    rows: list[tuple[str, ...]] = [("decision", "when", "verdict", "difference", "questions", "alpha", "candidate")]
    for decision in found:
        outcome = decision.outcome or {}
        difference = outcome.get("difference")
        when = datetime.fromtimestamp(decision.created_ns / 1e9).strftime("%Y-%m-%d %H:%M")
        verdict = decision.verdict or decision.status
        change = points(difference["value"]) if difference else ""
        counts = f"{outcome.get('n', 0):,}", f"{decision.hypothesis.alpha:.3g}"
        name = output.on_one_line(decision.hypothesis.candidate.name)
        rows.append((decision.id[:8], when, verdict, change, *counts, name))
    output.print_columns(rows, right=(3, 4, 5), styles={2: STYLES}, leaving_out=(5, 1, 4))


def _as_it_stands(opened: "Measuring", decision: "Decision") -> "Decision":
    """The decision, interrupted where it says that it runs and no process is at it."""
    state = _register(opened).state(decision)
    return decision if state == decision.status else replace(_register(opened).get(decision.id), status=state)


def _register(opened: "Measuring") -> "Register":
    from assay.decisions.register import Register

    return Register(opened.workspace.database)


def _with(work: Any) -> Any:
    from assay.app.cli.runs import with_measuring

    return with_measuring((), work)
