"""The page of all decisions: verdicts with their intervals, what serves and since when, what evidence is left."""

from collections.abc import Callable, Mapping, Sequence

from markupsafe import Markup

from assay.app.report.addresses import decision_url
from assay.app.report.shell import nothing_markup
from assay.app.report.text import moment, one_line
from assay.app.report.verdict_parts import (
    declared_points,
    difference_markup,
    limits,
    points,
    support_markup,
    verdict_markup,
)
from assay.decisions.chances import Chance
from assay.decisions.evidence_budget import Spent, Standing
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.register import Decision
from assay.decisions.releases import Line, Release
from assay.evals.systems.source import is_edited

_NOTHING = Markup()
_MOST_LINES = 30

Chances = Callable[[Hypothesis, float], tuple[tuple[Chance, ...], str]]


def head_markup() -> Markup:
    """The title."""
    return Markup(
        '<div class="title"><div class="name"><h1>Decisions</h1></div><p class="muted">A change ships only where it '
        "was shown to be better. Each verdict has one page to check it on.</p></div>"
    )


def decisions_markup(decisions: Sequence[Decision], states: Mapping[str, str], pager: Markup) -> Markup:
    """The decisions, newest first, their differences on one scale."""
    reach = _reach(decisions)
    rows = Markup().join(_decision(decision, states[decision.id], reach) for decision in decisions)
    return Markup(
        '<section class="panel decisions-panel"><h2 class="spoken">All decisions</h2><ul class="decisions">{}</ul>{}'
        "</section>"
    ).format(rows, pager)


def releases_markup(log: Sequence[Line], releases: Mapping[str, Release]) -> Markup:
    """What served from when on; what no verdict supports says so for ever."""
    if not log:
        return Markup(
            '<section class="panel"><h2>Releases</h2><p class="empty">Nothing was released yet: the settings in force '
            "serve. <code>assay promote</code> makes the first release.</p></section>"
        )
    rows = Markup().join(_release(line, releases[line.release_id], is_live=not n) for n, line in enumerate(log))
    return Markup('<section class="panel"><h2>Releases</h2><ol class="releases">{}</ol></section>').format(rows)


def budget_section(
    standing: Standing, hypothesis: Hypothesis, decisions: Mapping[str, Decision], chances: Chances
) -> Markup:
    """The evidence budget of a set and season: what is left, what took what, what the next decision could show."""
    spending = standing.spending
    lines = standing.lines[-_MOST_LINES:]
    rows = Markup().join(_line(line, standing, decisions) for line in reversed(lines))
    more = len(standing.lines) - len(lines)
    cut = Markup('<li class="faint">and {} before</li>').format(more) if more > 0 else _NOTHING
    found, assumed = chances(hypothesis, standing.alpha_next)
    season = f", season {standing.season}" if standing.season > 1 else ""
    return Markup(
        '<section class="panel budget"><h2><bdi>{}</bdi><span class="muted">{}</span></h2>'
        '<div class="left"><span class="num">{} <small>of {} alpha left</small></span>{}'
        '<span class="faint num">next decision {}</span></div>{}<ul class="spent">{}{}</ul></section>'
    ).format(
        one_line(standing.set_name, 60),
        season,
        f"{spending.left:.3g}",
        f"{spending.alpha:g}",
        _share(spending.left, spending.alpha),
        f"{standing.alpha_next:.3g}",
        _power(found, assumed, hypothesis),
        rows,
        cut,
    )  # fmt: skip


def empty_markup() -> Markup:
    """What to do where nothing was decided yet."""
    return nothing_markup(
        "No decisions yet",
        "A decision tries a change against what serves, question by question, and stops as soon as it is known. In the "
        "workspace's folder, run",
        ("assay try --set index.k=12 --plan", "says what it would take and could show, and asks nothing"),
        ("assay try --set index.k=12", "tries a setting against what serves"),
        ("assay try --system module:function", "tries a system of your own"),
    )


