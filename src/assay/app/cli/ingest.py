"""`assay ingest`: read, cut and embed documents into the workspace."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option
from assay.decisions.figures import counted

if TYPE_CHECKING:
    from assay.app.wiring import Workspace
    from assay.index.ingest import IngestReport

_LISTED = 50


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--group", "groups", multiple=True, help="Who may see these documents; repeat for more. None: everyone.")
@click.option("--meta", "metadata", multiple=True, metavar="KEY=VALUE", help="Metadata kept with these documents.")
@click.option("--remove-missing", is_flag=True, help="Remove the documents of a folder that is gone or empty.")
@set_option
@json_option
def command(
    paths: tuple[Path, ...],
    groups: tuple[str, ...],
    metadata: tuple[str, ...],
    remove_missing: bool,
    assignments: tuple[str, ...],
    as_json: bool,
) -> int:
    """Read, cut and embed files and folders.

    They are cut and embedded as the live release says, where there is one; --set holds over it. Unchanged documents
    cost nothing; files that are gone lose their passages, but a whole folder that is gone or
    empty is refused: it may only be renamed or not mounted. Exits 1 when a file failed.
    """
    from assay.app.cli.options import filter_from, settings_from
    from assay.app.cli.session import IngestBar, watching_models, with_workspace
    from assay.app.live import serving
    from assay.errors import Interrupted

    where = filter_from((), metadata)
    kept = dict(where.metadata) if where else {}

    async def work(workspace: "Workspace") -> "IngestReport":
        async with serving(workspace) as live:
            await watching_models(live, live.embedder())
            with IngestBar() as bar:
                return await live.ingest(
                    paths, groups=groups, metadata=kept, remove_missing=remove_missing, progress=bar
                )

    try:
        report = with_workspace(settings_from(assignments), work)
    except KeyboardInterrupt:
        raise Interrupted(
            "Interrupted; what was stored is kept.", hint="Run the same command again to go on."
        ) from None
    if as_json:
        output.emit_json(report.as_json())
    else:
        print_report(report)
    return 1 if report.failed else 0


def print_report(report: "IngestReport") -> None:
    """What happened, in a few lines; failures by name with what to do."""
    screen = output.console()
    screen.print(
        f"{counted(report.documents, 'document')}, {counted(report.passages, 'passage')}: {report.embedded:,} "
        f"embedded, {counted(report.unchanged, 'document')} unchanged, {report.removed:,} removed."
    )
    if not report.failed:
        if not report.documents and not report.removed:
            output.note("There was nothing to read: assay ingest takes files, and folders that hold some.")
        return
    output.note(f"\nCould not be read: {len(report.failed):,}. Everything else is in.")
    for failure in report.failed[:_LISTED]:
        message = output.on_one_line(failure.message).rstrip(".")
        output.note(f"  {message}.\n    {failure.hint}")
    if len(report.failed) > _LISTED:
        output.note(f"  and {len(report.failed) - _LISTED:,} more (all of them: --json)")
