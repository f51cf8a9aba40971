"""Text as it is compared: what typesetting, readers and keyboards change without changing what is said.

White space of any kind and length is one space; compatibility characters, ligatures and composed letters are taken
apart (NFKD, which finds equal exactly what NFKC finds equal); typographic quotation marks and dashes are the plain
ones; soft hyphens and other invisible marks are gone. Case and punctuation count.

Invariant: every span of the normalised text maps back to characters of the original whose normalised form it is part
of. Proved by `tests/properties/test_gold.py`.
"""

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_PLAIN = {
    **dict.fromkeys("‘’‚‛′`", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys(_INVISIBLE, ""),
}
_REMEMBERED_LENGTH = 4_000

# A run with white space in it is one space; the rest that needs a look is anything outside ASCII, and the backtick.
_SPECIAL = re.compile(rf"[\s{_INVISIBLE}]*\s[\s{_INVISIBLE}]*|[^\x00-\x7f\s]+|`")


class NormalisedText:
    """`text` normalised, with the way back. Made once in time linear in its length, whatever is looked up later."""

    __slots__ = ("_ends", "_places", "_starts", "text")

    def __init__(self, original: str) -> None:
        # Piece i begins at _places[i] of the normalised text and _starts[i] of the original, and maps character by
        # character, except where _ends[i] is set: then all of it stands for the original's _starts[i] to _ends[i].
        self._places: list[int] = []
        self._starts: list[int] = []
        self._ends: list[int | None] = []
        parts: list[str] = []
        length = position = 0
        for found in _SPECIAL.finditer(original):
            start, end = found.span()
            run = found[0]
            if run == " ":
                continue  # maps character by character, as what stands around it
            if start > position:
                length = self._piece(parts, length, original[position:start], position, None)
            if run.isspace() or _has_space(run):
                length = self._piece(parts, length, " ", start, end)
            else:
                for text, at, to in _taken_apart(run, start):
                    length = self._piece(parts, length, text, at, to)
            position = end
        if position < len(original):
            self._piece(parts, length, original[position:], position, None)
        self.text = "".join(parts)

    def _piece(self, parts: list[str], length: int, text: str, start: int, end: int | None) -> int:
        if text:
            self._places.append(length)
            self._starts.append(start)
            self._ends.append(end)
            parts.append(text)
        return length + len(text)

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Where characters `start` to `end` (not empty) of the normalised text stand in the original."""
        return self._original(start)[0], self._original(end - 1)[1]

    def find(self, quote: str, *, near: int | None = None) -> tuple[int, int] | None:
        """The span in the original of a quote, itself not yet normalised; None where it is not there.

        The first occurrence, or the one that starts nearest to `near` in the original.
        """
        wanted = normalised(quote)
        if not wanted:
            return None
        place = nearest(self.text, wanted, None if near is None else self._place(near))
        return None if place is None else self.original_span(place, place + len(wanted))

    def _original(self, place: int) -> tuple[int, int]:
        piece = bisect_right(self._places, place) - 1
        start, end = self._starts[piece], self._ends[piece]
        if end is not None:
            return start, end
        start += place - self._places[piece]
        return start, start + 1

    def _place(self, position: int) -> int:
        piece = bisect_right(self._starts, position) - 1
        if piece < 0:
            return 0
        return self._places[piece] + (0 if self._ends[piece] is not None else position - self._starts[piece])


def nearest(text: str, wanted: str, near: int | None = None) -> int | None:
    """Where `wanted` starts in `text`: first, or nearest to `near`, the earlier of two as near; None where nowhere."""
    if near is None:
        place = text.find(wanted)
        return None if place < 0 else place
    near = max(near, 0)
    before, after = text.rfind(wanted, 0, near + len(wanted)), text.find(wanted, near)
    if before < 0 or after < 0:
        return max(before, after) if max(before, after) >= 0 else None
    return before if near - before <= after - near else after


def normalised(text: str) -> str:
    """`text` as it is compared, without white space at its ends."""
    return _remembered(text) if len(text) <= _REMEMBERED_LENGTH else NormalisedText(text).text.strip()


@lru_cache(maxsize=1024)
def _remembered(text: str) -> str:
    """Passages and quotes come again with every case about them; memory stays below a few megabytes."""
    return NormalisedText(text).text.strip()


@lru_cache(maxsize=16)
def normalised_document(text: str) -> NormalisedText:
    """The normalised text of a document, kept for the cases that follow: they come document by document."""
    return NormalisedText(text)


def _has_space(run: str) -> bool:
    return any(char.isspace() for char in run)


def _taken_apart(run: str, start: int) -> list[tuple[str, int, int | None]]:
    """Pieces (text, start, end) of a run of characters outside ASCII and without white space."""
    if unicodedata.is_normalized("NFKD", run) and not any(char in _PLAIN for char in run):
        return [(run, start, None)]
    pieces: list[tuple[str, int, int | None]] = []
    group, at = "", start
    for position, char in enumerate(run, start):
        # Marks that combine with one letter may stand in any order: they are put in order together.
        if group and unicodedata.combining(unicodedata.normalize("NFKD", char)[:1] or char):
            group += char
            continue
        if group:
            pieces.append((_plain(group), at, position))
        group, at = char, position
    pieces.append((_plain(group), at, start + len(run)))
    return pieces


def _plain(group: str) -> str:
    # Before, because some marks come apart into others; after, because others come apart into marks.
    plain = "".join(_PLAIN.get(char, char) for char in group)
    return "".join(_PLAIN.get(char, char) for char in unicodedata.normalize("NFKD", plain))
