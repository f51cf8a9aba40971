"""How a verdict follows from the numbers: each condition in the order it is asked, with what was found.

Invariant: the first condition that is shown is the verdict on quality, as `decisions.rules.read_verdict` reads it; a
test holds the two against each other on every interval.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from assay.app.report.decision_view import DecisionView
from assay.app.report.text import one_line
from assay.app.report.verdict_parts import (
    SUPPORTS,
    declared_points,
    limit,
    points,
    ratio_words,
    support_markup,
    verdict_markup,
)
from assay.app.web import icons
from assay.decisions.hypothesis import Margins, Objective
from assay.decisions.joint import CHEAPER

_NOTHING = Markup()


@dataclass(frozen=True, slots=True)
class Condition:
    """What has to hold for `verdict`, the limit it hangs on, and whether that is shown."""

    verdict: str
    says: str
    found: str
    is_shown: bool


def quality_conditions(low: float, high: float, margins: Margins, objective: Objective) -> list[Condition]:
    """The conditions on the interval of the difference, in the order they are asked."""
    better = Condition("PROMOTE", "better: the whole interval lies above 0", f"lower limit {limit(low)}", low > 0)
    not_worse = Condition(
        "NOT_WORSE",
        f"not worse: the whole interval lies above {declared_points(-margins.margin)}",
        f"lower limit {limit(low, beside=-margins.margin)}",
        low > -margins.margin,
    )
    worse = Condition("WORSE", "worse: the whole interval lies below 0", f"upper limit {limit(high)}", high < 0)
    not_better = Condition(
        "NOT_BETTER",
        f"gains less than what matters: the whole interval lies below {declared_points(margins.smallest)}",
        f"upper limit {limit(high, beside=margins.smallest)}",
        high < margins.smallest,
    )
    if objective == "not_worse":
        return [better, not_worse, worse, not_better]
    return [better, worse, not_better, not_worse]


def verdict_of(conditions: list[Condition]) -> str:
    """The verdict on quality: that of the first condition shown."""
    return next((one.verdict for one in conditions if one.is_shown), "UNDECIDED")


def conditions_markup(view: DecisionView) -> Markup:
    """The conditions on quality, on labels, on cost and on latency, and the verdict they make."""
    outcome, hypothesis = view.outcome, view.decision.hypothesis
    difference = outcome.get("difference")
    if not difference:
        return Markup(
            '<section class="panel"><h2>How the verdict follows</h2><p class="empty">Nothing has been found yet.</p>'
            "</section>"
        )
    low, high = difference.get("low"), difference.get("high")
    conditions = quality_conditions(
        -1.0 if low is None else low, 1.0 if high is None else high, hypothesis.margins, hypothesis.objective
    )
    chosen = verdict_of(conditions)
    rows, is_settled = [], False
    for one in conditions:
        rows.append(_row(one.says, one.found, one.is_shown, one.verdict, is_first=one.is_shown and not is_settled))
        is_settled = is_settled or one.is_shown
    rows += _labels(outcome, chosen)
    rows += _sides(outcome, hypothesis.margins, hypothesis.objective)
    return Markup(
        '<section class="panel"><h2>How the verdict follows</h2><p class="muted">The first condition on quality that '
        "is shown is the verdict on quality; nothing else decides it. A stated margin can hold a promotion back and "
        'never cause one.</p><ul class="conditions">{}</ul>{}{}</section>'
    ).format(Markup().join(rows), _conclusion(view), _rests(view))


def _row(says: str, found: str, is_shown: bool, verdict: str, *, is_first: bool = False) -> Markup:
    mark = icons.GOOD if is_shown else icons.NONE
    return Markup(
        '<li class="{}">{}<div><span>{}</span> <span class="found num">{}</span></div>'
        '<span class="reads">{}</span></li>'
    ).format(
        f"{'shown' if is_shown else 'not-shown'}{' first' if is_first else ''}",
        mark,
        says,
        f"{found}: {'shown' if is_shown else 'not shown'}",
        verdict if is_first else _NOTHING,
    )


def _labels(outcome: Mapping[str, Any], chosen: str) -> list[Markup]:
    judged = outcome.get("judged_quality")
    if not judged:
        return []
    return [
        _row(
            "a promotion needs the scores' own sequential test too, which no stopping can have flattered",
            f"it said {judged}",
            judged == "PROMOTE" or chosen != "PROMOTE",
            "",
        )
    ]


def _sides(outcome: Mapping[str, Any], margins: Margins, objective: Objective) -> list[Markup]:
    cost_margin = margins.cost_ratio
    if objective == "not_worse" and cost_margin is None and outcome.get("quality") == "NOT_WORSE":
        cost_margin = CHEAPER
    rows = []
    for name, kept, margin in (
        ("cost an answer", outcome.get("cost"), cost_margin),
        ("p95 latency", outcome.get("latency"), margins.latency_ratio),
    ):
        if margin is None or outcome.get("running"):
            continue
        ratio = (kept or {}).get("ratio")
        high = (ratio or {}).get("high")
        found = f"{ratio_words(ratio)}" if ratio else "not known well enough"
        rows.append(_row(f"{name} at most {margin:g}x the incumbent's", found, high is not None and high <= margin, ""))
    return rows


def _conclusion(view: DecisionView) -> Markup:
    outcome = view.outcome
    if view.state != "done":
        return Markup('<p class="conclusion">So far this would read {}. There is no verdict yet.</p>').format(
            verdict_markup(str(outcome.get("verdict", "UNDECIDED")))
        )
    promotable = (
        "It supports a promotion."
        if outcome.get("promotable")
        else "It supports no promotion: releasing it anyway needs a reason, and says so for ever."
    )
    needed = outcome.get("needed")
    more = (
        f" About {needed:,} more questions like these would decide it, if the difference stays what it looks like."
        if needed
        else ""
    )
    return Markup('<p class="conclusion">So the verdict is {}. {}{}</p>').format(
        verdict_markup(view.word), promotable, more
    )


def _rests(view: DecisionView) -> Markup:
    """What it rests on: references, a judge, or a person's labels."""
    support = view.decision.support
    if not support:
        return _NOTHING
    parts = [Markup('<h3 class="under">What it rests on</h3><p>{} {}</p>').format(
        support_markup(support), SUPPORTS.get(support, ""))]  # fmt: skip
    labels = view.outcome.get("labels")
    if labels:
        parts.append(Markup('<p class="num">{}</p>').format(_labels_said(labels)))
    judges = [scorer["judge"] for run in view.runs[:1] if run for scorer in run.spec.scorers if scorer.get("judge")]
    for judge in judges[:3]:
        checked = one_line(judge["last_check"], 200) if judge.get("last_check") else "never checked against people"
        parts.append(Markup('<p class="faint">Judge {}, {}: {}.</p>').format(
            one_line(judge["name"], 80), one_line(judge["model"], 80), checked))  # fmt: skip
    return Markup().join(parts)


def _labels_said(labels: Mapping[str, Any]) -> str:
    done, wanted = labels.get("labels", 0), labels.get("wanted", 0)
    if not labels.get("complete"):
        return f"{done:,} of {wanted:,} declared labels are there; no verdict is read from them before all are."
    agreement = labels.get("agreement")
    agreed = f" Scores and person agreed on {100 * agreement:.0f}% of them." if agreement is not None else ""
    worth = labels.get("effective_labels") or 0
    gain = f", worth {worth:,.0f} without the scores" if worth > done else ""
    return (
        f"{done:,} labels{gain}: {points(labels.get('value'))} points ({limit(labels.get('low'))} to "
        f"{limit(labels.get('high'))}); the scores said {points(labels.get('judge_mean'))}.{agreed}"
    )
