"""The evidence of a decision as it came in, drawn: mean difference and interval against the questions folded.

What is drawn is what was written down at each step, and between two steps the interval stays as it was: nothing is
smoothed. The scale is that of the later half, since the first intervals span everything. Positions along the questions
are percentages, so the text keeps its size at 390 px and at 1440 px.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Any

from markupsafe import Markup

from assay.app.report.verdict_parts import declared_points, limits, points, says_nothing
from assay.decisions.axis import Axis, axis_for
from assay.decisions.hypothesis import Hypothesis
from assay.stats.interval import Interval

_HEIGHT, _BELOW = 260, 26
_LABEL = 13  # px a label needs
_NOTHING = Markup()


@dataclass(frozen=True, slots=True)
class _Step:
    items: int
    raw: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class _Field:
    """Where values (points of 100) and questions lie."""

    axis: Axis
    most: int

    def y(self, value: float) -> float:
        """px from the top."""
        return _HEIGHT * (1 - self.axis.share(100 * value))

    def x(self, items: float) -> float:
        """Percent from the left."""
        return 100 * items / self.most


def evidence_plot(outcome: Mapping[str, Any], hypothesis: Hypothesis, *, looks: Mapping[int, int]) -> Markup:
    """The plot of what an outcome holds; nothing before the first step. `looks` maps questions to the look there."""
    steps = [_step(step) for step in outcome.get("steps") or ()]
    if not steps:
        return Markup('<p class="empty">No question has been folded yet.</p>')
    is_live = bool(outcome.get("running"))
    judged = outcome.get("judged_difference") or outcome.get("difference") or {}
    field = _Field(_axis(steps, hypothesis, judged), _most(steps[-1].items, hypothesis.items, is_live=is_live))
    said = (
        f"Mean difference after {steps[-1].items:,} questions {points(steps[-1].raw)} points, interval "
        f"{points(steps[-1].low)} to {points(steps[-1].high)}"
    )
    marks = [_grid(field), _band(field, steps), *_lines(field, hypothesis), *_looks(field, looks)]
    marks.append(_end(field, steps[-1], judged, is_live=is_live))
    marks.append(_questions(field))
    return Markup(
        '<figure class="course"><div class="course-plot"><svg class="course-y" height="{h}" aria-hidden="true">{ys}'
        '</svg><svg class="course-field" height="{h}" role="img" aria-label="{said}">{marks}</svg>'
        '<svg class="course-names" height="{h}" aria-hidden="true">{names}</svg></div>'
        '<p class="course-under">questions folded, of {of}</p>{legend}</figure>'
    ).format(
        h=_HEIGHT + _BELOW,
        ys=_values(field),
        said=said,
        marks=Markup().join(marks),
        names=_names(field, hypothesis),
        of=f"{hypothesis.items:,}",
        legend=_legend(judged, by_looks=bool(hypothesis.looks), is_live=is_live),
    )


def _step(step: Mapping[str, Any]) -> _Step:
    low, high = step.get("low"), step.get("high")
    return _Step(int(step["items"]), step["raw"], -1.0 if low is None else low, 1.0 if high is None else high)


def _axis(steps: Sequence[_Step], hypothesis: Hypothesis, judged: Mapping[str, Any]) -> Axis:
    later = [step for step in steps if 2 * step.items >= steps[-1].items]
    said = [step for step in later if not says_nothing(step.low, step.high)]
    margins = hypothesis.margins
    values = [-margins.margin, margins.smallest, *(step.raw for step in later)]
    values += [limit for step in said for limit in (step.low, step.high)]
    values.append(float(judged.get("value") or 0.0))
    low, high = max(-1.0, min(values)), min(1.0, max(values))
    return axis_for([Interval(low, low, high, "", len(steps))], factor=100.0, ticks=6)


def _most(last: int, items: int, *, is_live: bool) -> int:
    """How many questions the plot spans: a little more than were asked, in round numbers while it grows."""
    if last >= items:
        return items
    if not is_live:
        return min(items, max(last + 1, round(1.12 * last)))
    wanted = 1.15 * last + 5
    power: float = 10.0 ** floor(log10(wanted))
    return min(items, next(ceil(m * power) for m in (1, 1.5, 2, 3, 5, 7, 10) if m * power >= wanted))


def _grid(field: _Field) -> Markup:
    lines = (
        Markup('<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(f"{field.y(tick / 100):.1f}")
        for tick in field.axis.ticks
    )
    return Markup().join(lines)


def _values(field: _Field) -> Markup:
    return Markup().join(
        Markup('<text x="100%" y="{}" text-anchor="end">{}</text>').format(
            f"{field.y(tick / 100) + 4:.1f}", field.axis.label(tick).replace("-", "−")
        )
        for tick in field.axis.ticks
    )


def _questions(field: _Field) -> Markup:
    step = _round(field.most / 5)
    ticks = [number * step for number in range(field.most // step + 1)]
    texts = []
    for tick in ticks:
        x = field.x(tick)
        anchor = "start" if tick == 0 else "end" if x > 97 else "middle"
        texts.append(
            Markup('<text x="{}%" y="{}" text-anchor="{}">{}</text>').format(
                f"{x:.2f}", _HEIGHT + 18, anchor, f"{tick:,}"
            )
        )
    return Markup().join(texts)


def _round(rough: float) -> int:
    power: int = 10 ** max(0, floor(log10(max(rough, 1))))
    return max(1, next(int(m * power) for m in (1, 2, 5, 10) if m * power >= 0.999 * rough))


def _band(field: _Field, steps: Sequence[_Step]) -> Markup:
    """The interval as a band of steps, the mean as a line, in a picture that is stretched over the field."""
    xs = [10 * field.x(step.items) for step in steps]
    above = [f"M{xs[0]:.1f} {field.y(steps[0].high):.1f}"]
    below = [f"L{xs[-1]:.1f} {field.y(steps[-1].low):.1f}"]
    for number in range(1, len(steps)):
        above.append(f"H{xs[number]:.1f}V{field.y(steps[number].high):.1f}")
        back = len(steps) - 1 - number
        below.append(f"V{field.y(steps[back].low):.1f}H{xs[back]:.1f}")
    mean = " ".join(f"{x:.1f},{field.y(step.raw):.1f}" for x, step in zip(xs, steps, strict=True))
    return Markup(
        '<svg viewBox="0 0 1000 {h}" width="100%" height="{h}" preserveAspectRatio="none">'
        '<path class="band" d="{above}{below}Z"/><polyline class="mean" points="{mean}"/></svg>'
    ).format(h=_HEIGHT, above="".join(above), below="".join(below), mean=mean)


def _declared(hypothesis: Hypothesis) -> list[tuple[str, float, str]]:
    margins = hypothesis.margins
    found = [
        ("smallest", margins.smallest, f"{declared_points(margins.smallest)} matters"),
        ("zero", 0.0, "no difference"),
        ("margin", -margins.margin, f"{declared_points(-margins.margin)} margin"),
    ]
    return found


def _lines(field: _Field, hypothesis: Hypothesis) -> list[Markup]:
    return [
        Markup('<line class="{}" x1="0" x2="100%" y1="{}" y2="{}"/>').format(kind, y, y)
        for kind, value, _ in _declared(hypothesis)
        for y in [f"{field.y(value):.1f}"]
    ]


def _names(field: _Field, hypothesis: Hypothesis) -> Markup:
    """The names of the lines that were declared, beside them, moved apart where they are close."""
    lines = _declared(hypothesis)
    places = [field.y(value) for _, value, _ in lines]
    middle = places[1]
    places[0] = max(_LABEL, min(places[0], middle - _LABEL))
    places[2] = min(_HEIGHT, max(places[2], middle + _LABEL))
    return Markup().join(
        Markup('<text class="{}" x="6" y="{}">{}</text>').format(kind, f"{at + 4:.1f}", name)
        for (kind, _, name), at in zip(lines, places, strict=True)
    )


def _looks(field: _Field, looks: Mapping[int, int]) -> list[Markup]:
    return [
        Markup(
            '<line class="look" x1="{0}%" x2="{0}%" y1="0" y2="{1}"/><text x="{0}%" y="10" dx="3">{2}</text>'
        ).format(f"{field.x(items):.2f}", _HEIGHT, f"look {number}")
        for items, number in looks.items()
        if items <= field.most and field.x(items) < 96
    ]


def _end(field: _Field, last: _Step, judged: Mapping[str, Any], *, is_live: bool) -> Markup:
    """Where it stands or stopped: the interval, the plain mean and, once it has stopped, the adjusted estimate."""
    x = f"{min(field.x(last.items), 100):.2f}%"
    marks = [
        Markup('<line class="end" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>').format(
            x, f"{field.y(last.high):.1f}", f"{field.y(last.low):.1f}"
        ),
        Markup('<circle class="plain" cx="{}" cy="{}" r="4.5"/>').format(x, f"{field.y(last.raw):.1f}"),
    ]
    if not is_live:
        marks.insert(0, Markup('<line class="stop" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(x, _HEIGHT))
        value = judged.get("value")
        if value is not None:
            marks.append(Markup('<circle class="point" cx="{}" cy="{}" r="5"/>').format(x, f"{field.y(value):.1f}"))
    return Markup().join(marks)


def _legend(judged: Mapping[str, Any], *, by_looks: bool, is_live: bool) -> Markup:
    valid = "interval of the last look" if by_looks else "interval, valid whenever one looks"
    keys = [("band", valid), ("mean", "mean difference so far")]
    if by_looks:
        keys.append(("look", "looks declared beforehand"))
    if not is_live:
        keys.append(("stop", "where it stopped"))
    if not is_live and judged:
        keys.append(("point", f"stop-adjusted estimate ({limits(judged)})"))
        keys.append(("plain", "plain mean"))
    return Markup('<figcaption class="legend">{}</figcaption>').format(
        Markup().join(Markup('<span><i class="swatch {}"></i>{}</span>').format(*key) for key in keys)
    )
