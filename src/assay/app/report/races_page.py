"""The page of all races: what was raced, how it stands, and what came of its winner."""

from collections.abc import Sequence

from markupsafe import Markup

from assay.app.report.addresses import decision_url, race_url
from assay.app.report.race_view import RaceView
from assay.app.report.shell import nothing_markup
from assay.app.report.text import moment, one_line
from assay.app.report.verdict_parts import limits, points, verdict_markup
from assay.app.web.figures import count
from assay.decisions.figures import dollars
from assay.decisions.race.store import RaceRecord

_NOTHING = Markup()


def head_markup() -> Markup:
    """The title."""
    return Markup(
        '<div class="title"><div class="name"><h1>Races</h1></div><p class="muted">A race finds the best of many '
        "designs for a part of a grid's calls. It claims nothing: the decision on its winner does.</p></div>"
    )


def races_markup(races: Sequence[RaceRecord], pager: Markup) -> Markup:
    """The races, newest first."""
    rows = Markup().join(_race(record) for record in races)
    return Markup(
        '<section class="panel decisions-panel"><h2 class="spoken">All races</h2><ul class="decisions races">{}</ul>{}'
        "</section>"
    ).format(rows, pager)


def empty_markup() -> Markup:
    """What to do where nothing was raced yet."""
    return nothing_markup(
        "No races yet",
        "A race asks many designs the same questions, lets the worse half drop out round by round, and confirms its "
        "winner once on questions it never saw. Write the settings to vary and their levels into space.toml; in the "
        "workspace's folder, run",
        ("assay race space.toml --plan", "counts and prices the space, and asks nothing"),
        ("assay race space.toml", "races it, and confirms the winner"),
    )


def _race(record: RaceRecord) -> Markup:
    race = RaceView(record.view, record.created_ns)
    won = race.winner
    name = Markup("<bdi>{}</bdi>").format(one_line(race.short_name(won["levels"]), 160)) if won else _NOTHING
    said = Markup('<div><span class="muted">winner</span> {}</div>').format(name) if won else _NOTHING
    spent = race.shape["spent"]
    return Markup(
        '<li class="decision"><div class="decided">{}</div><div class="run-name"><a class="row-link" href="{}">'
        '<bdi>{}</bdi></a>{}<div class="faint num"><code>{}</code> {}{}</div></div>'
        '<div class="shown-difference num">{}</div>'
        '<div class="used faint num"><span>{}</span><span>{}</span></div></li>'
    ).format(
        verdict_markup(race.word),
        race_url(record.id),
        one_line(race.title, 160),
        said,
        record.id[:8],
        moment(record.created_ns),
        _decision(record),
        _gain(race),
        f"{spent['calls']:,} calls ({100 * race.share:.1f}%)",
        _cost(spent["usd"], spent.get("unpriced_calls") or 0),
    )


def _decision(record: RaceRecord) -> Markup:
    if not record.decision_id:
        return _NOTHING
    return Markup(' <a href="{}">decision {}</a>').format(decision_url(record.decision_id), record.decision_id[:8])


def _gain(race: RaceView) -> Markup:
    found = race.confirmation or {}
    if race.was_confirmed and found.get("value") is not None:
        raced = "" if race.race_gain is None else f"raced {points(race.race_gain)}"
        return Markup("<b>{}</b><span>{}</span><span>{}</span>").format(points(found["value"]), limits(found), raced)
    if race.status == "done":
        return Markup('<span class="faint">nothing confirmed</span>')
    return Markup('<span class="faint">{} in</span>').format(f"{race.still_in:,} of {count(len(race.arms), 'design')}")


def _cost(usd: float, unpriced: int) -> str:
    return "unpriced" if unpriced and not usd else dollars(usd)
