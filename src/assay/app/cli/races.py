"""`assay races`: what was raced; show one."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from assay.app.cli import output
from assay.app.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Callable

    from assay.decisions.race.store import RaceRecord, Races

T = TypeVar("T")


@click.group("races", short_help="What was raced; show one.", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, as_json: bool) -> None:
    """What was raced, newest first; show one."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@command.command("show")
@click.argument("race_id")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write its page to a file.")
@json_option
def show_command(race_id: str, html: Path | None, as_json: bool) -> None:
    """One race: who won, who is out and why, what each factor does."""
    from assay.app.cli.race import race_json
    from assay.app.cli.race_view import print_race

    view = dict(_with(lambda races: races.get(race_id)).view)
    if html is not None:
        from assay.app.report.race_page import race_file

        html.write_text(race_file(view), "utf-8")
    if as_json:
        output.emit_json(race_json(view))
    else:
        print_race(output.console(), view)


def _list(*, as_json: bool) -> None:
    found = _with(lambda races: races.list(1_000))
    if as_json:
        output.emit_json({"races": [_row(record) for record in found]})
        return
    if not found:
        output.note("Nothing was raced in this workspace yet. Begin with: assay race space.toml")
        return
    rows = [("race", "when", "designs", "status", "verdict", "winner")]
    for record in found:
        row = _row(record)
        when = datetime.fromtimestamp(record.created_ns / 1e9).strftime("%Y-%m-%d %H:%M")
        rows.append(
            (record.id[:8], when, f"{row['designs']:,}", record.status, row["verdict"] or "", row["winner"] or "")
        )
    output.print_columns(rows, right=(2,))


def _row(record: "RaceRecord") -> dict[str, Any]:
    view = record.view
    winner, confirmation = view.get("winner"), view.get("confirmation")
    return {
        "race_id": record.id,
        "created_ns": record.created_ns,
        "set": record.set_name,
        "designs": view["space"]["arms"],
        "status": record.status,
        "winner": winner["name"] if winner else None,
        "verdict": confirmation["verdict"] if confirmation else None,
        "decision_id": record.decision_id,
    }


def _with(work: "Callable[[Races], T]") -> T:
    from assay.app.wiring import open_workspace_database
    from assay.decisions.race.store import Races

    database = open_workspace_database()
    try:
        return work(Races(database))
    finally:
        database.close()
