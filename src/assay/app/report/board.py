"""The upper half of a report: what was measured, every metric with its interval, slices, cost, judges, runs before."""

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any

from markupsafe import Markup

from assay.app.report.drawing import history_plot, interval_bar, risk_curve
from assay.app.report.text import moment, one_line
from assay.app.report.view import RunView
from assay.decisions.figures import counted, dollars, milliseconds
from assay.evals.history import Point
from assay.evals.runs import RunRecord
from assay.evals.scoreboard import Metric, Scoreboard, headline
from assay.evals.slices import Slice, Slices
from assay.stats.interval import Interval

_TILES = (
    "token_f1", "exact_match", "rubric", "g_eval", "faithfulness", "citation_precision", "evidence_recall@5",
    "declined_when_it_should", "answered_when_it_could", "answer_relevancy", "ndcg@10",
)  # fmt: skip
_MOST_TILES = 6
_NOTHING = Markup()
STATUS = {
    "done": "done",
    "running": "still running",
    "budget": "stopped by its budget",
    "interrupted": "interrupted",
    "failed": "failed",
}


def header_markup(view: RunView) -> Markup:
    """The beginning of the report: what was measured on what, when, and what it cost."""
    return Markup(
        '<header class="top"><span class="brand"><i></i>Assay</span><span class="muted">evaluation {}</span></header>'
        "<main>{}"
    ).format(view.run.id, title_markup(view.run))


def title_markup(run: RunRecord, *, beside: Markup = _NOTHING) -> Markup:
    """What was measured on what, when, what it cost, and whether it is finished; `beside` the name what can be done."""
    spec = run.spec
    took = "" if run.finished_ns is None else f", {_duration((run.finished_ns - run.created_ns) / 1e9)}"
    unpriced = f" and {counted(run.unpriced_calls, 'unpriced call')}" if run.unpriced_calls else ""
    facts = [
        ("Cases", f"{counted(spec.cases, 'case')}" + (f", {spec.replicas} times each" if spec.replicas > 1 else "")),
        ("Set", f"{one_line(spec.set_name, 60)} {spec.set_digest[:12]}".strip()),
        ("Started", f"{moment(run.created_ns)}{took}"),
        ("Cost of this run", f"{dollars(run.cost_usd)}{unpriced}"),
        ("Calls", f"{run.paid_calls:,} paid, {run.cached_calls:,} from the cache"),
        ("System digest", f"{one_line(spec.subject, 12) if spec.subject else 'none: what it is made of is not known'}"),
    ]
    listed = Markup().join(Markup("<div><dt>{}</dt><dd>{}</dd></div>").format(name, value) for name, value in facts)
    unfinished = Markup()
    if run.status != "done" or run.results < spec.cases * spec.replicas:
        unfinished = Markup('<p class="notice">This run is {}: {} of {} questions are in it.</p>').format(
            STATUS[run.status], f"{run.results:,}", f"{spec.cases * spec.replicas:,}"
        )
    return Markup(
        '<div class="title"><div class="name"><h1><bdi>{}</bdi></h1>{}</div><dl class="facts">{}</dl>{}</div>'
    ).format(one_line(spec.system, 120), beside, listed, unfinished)


def board_markup(view: RunView) -> Markup:
    """Tiles, notes, all metrics, slices, judges, the risk curve and the runs before."""
    board = view.board
    notes = Markup().join(Markup("<p>{}</p>").format(one_line(note, 400)) for note in board.notes)
    sections = [
        _tiles(board),
        Markup('<div class="notice">{}</div>').format(notes) if notes else Markup(),
        _metrics_section(board),
        _slices_section(board.slices),
        _judges_section(view.run.spec.scorers),
        _risk_section(board),
        _history_section(view),
    ]
    return Markup().join(sections)


def _tiles(board: Scoreboard) -> Markup:
    tiles = [_metric_tile(board.metrics[name]) for name in told_first(board.metrics, _MOST_TILES)]
    if board.cost.mean is not None:
        aside = f"{dollars(board.cost.total)} for {counted(board.cost.priced, 'answer')}"
        aside += f", {board.cost.unpriced:,} unpriced" if board.cost.unpriced else ""
        tiles.append(_tile("Cost per answer", dollars(board.cost.mean.value), _spread(board.cost.mean, dollars), aside))
    if board.latency is not None:
        p50, p95 = board.latency.p50, board.latency.p95
        aside = f"p50 {milliseconds(p50.value)}{_spread(p50, milliseconds, brackets=True)}"
        tiles.append(_tile("Latency p95", milliseconds(p95.value), _spread(p95, milliseconds), aside))
    return Markup('<div class="tiles">{}</div>').format(Markup().join(tiles))


def told_first(metrics: Iterable[str], most: int) -> list[str]:
    """The metrics that tell most of a run, at most so many: those of a fixed order, filled up to four with others."""
    known = list(metrics)
    names = [name for name in _TILES if name in known][:most]
    return names + [name for name in headline(known) if name not in names][: max(0, min(4, most) - len(names))]