def _reach(decisions: Sequence[Decision]) -> float:
    """The scale all differences of a page share: up to the widest interval that is not much wider than most."""
    ends = sorted(
        max(abs(found.get("low") or 0.0), abs(found.get("high") or 0.0))
        for decision in decisions
        if (found := (decision.outcome or {}).get("difference"))
    )
    return max(0.05, ends[(3 * len(ends)) // 4]) if ends else 0.05


def _decision(decision: Decision, state: str, reach: float) -> Markup:
    hypothesis, outcome = decision.hypothesis, decision.outcome or {}
    word = decision.verdict or state if state == "done" else state
    asked = f"{outcome.get('asked', 0):,} of {hypothesis.items:,} questions"
    return Markup(
        '<li class="decision"><div class="decided">{}{}</div><div class="run-name"><a class="row-link" href="{}">'
        '<bdi>{}</bdi></a> <span class="muted">against <bdi>{}</bdi></span>'
        '<div class="faint num"><code>{}</code> {}</div>'
        '<div class="faint"><bdi>{}</bdi>, {}</div></div><div class="shown-difference num">{}</div>'
        '<div class="used faint num"><span>{}</span><span>alpha {}</span></div></li>'
    ).format(
        verdict_markup(word),
        support_markup(decision.support),
        decision_url(decision.id),
        one_line(hypothesis.candidate.name, 120),
        one_line(hypothesis.incumbent.name, 120),
        decision.id[:8],
        moment(decision.created_ns),
        one_line(hypothesis.set_name, 60),
        one_line(hypothesis.metric, 60),
        _difference(decision, reach),
        asked,
        f"{hypothesis.alpha:.3g}",
    )


def _difference(decision: Decision, reach: float) -> Markup:
    difference = (decision.outcome or {}).get("difference")
    if not difference or difference.get("low") is None or difference.get("high") is None:
        return Markup('<span class="faint">no result yet</span>')
    return Markup("<b>{}</b>{}<span>{}</span>").format(
        points(difference["value"]), difference_markup(difference, reach=reach), limits(difference)
    )


def _release(line: Line, release: Release, *, is_live: bool) -> Markup:
    if release.without_evidence:
        support = Markup('<span class="tag warn">without evidence</span>')
    else:
        support = verdict_markup(release.verdict or "")
    decided = _NOTHING
    if release.decision_id:
        decided = Markup('<a href="{}">decision {}</a>').format(
            decision_url(release.decision_id), release.decision_id[:8]
        )
    live = Markup('<span class="tag good">serves now</span>') if is_live else _NOTHING
    action = Markup('<span class="tag">rolled back to</span>') if line.action == "rollback" else _NOTHING
    because = Markup('<p class="muted">{}</p>').format(one_line(line.because, 400)) if line.because else _NOTHING
    return Markup(
        '<li{}><div class="release-head">{}{}{}</div><div><b><bdi>{}</bdi></b></div>'
        '<div class="faint num"><code>{}</code> {} {}</div>{}{}</li>'
    ).format(
        Markup(' class="is-live"') if is_live else _NOTHING,
        live,
        action,
        support,
        one_line(release.served.name, 120),
        release.id[:8],
        moment(line.at_ns),
        decided,
        _code(release),
        because,
    )


def _code(release: Release) -> Markup:
    """Of a user's function, the digest of what was released, and whether it was edited since."""
    served = release.served
    if served.spec.get("kind") != "callable":
        return _NOTHING
    edited = (
        Markup(' <span class="tag warn">edited since</span>') if is_edited(served.system, served.spec) else _NOTHING
    )
    return Markup('<div class="faint">code <code>{}</code>{}</div>').format(served.identity[:12], edited)


def _line(line: Spent, standing: Standing, decisions: Mapping[str, Decision]) -> Markup:
    if line.decision_id is None:
        return Markup(
            '<li><span class="num">{}</span><span>a case was opened</span><span class="num">{}</span></li>'
        ).format(line.ordinal, f"{line.alpha:.3g}")
    decision = decisions.get(line.decision_id)
    verdict = decision.verdict or decision.status if decision is not None else ""
    handed = standing.handed_on(line.decision_id)
    passed = f"{handed:.3g} handed on" if handed else ""
    carried = f"{line.carried:.3g} of it from the one before" if line.carried else ""
    notes = ", ".join(note for note in (carried, passed) if note)
    return Markup(
        '<li><span class="num">{}</span><span>{} <a href="{}"><bdi>{}</bdi></a>{}</span>'
        '<span class="num">{}</span></li>'
    ).format(
        line.ordinal,
        verdict_markup(verdict) if verdict else _NOTHING,
        decision_url(line.decision_id),
        one_line(decision.hypothesis.candidate.name, 60) if decision is not None else line.decision_id[:8],
        Markup("<small>{}</small>").format(notes) if notes else _NOTHING,
        f"{line.alpha:.3g}",
    )


def _share(left: float, alpha: float) -> Markup:
    return Markup('<progress max="{}" value="{}" aria-label="Evidence left"></progress>').format(
        f"{alpha:g}", f"{left:.6f}"
    )


def _power(found: Sequence[Chance], assumed: str, hypothesis: Hypothesis) -> Markup:
    """What a decision like the newest one could still show."""
    said = "promoted" if hypothesis.objective == "better" else "shown not worse"
    rows = Markup().join(
        Markup('<tr><th scope="row">{}</th><td class="num">{}</td><td class="num">{}</td></tr>').format(
            f"{declared_points(chance.gain)} points" if chance.gain else "no gain",
            f"{100 * chance.promote:.0f}%",
            f"{chance.expected_items:,.0f}",
        )
        for chance in found
    )
    return Markup(
        '<table class="power"><thead><tr><th scope="col">If the next truly gains</th>'
        '<th scope="col" class="num">{}</th><th scope="col" class="num">questions</th></tr></thead>'
        "<tbody>{}</tbody></table>"
        '<p class="faint">On {} questions, assuming {}.</p>'
    ).format(said, rows, f"{hypothesis.items:,}", assumed)
