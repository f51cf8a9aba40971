"""The report's file: head, board, cases, in one HTML document that carries its own style and its few lines of script.

Invariants: the file never passes MOST_BYTES, and says how many cases it shows of how many; it holds no address of
another file, and a policy in its head forbids the browser to load any. Proved by `tests/unit/report/test_report.py`
and, in a browser, `tests/story/test_report_page.py`.
"""

import os
import secrets
from base64 import b64encode
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from markupsafe import Markup

from assay.app.report.board import board_markup, header_markup
from assay.app.report.cases import case_markup, filters_markup
from assay.app.report.text import one_line
from assay.app.report.view import RunView
from assay.errors import BadInput

MOST_BYTES = 9_500_000
_HERE = Path(__file__).parent


def write_report(path: Path, view: RunView) -> None:
    """Write the report of a run to `path`, as `write_whole` does."""
    write_whole(path, report_pieces(view))


def write_whole(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file, replacing one that is there only once the new one is whole.

    Raises BadInput where it cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("wb") as file:
            for piece in pieces:
                file.write(piece)
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadInput(
            f"{path} cannot be written: {error.strerror}.", hint="Name a file in a folder that exists."
        ) from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def check_writable(path: Path) -> None:
    """Raise BadInput where `write_report` could not write, before there is anything to write."""
    folder = path.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        why = "cannot be written to" if folder.is_dir() else "is not there"
        raise BadInput(f"{path} cannot be written: {folder} {why}.", hint="Name a file in a folder that exists.")


def report_pieces(view: RunView) -> Iterator[bytes]:
    """The report in pieces of UTF-8, in order."""
    yield (written := _bytes(_head(view) + header_markup(view) + board_markup(view)))
    yield from _cases(view, MOST_BYTES - len(written))


def _cases(view: RunView, room: int) -> Iterator[bytes]:
    shown, full = 0, False
    cards: list[bytes] = []
    tags: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    for case in view.cases:
        card = _bytes(case_markup(case, number=shown + 1))
        if len(card) > room:
            full = True
            break
        room -= len(card)
        cards.append(card)
        shown += 1
        outcomes[case.outcome] = outcomes.get(case.outcome, 0) + 1
        for tag in dict.fromkeys(case.case.tags):
            tags[tag] = tags.get(tag, 0) + 1
    # The filters come before the cards and name what the cards hold.
    yield _bytes(filters_markup(shown, view.board.cases, tags, outcomes, full=full, kept=view.kept))
    yield from cards
    yield _bytes(Markup("</div></section></main><script>{}</script></body></html>\n").format(_script()))


def _head(view: RunView) -> Markup:
    # Only the script written here runs, by its digest; nothing is loaded from anywhere.
    digest = b64encode(sha256(str(_script()).encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'"
    )
    return Markup(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="{}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        "<title>{}</title><style>{}</style></head><body>"
    ).format(policy, f"{one_line(view.run.spec.system, 80)}: evaluation {view.run.id}", _style())


def _style() -> Markup:
    colours = (_HERE.parent / "web" / "static" / "colours.css").read_text(encoding="utf-8")
    return Markup(colours + (_HERE / "report.css").read_text(encoding="utf-8"))  # noqa: S704 our own files


def _script() -> Markup:
    return Markup((_HERE / "report.js").read_text(encoding="utf-8"))  # noqa: S704 our own file


def _bytes(markup: Markup) -> bytes:
    return str(markup).encode("utf-8", "replace")
