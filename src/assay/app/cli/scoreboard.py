"""A run's scoreboard and the difference of two runs in characters: figures, error bars, and what they rest on.

Invariant: every line fits the screen's width where the names allow, and nothing is said by colour alone.
"""

from collections.abc import Callable, Container, Iterable, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from assay.app.cli.output import on_one_line
from assay.decisions.figures import counted, dollars, milliseconds
from assay.decisions.terminal import Glyphs, glyphs_for

if TYPE_CHECKING:
    from rich.console import Console

    from assay.evals.diff import CaseDiff, Diff, MetricDiff
    from assay.evals.scoreboard import Metric, Scoreboard
    from assay.evals.slices import Slice
    from assay.stats.interval import Interval

_NARROWEST_BAR, _WIDEST_BAR = 12, 41
_STYLES = {"higher": "bold green", "lower": "bold red", "undecided": ""}
_ARROW = {True: "→", False: "->"}


def print_scoreboard(
    screen: "Console",
    scoreboard: "Scoreboard",
    *,
    every_metric: bool = False,
    slices_of: Sequence[str] | None = None,
    most_slices: int = 6,
) -> None:
    """Metrics with interval bars over 0 to 1, the methods and why, cost, latency, notes, and the lowest slices.

    Of metrics at several cuts one is shown unless `every_metric`. `slices_of` names the metrics whose slices are shown
    (default: the first three that have some).
    """
    from assay.evals.scoreboard import headline

    glyphs = glyphs_for(screen.encoding)
    say = Say(screen)
    names = list(scoreboard.metrics) if every_metric else headline(scoreboard.metrics)
    shown = [scoreboard.metrics[name] for name in names]
    if not shown:
        say("No metric applied to any case.")
    else:
        _table(say, screen.width, shown, glyphs, level=f"{100 * (1 - scoreboard.alpha):g}%")
    if len(shown) < len(scoreboard.metrics):
        more = len(scoreboard.metrics) - len(shown)
        say(f"and {more} more at other cuts: name them with --metrics, or see the report or --json", "dim")
    for line in _spending(scoreboard):
        say(line)
    for note in scoreboard.notes:
        say(f"! {on_one_line(note)}", "yellow")
    _print_slices(say, screen.width, scoreboard, glyphs, slices_of, most_slices)
    if shown:
        say()
    for line in _methods((metric.name, metric.method, metric.reason) for metric in shown):
        say(line, "dim")


def print_diff(
    screen: "Console",
    diff: "Diff",
    *,
    a: str = "A",
    b: str = "B",
    most_cases: int = 20,
    every_metric: bool = False,
) -> None:
    """Each metric of run B against run A with its interval around zero, then the cases that changed most.

    Of metrics at several cuts one is shown unless `every_metric`.
    """
    from assay.evals.scoreboard import headline

    metrics = diff.metrics if every_metric else {name: diff.metrics[name] for name in headline(diff.metrics)}
    glyphs = glyphs_for(screen.encoding)
    say = Say(screen)
    for name, run in (("A", a), ("B", b)):
        if run != name:
            say(f"{name}  {on_one_line(run)}")
    for note in diff.notes:
        say(f"! {on_one_line(note)}", "yellow")
    if not diff.paired:
        say("No case is in both runs.")
        return
    if metrics:
        say()
        _diff_table(say, screen.width, list(metrics.values()), glyphs, level=f"{100 * (1 - diff.alpha):g}%")
    if left := len(diff.metrics) - len(metrics):
        say(f"and {left} more at other cuts: name them with --metric", "dim")
    say()
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in diff.counts.items() if count)
    say(f"{counted(diff.paired, 'case')} in both: {kinds}.")
    arrow = _ARROW[glyphs.point == "●"]
    for case in diff.cases[:most_cases]:
        line = f"  {case.kind:<17}  {on_one_line(case.case_id)[:40]}  {_moves(case, arrow, metrics)}"
        # A pipe has no width to keep to.
        say(line if screen.soft_wrap or len(line) <= screen.width else line[: screen.width - 3] + "...")
    left = diff.changed - len(diff.cases[:most_cases])
    if left:
        say(f"  and {left:,} more that changed")
    say()
    for line in _methods((m.name, m.difference.method, m.difference.reason) for m in metrics.values()):
        say(line, "dim")


