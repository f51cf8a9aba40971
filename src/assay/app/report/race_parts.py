"""The sections of a race's page that show its designs: rounds, figures, frontier, effects of the factors.

Invariant: every text of a view passes through `one_line` or `shown`, and every arm is listed once in each list.
Proved by `tests/unit/app/test_race_page.py`.
"""

from collections import defaultdict
from collections.abc import Sequence

from markupsafe import Markup

from assay.app.report.race_plot import lane, lanes_head, scatter, score_axis, score_mark, score_scale
from assay.app.report.race_view import RaceView, Row, always_failed, level_words, way_words, why_words
from assay.app.report.text import one_line
from assay.app.report.verdict_parts import difference_markup, limits, points
from assay.app.web.figures import count, money
from assay.decisions.figures import dollars, milliseconds

MOST_ROWS = 40
"""Designs shown at once; the rest is folded away."""

_MOST_NUMBERED = 15
_MOST_LISTED = 200
_NOTHING = Markup()


def folded(summary: str, body: Markup) -> Markup:
    """Something to open."""
    return Markup('<details class="more"><summary>{}</summary>{}</details>').format(summary, body)


# ---- designs ----------------------------------------------------------------------------------


def lanes_markup(view: RaceView) -> Markup:
    """Who is in, who is out and when: the designs that got furthest."""
    shown_arms = view.ranked[:MOST_ROWS]
    # What a reader opened would close when this is fetched again: then the rest is elsewhere.
    more = _NOTHING if view.is_live else _others(view)
    return Markup(
        '<section class="panel"><h2>The rounds</h2><p class="muted">{}</p>{}{}{}</section>'
    ).format(_how_read(view), _lanes(view, shown_arms), _lane_legend(view), more)  # fmt: skip


def other_lanes_markup(view: RaceView) -> Markup:
    """While it runs, the designs that are not among the first; nothing where there are few."""
    rest = _others(view) if view.is_live else _NOTHING
    return Markup('<section class="panel slim">{}</section>').format(rest) if rest else _NOTHING


def _others(view: RaceView) -> Markup:
    rest = view.ranked[MOST_ROWS:]
    return folded(f"{count(len(rest), 'design')} that got less far", _lanes(view, rest)) if rest else _NOTHING


def _how_read(view: RaceView) -> str:
    says = (
        "All designs of a round are asked the same questions, and the worse half drops out. Who got furthest comes "
        "first. A score is what a design is ranked by: designs that share a level lend each other evidence"
    )
    return f"{says}; the line is its 95% interval" + ("." if view.incumbent is None else ", dashed: what serves.")


def _lanes(view: RaceView, arms: Sequence[Row]) -> Markup:
    scale = score_scale(view.arms)
    incumbent = view.incumbent
    against = incumbent["score"] if incumbent is not None else None
    head = Markup(
        '<thead><tr><th scope="col">Design</th><th scope="col" class="way">Round, designs{}</th>'
        '<th scope="col" class="drawn">Score{}</th><th scope="col" class="num">95% interval</th></tr></thead>'
    ).format(lanes_head(view), score_axis(scale) if scale is not None else _NOTHING)
    rows = Markup().join(
        Markup(
            '<tr class="{}"><th scope="row"><bdi title="{}">{}</bdi>{}</th><td class="way">{}</td>'
            '<td class="drawn">{}</td><td class="num">{}</td></tr>'
        ).format(
            "is-in" if arm["is_in"] else "is-out",
            one_line(why_words(arm), 400),
            one_line(view.short_name(arm["levels"]), 160),
            _tags(view, arm),
            lane(view, arm),
            score_mark(arm, scale, against=against),
            _score(arm),
        )
        for arm in arms
    )
    return Markup('<table class="lanes">{}<tbody>{}</tbody></table>').format(head, rows)


def _score(arm: Row) -> Markup:
    if arm["score"] is None:
        return Markup('<span class="faint">not known</span>')
    return Markup("<b>{}</b> <span>{}</span>").format(
        f"{arm['score']:.3f}", _range(arm["score_low"], arm["score_high"])
    )


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _tags(view: RaceView, arm: Row) -> Markup:
    tags = []
    if arm["number"] == view.winner_number:
        tags.append(("good", "winner"))
    if arm["number"] == view.shape.get("incumbent"):
        tags.append(("", "serves"))
    if always_failed(arm):
        tags.append(("bad", "always failed"))
    return Markup().join(Markup(' <span class="tag {}">{}</span>').format(*tag) for tag in tags)


