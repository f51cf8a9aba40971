"""`assay bench`: retrieval quality and speed on a BEIR folder; size and start-up of the install."""

from pathlib import Path
from typing import Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option


@click.group("bench")
def command() -> None:
    """Measure retrieval on a BEIR folder, or the install itself."""


@command.command("retrieval", short_help="nDCG@10, recall@100 and MAP of each mode on a BEIR folder.")
@click.argument("folder", type=click.Path(path_type=Path))
@set_option
@json_option
def retrieval_command(folder: Path, assignments: tuple[str, ...], as_json: bool) -> None:
    """nDCG@10, recall@100 and MAP of each mode on FOLDER (corpus.jsonl, queries.jsonl, qrels/*.tsv)."""
    from assay.app.benches import bench_retrieval
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import IngestBar

    with IngestBar() as bar:
        shape = bench_retrieval(folder, settings_from(assignments), note=bar.note, progress=bar)
    if as_json:
        output.emit_json(shape)
    else:
        print_retrieval(shape)


@command.command("install", short_help="Size of the install, and how fast it answers.")
@json_option
def install_command(as_json: bool) -> None:
    """Installed size of Assay with everything it needs, and how long assay --help takes."""
    from assay.app.benches import bench_install

    shape = bench_install()
    if as_json:
        output.emit_json(shape)
        return
    screen = output.console()
    screen.print(f"installed    {shape['installed_mb']:,.0f} MB in {shape['distributions']} distributions")
    for row in shape["largest"]:
        screen.print(f"             {row['mb']:>6,.1f} MB  {row['name']}", markup=False)
    screen.print(f"torch        {'installed, but not needed' if shape['torch'] else 'not installed, not needed'}")
    screen.print(f"assay --help {shape['help_ms']:,.0f} ms (median of {shape['runs']})")


def print_retrieval(shape: dict[str, Any]) -> None:
    """The figures as a table with intervals."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("mode")
    for heading in ("nDCG@10", "recall@100", "MAP", "ms per query"):
        table.add_column(heading, justify="right", no_wrap=True)
    for mode, figures in shape["modes"].items():
        cells = []
        for metric in ("ndcg@10", "recall@100", "map"):
            interval = figures["intervals"][metric]
            cells.append(f"[bold]{figures[metric]:.3f}[/] ({interval['low']:.3f}-{interval['high']:.3f})")
        table.add_row(mode, *cells, f"{figures['ms_per_query']:.1f}")
    screen = output.console()
    screen.print(table)
    screen.print(
        f"\n{shape['documents']:,} documents, {shape['passages']:,} passages, {shape['queries']:,} queries; "
        f"{shape['passages_per_s']:,.1f} passages/s; intervals: 95% bootstrap over queries",
        style="dim",
    )