def score(value: float) -> str:
    """A score with three decimals; one that is not 0 or 1 never reads as such."""
    text = f"{value:.3f}"
    if text == "1.000" and value < 1:
        return ">.999"
    return "<.001" if text == "0.000" and value > 0 else text


def _table(say: "Say", width: int, shown: "Sequence[Metric]", glyphs: Glyphs, *, level: str) -> None:
    dash = "–" if glyphs.point == "●" else "-"
    rows = [("", "value", f"{level} interval", "n", "failed")]
    for metric in shown:
        value = score(metric.value)
        if metric.unscored:
            value = dash.join(score(bound) for bound in sorted((metric.worst, metric.best)))
        name = on_one_line(metric.name) + (" (lower is better)" if metric.lower_is_better else "")
        limits = "no interval" if metric.method == "none" else f"{score(metric.low)} to {score(metric.high)}"
        rows.append((name, value, limits, f"{metric.n:,}", f"{metric.failed:,}" if metric.failed else dash))
    room = width - sum(_widths(rows)) - 2 * len(rows[0])
    bar = min(_WIDEST_BAR, room) if room >= _NARROWEST_BAR else 0
    bars = ["0" + " " * max(bar - 2, 0) + "1", *(_score_bar(metric, width=bar, glyphs=glyphs) for metric in shown)]
    say_rows(say, rows, bars if bar else None, width, right=(1, 3, 4))


def say_rows(
    say: "Say",
    rows: Sequence[tuple[str, ...]],
    bars: Sequence[str] | None,
    width: int,
    *,
    right: tuple[int, ...],
    styles: Sequence[str] = (),
) -> None:
    """Aligned columns, the bar after the third; name and figures on lines of their own where they do not fit."""
    widths = _widths(rows)
    fits = sum(widths) + 2 * (len(widths) - 1) <= width
    for number, row in enumerate(rows):
        style = "dim" if number == 0 else styles[number - 1] if styles else ""
        cells = [cell.rjust(widths[i]) if i in right else cell.ljust(widths[i]) for i, cell in enumerate(row)]
        if bars is not None:
            cells.insert(3, bars[number])
        if fits:
            say("  ".join(cells).rstrip(), style)
        elif number == 0:
            if row[0]:
                say(row[0])
        else:
            say(row[0], style)
            parts = [f"{label} {cell}".strip() for label, cell in zip(rows[0][1:], row[1:], strict=True)]
            say("  " + ", ".join(parts))


def _widths(rows: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]


def _score_bar(metric: "Metric | Slice", *, width: int, glyphs: Glyphs) -> str:
    """The interval between 0 and 1; what the judge left open is a double line between its two bounds."""
    if not width:
        return ""
    last = width - 1
    row = [glyphs.tie] * width
    low, high = (round(limit * last) for limit in (metric.low, metric.high))
    if metric.method != "none":
        row[low : high + 1] = glyphs.line * (high - low + 1)
        row[low], row[high] = glyphs.left, glyphs.right
    bounds = (metric.value, getattr(metric, "best", metric.value))
    first, second = sorted(round(bound * last) for bound in bounds)
    row[first : second + 1] = ("═" if glyphs.point == "●" else "=") * (second - first + 1)
    row[first] = row[second] = glyphs.point
    return "".join(row)


def _spending(scoreboard: "Scoreboard") -> list[str]:
    lines, cost, latency = [], scoreboard.cost, scoreboard.latency
    if cost.mean is not None:
        unpriced = f"; {counted(cost.unpriced, 'answer')} unpriced" if cost.unpriced else ""
        spread = _limits(cost.mean, dollars)
        each = f"{dollars(cost.mean.value)} an answer{spread}, {dollars(cost.total)} in all" if cost.total else "$0"
        lines.append(f"cost     {each}{unpriced}")
    elif cost.unpriced:
        lines.append(f"cost     unpriced ({counted(cost.unpriced, 'answer')})")
    if latency is not None:
        p50, p95 = (f"{milliseconds(q.value)}{_limits(q, milliseconds)}" for q in (latency.p50, latency.p95))
        lines.append(f"latency  p50 {p50}, p95 {p95}")
    return ["", *lines] if lines else []


def _limits(interval: "Interval", written: Callable[[float], str]) -> str:
    if not (isfinite(interval.low) and isfinite(interval.high)):
        return ""
    return f" ({written(max(interval.low, 0.0))} to {written(interval.high)})"


