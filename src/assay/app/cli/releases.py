"""`assay releases`: what serves, what served before, and which verdict put it there."""

from typing import TYPE_CHECKING, Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option

if TYPE_CHECKING:
    from assay.decisions.releases import Line, Release


@click.command("releases")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The newest so many.")
@json_option
def command(limit: int, as_json: bool) -> None:
    """What served from when on, newest first: the release, the verdict behind it or that there was none, and why.

    With --json whole: "live" holds every setting of what serves, for a deployment of your own to read.
    """
    from assay.app.wiring import open_workspace_database
    from assay.decisions.releases import Releases

    database = open_workspace_database()
    try:
        found = Releases(database)
        log = found.log(limit)
        known = {release.id: release for release in map(found.get, dict.fromkeys(line.release_id for line in log))}
    finally:
        database.close()
    live = log[0].release_id if log else None
    if as_json:
        output.emit_json(
            {
                "live": release_shape(known[live], is_live=True) if live else None,
                "releases": [release_shape(release, is_live=release.id == live) for release in known.values()],
                "log": [line_shape(line) for line in log],
            }
        )
        return
    if not log:
        output.note("Nothing was released yet: the settings in force serve. assay promote makes the first release.")
        return
    print_log(log, known)


def print_log(log: "list[Line]", known: "dict[str, Release]") -> None:
    """The log as lines; what no verdict supports stands out."""
    from assay.app.cli.runs import iso

    screen = output.console()
    for number, line in enumerate(log):
        release = known[line.release_id]
        when = iso(line.at_ns)[:16].replace("T", " ")
        what = "live    " if number == 0 else "        "
        head = f"{what}{release.id[:8]}  {when}  {line.action:<8}  "
        screen.print(head, markup=False, style="bold" if number == 0 else None, end="")
        screen.print(support(release), markup=False, style="yellow" if release.without_evidence else "green", end="")
        screen.print(f"  {output.on_one_line(release.served.name)}", markup=False)
        if line.because:
            screen.print(f"{'':18}{output.on_one_line(line.because)}", markup=False, style="dim")
        if release.served.spec.get("kind") == "callable":
            edited = edited_since(release)
            words = f"code {release.served.identity[:12]}" + (", edited since" if edited else "")
            screen.print(f"{'':18}{words}", markup=False, style="yellow" if edited else "dim")


def support(release: "Release") -> str:
    """What stands behind a release, in few words: its verdict and decision, or `without evidence`."""
    decided = f"decision {release.decision_id[:8]}" if release.decision_id else ""
    if not release.without_evidence:
        return f"{release.verdict} ({decided})"
    return f"without evidence ({release.verdict or 'unfinished'}, {decided})" if decided else "without evidence"


def edited_since(release: "Release") -> bool | None:
    """Whether the function that was released is written otherwise now; None where that cannot be told."""
    from assay.evals.systems.source import is_edited

    return is_edited(release.served.system, release.served.spec)


def release_shape(release: "Release", *, is_live: bool) -> dict[str, Any]:
    """A release as an object: `system` is what `--system` named, `settings` all of Assay's own by section.

    `identity` is a digest of what is known of a user's system, its source too; `edited_since` says whether a function
    is written otherwise now (null: not known).
    """
    from assay.app.cli.runs import iso

    served = release.served
    return {
        "id": release.id,
        "is_live": is_live,
        "created": iso(release.created_ns),
        "name": served.name,
        "subject": served.subject,
        "decision_id": release.decision_id,
        "verdict": release.verdict,
        "without_evidence": release.without_evidence,
        "because": release.because,
        "system": served.system,
        "identity": served.identity,
        "edited_since": edited_since(release),
        "settings": {room: dict(keys) for room, keys in served.rooms.items()},
        "changes": dict(served.changes),
        "spec": dict(served.spec),
        "prompts": dict(served.prompts),
    }


def line_shape(line: "Line") -> dict[str, Any]:
    """A line of the log as an object."""
    from assay.app.cli.runs import iso

    return {"release_id": line.release_id, "at": iso(line.at_ns), "action": line.action, "because": line.because}
