"""`assay search`: passages for a question."""

from typing import TYPE_CHECKING, Literal

import click

from assay.app.cli import output
from assay.app.cli.options import group_option, json_option, set_option, where_option

if TYPE_CHECKING:
    from assay.app.wiring import Workspace
    from assay.index.hit import Hit


@click.command("search")
@click.argument("question")
@click.option("--mode", type=click.Choice(["lexical", "dense", "fused"]), help="Default: index.mode.")
@click.option("-k", "k", type=click.IntRange(1, 1000), help="Passages to show; default: index.k.")
@group_option
@where_option
@set_option
@json_option
def command(
    question: str,
    mode: Literal["lexical", "dense", "fused"] | None,
    k: int | None,
    groups: tuple[str, ...],
    where: tuple[str, ...],
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Find passages for a question, as the live release does where there is one; --set changes it for this search."""
    from assay.app.cli.options import filter_from, settings_from
    from assay.app.cli.session import watching_models, with_workspace
    from assay.app.live import serving

    restriction = filter_from(groups, where)

    async def work(workspace: "Workspace") -> "list[Hit]":
        async with serving(workspace) as live:
            return await watching_models(live, live.search(question, k=k, mode=mode, where=restriction))

    hits = with_workspace(settings_from(assignments), work)
    if as_json:
        from assay.app.shapes import hits_shape

        output.emit_json({"hits": hits_shape(hits)})
        return
    screen = output.console()
    if not hits:
        output.note("Nothing found. assay ingest PATH puts documents in, if there are none yet.")
    for rank, hit in enumerate(hits, start=1):
        page = f", page {hit.passage.page}" if hit.passage.page else ""
        signals = "  ".join(f"{name} {value:.3f}" for name, value in hit.signals.items())
        screen.print(f"[bold]{rank:>2}[/]  ", end="")
        place = f"{output.on_one_line(hit.source)}{page}  [{hit.passage.start}:{hit.passage.end}]"
        screen.print(place, markup=False, style="bold")
        screen.print(f"    {signals}", style="dim", markup=False)
        screen.print("    " + " ".join(hit.passage.text.split())[:300], markup=False)
