"""Text from outside, made harmless to show: escaped by markupsafe, without characters that act, cut where it is long.

Invariant: nothing that came from a model, a document or a case reaches the page but through `shown` or `marked`.
Proved by `tests/unit/report/test_report.py`.
"""

import re
import time
from collections.abc import Sequence

from markupsafe import Markup

# C0 but tab and newline, DEL, C1, lone surrogates, noncharacters, and the marks that reorder what stands around them.
# What a terminal takes as a colour or a move: ESC and a sequence, or an operating system command up to its end.
_TERMINAL = re.compile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[@-Z^_])")
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def inert(text: str) -> str:
    """The text without terminal sequences, every other character that acts replaced; newlines and tabs stay."""
    return _ACTING.sub("\N{REPLACEMENT CHARACTER}", _TERMINAL.sub("", text).replace("\r\n", "\n"))


def shown(text: str, most: int) -> Markup:
    """At most `most` characters of the text, saying how many are left out."""
    cut = Markup("{}").format(inert(text[:most]))
    return cut + _left_out(len(text) - most) if len(text) > most else cut


def one_line(text: str, most: int) -> str:
    """The text on one line of at most `most` characters."""
    line = " ".join(inert(text[: 4 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def moment(ns: int) -> str:
    """Nanoseconds since 1970 as a date and a time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(ns / 1e9))


def marked(text: str, spans: Sequence[tuple[int, int]], most: int) -> Markup:
    """At most about `most` characters of the text around the first span, the spans in `<mark>`."""
    spans = _merged(spans, len(text))
    start = 0
    if len(text) > most and spans:
        start = max(0, min(spans[0][0] - most // 4, len(text) - most))
    end = min(len(text), start + most)
    parts, at = [_left_out(start)] if start else [], start
    for span in spans:
        first, last = max(span[0], start), min(span[1], end)
        if first < last:
            parts += [
                Markup("{}").format(inert(text[at:first])),
                Markup("<mark>{}</mark>").format(inert(text[first:last])),
            ]
            at = last
    parts.append(Markup("{}").format(inert(text[at:end])))
    if end < len(text):
        parts.append(_left_out(len(text) - end))
    return Markup().join(parts)


def _merged(spans: Sequence[tuple[int, int]], length: int) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted((max(0, start), min(end, length)) for start, end in spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def _left_out(count: int) -> Markup:
    return Markup('<span class="cut"> … {} characters … </span>').format(f"{count:,}")
