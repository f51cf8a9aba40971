"""The page of one race: what won, and what is left of its lead on questions the race never saw.

The race's own gain, the confirmed one and their difference stand side by side, since the best of many looks better than
it is. The page and the single file hold the same sections; `is_file` leaves out what needs a server. Proved by
`tests/unit/app/test_race_page.py`.
"""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from assay.app.report import race_account, race_parts
from assay.app.report.addresses import decision_url, race_url
from assay.app.report.decision_file import sheet
from assay.app.report.race_view import RaceView
from assay.app.report.shell import CLOSING, command_markup, crumbs_markup, opening
from assay.app.report.text import inert, moment, one_line, shown
from assay.app.report.verdict_parts import difference_markup, limits, points, tile_markup, verdict_markup
from assay.app.web.figures import count
from assay.decisions.figures import dollars

RELOAD_SECONDS = 2
_MOST_LEVEL = 2_000
_NOTHING = Markup()


def race_html(view: Mapping[str, Any], *, name: str, created_ns: int | None = None) -> Markup:
    """The whole page, of a workspace called `name`. While the race runs it follows it."""
    race = RaceView(view, created_ns)
    refresh = RELOAD_SECONDS if race.is_live else 0
    standing = standing_markup(race)
    if race.is_live:
        standing = Markup("<div data-until-done>{}</div>").format(standing)
    return Markup().join(
        (
            opening(title_of(race), "races", name=name, refresh_seconds=refresh),
            head_markup(race),
            standing,
            _below(race),
            CLOSING,
        )
    )


def race_file(view: Mapping[str, Any]) -> str:
    """The page as one HTML document that needs no server, names no other file and has no script."""
    race = RaceView(view)
    body = Markup().join((head_markup(race, is_file=True), standing_markup(race), _below(race, is_file=True)))
    return str(sheet(title_of(race), f"race {race.id[:8]}", body))


def title_of(race: RaceView) -> str:
    """The title of the page and of the file."""
    return f"{race.word.upper()}: {one_line(race.title, 80)}"


def head_markup(race: RaceView, *, is_file: bool = False) -> Markup:
    """What was raced, how it ended in a sentence, and what can be done about it."""
    crumbs = _NOTHING if is_file else crumbs_markup(("/races", "Races"))
    began = f"Begun {moment(race.begun_ns)}"
    ended = race.shape.get("finished_ns")
    return Markup(
        '<div class="title decision-title race-title">{}<div class="name"><h1>{}</h1>{}</div>'
        '<div class="verdict-line">{}<span class="faint num"><code>{}</code> {}</span></div>{}{}</div>'
    ).format(
        crumbs,
        one_line(race.title, 160),
        _NOTHING if is_file else _actions(race),
        verdict_markup(race.word, is_large=True),
        race.id[:8],
        f"{began}, ended {moment(ended)}" if ended else began,
        # While it runs the sentence is in the part that is fetched again.
        _NOTHING if race.is_live else _says(race),
        _what_now(race),
    )


def standing_markup(race: RaceView) -> Markup:
    """Figures, winner, rounds, frontier and effects: what is fetched again while it runs."""
    live = Markup(' data-live="{}/standing"').format(race_url(race.id)) if race.is_live else _NOTHING
    return Markup('<div class="standing decision-standing race-standing" id="standing-{}"{}>{}</div>').format(
        race.id,
        live,
        Markup().join(
            (
                _says(race) if race.is_live else _NOTHING,
                _tiles(race),
                _winner(race),
                race_parts.lanes_markup(race),
                race_parts.frontier_markup(race),
                race_parts.effects_markup(race),
            )
        ),
    )


def _below(race: RaceView, *, is_file: bool = False) -> Markup:
    """What stays as it is while the rest is fetched again, so that what a reader opened stays open."""
    return Markup().join(
        (
            race_parts.other_lanes_markup(race),
            Markup('<div class="two">{}{}</div>').format(
                race_account.spending_markup(race), race_account.rounds_markup(race)
            ),
            race_account.notes_markup(race),
            race_account.prompts_markup(race),
            race_parts.arms_markup(race),
            race_account.left_out_markup(race),
            race_account.take_away_markup(race, is_file=is_file),
        )
    )


def _says(race: RaceView) -> Markup:
    return Markup('<p class="says">{}</p>').format(one_line(race.sentence(), 600))


def _actions(race: RaceView) -> Markup:
    links = []
    decision = (race.confirmation or {}).get("decision_id")
    if decision:
        links.append(Markup('<a class="button" href="{}">Open the decision</a>').format(decision_url(decision)))
    if not race.is_live:
        links.append(
            Markup('<a class="button" href="{}/report.html" download>Save as a file</a>').format(race_url(race.id))
        )
    return Markup('<div class="actions">{}</div>').format(Markup().join(links))


def _what_now(race: RaceView) -> Markup:
    """What to do, in a sentence and a command."""
    decision = (race.confirmation or {}).get("decision_id")
    if race.status == "done":
        if race.is_promotable and decision:
            return command_markup(f"assay promote {decision[:8]}", "makes the winner what serves")
        return _NOTHING
    kept = "What was asked is kept, and nothing is paid for twice:"
    says = {
        "interrupted": f"It was stopped before its end. {kept} the same command goes on from there.",
        "budget": f"The budget stopped it. {kept} the same command with a larger budget goes on.",
        "failed": f"It failed; its notes say why. {kept} the same command begins where it was.",
    }.get(race.status)
    if says is None:
        return _NOTHING
    return Markup('<div class="notice">{}</div>{}').format(says, command_markup(inert(race.command), "goes on"))


