"""`assay promote`: what a verdict supports serves from now on; without one, for a stated reason."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option

if TYPE_CHECKING:
    from assay.app.measuring import Measuring
    from assay.app.releasing import Proposal
    from assay.app.settings import SettingsInForce


@click.command("promote")
@click.argument("what", metavar="[DECISION | CHANGE.toml]", required=False)
@click.option("--because", default="", metavar="TEXT", help="Why; needed where no verdict supports it.")
@click.option(
    "--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Release this change without a decision."
)
@click.option("--system", metavar="SYSTEM", help="Release a system of yours without a decision, named as for eval.")
@click.option("--with", "of_system", multiple=True, metavar="KEY=VALUE", help="A setting of --system; repeatable.")
@json_option
def command(
    what: str | None,
    because: str,
    assignments: tuple[str, ...],
    system: str | None,
    of_system: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make the candidate of a decision what serves: the newest finished one, or DECISION by the start of its id.

    A verdict that does not support it, a decision judged against what no longer serves, and a change without a decision
    need --because, and the release says so for ever. A running assay up switches without dropping a request.
    """
    import asyncio

    from assay.app.cli.options import settings_from
    from assay.app.cli.releases import release_shape
    from assay.app.cli.session import with_workspace
    from assay.app.measuring import measuring
    from assay.decisions.releases import Release, Releases

    in_force = settings_from(())

    async def work(workspace: Any) -> "tuple[Proposal, Release | None]":
        async with measuring(workspace) as opened:
            proposal = await _proposed(
                opened, in_force, what, because=because, assignments=assignments, system=system, of_system=of_system
            )
            if proposal.serves_already:
                return proposal, None
            promote = Releases(workspace.database).promote
            made = await asyncio.to_thread(promote, proposal.draft, before=proposal.before, seen=proposal.seen)
            return proposal, made

    proposal, made = with_workspace(in_force, work)
    if as_json:
        release = made or proposal.live
        shape = None if release is None else release_shape(release, is_live=True)
        output.emit_json({"promoted": made is not None, "release": shape})
        return
    _say(proposal, made)


async def _proposed(
    opened: "Measuring",
    in_force: "SettingsInForce",
    what: str | None,
    *,
    because: str,
    assignments: tuple[str, ...],
    system: str | None,
    of_system: tuple[str, ...],
) -> "Proposal":
    import asyncio

    from assay.app.cli.eval import settings_of_system
    from assay.app.contender import contender
    from assay.app.releasing import newest_finished, of_change, of_decision
    from assay.app.releasing import of_system as of_users
    from assay.app.settings import parse_assignment
    from assay.decisions.register import Register

    database = opened.workspace.database
    is_change = what is not None and what.lower().endswith(".toml")
    if sum((is_change or bool(assignments), system is not None, what is not None and not is_change)) > 1:
        raise click.UsageError("Name one of: a decision, a change (CHANGE.toml, --set), --system.")
    if of_system and system is None:
        raise click.UsageError("--with goes with --system.")
    if is_change or assignments:
        _check_file(what)
        named = contender(what, assignments=dict(map(parse_assignment, assignments)), system_settings={})
        if named.system is None:
            return await of_change(opened, in_force, named.changes, because=because)
        system = named.system
    if system is not None:
        return await of_users(database, in_force, system, settings_of_system(of_system), because=because)

    def decided() -> "Proposal":
        decision = newest_finished(database) if what is None else Register(database).get(what)
        return of_decision(database, in_force, decision, because=because)

    return await asyncio.to_thread(decided)


def _check_file(what: str | None) -> None:
    from assay.errors import NotFound

    if what is not None and not Path(what).is_file():
        raise NotFound(f"There is no file {what}.", hint="Check the path.")


def _say(proposal: "Proposal", made: Any) -> None:
    screen = output.console()
    name = output.on_one_line(proposal.draft.served.name)
    if made is None:
        live = f"Release {proposal.live.id[:8]}" if proposal.live else "What is proposed"
        screen.print(f"{live} serves already, set like that: {name}", markup=False)
        return
    if made.without_evidence:
        screen.print(
            f"Release {made.id[:8]} serves from now on, without evidence: {name}", markup=False, style="yellow"
        )
    else:
        screen.print(
            f"Release {made.id[:8]} serves from now on, {made.verdict} by decision {made.decision_id[:8]}: {name}",
            markup=False,
            style="bold green",
        )
    screen.print("Go back with: assay rollback", markup=False)
    for line in proposal.notes():
        output.note(f"note: {line}")
