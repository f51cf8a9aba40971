"""The pictures of a race as inline SVG: each design's way through the rounds, its score, quality against what it costs.

Positions along a line are percentages and text keeps its size, so a picture reads at 360 px and at 1400 px. No mark is
told by colour alone: out is a cross, the winner a diamond, what serves a square. Invariant: a point that is drawn is a
figure of the view; what is not known is not drawn. Proved by `tests/unit/app/test_race_page.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from markupsafe import Markup

from assay.app.report.race_view import RaceView, Row, way_words
from assay.app.report.text import one_line

_HEIGHT, _BELOW = 250, 24
_LOG_FROM = 12  # times: costs that far apart would lie on one heap on a linear scale
_MOST_WHISKERS = 60
_DIAMOND = "M0 -6L6 0L0 6L-6 0Z"
_CROSS = "M-4 -4L4 4M-4 4L4 -4"
_NOTHING = Markup()


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of a line with round ticks in it; logarithmic where `is_log`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1; values beyond an end stay at it."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.is_log:
            low, high, at = log10(low), log10(high), log10(at)
        return (at - low) / (high - low)

    def percent(self, value: float) -> str:
        """The same as SVG takes it."""
        return f"{100 * self.share(value):.2f}%"


def score_scale(arms: Sequence[Row], *, ticks: int = 5) -> Scale | None:
    """A scale that holds every known score with its interval; None where there is none."""
    ends = [end for arm in arms if arm["score"] is not None for end in (arm["score_low"], arm["score_high"])]
    known = [end for end in ends if end is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    room = max(0.05 * (high - low), 0.005)
    return _linear(max(0.0, low - room), min(1.0, high + room), ticks)


def cost_scale(values: Sequence[float]) -> Scale:
    """A scale from 0 that holds all values, logarithmic where they are far apart."""
    least, most = min(values), max(values)
    if least > 0 and most / least > _LOG_FROM:
        low, high = least / 1.3, most * 1.3
        powers = range(floor(log10(low)), ceil(log10(high)) + 1)
        steps = [m * 10.0**power for power in powers for m in ((1, 3) if len(powers) <= 4 else (1,))]
        return Scale(low, high, tuple(step for step in steps if low <= step <= high), is_log=True)
    return _linear(0.0, 1.08 * most or 1.0, 5)


def _linear(low: float, high: float, ticks: int) -> Scale:
    rough = (high - low) / ticks
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= 0.999 * rough)
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return Scale(low, high, tuple(round(number * step, 12) for number in range(first, last + 1)))


# ---- rows -------------------------------------------------------------------------------------


def lanes_head(view: RaceView) -> Markup:
    """Over the lanes: the rounds, and how many designs were in each."""
    columns = [(str(number), f"{arms:,}") for number, arms, _ in view.columns]
    if view.is_pruned:
        columns.insert(0, ("search", f"{len(view.arms):,}"))
    texts = (
        Markup('<text x="{}" y="11">{}</text><text class="in" x="{}" y="25">{}</text>').format(at, name, at, arms)
        for place, (name, arms) in enumerate(columns)
        for at in [_center(place, len(columns))]
    )
    return Markup('<svg class="lane-head" height="30" role="img" aria-label="Rounds and the designs in each">{}</svg>'
                  ).format(Markup().join(texts))  # fmt: skip


def lane(view: RaceView, arm: Row) -> Markup:
    """The way of a design: a dot for every round it was in, and how it ended."""
    skipped = int(view.is_pruned)
    of = max(1, len(view.columns) + skipped)
    last = min(view.reached(arm), max(1, len(view.rounds))) - 1 + skipped
    end = _center(max(last, 0), of)
    marks = [Markup('<line class="track" x1="0" x2="100%" y1="10" y2="10"/>')]
    marks.append(Markup('<line class="way" x1="0" x2="{}" y1="10" y2="10"/>').format(end))
    marks += [Markup('<circle class="step" cx="{}" cy="10" r="2.5"/>').format(_center(n, of)) for n in range(last)]
    if arm["number"] == view.winner_number:
        marks.append(_mark("won", end, 10, _DIAMOND))
    elif arm["out_round"] is not None:
        marks.append(_mark("out", end, 10, _CROSS))
    else:
        marks.append(Markup('<circle class="still" cx="{}" cy="10" r="4.5"/>').format(end))
    return Markup('<svg class="lane" height="20" role="img" aria-label="{}">{}</svg>').format(
        way_words(view, arm), Markup().join(marks)
    )


def score_axis(scale: Scale) -> Markup:
    """Over the scores: their scale."""
    texts = (
        Markup('<text x="{}" y="25">{}</text>').format(scale.percent(tick), f"{tick:.2f}")
        for tick in scale.ticks
        if 0.04 < scale.share(tick) < 0.96
    )
    return Markup('<svg class="lane-head" height="30" aria-hidden="true">{}</svg>').format(Markup().join(texts))


def score_mark(arm: Row, scale: Scale | None, *, against: float | None) -> Markup:
    """The score of a design with its interval; `against` is that of what serves, as a line."""
    if scale is None or arm["score"] is None:
        return Markup('<span class="faint">no score</span>')
    marks = [
        Markup('<line class="grid" x1="{0}" x2="{0}" y1="0" y2="20"/>').format(scale.percent(tick))
        for tick in scale.ticks
    ]
    if against is not None:
        marks.append(Markup('<line class="serves" x1="{0}" x2="{0}" y1="0" y2="20"/>').format(scale.percent(against)))
    label = f"score {arm['score']:.3f}"
    if arm["score_low"] is not None and arm["score_high"] is not None:
        marks.append(
            Markup('<line class="range" x1="{}" x2="{}" y1="10" y2="10"/>').format(
                scale.percent(arm["score_low"]), scale.percent(arm["score_high"])
            )
        )
        label += f", interval {arm['score_low']:.3f} to {arm['score_high']:.3f}"
    marks.append(Markup('<circle class="point" cx="{}" cy="10" r="4"/>').format(scale.percent(arm["score"])))
    return Markup('<svg class="score-mark" height="20" role="img" aria-label="{}">{}</svg>').format(
        label, Markup().join(marks)
    )


# ---- quality against cost ---------------------------------------------------------------------


def scatter(view: RaceView, key: str, *, written: Callable[[float], str], axis: str, numbers: dict[int, int]) -> Markup:
    """Scores against the costs in `key`; `numbers` are what designs are called in the picture, by arm number."""
    arms = [arm for arm in view.arms if arm["score"] is not None and arm[key] is not None]
    ys = score_scale(arms, ticks=6)
    if ys is None:
        return Markup('<p class="empty">No design has both a score and its {} yet.</p>').format(axis)
    xs = cost_scale([float(arm[key]) for arm in arms])
    best = frontier_of([(float(arm[key]), float(arm["score"])) for arm in arms])
    said = f"Score against {axis} of {len(arms):,} designs; {len(best):,} on the frontier"
    # What is looked for is drawn last, over the rest.
    over = {number: place for place, number in enumerate((*numbers, view.shape.get("incumbent"), view.winner_number))}
    arms.sort(key=lambda arm: over.get(arm["number"], -1))
    marks = [*_grids(xs, ys, written), _steps(best, xs, ys)]
    whiskers = len(arms) <= _MOST_WHISKERS
    marks += [
        _spot(view, arm, xs, ys, key=key, written=written, number=numbers.get(arm["number"]),
              has_whisker=whiskers or arm["number"] in over)
        for arm in arms
    ]  # fmt: skip
    return Markup(
        '<figure class="scatter"><div class="scatter-plot"><svg class="scatter-y" height="{h}" aria-hidden="true">{ys}'
        '</svg><svg class="scatter-field" height="{h}" role="img" aria-label="{said}">{marks}</svg></div>'
        "<figcaption>{axis}{log}</figcaption></figure>"
    ).format(
        h=_HEIGHT + _BELOW,
        ys=_y_labels(ys),
        said=said,
        marks=Markup().join(marks),
        axis=axis,
        log=", logarithmic" if xs.is_log else "",
    )


def frontier_of(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (cost, score) pairs those that score more than all that cost no more, cheapest first."""
    best: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or score > best[-1][1]:
            best.append((cost, score))
    return best