def _lane_legend(view: RaceView) -> Markup:
    marks = [("step", "●", "asked in this round"), ("out", "✕", "dropped out")]
    if view.winner is not None:
        marks.append(("won", "◆", "winner"))
    else:
        marks.append(("still", "○", "still in"))
    return Markup('<p class="legend">{}</p>').format(
        Markup().join(
            Markup('<span><i class="glyph {}" aria-hidden="true">{}</i>{}</span>').format(*mark) for mark in marks
        )
    )


def arms_markup(view: RaceView) -> Markup:
    """Every design in figures, and why it is out."""
    listed = Markup(
        '<p class="muted">The mean is of the questions a design was asked, so means of designs that were asked '
        "different ones cannot be compared; scores can. Answers that failed count as 0; an unknown score widens the "
        "interval of the mean.</p>{}"
    ).format(_arms(view, view.ranked))
    said = f"{count(len(view.arms), 'design')}: score, mean, failures, cost, latency, and why each is out"
    return Markup('<section class="panel"><h2>All designs in figures</h2>{}</section>').format(folded(said, listed))


def _arms(view: RaceView, arms: Sequence[Row]) -> Markup:
    has_worth = any((view.shape.get("tradeoff") or {}).values())
    has_search = any(arm["retrieval"] is not None for arm in view.arms)
    heads = [("Design", False), ("Score", True), ("Mean", True), ("Scored", True), ("Failed", True), ("Unknown", True)]
    heads += [("Worth", True)] * has_worth + [("Search", True)] * has_search
    heads += [("Cost", True), ("Median", True), ("p95", True), ("Out", False)]
    head = Markup().join(
        Markup('<th scope="col"{}>{}</th>').format(Markup(' class="num"') if is_number else _NOTHING, text)
        for text, is_number in heads
    )
    rows = Markup().join(_arm(view, arm, has_worth=has_worth, has_search=has_search) for arm in arms)
    return Markup(
        '<div class="scroll"><table class="arms"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    ).format(head, rows)


def _arm(view: RaceView, arm: Row, *, has_worth: bool, has_search: bool) -> Markup:
    cells: list[tuple[str, Markup | str]] = [
        ("Score", _with_range(arm["score"], arm["score_low"], arm["score_high"])),
        ("Mean", _with_range(arm["mean"], arm["low"], arm["high"])),
        ("Scored", f"{arm['n']:,}"),
        ("Failed", f"{arm['failed']:,}"),
        ("Unknown", f"{arm['unknown']:,}"),
    ]
    if has_worth:
        cells.append(("Worth", view.worth_words(arm)))
    if has_search:
        cells.append(("Search", "–" if arm["retrieval"] is None else f"{arm['retrieval']:.3f}"))
    cells += [
        ("Cost", "–" if arm["cost_usd"] is None else dollars(arm["cost_usd"])),
        ("Median", "–" if arm["latency_ms"] is None else milliseconds(arm["latency_ms"])),
        ("p95", "–" if arm["p95_ms"] is None else milliseconds(arm["p95_ms"])),
    ]
    listed = Markup().join(Markup('<td class="num" data-label="{}">{}</td>').format(*cell) for cell in cells)
    return Markup(
        '<tr id="arm-{}"><th scope="row"><bdi>{}</bdi>{}</th>{}<td class="why" data-label="Out">{}</td></tr>'
    ).format(
        arm["number"],
        one_line(view.short_name(arm["levels"]), 160),
        _tags(view, arm),
        listed,
        one_line(why_words(arm), 400) if arm["number"] != view.winner_number else way_words(view, arm),
    )


def _with_range(value: float | None, low: float | None, high: float | None) -> Markup | str:
    if value is None:
        return "–"
    return Markup("{}<small>{}</small>").format(f"{value:.3f}", _range(low, high))


# ---- frontier and effects ---------------------------------------------------------------------


def frontier_markup(view: RaceView) -> Markup:
    """Quality against cost and against latency, and the designs that nothing beats in all three."""
    if not any(arm["score"] is not None for arm in view.arms):
        return Markup(
            '<section class="panel"><h2>Quality against cost and latency</h2>'
            '<p class="empty">No design has a score yet.</p></section>'
        )
    listed = [arm for arm in view.ranked if arm["on_frontier"]]
    numbers = {arm["number"]: place for place, arm in enumerate(listed[:_MOST_NUMBERED], start=1)}
    plots = []
    if view.knows_cost:
        plots.append(scatter(view, "cost_usd", written=money, axis="cost of an answer", numbers=numbers))
    plots.append(scatter(view, "p95_ms", written=milliseconds, axis="p95 latency", numbers=numbers))
    says = "Nothing beats the numbered designs in score, cost and latency at once. Bars are 95% intervals of the score."
    if not view.knows_cost:
        says += " No design is known to cost anything, so cost is not drawn."
    return Markup(
        '<section class="panel"><h2>Quality against cost and latency</h2><p class="muted">{} {}</p>'
        '<div class="scatters">{}</div>{}{}</section>'
    ).format(says, _tradeoff_words(view), Markup().join(plots), _spot_legend(view), _frontier_table(view, listed))


def _tradeoff_words(view: RaceView) -> str:
    stated = view.shape.get("tradeoff") or {}
    parts = []
    if stated.get("usd_per_point"):
        parts.append(f"a point of quality is worth {dollars(stated['usd_per_point'])} an answer")
    if stated.get("ms_per_point"):
        parts.append(f"a point of quality is worth {milliseconds(stated['ms_per_point'])}")
    if stated.get("max_usd"):
        parts.append(f"an answer may cost {dollars(stated['max_usd'])} at most")
    if stated.get("max_p95_ms"):
        parts.append(f"p95 may be {milliseconds(stated['max_p95_ms'])} at most")
    if not parts:
        return "No trade-off was stated, so the race ranked by quality alone."
    return f"Stated before the race: {', '.join(parts)}."


def _spot_legend(view: RaceView) -> Markup:
    marks = [("best", "●", "on the frontier"), ("rest", "●", "beaten")]
    if view.incumbent is not None:
        marks.append(("serves", "■", "serves"))
    if view.winner is not None:
        marks.append(("won", "◆", "winner"))
    spans = [Markup('<span><i class="glyph {}" aria-hidden="true">{}</i>{}</span>').format(*mark) for mark in marks]
    spans.append(Markup('<span><i class="swatch frontier"></i>best score at each cost</span>'))
    return Markup('<p class="legend">{}</p>').format(Markup().join(spans))


def _frontier_table(view: RaceView, arms: Sequence[Row]) -> Markup:
    if not arms:
        return _NOTHING
    rows = Markup().join(
        Markup(
            '<tr><td class="num">{}</td><th scope="row"><bdi>{}</bdi>{}</th><td class="num">{}</td>'
            '<td class="num">{}</td><td class="num">{}</td></tr>'
        ).format(
            place if place <= _MOST_NUMBERED else "",
            one_line(view.short_name(arm["levels"]), 160),
            _tags(view, arm),
            f"{arm['score']:.3f}",
            "–" if arm["cost_usd"] is None else dollars(arm["cost_usd"]),
            "–" if arm["p95_ms"] is None else milliseconds(arm["p95_ms"]),
        )
        for place, arm in enumerate(arms[:_MOST_LISTED], start=1)
    )
    return Markup(
        '<table class="frontier-table"><thead><tr><th scope="col" class="num">No.</th><th scope="col">On the frontier'
        '</th><th scope="col" class="num">Score</th><th scope="col" class="num">Cost</th>'
        '<th scope="col" class="num">p95</th></tr></thead><tbody>{}</tbody></table>'
    ).format(rows)


def effects_markup(view: RaceView) -> Markup:
    """What each level is worth beside the others of its factor, with intervals."""
    effects = view.shape["effects"]
    if not effects:
        return Markup(
            '<section class="panel"><h2>What each factor does</h2><p class="empty">{}</p></section>'
        ).format("The designs are a list without factors, or nothing is known of them yet.")  # fmt: skip
    reach = min(1.0, 1.1 * max(0.01, *(abs(one[end]) for one in effects for end in ("low", "high"))))
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in effects:
        groups[one["factor"]].append(one)
    listed = Markup().join(_factor(factor, levels, reach) for factor, levels in groups.items())
    return Markup(
        '<section class="panel"><h2>What each factor does</h2><p class="muted">Each level against the mean of its '
        "factor's levels, in points, with 95% intervals. They describe this race; they are no verdicts.</p>{}</section>"
    ).format(listed)


def _factor(factor: str, levels: Sequence[Row], reach: float) -> Markup:
    rows = Markup().join(
        Markup(
            '<li><span class="level"><bdi>{}</bdi> <small>{}</small></span>{}<span class="num"><b>{}</b> '
            "<span>{}</span></span></li>"
        ).format(
            one_line(level_words(one["level"]), 80),
            count(one["arms"], "design"),
            difference_markup({**one, "value": one["effect"]}, reach=reach),
            points(one["effect"]),
            limits(one),
        )
        for one in levels
    )
    return Markup('<div class="factor"><h3><bdi>{}</bdi></h3><ul>{}</ul></div>').format(one_line(factor, 80), rows)
