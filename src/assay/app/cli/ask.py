"""`assay ask`: a cited answer or a stated refusal."""

from typing import TYPE_CHECKING

import click

from assay.app.cli import output
from assay.app.cli.options import group_option, json_option, set_option, where_option

if TYPE_CHECKING:
    from rich.console import Console

    from assay.answers.outcome import Outcome
    from assay.app.wiring import Workspace


@click.command("ask")
@click.argument("question")
@group_option
@where_option
@set_option
@json_option
def command(
    question: str, groups: tuple[str, ...], where: tuple[str, ...], assignments: tuple[str, ...], as_json: bool
) -> None:
    """Ask what serves a question; get an answer with citations, or a refusal that says why.

    The live release answers, where there is one; --set changes it for this question.
    """
    from assay.app.cli.options import filter_from, settings_from
    from assay.app.cli.session import watching_models, with_workspace
    from assay.app.live import serving

    restriction = filter_from(groups, where)

    async def work(workspace: "Workspace") -> "Outcome":
        async with serving(workspace) as live:
            return await watching_models(live, live.ask(question, where=restriction))

    outcome = with_workspace(settings_from(assignments), work)
    if as_json:
        from assay.app.shapes import outcome_shape

        output.emit_json(outcome_shape(outcome))
        return
    print_outcome(output.console(), outcome)


def print_outcome(screen: "Console", outcome: "Outcome") -> None:
    """An outcome for a person: text, sources, and a line of what it took."""
    if outcome.kind == "answer":
        screen.print(outcome.text, markup=False)
        screen.print()
        for citation in outcome.citations:
            page = f", page {citation.page}" if citation.page else ""
            doubt = "" if citation.supported else "  (does not support the claim)"
            place = f"{output.on_one_line(citation.document)}{page}  characters {citation.start}-{citation.end}{doubt}"
            screen.print(f"[{citation.marker}] {place}", markup=False, style="bold")
        for flag in outcome.flags:
            screen.print(f"! {flag}", markup=False, style="yellow")
    else:
        screen.print("Declined. ", end="", style="bold")
        screen.print(outcome.reason, markup=False)
        if outcome.hits:
            screen.print("\nNearest passages:")
        for hit in outcome.hits[:3]:
            place = f"{output.on_one_line(hit.source)} [{hit.passage.start}:{hit.passage.end}]"
            screen.print(f"  {place}", markup=False, style="bold")
            screen.print("    " + " ".join(hit.passage.text.split())[:160], markup=False)
    cost = "unpriced" if outcome.cost_usd is None else f"${outcome.cost_usd:.4f}" if outcome.cost_usd else "$0"
    trace = f", trace {outcome.trace_id[:12]}" if outcome.trace_id else ""
    screen.print(
        f"\n{outcome.latency_ms:,.0f} ms, {outcome.usage.total:,} tokens, {cost}, "
        f"confidence {outcome.confidence:.2f}{trace}",
        style="dim",
        markup=False,
    )