def _print_slices(
    say: "Say", width: int, scoreboard: "Scoreboard", glyphs: Glyphs, slices_of: Sequence[str] | None, most: int
) -> None:
    from assay.evals.scoreboard import headline

    slices = scoreboard.slices
    names = [name for name in (slices_of or headline(slices.by_metric)[:3]) if name in slices.by_metric]
    if not names:
        return
    say()
    say(f"By tag, lowest first. {slices.statement}")
    for name in names:
        shown = slices.by_metric[name]
        say()
        rows = [(on_one_line(name), "value", "interval", "n")]
        rows += [
            (f"  {on_one_line(one.tag)[:30]}", score(one.value), f"{score(one.low)} to {score(one.high)}", f"{one.n:,}")
            for one in shown[:most]
        ]
        room = width - sum(_widths(rows)) - 8
        bar = min(_WIDEST_BAR, room) if room >= _NARROWEST_BAR else 0
        bars = [" " * bar, *(_score_bar(one, width=bar, glyphs=glyphs) for one in shown[:most])]
        say_rows(say, rows, bars if bar else None, width, right=(1, 3))
        if len(shown) > most:
            say(f"  and {len(shown) - most:,} higher ones")


def _diff_table(say: "Say", width: int, metrics: "list[MetricDiff]", glyphs: Glyphs, *, level: str) -> None:
    rows = [("", "A", "B", f"B - A ({level} interval)", "")]
    for one in metrics:
        difference = one.difference
        limits = "no interval" if difference.method == "none" else f"{difference.low:+.3f} to {difference.high:+.3f}"
        figures = f"{difference.value:+.3f} ({limits})"
        rows.append((on_one_line(one.name), score(one.first), score(one.second), figures, one.verdict))
    reach = max([abs(limit) for one in metrics for limit in (one.difference.low, one.difference.high)] + [0.01])
    room = width - sum(_widths(rows)) - 10
    bar = (min(_WIDEST_BAR, room) - 1) // 2 * 2 + 1 if room >= _NARROWEST_BAR else 0
    sides = ("A higher", "B higher") if bar >= 19 else ("A", "B")
    bars = [f"{sides[0]:>{bar // 2 - 1}}   {sides[1]:<{bar // 2 - 1}}" if bar else ""]
    bars += [zero_bar(one.difference, reach, width=bar, glyphs=glyphs) for one in metrics]
    styles = [_STYLES[one.verdict] for one in metrics]
    say_rows(say, rows, bars if bar else None, width, right=(1, 2), styles=styles)


def zero_bar(interval: "Interval", reach: float, *, width: int, glyphs: Glyphs) -> str:
    """An interval around zero, on a scale from `-reach` to `reach`."""
    if not width:
        return ""
    last = width - 1
    row = [" "] * width
    low, zero, high, value = (
        round((min(max(x, -reach), reach) / reach + 1) / 2 * last)
        for x in (interval.low, 0.0, interval.high, interval.value)
    )
    if interval.method != "none":
        row[low : high + 1] = glyphs.line * (high - low + 1)
        row[low], row[high] = glyphs.left, glyphs.right
    row[zero] = glyphs.zero
    row[value] = glyphs.point
    return "".join(row)


def _moves(case: "CaseDiff", arrow: str, shown: Container[str]) -> str:
    moved = [
        f"{on_one_line(name)} {_or_failed(before)} {arrow} {_or_failed(after)}"
        for name, (before, after) in case.scores.items()
        if before != after and name in shown
    ]
    return ", ".join(moved)


def _or_failed(value: float | None) -> str:
    return "not scored" if value is None else score(value)


def _methods(parts: Iterable[tuple[str, str, str]]) -> list[str]:
    """One line per method and reason, naming the metrics it was used for."""
    used: dict[tuple[str, str], list[str]] = {}
    for name, method, reason in parts:
        used.setdefault((method, reason), []).append(on_one_line(name))
    return [
        f"{method if method != 'none' else 'no interval'}: {reason}. ({', '.join(names)})"
        for (method, reason), names in used.items()
    ]


class Say:
    """Prints a line; what this terminal cannot write becomes a question mark."""

    def __init__(self, screen: "Console") -> None:
        self._screen = screen

    def __call__(self, text: str = "", style: str = "") -> None:
        encoding = self._screen.encoding
        self._screen.print(text.encode(encoding, "replace").decode(encoding), markup=False, style=style or None)
