"""The pictures of a report as inline SVG: interval bars, the risk-coverage curve, a metric over runs.

Positions are percentages, so a picture reads at 390 px and at 1440 px; every picture says in words what it shows.
"""

from collections.abc import Callable, Sequence

from markupsafe import Markup

from assay.app.report.text import one_line
from assay.evals.history import Point
from assay.stats.risk_coverage import RiskCoverage


def interval_bar(
    value: float, low: float, high: float, *, upper: float | None = None, has_limits: bool = True
) -> Markup:
    """A score between 0 and 1 with its interval; `upper` is the other bound where the judge left scores open."""
    bounds = sorted((value, value if upper is None else upper))
    words = f"{value:.3f}" if upper is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"
    label = f"{words}, interval {low:.3f} to {high:.3f}" if has_limits else f"{words}, no interval"
    marks = [Markup('<line class="track" x1="0" x2="100%" y1="9" y2="9"/>')]
    marks += [_tick(at) for at in (0, 25, 50, 75, 100)]
    if has_limits:
        marks.append(_line("range", low, high))
    if upper is not None:
        marks.append(_line("open", *bounds))
    marks.append(_point(bounds[0]))
    if upper is not None:
        marks.append(_point(bounds[1]))
    return Markup('<svg class="interval" height="18" role="img" aria-label="{}">{}</svg>').format(
        label, Markup().join(marks)
    )


def difference_bar(value: float, low: float, high: float, *, reach: float, verdict: str) -> Markup:
    """A difference with its interval around zero, on a scale from `-reach` to `reach`."""
    place = [0.5 + at / (2 * reach) for at in (low, high, value)]
    marks = [
        Markup(
            '<line class="track" x1="0" x2="100%" y1="9" y2="9"/><line class="zero" x1="50%" x2="50%" y1="0" y2="18"/>'
        ),
        _line("range", place[0], place[1]),
        _point(place[2]),
    ]
    return Markup('<svg class="interval {}" height="18" role="img" aria-label="{}">{}</svg>').format(
        verdict, f"{value:+.3f}, interval {low:+.3f} to {high:+.3f}", Markup().join(marks)
    )


def risk_curve(risk: RiskCoverage, *, most_points: int = 300) -> Markup:
    """The error among the answers the system is surest of, over the share answered."""
    step = max(1, len(risk.coverage) // most_points)
    points = list(zip(risk.coverage[::step], risk.risk[::step], strict=True))
    points.append((risk.coverage[-1], risk.risk[-1]))
    path = " ".join(f"{100 * x:.2f},{100 - 100 * y:.2f}" for x, y in points)
    label = f"Risk over coverage; area {risk.area:.3f}, risk when everything is answered {risk.risk[-1]:.3f}"
    return Markup(
        '<figure class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="grid" d="M0 0H100M0 25H100M0 50H100M0 75H100M0 100H100"/>'
        '<polyline class="curve" points="{}"/></svg>'
        '<span class="y most">1</span><span class="y least">0</span>'
        "<figcaption><span>0</span><span>share answered, surest first</span><span>1</span></figcaption></figure>"
    ).format(label, path)


def history_plot(points: Sequence[Point], *, url: Callable[[Point], str] | None = None) -> Markup:
    """A metric over runs, oldest left, with its intervals; runs on other cases are hollow. `url` opens a run."""
    least, most = min(point.low for point in points), max(point.high for point in points)
    scale = 60 / ((most - least) or 1.0)
    marks = [
        Markup('<line class="track" x1="0" x2="100%" y1="{0}" y2="{0}"/><text x="0" y="{1}">{2}</text>').format(*row)
        for row in ((8, 20, f"{most:.3f}"), (68, 64, f"{least:.3f}"))
    ]
    for number, point in enumerate(points):
        x = f"{14 + 84 * (number + 0.5) / len(points):.2f}%"
        low, high, value = (f"{68 - scale * (at - least):.1f}" for at in (point.low, point.high, point.value))
        mark = Markup(
            '<line class="range" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/><circle class="{4}" cx="{0}" cy="{3}" r="4"/>'
        ).format(x, low, high, value, "point" if point.same_cases else "point other")
        if url is not None:
            says = f"{point.value:.3f} ({point.low:.3f} to {point.high:.3f}), {one_line(point.system, 80)}"
            mark = Markup('<a href="{}" aria-label="{}"><title>{}</title>{}</a>').format(url(point), says, says, mark)
        marks.append(mark)
    words = ", ".join(f"{point.value:.3f} ({point.low:.3f} to {point.high:.3f})" for point in points)
    return Markup('<svg class="history" height="76" role="{}" aria-label="{}">{}</svg>').format(
        "img" if url is None else "group", words, Markup().join(marks)
    )


def _at(share: float) -> str:
    # A point at an end must not be cut in half.
    return f"{1 + 98 * min(max(share, 0.0), 1.0):.2f}%"


def _tick(percent: int) -> Markup:
    return Markup('<line class="tick" x1="{0}" x2="{0}" y1="6" y2="12"/>').format(_at(percent / 100))


def _line(kind: str, low: float, high: float) -> Markup:
    return Markup('<line class="{}" x1="{}" x2="{}" y1="9" y2="9"/>').format(kind, _at(low), _at(high))


def _point(value: float) -> Markup:
    return Markup('<circle class="point" cx="{}" cy="9" r="4.5"/>').format(_at(value))