def _metric_tile(metric: Metric) -> Markup:
    aside = f"{counted(metric.n, 'case')}" + (f", {metric.failed:,} failed" if metric.failed else "")
    return Markup(
        '<div class="tile"><span class="label">{}</span><b class="value">{}</b>{}<span class="aside">{}</span>'
        '<span class="aside">{}</span></div>'
    ).format(
        _breakable(metric.name), metric_value(metric), metric_bar(metric), metric_limits(metric, with_level=True), aside
    )


def _breakable(name: str) -> Markup:
    return Markup("_<wbr>").join(name.split("_"))


def _tile(label: str, value: str, spread: str, aside: str) -> Markup:
    return Markup(
        '<div class="tile"><span class="label">{}</span><b class="value">{}</b><span class="aside">{}</span>'
        '<span class="aside">{}</span></div>'
    ).format(label, value, spread, aside)


def _metrics_section(board: Scoreboard) -> Markup:
    if not board.metrics:
        return Markup(
            '<section class="panel"><h2>Metrics</h2><p class="empty">No metric applied to any case.</p></section>'
        )
    first = headline(board.metrics)
    rest = [name for name in board.metrics if name not in first]
    level = f"{100 * (1 - board.alpha):g}%"
    more = Markup()
    if rest:
        more = Markup("<details class='more'><summary>{}</summary>{}</details>").format(
            f"{counted(len(rest), 'metric')} at other cuts",
            _metrics_table([board.metrics[name] for name in rest], level),
        )
    return Markup('<section class="panel"><h2>Metrics</h2><p class="muted">{}</p>{}{}{}</section>').format(
        f"Bars are {level} intervals over 0 to 1. A case whose system failed scores 0; where a judge failed, the "
        "interval reaches from all of those at 0 to all of those at 1.",
        _metrics_table([board.metrics[name] for name in first], level),
        more,
        _methods([board.metrics[name] for name in (*first, *rest)]),
    )


def _metrics_table(metrics: Sequence[Metric], level: str) -> Markup:
    rows = Markup().join(
        Markup(
            '<tr><th scope="row">{}{}</th><td class="num strong">{}</td><td class="bar">{}</td>'
            '<td class="num">{}</td><td class="num">{}</td><td class="num">{}</td></tr>'
        ).format(
            metric.name,
            Markup("<small>lower is better</small>") if metric.lower_is_better else "",
            metric_value(metric),
            metric_bar(metric),
            metric_limits(metric),
            f"{metric.n:,}",
            _failed(metric),
        )
        for metric in metrics
    )
    return Markup(
        '<table class="metrics"><thead><tr><th scope="col">Metric</th><th scope="col" class="num">Value</th>'
        '<th scope="col" class="bar"><span class="ends"><i>0</i><i>1</i></span></th>'
        '<th scope="col" class="num">{} interval</th><th scope="col" class="num">Cases</th>'
        '<th scope="col" class="num">Failed</th></tr></thead><tbody>{}</tbody></table>'
    ).format(level, rows)


def _failed(metric: Metric) -> Markup:
    if not metric.failed:
        return Markup('<span class="faint">–</span>')
    parts = [f"{metric.errors:,} by the system"] if metric.errors else []
    parts += [f"{metric.unscored:,} by the judge"] if metric.unscored else []
    return Markup("{}<small>{}</small>").format(f"{metric.failed:,}", ", ".join(parts))


def _methods(metrics: Sequence[Metric]) -> Markup:
    used: dict[tuple[str, str], list[str]] = {}
    for metric in metrics:
        used.setdefault((metric.method, metric.reason), []).append(metric.name)
    items = Markup().join(
        Markup("<li><b>{}</b>, {}: {}</li>").format(
            method if method != "none" else "no interval", reason, ", ".join(names)
        )
        for (method, reason), names in used.items()
    )
    return Markup(
        '<details class="more"><summary>How the intervals were made, and why</summary><ul>{}</ul></details>'
    ).format(items)


def _slices_section(slices: Slices) -> Markup:
    if not slices.by_metric:
        said = slices.statement
        return (
            Markup('<section class="panel"><h2>By tag</h2><p class="muted">{}</p></section>').format(said)
            if said
            else Markup()
        )
    names = headline(slices.by_metric)
    blocks = [
        Markup(
            '<details class="slices"{}><summary><b>{}</b><span class="muted">{}</span></summary>{}</details>'
        ).format(
            Markup(" open") if number == 0 else Markup(),
            name,
            f"lowest: {one_line(slices.by_metric[name][0].tag, 40)} {slices.by_metric[name][0].value:.3f}",
            _slices_table(slices.by_metric[name]),
        )
        for number, name in enumerate(names)
    ]
    return Markup('<section class="panel"><h2>By tag</h2><p class="muted">Lowest first. {}</p>{}</section>').format(
        slices.statement, Markup().join(blocks)
    )