def _grids(xs: Scale, ys: Scale, written: Callable[[float], str]) -> list[Markup]:
    marks = [
        Markup('<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_y(ys, tick)) for tick in ys.ticks
    ]
    marks.append(Markup('<line class="axis" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(_HEIGHT))
    for tick in xs.ticks:
        share = xs.share(tick)
        anchor = "start" if share < 0.05 else "end" if share > 0.93 else "middle"
        marks.append(
            Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
                xs.percent(tick), _HEIGHT + 17, anchor, written(tick)
            )
        )
    return marks


def _y_labels(ys: Scale) -> Markup:
    return Markup().join(
        Markup('<text x="100%" y="{}" text-anchor="end">{}</text>').format(
            f"{float(_y(ys, tick)) + 4:.1f}", f"{tick:.{_decimals(ys)}f}"
        )
        for tick in ys.ticks
    )


def _decimals(scale: Scale) -> int:
    gaps = [after - before for before, after in pairwise(scale.ticks)]
    return 3 if gaps and min(gaps) < 0.0099 else 2


def _steps(best: Sequence[tuple[float, float]], xs: Scale, ys: Scale) -> Markup:
    """The most that can be had at each cost, as steps: nothing between two designs was measured."""
    if not best:
        return _NOTHING
    parts = [f"M{1000 * xs.share(best[0][0]):.1f} {_y(ys, best[0][1])}"]
    parts += [f"H{1000 * xs.share(cost):.1f}V{_y(ys, score)}" for cost, score in best[1:]]
    return Markup(
        '<svg viewBox="0 0 1000 {h}" width="100%" height="{h}" preserveAspectRatio="none">'
        '<path class="frontier" d="{path}H1000"/></svg>'
    ).format(h=_HEIGHT, path="".join(parts))


def _spot(
    view: RaceView,
    arm: Row,
    xs: Scale,
    ys: Scale,
    *,
    key: str,
    written: Callable[[float], str],
    number: int | None,
    has_whisker: bool,
) -> Markup:
    x, y = xs.percent(arm[key]), _y(ys, arm["score"])
    marks = []
    if has_whisker and arm["score_low"] is not None and arm["score_high"] is not None:
        marks.append(
            Markup('<line class="whisker" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
                x, _y(ys, arm["score_high"]), _y(ys, arm["score_low"])
            )
        )
    kind = "best" if number is not None else "rest"
    if arm["number"] == view.winner_number:
        kind = "won"
        marks.append(_mark("won", x, y, "M0 -8L8 0L0 8L-8 0Z"))
    elif arm["number"] == view.shape.get("incumbent"):
        kind = "serves"
        marks.append(_mark("serves", x, y, "M-5 -5H5V5H-5Z"))
    else:
        marks.append(Markup('<circle cx="{}" cy="{}" r="{}"/>').format(x, y, 4.5 if number is not None else 3))
    if number is not None:
        marks.append(Markup('<text x="{}" y="{}" dx="8" dy="-6">{}</text>').format(x, y, number))
    return Markup('<g class="spot {}"><title>{}: {}, {}</title>{}</g>').format(
        kind, one_line(view.short_name(arm["levels"]), 120), f"{arm['score']:.3f}", written(arm[key]),
        Markup().join(marks),
    )  # fmt: skip


def _mark(kind: str, x: str, y: float | str, path: str) -> Markup:
    return Markup('<svg class="mark" x="{}" y="{}"><path class="{}" d="{}"/></svg>').format(x, y, kind, path)


def _y(ys: Scale, value: float) -> str:
    return f"{_HEIGHT * (1 - ys.share(value)):.1f}"


def _center(place: int, of: int) -> str:
    return f"{100 * (place + 0.5) / of:.2f}%"