# ---- the figures ------------------------------------------------------------------------------


def _tiles(race: RaceView) -> Markup:
    first = _ended(race) if race.confirmation is not None else _under_way(race)
    return Markup('<div class="tiles decision-tiles">{}{}</div>').format(first, _calls(race))


def _ended(race: RaceView) -> Markup:
    """The three figures: as raced, as confirmed, and what lies between them."""
    found = race.confirmation or {}
    raced, optimism = race.race_gain, race.optimism
    gain = tile_markup(
        "Gain as the race saw it",
        "–" if raced is None else points(raced),
        "" if raced is None else "points",
        _NOTHING,
        "the race asked nothing"
        if raced is None
        else f"no claim: the best of {len(race.arms):,} looks better than it is",
    )
    if not race.was_confirmed:
        says = "what serves won" if race.incumbent_won else "no question was asked for it"
        return gain + tile_markup("Gain confirmed", "–", "", _NOTHING, says) + tile_markup(
            "Optimism", "–", "", _NOTHING, "nothing was confirmed"
        )  # fmt: skip
    difference = {key: found.get(key) for key in ("value", "low", "high")}
    bar = _NOTHING
    if difference["value"] is not None:
        reach = max(0.02, *(abs(end) for end in difference.values() if end is not None))
        bar = difference_markup(difference, reach=min(1.0, 1.1 * reach))
    confirmed = tile_markup(
        "Gain confirmed",
        points(found.get("value")),
        "points",
        bar,
        f"{limits(difference)}, on {count(found.get('n') or 0, 'question')} the race never saw",
    )
    return gain + confirmed + tile_markup(
        "Optimism",
        "–" if optimism is None else points(optimism),
        "" if optimism is None else "points",
        _NOTHING,
        "as raced, less confirmed: what taking the race's word would have overstated",
    )  # fmt: skip


def _under_way(race: RaceView) -> Markup:
    columns = race.columns
    number = race.rounds[-1]["number"] if race.rounds else 0
    leads, gain = race.leader, race.race_gain
    name = one_line(race.short_name(leads["levels"]), 120) if leads is not None else "not known yet"
    return Markup().join(
        (
            tile_markup("Designs in", f"{race.still_in:,}", f"of {len(race.arms):,}",
                        _progress(race.still_in, len(race.arms), "Designs in"), "the better half goes on"),
            tile_markup("Round", f"{number}", f"of {len(columns)}", _progress(number, len(columns), "Rounds begun"),
                        _round_words(race)),
            tile_markup("In front, so far", "–" if gain is None else points(gain), "" if gain is None else "points",
                        _NOTHING, name),
        )
    )  # fmt: skip


def _round_words(race: RaceView) -> str:
    if race.winner is not None:
        return "over; the winner is being confirmed"
    if not race.rounds:
        return "none has begun"
    _, arms, items = race.columns[race.rounds[-1]["number"] - 1]
    return f"{count(arms, 'design')}, {count(items, 'new question')} each"


def _calls(race: RaceView) -> Markup:
    spent, plan = race.shape["spent"], race.shape["plan"]
    bar = _progress(spent["calls"], plan["grid_calls"], "Calls of a grid")
    unpriced = spent.get("unpriced_calls") or 0
    cost = "unpriced" if unpriced and not spent["usd"] else dollars(spent["usd"])
    return tile_markup(
        "Calls", f"{spent['calls']:,}", f"of a grid's {plan['grid_calls']:,}", bar,
        f"{100 * race.share:.1f}%, {cost}; {spent['cached_calls']:,} model calls from the cache",
    )  # fmt: skip


def _progress(value: int, most: int, label: str) -> Markup:
    return Markup('<progress max="{}" value="{}" aria-label="{}"></progress>').format(max(1, most), value, label)


def _winner(race: RaceView) -> Markup:
    """The winner by what sets it apart from what serves; while none has won nothing."""
    if race.winner is None:
        return _NOTHING
    changes = race.changes()
    if race.incumbent_won or not changes:
        body = Markup('<p class="empty">{}</p>').format(
            "What serves is the winner: nothing changes." if race.incumbent_won else "It sets nothing apart."
        )
    else:
        rows = Markup().join(
            Markup('<tr><th scope="row"><bdi>{}</bdi></th><td>{}</td><td class="strong">{}</td></tr>').format(
                one_line(key, 120), shown(before, _MOST_LEVEL), shown(after, _MOST_LEVEL)
            )
            for key, before, after in changes
        )
        same = len(race.winner["levels"]) - len(changes)
        note = Markup('<p class="faint">{}</p>').format(f"{count(same, 'other factor')} as it serves.") if same else ""
        body = Markup(
            '<table class="changes"><thead><tr><th scope="col">Setting</th><th scope="col">Serves</th>'
            '<th scope="col">Winner</th></tr></thead><tbody>{}</tbody></table>{}'
        ).format(rows, note)
    return Markup('<section class="panel winner"><h2>Winner <span class="muted"><bdi>{}</bdi></span></h2>{}</section>'
                  ).format(one_line(race.short_name(race.winner["levels"]), 200), body)  # fmt: skip
