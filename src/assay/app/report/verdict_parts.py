"""How verdicts, what they rest on, and differences are written on the decision pages: the same everywhere.

A verdict is never told by colour alone: it has a mark and its word. Invariant: a limit that is not zero never reads as
zero, since the verdict hangs on it. Proved by `tests/unit/report/test_decision_parts.py`.
"""

from collections.abc import Mapping
from math import isfinite
from types import MappingProxyType
from typing import Any

from markupsafe import Markup

from assay.app.report.drawing import difference_bar
from assay.app.web import icons
from assay.decisions.figures import NEXT_TO_ZERO

_NOTHING = Markup()
_MOST_DECIMALS = 4

_VERDICTS: Mapping[str, tuple[str, Markup, str]] = MappingProxyType(
    {
        "PROMOTE": ("good", icons.GOOD, "better"),
        "NOT_WORSE": ("good", icons.GOOD, "not worse by more than the margin"),
        "NOT_BETTER": ("warn", icons.NONE, "does not gain what matters"),
        "WORSE": ("bad", icons.DOWN, "worse"),
        "UNDECIDED": ("open", icons.OPEN, "not known"),
        "running": ("live", icons.WAIT, "asking now"),
        "interrupted": ("warn", icons.BAD, "stopped before an answer"),
        "budget": ("warn", icons.BAD, "stopped by its budget"),
        "abandoned": ("open", icons.NONE, "given up"),
    }
)
_LABELS = MappingProxyType({"running": "RUNNING", "budget": "OUT OF BUDGET"})

SUPPORTS: Mapping[str, str] = MappingProxyType(
    {
        "REFERENCE-BASED": "Answers were scored against what the cases say is right. No model's opinion is in it.",
        "JUDGE-SUPPORTED": "A model judged the answers. A judge can favour a candidate for the wrong reasons; a "
        "person's labels find that out.",
        "HUMAN-CALIBRATED": "A person labelled answers of both systems, blind. The difference is on that person's "
        "scale; the judge only says which answers to look at and sharpens the estimate.",
    }
)


def verdict_markup(verdict: str, *, is_large: bool = False) -> Markup:
    """A verdict, or the state of a decision without one: colour, mark and word."""
    kind, mark, says = _VERDICTS.get(verdict, ("open", icons.OPEN, ""))
    return Markup('<span class="verdict {}{}" title="{}">{}<b>{}</b></span>').format(
        kind, " large" if is_large else "", says, mark, _LABELS.get(verdict, verdict.upper())
    )


def support_markup(support: str | None) -> Markup:
    """What a verdict on quality rests on."""
    if not support:
        return _NOTHING
    strong = "good" if support == "HUMAN-CALIBRATED" else ""
    return Markup('<span class="tag {}" title="{}">{}</span>').format(strong, SUPPORTS.get(support, ""), support)


def points(value: float | None, *, beside: float = 0.0) -> str:
    """A score difference in points of 100, to one digit, or to as many as it takes to differ from `beside`."""
    if value is None or not isfinite(value):
        return "no limit"
    scaled = 100 * value
    if abs(value) < NEXT_TO_ZERO:
        return "0.0"
    decimals = 1
    while decimals < _MOST_DECIMALS and float(f"{scaled:.{decimals}f}") in (0, 100 * beside):
        decimals += 1
    text = f"{scaled:+.{decimals}f}"
    return text.replace("-", "−")


def limit(value: float | None, *, beside: float = 0.0) -> str:
    """A limit in points: one a hair from zero decides a verdict, so it says on which side it lies."""
    if value and abs(value) < NEXT_TO_ZERO:
        return "just above 0" if value > 0 else "just below 0"
    return points(value, beside=beside)


def declared_points(value: float) -> str:
    """A margin or a gain as it was declared: 0.05 is +5."""
    return f"{100 * value:+g}".replace("-", "−")


def limits(difference: Mapping[str, Any]) -> str:
    """The interval of a difference in points; one that spans everything says nothing."""
    if says_nothing(difference.get("low"), difference.get("high")):
        return "no limits yet"
    return f"{limit(difference.get('low'))} to {limit(difference.get('high'))}"


def says_nothing(low: float | None, high: float | None) -> bool:
    """Whether an interval spans every difference there can be."""
    return (low is None or low <= -1) and (high is None or high >= 1)


def difference_markup(difference: Mapping[str, Any], *, reach: float) -> Markup:
    """A difference with its interval against zero, on a scale from `-reach` to `reach`."""
    low, high = difference.get("low"), difference.get("high")
    low, high = -1.0 if low is None else low, 1.0 if high is None else high
    side = "higher" if low > 0 else "lower" if high < 0 else "undecided"
    shown = [max(-reach, min(reach, at)) for at in (difference["value"], low, high)]
    return difference_bar(*shown, reach=reach, verdict=side)


def tile_markup(label: str, value: str, unit: str, drawn: Markup, aside: str) -> Markup:
    """A figure with its name, its picture and what it is."""
    return Markup(
        '<div class="tile"><span class="label">{}</span><span class="value num">{} <small>{}</small></span>{}'
        '<span class="aside">{}</span></div>'
    ).format(label, value, unit, drawn, aside)


def counts_markup(outcome: Mapping[str, Any]) -> Markup:
    """Won, tied and lost as one bar."""
    parts = [("won", outcome.get("wins", 0)), ("tied", outcome.get("ties", 0)), ("lost", outcome.get("losses", 0))]
    total = sum(count for _, count in parts)
    if not total:
        return _NOTHING
    at, marks = 0.0, []
    for name, count in parts:
        share = 100 * count / total
        if count:
            marks.append(
                Markup('<rect class="{}" x="{}%" width="{}%" y="5" height="8"/>').format(
                    name, f"{at:.2f}", f"{share:.2f}"
                )
            )
        at += share
    said = ", ".join(f"{count:,} {name}" for name, count in parts)
    return Markup('<svg class="counts" height="18" role="img" aria-label="{}">{}</svg>').format(
        said, Markup().join(marks)
    )


def ratio_words(ratio: Mapping[str, Any] | None) -> str:
    """A ratio with its interval: "1.11x (0.99 to 1.49)"."""
    if not ratio:
        return "no interval: too few questions"
    low, high = ratio.get("low"), ratio.get("high")
    if low is None or high is None:
        return f"{ratio['value']:.2f}x, no interval"
    return f"{ratio['value']:.2f}x ({low:.2f} to {high:.2f})"
