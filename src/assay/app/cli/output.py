"""What every verb prints with: one JSON object or text on stdout, everything else on stderr.

Colour follows the terminal and `NO_COLOR`; nothing printed depends on colour for its meaning. Invariant: text from
documents, file names, questions and servers cannot drive the terminal, because its control characters are replaced.
Proved by `tests/unit/app/test_output.py`.
"""

import json
import os
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

# C0 without newline and tab, DEL, C1, lone surrogates, and the marks that reorder what is shown around them.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_NARROWEST = 20
_LEAST_NAME = 12


def harmless(text: str) -> str:
    """`text` with every character that could drive a terminal replaced; newlines and tabs stay."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def on_one_line(text: str) -> str:
    """A name as it can be shown on one line: `harmless`, and without newlines and tabs."""
    return harmless(re.sub("[\t\n\r]", "\N{REPLACEMENT CHARACTER}", text))


def emit_json(value: Any) -> None:
    """Print `value` as one JSON object on stdout. NaN and infinity are refused: they are not JSON."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    sys.stdout.write(json.dumps(value, ensure_ascii=not utf8, allow_nan=False, indent=2) + "\n")
    sys.stdout.flush()


def console() -> "Console":
    """A rich console on stdout, for what the user asked for."""
    # Piped output is read by programs and pagers: breaking its lines at 80 columns would help neither.
    made: Console = _screen()(highlight=False, soft_wrap=not sys.stdout.isatty())
    # Some terminals say they have no columns at all; nothing would be printed.
    made.width = max(made.width, _NARROWEST)
    return made


def print_columns(
    rows: "Sequence[tuple[str, ...]]",
    *,
    right: tuple[int, ...] = (),
    styles: "Mapping[int, Mapping[str, str]] | None" = None,
    leaving_out: tuple[int, ...] = (),
) -> None:
    """Rows under a heading, one line each however narrow the screen: what is broken or cut cannot be copied.

    `styles` says by column how a cell's text looks. Where the screen is too narrow for all but the last column, columns
    are left out in the order of `leaving_out`; a pipe is never too narrow, unless COLUMNS says how wide it is.
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    screen = console()
    shown, spare = list(range(len(widths))), list(leaving_out)
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        # Of the last column, which is a name and may be long, a part can stand on the next line.
        while spare and sum(widths[i] + 2 for i in shown[:-1]) + min(widths[-1], _LEAST_NAME) > screen.width:
            shown.remove(spare.pop(0))
    for number, row in enumerate(rows):
        for place, i in enumerate(shown):
            cell = row[i].rjust(widths[i]) if i in right else row[i].ljust(widths[i])
            is_last = place == len(shown) - 1
            style = "bold" if not number else (styles or {}).get(i, {}).get(row[i], "")
            text, end = (cell.rstrip(), "\n") if is_last else (cell, "  ")
            screen.print(text, end=end, markup=False, style=style, soft_wrap=True)


def error_console() -> "Console":
    """A rich console on stderr, for progress and notes."""
    made: Console = _screen()(stderr=True, highlight=False)
    return made


def note(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(harmless(text).rstrip("\n") + "\n")
    sys.stderr.flush()


@cache
def _screen() -> Any:
    from rich.console import Console

    class Screen(Console):
        """A console that prints strings `harmless`, and leaves a reader who went away to `main`."""

        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(harmless(text), **options)

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would exit with 1; a closed pipe is no failure of ours

    return Screen
