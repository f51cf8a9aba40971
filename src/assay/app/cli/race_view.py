"""A race in characters: who won and what is left of its lead, the rounds, the designs, the effects, what it cost.

Invariants: lines keep to the screen's width where names allow, nothing is said by colour alone, and every figure is one
of the view's or a difference of two. Proved by `tests/unit/app/test_race_view.py`.
"""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.app.cli.output import error_console, on_one_line
from assay.app.cli.scoreboard import Say, say_rows, zero_bar
from assay.app.report.race_view import RaceView, Row, level_words, way_words
from assay.decisions.figures import counted, dollars, milliseconds, points
from assay.decisions.terminal import Glyphs, glyphs_for
from assay.stats.interval import Interval

if TYPE_CHECKING:
    from rich.console import Console

_MOST_ARMS, _MOST_FRONTIER = 12, 12
_NARROWEST_BAR, _WIDEST_BAR = 12, 41
_STYLES = {
    "PROMOTE": "bold green",
    "NOT_WORSE": "bold green",
    "WORSE": "bold red",
    "running": "bold",
    "planned": "bold",
}


def print_race(screen: "Console", view: Mapping[str, Any]) -> None:
    """The race for a person."""
    race, say, glyphs = RaceView(view), Say(screen), glyphs_for(screen.encoding)
    say(race.word.upper(), _STYLES.get(race.word, "bold yellow"))
    say(race.sentence().replace("−", "-"))
    for note in view["notes"]:
        say(f"! {on_one_line(str(note))}", "yellow")
    say()
    for line in figure_lines(race):
        say(line)
    for change in race.changes():
        say("  {}: {} to {}".format(*(_short(part) for part in change)))
    _rounds(say, race, screen.width)
    _arms(say, race, screen.width, glyphs)
    _effects(say, race, screen.width, glyphs)
    _frontier(say, race, screen.width)
    say()
    for line in (*spent_lines(race), *sharing_lines(view["plan"])):
        say(line)
    _pages(say, race)


def figure_lines(race: RaceView) -> list[str]:
    """What was raced, who won, and the three figures: as raced, as confirmed, the difference."""
    found, leader = race.confirmation or {}, race.leader
    lines = [f"raced      {on_one_line(race.title)}"]
    if leader is not None:
        word = "winner" if race.winner is not None else "in front"
        lines.append(f"{word:<10} {_short(race.short_name(leader['levels']), 200)}")
    if race.incumbent is not None:
        lines.append(f"serves     {_short(race.short_name(race.incumbent['levels']), 200)}")
    if race.race_gain is not None:
        lines.append(f"in race    {points(race.race_gain)} points over what serves, which is no claim")
    if race.was_confirmed and found.get("value") is not None:
        limits = f"{points(found['low'])} to {points(found['high'])}"
        on = f"on {counted(found['n'], 'question')} the race never saw"
        lines.append(f"confirmed  {points(found['value'])} points ({limits}) {on}")
    if race.was_confirmed and race.optimism is not None:
        lines.append(f"optimism   {points(race.optimism)} points, as raced less confirmed")
    return lines


def spent_lines(race: RaceView) -> list[str]:
    """Calls of a grid's, model calls, dollars."""
    spent, plan = race.shape["spent"], race.shape["plan"]
    unpriced = spent.get("unpriced_calls") or 0
    cost = "unpriced" if unpriced and not spent["usd"] else dollars(spent["usd"])
    more = f", {counted(unpriced, 'call')} of unknown price" if unpriced else ""
    return [
        f"calls      {spent['calls']:,} of a grid's {plan['grid_calls']:,} ({100 * race.share:.1f}%)",
        f"cost       {cost}{more}; {spent['paid_calls']:,} model calls made, {spent['cached_calls']:,} from the cache",
    ]


def sharing_lines(plan: Row) -> list[str]:
    """What designs share because what goes in is the same."""
    rows = plan.get("sharing") or ()
    if not rows:
        return []
    name = max(len(_short(str(one["what"]))) for one in rows)
    return ["shared     computed once for all designs that agree on what goes in:"] + [
        f"  {_short(str(one['what'])):<{name}}  {one['distinct']:>9,} instead of {one['without']:,}" for one in rows
    ]


