"""The page of one decision, for a sceptic: what was declared before the first result, the evidence step by step, and
how the verdict follows from the numbers.

The page and the single file hold the same sections; `is_file` leaves out what needs a server.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from assay.app.report.addresses import decision_url, label_url
from assay.app.report.conditions import conditions_markup
from assay.app.report.decision_view import DecisionView
from assay.app.report.declared_part import budget_markup, declared_markup
from assay.app.report.evidence_plot import evidence_plot
from assay.app.report.shell import command_markup, crumbs_markup
from assay.app.report.text import inert, moment, one_line
from assay.app.report.verdict_parts import (
    counts_markup,
    difference_markup,
    limits,
    points,
    ratio_words,
    support_markup,
    tile_markup,
    verdict_markup,
)
from assay.decisions.figures import dollars, milliseconds
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.rules import read_verdict

_NOTHING = Markup()


def head_markup(view: DecisionView, *, is_file: bool = False) -> Markup:
    """Verdict, sentence, and what can be done about it."""
    decision, hypothesis = view.decision, view.decision.hypothesis
    crumbs = _NOTHING if is_file else crumbs_markup(("/decisions", "Decisions"))
    return Markup(
        '<div class="title decision-title">{}<div class="name"><h1><bdi>{}</bdi> <span class="muted">against</span> '
        '<bdi>{}</bdi></h1>{}</div><div class="verdict-line">{}{}{}</div>{}{}</div>'
    ).format(
        crumbs,
        one_line(hypothesis.candidate.name, 120),
        one_line(hypothesis.incumbent.name, 120),
        _NOTHING if is_file else _actions(view),
        verdict_markup(view.word, is_large=True),
        support_markup(decision.support),
        _releases(view),
        Markup('<p class="says">{}</p>').format(one_line(_sentence(view), 1_500)),
        _stopped(view),
    )


def standing_markup(view: DecisionView) -> Markup:
    """Figures and plot: the part of the page that is fetched again while it runs."""
    live = Markup(' data-live="{}/standing"').format(decision_url(view.decision.id))
    return Markup('<div class="standing decision-standing" id="standing-{}"{}>{}{}</div>').format(
        view.decision.id, live if view.state == "running" else _NOTHING, _tiles(view), evidence_markup(view)
    )


def evidence_markup(view: DecisionView) -> Markup:
    """The plot and, folded away, its numbers."""
    outcome, hypothesis = view.outcome, view.decision.hypothesis
    steps = outcome.get("steps") or []
    return Markup(
        '<section class="panel"><h2>Evidence, question by question</h2><p class="muted">{}</p>{}{}</section>'
    ).format(
        _how_read(hypothesis),
        evidence_plot(outcome, hypothesis, looks=_looks(hypothesis, steps)),
        _steps(hypothesis, steps) if steps else _NOTHING,
    )


def follows_markup(view: DecisionView) -> Markup:
    """What was declared, and how the verdict follows from it and from the numbers, side by side."""
    return Markup('<div class="two">{}{}</div>').format(declared_markup(view), conditions_markup(view))


def figures_markup(view: DecisionView) -> Markup:
    """Estimates side by side, saying which is which; cost, latency and failures."""
    outcome = view.outcome
    if not outcome.get("difference") or outcome.get("running"):
        return _NOTHING
    judged = outcome.get("judged_difference")
    first = judged or outcome["difference"]
    rows = []
    if judged:
        rows.append(
            (
                "By a person's labels",
                points(outcome["difference"]["value"]),
                limits(outcome["difference"]),
                "the verdict is read from this",
            )
        )
    rows += [
        (
            "Stop-adjusted estimate",
            points(first["value"]),
            limits(first),
            f"inverts the same rule at the same alpha ({one_line(str(first['method']), 60)})"
            + ("" if judged else "; the verdict is read from this interval"),
        ),
        ("Plain mean", points(first["raw"]), "", "what was counted; stopping at a high point flatters it"),
    ]
    rows += _side_effects(outcome, view.decision.hypothesis)
    rows.append(
        ("Answers that failed", f"{outcome.get('failures', 0):,}", "", "each counts as 0, on whichever side it failed")
    )
    if outcome.get("not_applicable"):
        rows.append(
            ("Not scored", f"{outcome['not_applicable']:,}", "", "questions the metric says nothing about, left out")
        )
    listed = Markup().join(
        Markup(
            '<tr><th scope="row">{}</th><td class="num strong">{}</td><td class="num">{}</td>'
            '<td class="muted">{}</td></tr>'
        ).format(*row)
        for row in rows
    )
    return Markup(
        '<section class="panel"><h2>The numbers</h2><table class="numbers"><thead><tr><th scope="col">What</th>'
        '<th scope="col" class="num">Value</th><th scope="col" class="num">Interval</th><th scope="col">How</th></tr>'
        "</thead><tbody>{}</tbody></table></section>"
    ).format(listed)


def budget_section(view: DecisionView) -> Markup:
    """What this decision took from the set's evidence budget."""
    return budget_markup(view)


