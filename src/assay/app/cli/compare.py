"""`assay compare`: did the change help? Two result files or more in, a verdict with its error bar a candidate out.

Loads no model, no database and no settings, so it answers before anything is ingested.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from assay.app.cli import output
from assay.app.cli.options import json_option

if TYPE_CHECKING:
    from rich.console import Console

    from assay.decisions.comparison import Comparison, Family

_FILE = click.Path(path_type=Path)
_STYLES = {"BETTER": "bold green", "WORSE": "bold red", "UNDECIDED": "bold yellow"}


@click.command("compare")
@click.argument("a", type=_FILE)
@click.argument("b", type=_FILE)
@click.argument("more", type=_FILE, nargs=-1, metavar="[C]...")
@click.option(
    "--alpha", type=click.FloatRange(1e-6, 0.5), default=0.05, show_default=True, help="1 - confidence level."
)
@click.option(
    "--margin",
    type=click.FloatRange(min=0),
    help="Also say whether B is shown not to be worse by more: 0.02 is 2 points where scores lie in 0 to 1.",
)
@click.option("--lower-is-better", is_flag=True, help="Scores are errors or losses: the smaller one wins.")
@click.option("--html", "html_path", type=_FILE, help="Also write the comparison as one HTML page.")
@click.option("--svg", "svg_path", type=_FILE, help="Also write the plot as an SVG file.")
@json_option
def command(
    a: Path,
    b: Path,
    more: tuple[Path, ...],
    html_path: Path | None,
    svg_path: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Did my change help? A is the incumbent, B the candidate.

    Each file holds one JSON object per line, from any tool:

    \b
      {"case": "q1", "score": 0.8, "cluster": "doc7", "cost_usd": 0.0012, "latency_ms": 840}

    "case" and "score" are required. A score is any number, true or false; null is a case that failed. Cases of one
    "cluster" (document, user, template) count as one. One of the files may be -, standard input. Exit code 0 whatever
    the verdict.

    With more files each is a candidate against A, on the cases that all have. Their intervals hold together, so that
    the best of many is called better no more often by mistake than one candidate would be.
    """
    from assay.decisions.results import STDIN
    from assay.errors import BadInput

    paths = (a, b, *more)
    if paths.count(STDIN) > 1:
        which = "Both result files are" if len(paths) == 2 else "More than one result file is"
        raise BadInput(f"{which} standard input.", hint="Name a file for all but one of them.")
    for path in (html_path, svg_path):
        _check_target(path, *paths)
    compared = _compare_many if more else _compare_two
    shape, notes, show, page, plot = compared(paths, **options)
    _write_pictures(((html_path, page), (svg_path, plot)))
    if as_json:
        for note in notes:
            output.note(note)
        output.emit_json(shape())
        return
    show(output.console())


class _Compared(NamedTuple):
    """A comparison ready for every door: JSON, notes, terminal, HTML and SVG."""

    shape: Callable[[], dict[str, Any]]
    notes: Sequence[str]
    show: "Callable[[Console], None]"
    page: Callable[[], str]
    plot: Callable[[], str]


def _compare_two(paths: tuple[Path, ...], **options: Any) -> _Compared:
    from assay.decisions.compare import compare, comparison_shape
    from assay.decisions.picture import comparison_html, forest_svg
    from assay.decisions.results import read_results

    a, b = paths
    comparison = compare(read_results(a), read_results(b), **options)
    names = {"incumbent": _name(a), "candidate": _name(b)}
    return _Compared(
        lambda: comparison_shape(comparison),
        comparison.notes,
        lambda screen: print_comparison(screen, comparison, **names, same_file=_same(a, b)),
        lambda: comparison_html(comparison, **names),
        lambda: forest_svg(comparison),
    )


def _compare_many(paths: tuple[Path, ...], **options: Any) -> _Compared:
    from assay.decisions.many import compare_many, family_shape
    from assay.decisions.many_picture import family_html, family_svg
    from assay.decisions.results import read_results

    names = _short_names(paths)
    first, *others = [(name, read_results(path)) for name, path in zip(names, paths, strict=True)]
    family = compare_many(first, others, **options)

    def shape() -> dict[str, Any]:
        made = family_shape(family)
        for arm, path in zip(made["arms"], paths[1:], strict=True):
            arm["source"] = os.fsencode(path).decode("utf-8", "replace")
        return made

    return _Compared(
        shape,
        family.notes,
        lambda screen: print_family(screen, family, sources=[_name(path) for path in paths]),
        lambda: family_html(family),
        lambda: family_svg(family),
    )


def _short_names(paths: tuple[Path, ...]) -> list[str]:
    """What each file is called beside the others: its name without folder and ending, where those differ."""
    from assay.errors import BadInput

    for number, path in enumerate(paths):
        twin = next((other for other in paths[:number] if path == other or _same(path, other)), None)
        if twin is not None:
            both = f"{twin} and {path} are the same file." if path != twin else f"{path} is named twice."
            raise BadInput(both, hint="Name each result file once: A is the incumbent, the others are candidates.")
    stems = [_name(path) if str(path) == "-" else path.stem for path in paths]
    return stems if len(set(stems)) == len(stems) else [_name(path) for path in paths]


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

    say = _sayer(screen)
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


def print_family(screen: "Console", family: "Family", *, sources: Sequence[str]) -> None:
    """The headline, what a reader must know, a table and a plot with a row a candidate; `sources` are A's, B's, ..."""
    from assay.decisions.sentence import caveat, family_method, headline, interval_name, outlook
    from assay.decisions.terminal import family_effect_lines, family_forest_lines, family_table_lines, glyphs_for

    say = _sayer(screen)
    top = family.top.comparison
    say(headline(family), _STYLES[top.verdict])
    for text in (caveat(family), outlook(top)):
        if text:
            say(text)
    for note in family.notes:
        say(f"! {note}", "yellow")
    say()
    names = [family.incumbent, *(arm.name for arm in family.arms)]
    if list(sources) != names:
        for name, source in zip(names, sources, strict=True):
            say(f"{name}  {source}")
        say()
    for line in family_table_lines(family, width=screen.width):
        say(line)
    glyphs = glyphs_for(screen.encoding)
    width = max(20, min(screen.width, 100) - 2)
    say(f"\nImprovement of the score, {interval_name(top)}")
    for line in family_forest_lines(family, width=width, glyphs=glyphs):
        say(f" {line}")
    effects = family_effect_lines(family, width=screen.width)
    for line in ["", *effects] if effects else []:
        say(line)
    say(f"\nMethod: {family_method(family)}", "dim")


def _sayer(screen: "Console") -> Callable[..., None]:
    def say(text: str = "", style: str = "") -> None:
        # File and case names may hold what this terminal cannot write.
        screen.print(text.encode(screen.encoding, "replace").decode(screen.encoding), markup=False, style=style or None)

    return say


def _check_target(target: Path | None, *sources: Path) -> None:
    from assay.errors import BadInput

    if target is None:
        return
    if any(_same(target, source) for source in sources):
        raise BadInput(f"{target} is a result file; a picture would replace it.", hint="Name another file.")
    if target.is_dir() or not target.absolute().parent.is_dir():
        raise BadInput(f"{target} cannot be written.", hint="Name a file in a folder that exists.")


def _write_pictures(pictures: Sequence[tuple[Path | None, Callable[[], str]]]) -> None:
    from assay.errors import BadInput

    for path, text in [(path, drawn()) for path, drawn in pictures if path is not None]:
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
