"""`assay config`: every setting, its value and where it came from."""

import sys

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

_ENDLESS = 100_000  # columns


@click.command("config")
@set_option
@json_option
def command(assignments: tuple[str, ...], as_json: bool) -> None:
    """Show every setting, its value and where it came from."""
    from assay.app.cli.options import settings_from
    from assay.app.wiring import workspace_home

    in_force = settings_from(assignments)
    home = workspace_home()
    if as_json:
        output.emit_json(
            {
                "workspace": str(home),
                "file": str(in_force.file) if in_force.file else None,
                "settings": {
                    key: {"value": value, "origin": origin.kind, "detail": origin.detail, "description": description}
                    for key, value, origin, description in in_force.rows()
                },
            }
        )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("setting", "value", "from", "what it does"):
        table.add_column(heading, overflow="fold")
    for key, value, origin, description in in_force.rows():
        changed = origin.kind != "default"
        table.add_row(f"[bold]{key}[/]" if changed else key, str(value) or '""', str(origin), f"[dim]{description}[/]")
    screen = output.console()
    screen.print(f"workspace  {home}")
    screen.print(f"file       {in_force.file or 'none (assay init writes one)'}\n")
    if sys.stdout.isatty():
        screen.print(table)
        return
    # A file or another program reads it: one line for each setting, however long.
    screen.width = _ENDLESS
    with screen.capture() as captured:
        screen.print(table)
    sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
