"""`assay up`: serve documents as a cited assistant at a URL."""

from pathlib import Path

import click

from assay.app.cli import output
from assay.app.cli.options import set_option


@click.command("up")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--host", help="Address to bind; default: server.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to bind; 0 picks a free one.")
@set_option
def command(paths: tuple[Path, ...], host: str | None, port: int | None, assignments: tuple[str, ...]) -> int:
    """Serve PATHS (files and folders) as a cited assistant: a page, an OpenAI endpoint and an API.

    Without a path it serves what the workspace holds. Documents are not watched: assay ingest takes in changes. The
    live release is: assay promote and assay rollback switch what serves without dropping a request. --set and variables
    hold over the release, and it says so.
    """
    from assay.app.cli.options import settings_from
    from assay.app.cli.serving import serve
    from assay.app.cli.session import with_workspace
    from assay.errors import NotFound

    for path in paths:
        if not path.exists():
            raise NotFound(f"There is no file or folder {path}.", hint="Check the path.")
    in_force = settings_from(assignments, server__host=host, server__port=port)
    try:
        with_workspace(in_force, lambda workspace: serve(workspace, paths=paths))
    except KeyboardInterrupt:
        output.note("Stopped.")
    return 0