def _slices_table(slices: Sequence[Slice]) -> Markup:
    rows = Markup().join(
        Markup(
            '<tr><th scope="row"><bdi>{}</bdi></th><td class="num strong">{}</td><td class="bar">{}</td>'
            '<td class="num">{}</td><td class="num">{}</td></tr>'
        ).format(
            one_line(one.tag, 60),
            f"{one.value:.3f}",
            interval_bar(one.value, one.low, one.high, has_limits=one.method != "none"),
            f"{one.low:.3f} to {one.high:.3f}" if one.method != "none" else "no interval",
            f"{one.n:,}",
        )
        for one in slices
    )
    return Markup('<table class="metrics"><tbody>{}</tbody></table>').format(rows)


def _judges_section(scorers: Sequence[Any]) -> Markup:
    judged = [(scorer["metrics"], scorer["judge"]) for scorer in scorers if scorer.get("judge")]
    if not judged:
        return Markup()
    rows = Markup().join(
        Markup(
            '<tr><th scope="row">{}</th><td>{}<small>{}</small></td><td class="prompts">{}</td><td>{}</td></tr>'
        ).format(
            ", ".join(metrics),
            one_line(judge["name"], 80),
            one_line(judge["model"], 80),
            Markup(" ").join(
                Markup("<code>{}@{}</code>").format(one_line(name, 40), one_line(digest, 16))
                for name, digest in judge["prompts"].items()
            ),
            one_line(judge["last_check"], 200) if judge["last_check"] else "never checked against people",
        )
        for metrics, judge in judged
    )
    return Markup(
        '<section class="panel"><h2>Judges</h2><div class="scroll"><table class="judges"><thead><tr>'
        '<th scope="col">Metrics</th><th scope="col">Judge</th><th scope="col">Prompts</th>'
        '<th scope="col">Last check</th></tr></thead>'
        "<tbody>{}</tbody></table></div></section>"
    ).format(rows)


def _risk_section(board: Scoreboard) -> Markup:
    if board.risk is None:
        return Markup()
    return Markup(
        '<section class="panel"><h2>Does it know when it is wrong?</h2><p class="muted">The mean error among the '
        "answers it is surest of, for every share answered. A curve that rises is good: the surest answers are the "
        "right ones. Area {}, with everything answered {}.</p>{}</section>"
    ).format(f"{board.risk.area:.3f}", f"{float(board.risk.risk[-1]):.3f}", risk_curve(board.risk))


def _history_section(view: RunView) -> Markup:
    plots = history_markup(view.history)
    if not plots:
        return Markup()
    return Markup(
        '<section class="panel"><h2>Runs before</h2><p class="muted">Runs of this system under any settings, '
        "oldest left and this run last, with intervals.</p>{}</section>"
    ).format(plots)


def history_markup(
    history: Iterable[tuple[str, Sequence[Point]]],
    *,
    url: Callable[[Point], str] | None = None,
    most: int | None = None,
) -> Markup:
    """A picture for each headline metric that two runs or more have, the rest folded away where `most` are to be seen.

    Nothing where there is none. `url` opens a run.
    """
    found = {name: points for name, points in history if len(points) > 1}
    names = headline(found)
    first = names if most is None else told_first(found, most)
    shown, rest = (
        Markup().join(_past(name, found[name], url) for name in some)
        for some in (first, [name for name in names if name not in first])
    )
    if not shown:
        return Markup()
    more = Markup()
    if rest:
        more = Markup('<details class="more"><summary>{}</summary><div class="pasts">{}</div></details>').format(
            counted(len(names) - len(first), "other metric"), rest
        )
    return Markup('<div class="pasts">{}</div>{}').format(shown, more)


def _past(name: str, points: Sequence[Point], url: Callable[[Point], str] | None) -> Markup:
    return Markup(
        '<figure class="past"><figcaption><b>{}</b> <span class="muted">{}</span></figcaption>{}</figure>'
    ).format(
        name,
        f"{points[0].value:.3f} to {points[-1].value:.3f} over {len(points)} runs",
        history_plot(points, url=url),
    )


def metric_bar(metric: Metric) -> Markup:
    """The metric as a point and its interval between 0 and 1."""
    upper = metric.best if metric.unscored else None
    return interval_bar(metric.value, metric.low, metric.high, upper=upper, has_limits=metric.method != "none")


def metric_value(metric: Metric) -> str:
    """The metric to three digits; both bounds where a judge left scores open."""
    if metric.unscored:
        low, high = sorted((metric.worst, metric.best))
        return f"{low:.3f}–{high:.3f}"
    return f"{metric.value:.3f}"


def metric_limits(metric: Metric, *, with_level: bool = False) -> str:
    """Its interval, or that it has none."""
    if metric.method == "none":
        return "no interval"
    level = f"{100 * (1 - metric.alpha):g}% " if with_level else ""
    return f"{level}{metric.low:.3f} to {metric.high:.3f}"


def _spread(interval: Interval, written: Any, *, brackets: bool = False) -> str:
    if not (isfinite(interval.low) and isfinite(interval.high)):
        return "" if brackets else "too few cases for an interval"
    text = f"{written(max(interval.low, 0.0))} to {written(interval.high)}"
    return f" ({text})" if brackets else f"{100 * (1 - interval.alpha):g}% {text}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
