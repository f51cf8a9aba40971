"""`assay compare`: did the change help? Two result files in, one verdict with its error bar out.

Loads no model, no database and no settings, so it answers before anything is ingested.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.app.cli import output
from assay.app.cli.options import json_option

if TYPE_CHECKING:
    from rich.console import Console

    from assay.decisions.comparison import Comparison

_FILE = click.Path(path_type=Path)
_STYLES = {"BETTER": "bold green", "WORSE": "bold red", "UNDECIDED": "bold yellow"}


@click.command("compare")
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@click.option(
    "--alpha", type=click.FloatRange(1e-6, 0.5), default=0.05, show_default=True, help="1 - confidence level."
)
@click.option("--lower-is-better", is_flag=True, help="Scores are errors or losses: the smaller one wins.")
@click.option("--html", "html_path", type=_FILE, help="Also write the comparison as one HTML page.")
@click.option("--svg", "svg_path", type=_FILE, help="Also write the plot as an SVG file.")
@json_option
def command(
    a: Path,
    b: Path,
    alpha: float,
    lower_is_better: bool,
    html_path: Path | None,
    svg_path: Path | None,
    as_json: bool,
) -> None:
    """Did my change help? A is the incumbent, B the candidate.

    Each file holds one JSON object per line, from any tool:

    \b
      {"case": "q1", "score": 0.8, "cluster": "doc7", "cost_usd": 0.0012, "latency_ms": 840}

    "case" and "score" are required. A score is any number, true or false; null is a case that failed. Cases of one
    "cluster" (document, user, template) count as one. One of the two may be -, standard input. Exit code 0 whatever
    the verdict.
    """
    from assay.decisions.compare import compare, comparison_shape
    from assay.decisions.results import STDIN, read_results
    from assay.errors import BadInput

    if a == b == STDIN:
        raise BadInput("Both result files are standard input.", hint="Name a file for one of them.")
    for path in (html_path, svg_path):
        _check_target(path, a, b)
    comparison = compare(read_results(a), read_results(b), alpha=alpha, lower_is_better=lower_is_better)
    _write_pictures(comparison, a, b, html_path=html_path, svg_path=svg_path)
    if as_json:
        for note in comparison.notes:
            output.note(note)
        output.emit_json(comparison_shape(comparison))
        return
    print_comparison(output.console(), comparison, incumbent=_name(a), candidate=_name(b), same_file=_same(a, b))


def print_comparison(
    screen: "Console",
    comparison: "Comparison",
    *,
    incumbent: str = "",
    candidate: str = "",
    same_file: bool = False,
) -> None:
    """The sentence, what a reader must know, the figures and the plot; `incumbent` and `candidate` name A and B."""
    from assay.decisions.figures import level
    from assay.decisions.sentence import outlook, sentence, side_effects
    from assay.decisions.terminal import bar_line, forest_lines, glyphs_for, table_lines

    def say(text: str = "", style: str = "") -> None:
        # File and case names may hold what this terminal cannot write.
        screen.print(text.encode(screen.encoding, "replace").decode(screen.encoding), markup=False, style=style or None)

    say(sentence(comparison), _STYLES[comparison.verdict])
    for more in (outlook(comparison), side_effects(comparison)):
        if more:
            say(more)
    for note in (*comparison.notes, *(["A and B are the same file."] if same_file else [])):
        say(f"! {note}", "yellow")
    say()
    for name, source in (("A", incumbent), ("B", candidate)):
        if source:
            say(f"{name}  {source}")
    for line in table_lines(comparison, width=screen.width):
        say(line)
    glyphs = glyphs_for(screen.encoding)
    width = max(20, min(screen.width, 100) - 2)
    say(f"\nImprovement of the score, {level(comparison.difference)} interval")
    for line in forest_lines(comparison, width=width, glyphs=glyphs):
        say(f" {line}")
    say(f"\n {bar_line(comparison, width=width, glyphs=glyphs)}")
    counts = f"{glyphs.win} B better {comparison.wins:,}   {glyphs.tie} tied {comparison.ties:,}   "
    say(f" {counts}{glyphs.loss} B worse {comparison.losses:,}")
    say(f"\nMethod: {comparison.difference.method} ({comparison.difference.reason}).", "dim")


def _check_target(target: Path | None, *sources: Path) -> None:
    from assay.errors import BadInput

    if target is None:
        return
    if any(_same(target, source) for source in sources):
        raise BadInput(f"{target} is a result file; a picture would replace it.", hint="Name another file.")
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise BadInput(f"{target} cannot be written.", hint="Name a file in a folder that exists.")


def _write_pictures(
    comparison: "Comparison", a: Path, b: Path, *, html_path: Path | None, svg_path: Path | None
) -> None:
    from assay.decisions.picture import comparison_html, forest_svg
    from assay.errors import BadInput

    pictures = []
    if html_path is not None:
        pictures.append((html_path, comparison_html(comparison, incumbent=_name(a), candidate=_name(b))))
    if svg_path is not None:
        pictures.append((svg_path, forest_svg(comparison)))
    for path, text in pictures:
        try:
            # A file name may hold bytes that are no text; the page shows them as question marks.
            path.write_bytes(text.encode("utf-8", "replace"))
        except OSError as error:
            raise BadInput(f"{path} cannot be written: {error.strerror}.", hint="Name another file.") from None
        output.note(f"Wrote {path}")


def _name(path: Path) -> str:
    return "standard input" if str(path) == "-" else str(path)


def _same(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False
