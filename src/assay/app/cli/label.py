"""`assay label`: a person's word on the answers that tell the most about this difference."""

import asyncio
import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from assay.app.cli import output
from assay.app.cli.options import json_option

if TYPE_CHECKING:
    from rich.console import Console

    from assay.app.labelling import Labelling
    from assay.app.wiring import Workspace
    from assay.decisions.labels import Shown

Read = Callable[[], str]
_KEYS = "1 only the first is right   2 only the second   b both   n neither   s skip   u undo   q quit"
_SCORES = {"1": (1.0, 0.0), "2": (0.0, 1.0), "b": (1.0, 1.0), "n": (0.0, 0.0)}
_LONGEST_CHARACTERS = 2_000


@click.command("label", short_help="Label the answers that tell the most about a decision.")
@click.argument("decision_id", required=False)
@click.option("--labels", "wanted", type=click.IntRange(16, 10_000), help="How many to ask for; declared once.")
@click.option("--status", "only_status", is_flag=True, help="Say how far it is, and stop.")
@json_option
def command(decision_id: str | None, wanted: int | None, only_status: bool, as_json: bool) -> None:
    """Label both answers to a question, blind: who gave which is hidden, and the sides change at random.

    Asks for the questions whose labels say the most about the difference. When the declared number is there the verdict
    reads HUMAN-CALIBRATED. Every key is saved at once; stop and go on whenever you like.
    """
    from assay.app.cli.session import with_workspace
    from assay.app.settings import load_settings

    async def work(workspace: "Workspace") -> None:
        from assay.app.labelling import labelled_sentence, labelled_shape, labelling
        from assay.app.measuring import measuring

        async with measuring(workspace) as opened:
            desk = await labelling(opened, decision_id, wanted=wanted, declares=not only_status)
            if not only_status:
                await asyncio.to_thread(label_answers, desk, screen=output.error_console() if as_json else None)
            before = desk.decision
            decision = await asyncio.to_thread(desk.settle)
            found = await asyncio.to_thread(desk.verdict)
        if as_json:
            shape = {"decision_id": decision.id, "verdict": decision.verdict, "support": decision.support}
            output.emit_json({**shape, **labelled_shape(found), "verdict": decision.verdict})
            return
        screen = output.console()
        screen.print(labelled_sentence(found), markup=False)
        if decision.support != before.support or found.is_complete:
            screen.print(f"{decision.verdict}  {decision.support}", style="bold", markup=False)

    with_workspace(load_settings(), work)


def label_answers(
    desk: "Labelling", *, screen: "Console | None" = None, read_key: Read | None = None, labeller: str | None = None
) -> None:
    """Show question after question until all declared labels are there, the input ends or `q`."""
    from assay.app.cli.review import key_typed

    screen, read_key = screen or output.console(), read_key or key_typed
    who = labeller if labeller is not None else _who()
    skipped: set[int] = set()
    try:
        while (shown := desk.labels.next(skipping=frozenset(skipped))) is not None:
            _show(screen, desk, shown)
            if not _take(screen, desk, shown, skipped, read_key, who):
                return
    except (EOFError, KeyboardInterrupt):  # every label is saved: stopping is no failure
        return


def _take(screen: "Console", desk: "Labelling", shown: "Shown", skipped: set[int], read_key: Read, who: str) -> bool:
    """Take keys until one decides; False for quitting."""
    while True:
        key = read_key().lower()
        if key in _SCORES:
            desk.labels.add(shown, *_SCORES[key], labeller=who)
            return True
        match key:
            case "q" | "\x1b" | "\x04":
                return False
            case "\x03":
                raise KeyboardInterrupt
            case "s":
                skipped.add(shown.item.ordinal)
                return True
            case "u":
                if not desk.labels.undo():
                    _say(screen, "There is nothing to take back.")
                    continue
                return True
            case _:
                if key.strip():
                    _say(screen, _KEYS, "dim")


def _show(screen: "Console", desk: "Labelling", shown: "Shown") -> None:
    done = len(desk.labels.all())
    first, second = shown.answers
    _say(screen)
    _say(screen, f"{done} of {desk.labels.wanted} labelled", "dim")
    _say(screen, f"Q  {_cut(shown.item.question)}", "bold")
    for reference in shown.item.references[:3]:
        _say(screen, f"R  {_cut(reference)}", "dim")
    _say(screen, f"1  {_cut(first)}")
    _say(screen, f"2  {_cut(second)}")
    _say(screen, _KEYS, "dim")


def _say(screen: "Console", text: str = "", style: str = "") -> None:
    from rich.text import Text

    from assay.app.cli.output import harmless

    screen.print(Text(harmless(text), style=style))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_CHARACTERS else f"{text[:_LONGEST_CHARACTERS]}…"


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user database
        return "somebody"
