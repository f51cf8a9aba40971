"""What a writing model claimed, and which passages it named for each claim.

Markers are read as models write them: [1], [1, 2], [1][2], [1-3], [Passage 2], 【1】. A marker belongs
to the sentence it stands in or after. Nothing else in the text means anything to us.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assay.documents.sentences import sentence_spans

_OPEN = r"[\[【]\s*\^?(?:(?:passages?|sources?|quelle)\s*)?"
_NUMBERS = r"\d{1,3}(?:\s*(?:[,;&–-]|and|und)\s*\d{1,3})*"
_MARKER = re.compile(rf"\s*{_OPEN}({_NUMBERS})\s*[\]】](?!\()", re.IGNORECASE)
_RANGE = re.compile(r"(\d+)(?:\s*[–-]\s*(\d+))?")
_LONGEST_RANGE = 20


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence without its markers. `gap` is the white space before it; `cited` the passages it names, in order."""

    text: str
    gap: str
    cited: tuple[int, ...]


def claims_of(written: str) -> list[Claim]:
    """The claims of a model's text, in order. Joining their gaps and texts gives the text without markers."""
    clean, markers = _without_markers(written)
    found: list[Claim] = []
    ends = [end for _, end in sentence_spans(clean)]
    before = 0
    for end in ends:
        # A marker where a sentence ends is its own: "It is so. [1] And next."
        first, last = before if found else -1, end if end != ends[-1] else len(clean)
        cited = [number for at, number in markers if first < at <= last]
        piece = clean[before:end]
        text = piece.lstrip()
        found.append(Claim(text, piece[: len(piece) - len(text)], tuple(dict.fromkeys(cited))))
        before = end
    return found


def _without_markers(written: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without markers, and (place in that text, passage number) for each number named."""
    parts: list[str] = []
    markers: list[tuple[int, int]] = []
    length = last = 0
    for match in _MARKER.finditer(written):
        parts.append(written[last : match.start()])
        length += match.start() - last
        markers += [(length, number) for number in _numbers(match.group(1))]
        last = match.end()
    parts.append(written[last:])
    return "".join(parts), markers


def _numbers(listed: str) -> Iterator[int]:
    for match in _RANGE.finditer(listed):
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        yield from range(first, min(last, first + _LONGEST_RANGE) + 1)