def plan_lines(view: Mapping[str, Any]) -> list[str]:
    """What is said before a call is spent: designs, rounds, calls against the grid, price, time."""
    race, plan, found = RaceView(view), view["plan"], view["set"]
    calls = plan["race_calls"] + plan["confirm_calls"]
    share = f" ({100 * calls / plan['grid_calls']:.1f}%)" if plan["grid_calls"] else ""
    factors = ", ".join(f"{_short(one['name'])} {len(one['levels'])}" for one in view["space"]["factors"])
    lines = [
        f"designs    {view['space']['arms']:,}: {factors or 'a list'} (levels)",
        f"questions  {on_one_line(found['name'])}: {found['dev']:,} for the race, {found['confirm']:,} only to confirm",
        f"metric     {on_one_line(view['metric'])}",
    ]
    lines += _left_out_lines(race)
    if plan["rounds"]:
        steps = ", ".join(f"{one['arms']:,} x {one['items']:,}" for one in plan["rounds"])
        lines.append(f"rounds     {len(plan['rounds'])}, designs x questions: {steps}")
    lines.append(
        f"calls      {calls:,} of a grid's {plan['grid_calls']:,}{share}: {plan['race_calls']:,} in the race, "
        f"{plan['confirm_calls']:,} to confirm"
    )
    lines += sharing_lines(plan)
    if plan.get("usd"):
        lines.append(f"price      {dollars(plan['usd'][0])} to {dollars(plan['usd'][1])}")
    else:
        lines.append("price      not known: a model or a system has no known price")
    if view["budget"].get("usd") is not None:
        lines.append(f"budget     {dollars(view['budget']['usd'])} at most")
    if plan.get("seconds"):
        lines.append(f"time       {plan['seconds'][0]:,.0f} to {plan['seconds'][1]:,.0f} seconds")
    return lines


def _left_out_lines(race: RaceView) -> list[str]:
    reasons: dict[str, int] = {}
    for one in race.shape["space"]["left_out"]:
        reasons[one["why"]] = reasons.get(one["why"], 0) + 1
    lines = [f"left out   {counted(count, 'combination')}: {_short(why, 160)}" for why, count in reasons.items()]
    return lines if len(lines) <= 4 else [*lines[:3], f"left out   and {len(lines) - 3:,} more reasons"]


# ---- tables -----------------------------------------------------------------------------------


def _rounds(say: Say, race: RaceView, width: int) -> None:
    if not race.columns:
        return
    say()
    begun = {one["number"]: one for one in race.rounds}
    rows: list[tuple[str, ...]] = [("round", "designs", "questions", "calls", "go on")]
    for number, arms, items in race.columns:
        found = begun.get(number)
        kept = "planned" if found is None else "under way" if found["kept"] is None else f"{len(found['kept']):,}"
        rows.append((str(number), f"{arms:,}", f"{items:,}", f"{arms * items:,}", kept))
    say_rows(say, rows, None, width, right=(1, 2, 3, 4))


def _arms(say: Say, race: RaceView, width: int, glyphs: Glyphs) -> None:
    """The designs that got furthest, with the scores they are ranked by."""
    shown = race.ranked[:_MOST_ARMS]
    rows: list[tuple[str, ...]] = [("design", "score", "95%", "n", "")]
    for arm in shown:
        score, interval = "-", "not known"
        if arm["score"] is not None:
            score, interval = f"{arm['score']:.3f}", f"{arm['score_low']:.3f} to {arm['score_high']:.3f}"
        rows.append((_short(race.short_name(arm["levels"])), score, interval, f"{arm['n']:,}", _way(race, arm)))
    known = [end for arm in shown if arm["score"] is not None for end in (arm["score_low"], arm["score_high"])]
    room = width - sum(max(len(row[i]) for row in rows) for i in range(5)) - 10
    bars = None
    if known and room >= _NARROWEST_BAR:
        bar = min(_WIDEST_BAR, room)
        ends = min(known), max(known)
        bars = [" " * bar, *(_score_bar(arm, ends, width=bar, glyphs=glyphs) for arm in shown)]
    say()
    say_rows(say, rows, bars, width, right=(1, 3))
    if left := len(race.arms) - len(shown):
        say(f"and {left:,} more: see the page or --json", "dim")


def _way(race: RaceView, arm: Row) -> str:
    words = way_words(race, arm)
    return f"{words}, serves" if arm["number"] == race.shape.get("incumbent") else words


def _score_bar(arm: Row, ends: tuple[float, float], *, width: int, glyphs: Glyphs) -> str:
    if arm["score"] is None:
        return " " * width
    reach = (ends[1] - ends[0]) or 1.0
    low, high, value = (
        round((arm[key] - ends[0]) / reach * (width - 1)) for key in ("score_low", "score_high", "score")
    )
    row = [" "] * width
    row[low : high + 1] = glyphs.line * (high - low + 1)
    row[low], row[high] = glyphs.left, glyphs.right
    row[value] = glyphs.point
    return "".join(row)