def _tiles(view: DecisionView) -> Markup:
    outcome, hypothesis = view.outcome, view.decision.hypothesis
    difference = outcome.get("difference")
    tiles = []
    if difference:
        reach = max(0.05, *(abs(difference.get(key) or 0.0) for key in ("value", "low", "high")))
        said = "so far" if outcome.get("running") else "points"
        tiles.append(
            tile_markup(
                f"Difference in {hypothesis.metric}",
                points(difference["value"]),
                said,
                difference_markup(difference, reach=min(1.0, 1.1 * reach)),
                f"{limits(difference)} at alpha {hypothesis.alpha:.3g}",
            )
        )
    asked, total = outcome.get("asked", 0), hypothesis.items
    bar = Markup('<progress max="{}" value="{}" aria-label="Questions folded"></progress>').format(total, asked)
    clusters = f", {outcome['clusters']:,} of {hypothesis.clusters:,} clusters" if outcome.get("clusters") else ""
    share = _share_used(asked, total) + clusters
    tiles.append(tile_markup("Questions used", f"{asked:,}", f"of {total:,}", bar, share))
    counts = f"{outcome.get('wins', 0):,} won, {outcome.get('losses', 0):,} lost, {outcome.get('ties', 0):,} tied"
    tiles.append(
        tile_markup(
            "Won and lost",
            f"{outcome.get('wins', 0):,} : {outcome.get('losses', 0):,}",
            "",
            counts_markup(outcome),
            counts,
        )
    )
    if outcome.get("running"):
        tiles.append(
            tile_markup("Alpha", f"{hypothesis.alpha:.3g}", "", _NOTHING, "the chance to promote what should not be")
        )
    else:
        tiles.append(_spent(outcome, hypothesis))
    return Markup('<div class="tiles decision-tiles">{}</div>').format(Markup().join(tiles))


def _share_used(asked: int, total: int) -> str:
    return f"{100 * asked / total:.0f}% of what there is to ask" if total else ""


def _spent(outcome: Mapping[str, Any], hypothesis: Hypothesis) -> Markup:
    if outcome.get("cost_usd") is None:
        return tile_markup("Alpha", f"{hypothesis.alpha:.3g}", "", _NOTHING, "of the set's evidence budget")
    calls = f"{outcome.get('paid_calls', 0):,} calls, {outcome.get('cached_calls', 0):,} from the cache"
    unpriced = outcome.get("unpriced_calls", 0)
    value = "unpriced" if unpriced and not outcome["cost_usd"] else dollars(outcome["cost_usd"])
    more = f", {unpriced:,} of unknown price" if unpriced else ""
    return tile_markup("Cost of deciding", value, "", _NOTHING, calls + more)


def _sentence(view: DecisionView) -> str:
    outcome = view.outcome
    if view.state == "running":
        return "Both systems are answering. Looking costs nothing: the interval holds at every moment."
    if view.state == "done":
        return str(outcome.get("sentence", ""))
    asked, total = outcome.get("asked", 0), view.decision.hypothesis.items
    why = {
        "budget": "the budget stopped it after",
        "interrupted": "it was interrupted, and the same command goes on, after",
        "abandoned": "it was given up for another after",
    }
    return f"No verdict: {why.get(view.state, 'it ended after')} {asked:,} of {total:,} questions."


def _actions(view: DecisionView) -> Markup:
    url = view.decision.id
    links = []
    if view.state == "done" and view.decision.support != "HUMAN-CALIBRATED":
        links.append(Markup('<a class="button" href="{}">Label answers</a>').format(label_url(url)))
    links.append(
        Markup('<a class="button" href="{}/report.html" download>Save as a file</a>').format(decision_url(url))
    )
    return Markup('<div class="actions">{}</div>').format(Markup().join(links))


def _releases(view: DecisionView) -> Markup:
    marks = []
    for release in view.releases:
        without = " without evidence" if release.without_evidence else ""
        is_live = release.id == view.live_release
        marks.append(
            Markup('<span class="tag {}">{}{} {}</span>').format(
                "warn" if without else "good" if is_live else "",
                "serves now" if is_live else "was released",
                without,
                release.id[:8],
            )
        )
    return Markup().join(marks)


