"""`assay rollback`: what served before serves again."""

import click

from assay.app.cli import output
from assay.app.cli.options import json_option


@click.command("rollback")
@click.argument("release", required=False)
@click.option("--because", default="", metavar="TEXT", help="Why, for the log.")
@json_option
def command(release: str | None, because: str, as_json: bool) -> None:
    """Serve the release that served before, or RELEASE by the start of its id.

    Twice is two steps back. It is a line of the log: nothing is deleted, and what was rolled back can be promoted
    again. A running assay up switches without dropping a request.
    """
    from assay.app.cli.releases import release_shape
    from assay.app.wiring import open_workspace_database
    from assay.decisions.releases import Releases

    database = open_workspace_database()
    try:
        releases = Releases(database)
        back, is_new = releases.rollback(release, because=because.strip(), seen=releases.ordinal())
    finally:
        database.close()
    if as_json:
        output.emit_json({"rolled_back": is_new, "release": release_shape(back, is_live=True)})
        return
    name = output.on_one_line(back.served.name)
    says = "serves again" if is_new else "serves already"
    output.console().print(f"Release {back.id[:8]} {says}: {name}", markup=False)