def _effects(say: Say, race: RaceView, width: int, glyphs: Glyphs) -> None:
    """Each level against the mean of its factor's levels."""
    effects = race.shape["effects"]
    if not effects:
        return
    say()
    say("What each level is worth, in points against the mean of its factor's levels")
    rows: list[tuple[str, ...]] = [("level", "effect", "95%")]
    for one in effects:
        name = f"{race.short_key(one['factor'])}={level_words(one['level'])}"
        interval = f"{points(one['low'])} to {points(one['high'])}"
        rows.append((_short(name, max(20, width // 2 - 20)), points(one["effect"]), interval))
    reach = max(0.01, *(abs(one[end]) for one in effects for end in ("low", "high")))
    room = width - sum(max(len(row[i]) for row in rows) for i in range(3)) - 6
    bars = None
    if room >= _NARROWEST_BAR:
        bar = (min(_WIDEST_BAR, room) - 1) // 2 * 2 + 1
        bars = [" " * bar]
        bars += [zero_bar(_interval(one), reach, width=bar, glyphs=glyphs) for one in effects]
    say_rows(say, rows, bars, width, right=(1,))


def _interval(effect: Row) -> Interval:
    return Interval(effect["effect"], effect["low"], effect["high"], "mixed model", effect["arms"])


def _frontier(say: Say, race: RaceView, width: int) -> None:
    """The designs that nothing beats in score, cost and latency at once."""
    found = [arm for arm in race.ranked if arm["on_frontier"]]
    if not found:
        return
    say()
    heads = ("on the frontier", "score", "cost", "p95") if race.knows_cost else ("on the frontier", "score", "p95")
    rows: list[tuple[str, ...]] = [heads]
    for arm in found[:_MOST_FRONTIER]:
        cost = "-" if arm["cost_usd"] is None else dollars(arm["cost_usd"])
        p95 = "-" if arm["p95_ms"] is None else milliseconds(arm["p95_ms"])
        rows.append(
            (_short(race.short_name(arm["levels"])), f"{arm['score']:.3f}", *([cost] if race.knows_cost else []), p95)
        )
    say_rows(say, rows, None, width, right=(1, 2, 3))
    if len(found) > _MOST_FRONTIER:
        say(f"and {len(found) - _MOST_FRONTIER:,} more", "dim")


def _pages(say: Say, race: RaceView) -> None:
    decision = (race.confirmation or {}).get("decision_id")
    say()
    say(f"race {race.id[:8]}   page: assay up, then /races/{race.id[:8]}", "dim")
    if decision:
        say(f"decision {decision[:8]}   its page: /decisions/{decision[:8]}", "dim")
        if race.status == "done" and race.is_promotable:
            say(f"Ship it: assay promote {decision[:8]}")
    if race.status in ("interrupted", "budget", "failed"):
        say(f"Go on: {on_one_line(race.command)}")


def _short(text: str, most: int = 60) -> str:
    line = on_one_line(text)
    return line if len(line) <= most else f"{line[: most - 2]}.."


# ---- while it runs ----------------------------------------------------------------------------


class RaceBar:
    """The race as it goes, on stderr; silent where stderr is no terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("racing"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[standing]}", style="dim", markup=False),
        )
        self._progress = Progress(*columns, console=error_console(), transient=True, disable=not sys.stderr.isatty())
        self._task = self._progress.add_task("racing", total=None, standing="")

    def __enter__(self) -> "RaceBar":
        self._progress.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bar away."""
        self._progress.stop()

    def __call__(self, view: Mapping[str, Any]) -> None:
        """Show how far it is."""
        total = view["budget"].get("calls") or view["plan"]["race_calls"] + view["plan"]["confirm_calls"]
        done = view["spent"]["calls"] + 2 * (view.get("confirming") or 0)
        self._progress.update(self._task, total=max(total, 1), completed=done, standing=standing(view))


def standing(view: Mapping[str, Any]) -> str:
    """How a race stands, in a line: round, designs in, calls, who leads."""
    race = RaceView(view)
    calls = view["spent"]["calls"]
    if race.winner is not None:
        asked = view.get("confirming") or 0
        return f"confirming the winner, {counted(asked, 'question')} folded, {calls:,} calls raced"
    if not race.rounds:
        return "before the first round"
    number, of, leader = race.rounds[-1]["number"], len(race.columns), race.leader
    leads = "" if leader is None else f", {_short(race.short_name(leader['levels']), 48)} leads"
    return f"round {number} of {of}, {race.still_in:,} in, {calls:,} calls{leads}"
