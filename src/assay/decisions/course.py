"""The course of the evidence, drawn in characters: the mean difference and its interval against questions asked."""

from collections.abc import Mapping
from typing import Any

from assay.decisions.figures import points

_HEIGHT = 9


def figure_lines(outcome: Mapping[str, Any]) -> list[str]:
    """Counts, interval, cost and latency of a decision, aligned."""
    difference = outcome.get("difference") or {}
    if not difference:
        return []
    ties = outcome.get("ties", 0)
    rows = [
        (
            "difference",
            f"{points(difference['value'])} points ({points(difference['low'])} to {points(difference['high'])})",
        ),
        ("questions", f"{outcome['n']:,}: {outcome['wins']:,} won, {outcome['losses']:,} lost, {ties:,} tied"),
    ]
    if outcome.get("support") != "HUMAN-CALIBRATED":
        rows.insert(1, ("plain mean", f"{points(difference['raw'])} points, which a stop at a high point flatters"))
    if outcome.get("clusters") is not None:
        rows.append(("clusters", f"{outcome['clusters']:,}"))
    if outcome.get("failures"):
        rows.append(("failures", f"{outcome['failures']:,} answers failed and count as 0"))
    cost, latency = outcome.get("cost"), outcome.get("latency")
    if cost:
        rows.append(("cost", _change(cost["incumbent_usd"], cost["candidate_usd"], cost.get("ratio"), "${:.4f}")))
    if latency:
        rows.append(
            (
                "p95",
                _change(latency["incumbent_p95_ms"], latency["candidate_p95_ms"], latency.get("ratio"), "{:,.0f} ms"),
            )
        )
    rows.append(("method", str(difference["method"])))
    return [f"{name:<11} {text}" for name, text in rows]


def course_lines(outcome: Mapping[str, Any], *, width: int, ascii_only: bool) -> list[str]:
    """The plot, `width` characters wide: the interval as a band, the mean in it, zero as a line."""
    steps = outcome.get("steps") or []
    if len(steps) < 2:
        return []
    points = [(step["items"], step["raw"], step["low"], step["high"]) for step in steps]
    inside = max(20, width - 10)
    # The first intervals span everything; the scale is that of the end.
    reach = max(0.02, 1.5 * max(min(1.0, abs(value)) for point in points[-1:] for value in point[1:]))
    band, mean, zero = (":", "*", "-") if ascii_only else ("░", "●", "─")
    last = points[-1][0]
    columns = [_at(points, round((column + 1) * last / inside)) for column in range(inside)]
    lines = []
    for row in range(_HEIGHT):
        top, bottom = reach * (1 - 2 * row / _HEIGHT), reach * (1 - 2 * (row + 1) / _HEIGHT)
        middle = (top + bottom) / 2
        cells = []
        for _items, raw, low, high in columns:
            if bottom <= max(-reach, min(reach - 1e-9, raw)) < top:
                cells.append(mean)
            elif bottom < 0 <= top:
                cells.append(zero)
            else:
                cells.append(band if low <= middle <= high else " ")
        label = f"{100 * middle:+6.1f} " if row in (0, _HEIGHT // 2, _HEIGHT - 1) else " " * 7
        lines.append(f"{label}{''.join(cells)}")
    lines.append(f"{'':7}1{f'{last:,} questions':>{inside - 1}}")
    return lines


def _at(points: list[tuple[int, float, float, float]], items: int) -> tuple[int, float, float, float]:
    """The last point at or before `items`; the first one where there is none."""
    known = [point for point in points if point[0] <= items]
    return known[-1] if known else points[0]


def _change(before: float, after: float, ratio: Mapping[str, Any] | None, shape: str) -> str:
    told = f"{shape.format(before)} to {shape.format(after)}"
    if ratio is None or ratio.get("low") is None or ratio.get("high") is None:
        return told
    return f"{told} ({ratio['value']:.2f}x, {ratio['low']:.2f} to {ratio['high']:.2f})"
