"""`assay race`: the best of many designs for a part of a grid's calls, then one confirmation against what serves."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

if TYPE_CHECKING:
    from assay.app.race import Race
    from assay.app.wiring import Workspace

STOPPED_BY_BUDGET = 3


@click.command("race", short_help="The best of many designs for a tenth of the calls, then confirmed.")
@click.argument("space", required=False, metavar="[SPACE.toml]")
@click.option("--replay", type=click.Path(), metavar="MATRIX.csv", help="Race recorded outcomes instead.")
@click.option("--incumbent", metavar="ARM", help="With --replay: the arm that serves; default: the first.")
@click.option("--seed", type=int, default=None, help="With --replay: draws the questions; default 0.")
@click.option("--against", metavar="SYSTEM", help="The incumbent, as assay try takes it; default: what serves.")
@click.option("--cases", "named", metavar="FILE|SET", help="Cases: a JSONL file or an imported set.")
@click.option("--metric", metavar="NAME", help="What to race on; default: decisions.metric.")
@click.option("--judge", metavar="MODEL", help="Model that judges; default: evals.judge, else the chat model.")
@click.option("--budget-usd", type=click.FloatRange(min=0), help="The most that race and confirmation may cost.")
@click.option(
    "--budget-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=None,
    help="The most calls, as a share of the grid's (designs times questions); default 0.10.",
)
@click.option("--budget-calls", type=click.IntRange(min=1), help="The most calls, as a number, instead of a share.")
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Questions in flight at once, over all designs.")
@click.option("--no-prune", is_flag=True, help="Race designs that retrieve worse too; they are left out otherwise.")
@click.option("--again", is_flag=True, help="Race once more; answers that are known are used again.")
@click.option("--plan", "only_plan", is_flag=True, help="Count and price the space, and stop.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write the page to a file.")
@set_option
@json_option
def command(
    space: str | None,
    replay: str | None,
    incumbent: str | None,
    seed: int | None,
    against: str | None,
    named: str | None,
    metric: str | None,
    judge: str | None,
    budget_usd: float | None,
    budget_share: float | None,
    budget_calls: int | None,
    concurrency: int | None,
    no_prune: bool,
    again: bool,
    only_plan: bool,
    html: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Race the designs of a space for a part of a grid's calls, and confirm the winner.

    SPACE.toml lists factors with their levels: settings of Assay, or of a system of your own. All designs are asked the
    same dev questions; the worse half drops out round by round. The race claims nothing: its winner is tried once
    against what serves on confirm questions the race never saw. An interrupted race goes on where it was. Exit code 0
    whatever the verdict; 3 where the budget stopped it.
    """
    from assay.errors import BadInput

    if (space is None) == (replay is None):
        raise BadInput(
            "There is nothing to race." if space is None else "SPACE.toml and --replay both name what to race.",
            hint="For example: assay race space.toml, or assay race --replay outcomes.csv",
        )
    if budget_share is not None and budget_calls is not None:
        raise BadInput("--budget-share and --budget-calls both say how many calls.", hint="Give one of them.")
    if replay is not None:
        from assay.app.cli.race_replay import replayed

        _refuse(
            "--replay",
            {"--against": against, "--cases": named, "--budget-usd": budget_usd, "--budget-calls": budget_calls},
        )
        share = 0.10 if budget_share is None else budget_share
        sys.exit(replayed(replay, incumbent, 0 if seed is None else seed, share, as_json))
    _refuse("SPACE.toml", {"--incumbent": incumbent, "--seed": seed})
    assert space is not None
    _race(
        Path(space),
        against=against,
        named=named,
        how=assignments,
        options={"evals__judge": judge, "evals__concurrency": concurrency, "decisions__metric": metric},
        budget={
            "budget_usd": budget_usd,
            "budget_share": 0.10 if budget_share is None else budget_share,
            "budget_calls": budget_calls,
            "prunes": not no_prune,
            "again": again,
        },
        only_plan=only_plan,
        html=html,
        as_json=as_json,
    )


def _refuse(where: str, given: dict[str, Any]) -> None:
    from assay.errors import BadInput

    wrong = next((name for name, value in given.items() if value is not None), None)
    if wrong is not None:
        raise BadInput(f"{wrong} means nothing with {where}.", hint="Leave it out.")


def _race(
    path: Path,
    *,
    against: str | None,
    named: str | None,
    how: tuple[str, ...],
    options: dict[str, Any],
    budget: dict[str, Any],
    only_plan: bool,
    html: Path | None,
    as_json: bool,
) -> None:
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import with_workspace
    from assay.decisions.race.space import read_space

    space = read_space(path)
    in_force = settings_from(how, **options)

    async def work(workspace: "Workspace") -> int:
        from assay.app.contender import serving
        from assay.app.measuring import measuring
        from assay.app.racing import racing

        async with measuring(workspace) as opened:
            incumbent, base = await asyncio.to_thread(serving, opened, in_force, against)
            async with racing(
                opened, base, space, incumbent=incumbent, named=named, command=sys.argv[1:], **budget
            ) as ready:
                return await _run(ready, only_plan=only_plan, html=html, as_json=as_json)

    code = with_workspace(in_force, work)
    if code:
        sys.exit(code)


async def _run(ready: "Race", *, only_plan: bool, html: Path | None, as_json: bool) -> int:
    from assay.app.cli.race_view import RaceBar, plan_lines, print_race

    if ready.earlier is not None and ready.earlier.status == "done":
        output.note(f"Raced before ({ready.earlier.id[:8]}): nothing is asked and nothing spent. --again races anew.")
        view: Any = ready.earlier.view
    else:
        plan = ready.plan()
        if only_plan:
            if as_json:
                output.emit_json(plan)
            else:
                for line in plan_lines(plan):
                    output.console().print(line, markup=False)
            return 0
        for line in plan_lines(plan):
            output.note(line)
        with RaceBar() as bar:
            try:
                record = await ready.run(changed=bar)
            except asyncio.CancelledError:
                output.note("What was asked is kept: run the same command again (without --again) to go on.")
                raise
        view = record.view
    if html is not None:
        from assay.app.report.race_page import race_file

        await asyncio.to_thread(html.write_text, race_file(view), "utf-8")
    if as_json:
        output.emit_json(race_json(view))
    else:
        print_race(output.console(), view)
    return STOPPED_BY_BUDGET if view["status"] == "budget" else 0


def race_json(view: dict[str, Any]) -> dict[str, Any]:
    """The object of `assay race --json`: that of `--replay`, and the whole view."""
    confirmation, arms = view["confirmation"] or {}, view["arms"]
    incumbent = view["incumbent"]
    return {
        **view,
        "winner": None if view["winner"] is None else view["winner"]["name"],
        "winner_levels": None if view["winner"] is None else view["winner"]["levels"],
        "incumbent": None if incumbent is None else arms[incumbent]["name"],
        "verdict": confirmation.get("verdict"),
        "calls": view["spent"]["calls"],
        "grid_calls": view["plan"]["grid_calls"],
        "race_score": confirmation.get("race_score"),
        "confirmed": {key: confirmation.get(key) for key in ("value", "low", "high")} if confirmation else None,
    }
