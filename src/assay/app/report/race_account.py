"""The rest of a race's page: what it cost, what never raced, the prompts, what there is to take away.

Invariant: every text of a view passes through `one_line` or `shown`. Proved by `tests/unit/app/test_race_page.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from assay.app.report.race_parts import folded
from assay.app.report.race_view import RaceView, Row
from assay.app.report.shell import command_markup
from assay.app.report.text import inert, one_line, shown
from assay.app.web import icons
from assay.app.web.figures import count, duration
from assay.decisions.figures import dollars

_MOST_LISTED = 200
_MOST_TEXT = 20_000
_NOTHING = Markup()


# ---- what it cost -----------------------------------------------------------------------------


def spending_markup(view: RaceView) -> Markup:
    """Calls and dollars, against the plan and the grid, and what sharing saved."""
    spent, plan, budget = view.shape["spent"], view.shape["plan"], view.shape["budget"]
    calls = f"{spent['calls']:,} of the {plan['grid_calls']:,} a grid would take ({100 * view.share:.1f}%)"
    price = plan.get("usd")
    facts = [
        ("Calls", calls),
        ("Planned", f"{plan['race_calls']:,} in the race, {plan['confirm_calls']:,} to confirm, both sides counted"),
        ("Budget", _budget_words(budget)),
        ("Cost", _cost_words(spent)),
        ("Price said before", "not known" if not price else f"{dollars(price[0])} to {dollars(price[1])}"),
        ("Model calls", f"{spent['paid_calls']:,} made, {spent['cached_calls']:,} from the cache"),
    ]
    listed = Markup().join(Markup("<dt>{}</dt><dd>{}</dd>").format(*fact) for fact in facts)
    return Markup(
        '<section class="panel"><h2>What it cost</h2><p class="muted">A call is one design asked one question.</p>'
        '<dl class="declared">{}</dl>{}</section>'
    ).format(listed, _sharing(plan.get("sharing") or ()))


def _budget_words(budget: Row) -> str:
    words = f"{budget['calls']:,} calls" if budget.get("calls") is not None else "no limit on calls"
    return words if budget.get("usd") is None else f"{words}, {dollars(budget['usd'])}"


def _cost_words(spent: Row) -> str:
    unpriced = spent.get("unpriced_calls") or 0
    if unpriced and not spent["usd"]:
        return f"unpriced ({count(unpriced, 'call')})"
    return dollars(spent["usd"]) + (f", and {count(unpriced, 'call')} of unknown price" if unpriced else "")


def _sharing(rows: Sequence[Row]) -> Markup:
    if not rows:
        return _NOTHING
    listed = Markup().join(
        Markup(
            '<tr><th scope="row">{}</th><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td></tr>'
        ).format(
            one_line(str(one["what"]), 60),
            f"{one['without']:,}",
            f"{one['distinct']:,}",
            f"{100 * (1 - one['distinct'] / one['without']):.0f}%" if one["without"] else "–",
        )
        for one in rows
    )
    return Markup(
        '<table class="sharing"><thead><tr><th scope="col">Shared by content</th><th scope="col" class="num">Each alone'
        '</th><th scope="col" class="num">Distinct</th><th scope="col" class="num">Saved</th></tr></thead>'
        "<tbody>{}</tbody></table>"
    ).format(listed)


def rounds_markup(view: RaceView) -> Markup:
    """The rounds in figures, begun ones and planned ones."""
    if not view.columns:
        return Markup(
            '<section class="panel"><h2>Rounds in figures</h2>{}<p class="empty">There was no round.</p></section>'
        ).format(_pruned(view))
    begun = {one["number"]: one for one in view.rounds}
    rows = []
    for number, arms, items in view.columns:
        found = begun.get(number)
        kept = "planned" if found is None else "under way" if found["kept"] is None else f"{len(found['kept']):,}"
        rows.append(
            Markup(
                '<tr><th scope="row">{}</th><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td>'
                '<td class="num">{}</td></tr>'
            ).format(number, f"{arms:,}", f"{items:,}", f"{arms * items:,}", kept)
        )
    return Markup(
        '<section class="panel"><h2>Rounds in figures</h2>{}<table class="rounds"><thead><tr><th scope="col">Round</th>'
        '<th scope="col" class="num">Designs</th><th scope="col" class="num">Questions each</th>'
        '<th scope="col" class="num">Calls</th><th scope="col" class="num">Go on</th></tr></thead><tbody>{}</tbody>'
        "</table></section>"
    ).format(_pruned(view), Markup().join(rows))


def _pruned(view: RaceView) -> Markup:
    found = view.shape.get("pruned")
    if not found:
        return _NOTHING
    return Markup('<p class="muted">{}</p>').format(
        f"Before the first round {one_line(found['metric'], 40)} of the search alone, on "
        f"{count(found['questions'], 'question')} with gold evidence, put {count(found['out'], 'design')} out in "
        f"{duration(1000 * found['seconds'])}; no model was called. {found['kept']:,} went on."
    )


# ---- what is left ------------------------------------------------------------------------------


def left_out_markup(view: RaceView) -> Markup:
    """Combinations that were no designs, by the reason."""
    left_out = view.shape["space"]["left_out"]
    if not left_out:
        return _NOTHING
    by_reason: dict[str, list[Row]] = defaultdict(list)
    for one in left_out:
        by_reason[one["why"]].append(one["levels"])
    listed = Markup().join(
        folded(f"{count(len(levels), 'combination')}: {one_line(why, 300)}", _names(view, levels))
        for why, levels in list(by_reason.items())[:_MOST_LISTED]
    )
    more = len(by_reason) - _MOST_LISTED
    cut = Markup('<p class="faint">and {} more reasons</p>').format(f"{more:,}") if more > 0 else _NOTHING
    return Markup('<section class="panel"><h2>Left out of the space</h2>{}{}</section>').format(listed, cut)


def _names(view: RaceView, levels: Sequence[Row]) -> Markup:
    rows = [one_line(view.short_name(one), 200) for one in levels[:_MOST_LISTED]]
    if len(levels) > _MOST_LISTED:
        rows.append(f"and {len(levels) - _MOST_LISTED:,} more")
    return _list(rows)


def _list(rows: Iterable[str]) -> Markup:
    return Markup("<ul>{}</ul>").format(Markup().join(Markup("<li><bdi>{}</bdi></li>").format(row) for row in rows))


def prompts_markup(view: RaceView) -> Markup:
    """The prompts that were raced, each below the one it was made from."""
    prompts = view.shape.get("prompts") or ()
    if not prompts:
        return _NOTHING
    rows = Markup().join(_prompt(prompt) for prompt in prompts)
    return Markup(
        '<section class="panel"><h2>Prompts</h2><p class="muted">A model read what went wrong on dev questions and '
        'proposed others. Each says which it was made from.</p><ol class="prompts">{}</ol></section>'
    ).format(rows)


def _prompt(prompt: Row) -> Markup:
    parent, generation = prompt.get("parent"), int(prompt.get("generation") or 0)
    facts = [f"generation {generation}"]
    if prompt.get("model"):
        facts.append(f"by {one_line(prompt['model'], 80)}")
    cases = prompt.get("from_cases") or ()
    if cases:
        some = ", ".join(one_line(str(case), 40) for case in cases[:6])
        facts.append(f"from {count(len(cases), 'failure')}: {some}{', …' if len(cases) > 6 else ''}")
    made = Markup("made from <code>#{}</code>").format(one_line(parent[:8], 8)) if parent else "the start"
    return Markup(
        '<li class="generation-{}"><div><code>#{}</code> <span class="muted">{}</span></div>'
        '<div class="faint">{}</div>{}</li>'
    ).format(
        min(generation, 4),
        one_line(prompt["digest"][:8], 8),
        made,
        ", ".join(facts),
        folded("Its text", Markup('<pre class="whole">{}</pre>').format(shown(prompt["text"], _MOST_TEXT))),
    )


def take_away_markup(view: RaceView, *, is_file: bool = False) -> Markup:
    """The settings of the winner as a file, and the command that runs the race."""
    toml = inert(view.shape.get("toml") or "")
    if not toml:
        serve = Markup('<p class="empty">There is no winner yet.</p>')
    else:
        copy = _NOTHING
        if not is_file:
            copy = Markup(
                '<button class="button small" type="button" data-copy="{}" aria-label="Copy the settings">{}'
                "<span>Copy</span></button>"
            ).format(toml, icons.COPY)
        serve = Markup('<div class="take">{}<pre class="whole">{}</pre></div>').format(copy, shown(toml, _MOST_TEXT))
    again = command_markup(inert(view.command), "the same race again goes on where it was, and asks nothing twice")
    return Markup(
        '<section class="panel commands-panel"><h2>To take away</h2><p class="muted">The winner as settings: what '
        'serves changes by a promotion, not by this file.</p>{}<h3 class="under">What runs it</h3>'
        '<div class="commands">{}</div></section>'
    ).format(serve, again)


def notes_markup(view: RaceView) -> Markup:
    """What a reader must know besides."""
    notes = view.shape.get("notes") or ()
    if not notes:
        return _NOTHING
    return Markup('<section class="panel notes"><h2>Notes</h2>{}</section>').format(
        _list(one_line(str(note), 1_000) for note in notes[:_MOST_LISTED])
    )
