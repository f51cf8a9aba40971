"""`assay cases split`, `budget` and `open`: what may be looked at, what is kept for decisions, what looking costs."""

from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option
from assay.app.cli.runs import iso, with_measuring

if TYPE_CHECKING:
    from assay.app.measuring import Measuring
    from assay.decisions.seasons import Opened, Split


@click.command("split", short_help="What may be looked at, what is kept for decisions.")
@click.argument("name", metavar="[SET]", required=False)
@click.option("--dev-share", type=float, help="Share of clusters drawn for dev, once; default 0.3.")
@json_option
def split_command(name: str | None, dev_share: float | None, as_json: bool) -> None:
    """Divide a set into dev (look at it, tune on it) and confirm (kept for decisions), by cluster, once and for all.

    Again it shows the division and places what is new. SET is a name; default: the newest set.
    """
    from assay.app.splitting import split_set, split_shape

    split = with_measuring((), lambda opened: split_set(opened, name, dev_share=dev_share))
    shape = split_shape(split)
    if as_json:
        output.emit_json(shape)
        return
    _print_split(split, shape)


@click.command("budget", short_help="What decisions on a set have spent, and what is left.")
@click.argument("name", metavar="[SET]", required=False)
@json_option
def budget_command(name: str | None, as_json: bool) -> None:
    """The evidence budget of a set: each decision, the alpha it spent and handed on, and what the next one can show.

    SET is a name; default: the newest set.
    """
    from assay.app.splitting import budget_shape, budgets

    set_name, found = with_measuring((), lambda opened: budgets(opened, name))
    shape = budget_shape(set_name, found)
    if as_json:
        output.emit_json(shape)
        return
    if not found:
        output.note(f"{set_name} is not split yet, so nothing is spent. assay cases split {set_name}")
        return
    for season in shape["seasons"]:
        _print_season(set_name, season)
    if any(season["chance"] for season in shape["seasons"]):
        output.note(_planned(shape["assumed_disc"]))


@click.command("open", short_help="Look at a case that is kept for decisions; costs budget.")
@click.argument("name", metavar="SET")
@click.argument("case_id", metavar="CASE")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def open_command(name: str, case_id: str, yes: bool, as_json: bool) -> int:
    """Move a confirm case with its whole cluster to dev, for good; its season's budget loses one step."""
    from assay.app.splitting import named_set
    from assay.decisions.split import SplitStore

    def cost(opened: "Measuring") -> "Opened":
        named_set(opened, name)
        return SplitStore(opened.workspace.database).would_open(name, case_id)

    before = with_measuring((), cost)
    if before.clusters and not yes:
        count = len(before.case_ids)
        question = (
            f"{count:,} case{'s' if count != 1 else ''} of {output.on_one_line(name)} will be dev for good, and "
            f"{_alpha(before.cost)} of the evidence budget is spent. Open?"
        )
        if not click.confirm(question, err=True):
            output.note("Nothing was opened.")
            return 1
    done = with_measuring((), lambda opened: SplitStore(opened.workspace.database).open_case(name, case_id))
    shape = {"set": name, "clusters": list(done.clusters), "cases": list(done.case_ids), "cost": done.cost}
    if as_json:
        output.emit_json(shape)
    elif done.clusters:
        output.console().print(
            f"{len(done.case_ids):,} moved to dev; {_alpha(done.cost)} of the budget spent.", markup=False
        )
        output.note(f"assay cases show {name} {case_id}")
    else:
        output.console().print("It is dev already; nothing was spent.", markup=False)
    return 0


def _print_split(split: "Split", shape: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "clusters", "cases", "next alpha", "sees, 4 times in 5"):
        table.add_column(heading, justify="left" if not heading else "right")
    table.add_row("dev", f"{shape['dev']['clusters']:,}", f"{shape['dev']['cases']:,}", "", "")
    for season in shape["seasons"]:
        now = " (now)" if season["season"] == split.season and len(split.seasons) > 1 else ""
        sees = season["detectable"]
        table.add_row(
            f"confirm, season {season['season']}{now}",
            f"{season['clusters']:,}",
            f"{season['cases']:,}",
            _alpha(season["alpha_next"]),
            _between(sees["cases_independent"], sees["clusters_as_one"], " points"),
        )
    screen = output.console()
    screen.print(output.on_one_line(split.set_name), style="bold", markup=False)
    screen.print(table)
    for warning in split.warnings:
        screen.print(f"! {output.on_one_line(warning)}", markup=False)
    if split.seasons:
        output.note(_planned(shape["assumed_disc"]))


def _print_season(set_name: str, season: dict[str, Any]) -> None:
    from rich.table import Table

    screen = output.console()
    screen.print(f"{output.on_one_line(set_name)}, season {season['season']}", style="bold", markup=False)
    if season["lines"]:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("", "when", "what", "verdict", "alpha", "handed on"):
            table.add_column(heading, justify="right" if heading in {"", "alpha", "handed on"} else "left")
        for line in season["lines"]:
            what, verdict = _told(line)
            when = iso(line["spent_ns"])[:16].replace("T", " ")
            handed = _alpha(line["handed_on"]) if line["handed_on"] else ""
            table.add_row(str(line["ordinal"]), when, what, verdict, _alpha(line["alpha"]), handed)
        screen.print(table)
    screen.print(
        f"{_alpha(season['left'])} of {_alpha(season['alpha'])} left, {_alpha(season['alpha_next'])} for the next "
        f"decision.",
        markup=False,
    )
    chance = season["chance"]
    if chance is None:
        screen.print("All of its cases are dev by now.\n", markup=False)
        return
    between = _between(chance["cases_independent"], chance["clusters_as_one"], "%")
    screen.print(
        f"A gain of {100 * chance['gain']:g} points would show on its {season['cases']:,} cases with a chance of "
        f"{between}.\n",
        markup=False,
    )


def _told(line: dict[str, Any]) -> tuple[str, str]:
    if line["decision"] is None:
        return f"opened {output.on_one_line(line['opened'])[:40]}", ""
    name = output.on_one_line(line.get("candidate", ""))[:40]
    return f"{line['decision'][:8]} {name}".rstrip(), line.get("verdict") or line.get("status", "")


def _alpha(value: float) -> str:
    return f"{value:.2g}"


def _between(first: float, second: float, unit: str) -> str:
    """Two fractions as a range in hundredths, or one where they read the same."""
    texts = list(dict.fromkeys(f"{100 * value:.1f}" for value in sorted((first, second))))
    return " to ".join(texts) + unit


def _planned(disc: float) -> str:
    return (
        f"Planned for systems that differ on {disc:.0%} of the cases. A range goes from independent cases to clusters "
        "that move as one."
    )
