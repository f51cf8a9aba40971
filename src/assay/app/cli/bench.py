"""`assay bench`: retrieval quality and speed on a BEIR folder; size and start-up of the install."""

from pathlib import Path
from typing import Any

import click

from assay.app.cli import output
from assay.app.cli.options import json_option, set_option

_SHOWN = 20


@click.group("bench")
def command() -> None:
    """Measure retrieval on a BEIR folder, or the install itself."""


@command.command("retrieval", short_help="nDCG@10, recall@100 and MAP of each mode on a BEIR folder.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--space",
    type=click.Path(path_type=Path),
    metavar="SPACE.toml",
    help="Measure every retrieval design of a space, as assay race takes it, in one pass.",
)
@click.option(
    "--matrix",
    type=click.Path(path_type=Path),
    metavar="OUT.csv",
    help="With --space: nDCG@10 of each design on each query, for assay race --replay.",
)
@set_option
@json_option
def retrieval_command(
    folder: Path, space: Path | None, matrix: Path | None, assignments: tuple[str, ...], as_json: bool
) -> None:
    """nDCG@10, recall@100 and MAP of each mode on FOLDER (corpus.jsonl, queries.jsonl, qrels/*.tsv)."""
    from assay.app.benches import bench_retrieval
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import IngestBar

    if space is not None:
        _bench_space(folder, space, matrix, assignments, as_json=as_json)
        return
    if matrix is not None:
        raise click.UsageError("--matrix is of the designs of a --space.")
    with IngestBar() as bar:
        shape = bench_retrieval(folder, settings_from(assignments), note=bar.note, progress=bar)
    if as_json:
        output.emit_json(shape)
    else:
        print_retrieval(shape)


def _bench_space(
    folder: Path, space: Path, matrix: Path | None, assignments: tuple[str, ...], *, as_json: bool
) -> None:
    from assay.app.bench_space import bench_space, write_matrix
    from assay.app.cli.options import settings_from
    from assay.app.cli.session import IngestBar
    from assay.decisions.race.space import read_space

    with IngestBar() as bar:
        shape = bench_space(folder, read_space(space), settings_from(assignments), note=bar.note, progress=bar)
    if matrix is not None:
        write_matrix(matrix, shape)
    if as_json:
        output.emit_json(shape)
    else:
        print_designs(shape, matrix=matrix)


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
        table.add_row(mode, *_cells(figures), f"{figures['ms_per_query']:.1f}")
    screen = output.console()
    screen.print(table)
    screen.print(
        f"\n{shape['documents']:,} documents, {shape['passages']:,} passages, {shape['queries']:,} queries; "
        f"{shape['passages_per_s']:,.1f} passages/s; intervals: 95% bootstrap over queries",
        style="dim",
    )


def print_designs(shape: dict[str, Any], *, matrix: Path | None) -> None:
    """The best designs as a table with intervals, and why the first of them is not yet the best."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("design")
    for heading in ("nDCG@10", "recall@100", "MAP"):
        table.add_column(heading, justify="right", no_wrap=True)
    for design in shape["designs"][:_SHOWN]:
        table.add_row(escape(design["name"]), *_cells(design))
    screen = output.console()
    screen.print(table)
    count = len(shape["designs"])
    lines = [f"and {count - _SHOWN:,} more designs: --json and --matrix have all"] if count > _SHOWN else []
    lines.append(
        f"{count:,} designs, {shape['documents']:,} documents, {shape['queries']:,} queries "
        f"in {shape['seconds']:,.0f} s; intervals: 95% bootstrap over queries, of each design alone"
    )
    if shape["left_out"]:
        lines.append(
            f"left out: {len(shape['left_out']):,} combinations that find what another does, or contradict themselves "
            "(--json says why)"
        )
    lines += shape["notes"]
    if count > 1:
        lines.append(
            f"the first of {count:,} reads too well on the queries it was picked by: race them and confirm it with "
            f"assay race --replay {matrix or 'OUT.csv (from --matrix)'}"
        )
    screen.print()
    for line in lines:
        screen.print(line, style="dim", markup=False, soft_wrap=True)


def _cells(figures: dict[str, Any]) -> list[str]:
    cells = []
    for metric in ("ndcg@10", "recall@100", "map"):
        interval = figures["intervals"][metric]
        cells.append(f"[bold]{figures[metric]:.3f}[/] ({interval['low']:.3f}-{interval['high']:.3f})")
    return cells