def _stopped(view: DecisionView) -> Markup:
    """What to do now, in a sentence and a command."""
    short = view.decision.id[:8]
    if view.state == "done":
        if view.outcome.get("promotable") and not view.releases:
            return command_markup(f"assay promote {short}", "makes the candidate what serves")
        return _NOTHING
    if view.state == "interrupted":
        return _notice(
            "It was stopped before it was decided. What was asked is kept: the same command goes on from there, pays "
            "nothing twice and uses no more alpha.",
            view.command,
            "goes on",
        )
    if view.state == "budget":
        return _notice(
            "The budget stopped it. What was asked is kept; the same command with a larger --budget-usd goes on.",
            view.command,
            "goes on, with a larger --budget-usd",
        )
    if view.state == "abandoned":
        return _notice(
            "It was given up: another candidate or other cases were tried on this set before it had ended. Its alpha "
            "stays spent, and it cannot be gone on with.",
            view.command,
            "asks the question anew",
        )
    return _NOTHING


def _notice(says: str, command: str, what: str) -> Markup:
    return Markup('<div class="notice">{}</div>{}').format(says, command_markup(inert(command), what))


def _how_read(hypothesis: Hypothesis) -> str:
    folded = "Questions are folded in the order that was fixed before, whichever answer came first. "
    if hypothesis.rule == "cluster-looks":
        looks = ", ".join(f"{look:,}" for look in hypothesis.looks)
        return f"{folded}Whole clusters only, looked at after {looks} of {hypothesis.clusters or 0:,} clusters."
    return f"{folded}The interval holds after every one of them at once, so stopping early is no cheating."


def _looks(hypothesis: Hypothesis, steps: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """Questions folded at each look that was taken, with its number."""
    at = {int(step["units"]): int(step["items"]) for step in steps}
    return {at[look]: number for number, look in enumerate(hypothesis.looks, start=1) if look in at}


def _steps(hypothesis: Hypothesis, steps: Sequence[Mapping[str, Any]]) -> Markup:
    rows = Markup().join(_step(hypothesis, step) for step in steps)
    unit = "Clusters" if hypothesis.clusters is not None else "Units"
    return Markup(
        '<details class="more"><summary>The {} steps that were written down</summary><div class="scroll">'
        '<table class="steps-table num"><thead><tr><th scope="col" class="num">Questions</th>'
        '<th scope="col" class="num">{}</th><th scope="col" class="num">Won</th><th scope="col" class="num">Lost</th>'
        '<th scope="col" class="num">Mean</th><th scope="col" class="num">Interval</th><th scope="col">Reads as</th>'
        "</tr></thead><tbody>{}</tbody></table></div></details>"
    ).format(f"{len(steps):,}", unit, rows)


def _step(hypothesis: Hypothesis, step: Mapping[str, Any]) -> Markup:
    low, high = step.get("low"), step.get("high")
    reads = read_verdict(
        -1.0 if low is None else low, 1.0 if high is None else high, hypothesis.margins, hypothesis.objective
    )
    return Markup(
        '<tr><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td><td class="num">{}</td>'
        '<td class="num">{}</td><td class="num">{}</td><td>{}</td></tr>'
    ).format(
        f"{step['items']:,}",
        f"{step['units']:,}",
        f"{step['wins']:,}",
        f"{step['losses']:,}",
        points(step["raw"]),
        limits(step),
        str(reads),
    )


def _side_effects(outcome: Mapping[str, Any], hypothesis: Hypothesis) -> list[tuple[str, str, str, str]]:
    rows = []
    cost, latency = outcome.get("cost"), outcome.get("latency")
    if cost:
        said = f"{dollars(cost['incumbent_usd'])} to {dollars(cost['candidate_usd'])}"
        rows.append(("Cost an answer", said, ratio_words(cost.get("ratio")), _margin(hypothesis.margins.cost_ratio)))
    else:
        rows.append(("Cost an answer", "not known", "", "a model or a system has no known price"))
    if latency:
        said = f"{milliseconds(latency['incumbent_p95_ms'])} to {milliseconds(latency['candidate_p95_ms'])}"
        margin = _margin(hypothesis.margins.latency_ratio)
        rows.append(("p95 latency", said, ratio_words(latency.get("ratio")), margin))
    return rows


def _margin(ratio: float | None) -> str:
    if ratio is None:
        return "incumbent to candidate; reported, not judged: no margin was declared"
    return f"incumbent to candidate; declared margin {ratio:g}x"


def title_of(view: DecisionView) -> str:
    """The title of the page and of the file."""
    hypothesis = view.decision.hypothesis
    return f"{view.word.upper()}: {one_line(hypothesis.candidate.name, 60)}"


def made_markup(view: DecisionView) -> Markup:
    """When and where, at the end of a file."""
    decision = view.decision
    ended = f", ended {moment(decision.finished_ns)}" if decision.finished_ns else ""
    return Markup('<p class="faint num">Decision {}, begun {}{}.</p>').format(
        decision.id, moment(decision.created_ns), ended
    )
