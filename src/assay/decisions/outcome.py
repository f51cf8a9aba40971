"""What a decision says, as one object that every door shows: the command, the page, the pull request, a program.

Invariant: `verdict` follows from `difference`, `cost`, `latency` and the margins stated before; nothing else decides.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from math import isfinite
from typing import Any, Literal

from assay.decisions.compare import change_shape
from assay.decisions.comparison import Comparison
from assay.decisions.figures import points
from assay.decisions.fold import Fold
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.joint import Joint, joint
from assay.decisions.needed import further_questions
from assay.decisions.rules import read_verdict
from assay.stats.estimate import Evidence
from assay.stats.verdict import Verdict

Stopped = Literal["decided", "horizon", "questions", "budget"]
"""What ended a decision: its verdict on quality, or, open, the rule's end, the last question or a budget."""


def outcome_shape(
    hypothesis: Hypothesis,
    fold: Fold,
    comparison: Comparison | None,
    *,
    evidence: Evidence | None = None,
    by_budget: bool = False,
) -> dict[str, Any]:
    """The shared object of `assay try --json`; `comparison` holds cost and latency over the folded questions.

    `by_budget`: a budget stopped it before the rule did, so it says UNDECIDED whatever the interval.
    """
    found = fold.rule.evidence() if evidence is None else evidence
    if found.n == 0:  # before the first look the rule has seen nothing, and the plain mean is what there is
        found = replace(found, value=min(max(fold.raw, found.low), found.high), raw=fold.raw)
    joined = joint(
        read_verdict(found.low, found.high, hypothesis.margins, hypothesis.objective),
        cost=comparison.cost if comparison else None,
        latency=comparison.latency if comparison else None,
        margins=hypothesis.margins,
        objective=hypothesis.objective,
    )
    if by_budget:
        joined = replace(joined, verdict=Verdict.UNDECIDED, promotable=False)
    more = further_questions(found, hypothesis.margins, asked=fold.counted)
    return {
        "verdict": str(joined.verdict),
        "difference": {
            "value": found.value,
            "low": _finite(found.low),
            "high": _finite(found.high),
            "raw": found.raw,
            "method": found.method,
        },
        "wins": fold.wins,
        "losses": fold.losses,
        "ties": fold.counted - fold.wins - fold.losses,
        "n": fold.counted,
        "clusters": fold.units if hypothesis.clusters is not None else None,
        "alpha": hypothesis.alpha,
        "margin": hypothesis.margins.margin,
        "needed": more if joined.quality is Verdict.UNDECIDED else 0,
        "cost": change_shape(comparison.cost if comparison else None, "usd"),
        "latency": change_shape(comparison.latency if comparison else None, "p95_ms"),
        "quality": str(joined.quality),
        "promotable": joined.promotable,
        "p_value": found.p_value,
        "reasons": list(joined.reasons),
        "smallest": hypothesis.margins.smallest,
        "objective": hypothesis.objective,
        "metric": hypothesis.metric,
        "rule": hypothesis.rule,
        "asked": len(fold.folded),
        "of": hypothesis.items,
        "not_applicable": fold.uncounted,
        "failures": fold.failures,
        "stopped": stopped(hypothesis, fold, joined.quality, by_budget=by_budget),
        "sentence": sentence(hypothesis, fold, found, joined, more=more, by_budget=by_budget),
        "steps": [asdict(step) for step in fold.steps],
        "order_digest": hypothesis.order_digest,
        "hypothesis_digest": hypothesis.digest,
    }


def standing_shape(hypothesis: Hypothesis, fold: Fold) -> dict[str, Any]:
    """What a watching page sees while it runs: no estimate, which would take too long."""
    last = fold.steps[-1] if fold.steps else None
    return {
        "verdict": "UNDECIDED",
        "running": True,
        "asked": len(fold.folded),
        "of": hypothesis.items,
        "n": fold.counted,
        "wins": fold.wins,
        "losses": fold.losses,
        "ties": fold.counted - fold.wins - fold.losses,
        "difference": {
            "value": fold.raw,
            "low": last.low if last else -1.0,
            "high": last.high if last else 1.0,
            "raw": fold.raw,
            "method": hypothesis.rule,
        },
        "steps": [asdict(step) for step in fold.steps],
    }


def stopped(hypothesis: Hypothesis, fold: Fold, quality: Verdict, *, by_budget: bool) -> Stopped:
    """What ended it."""
    if by_budget:
        return "budget"
    if quality is not Verdict.UNDECIDED:
        return "decided"
    is_spent = hypothesis.horizon is not None and fold.wins + fold.losses >= hypothesis.horizon
    return "horizon" if is_spent else "questions"


def sentence(
    hypothesis: Hypothesis, fold: Fold, found: Evidence, joined: Joint, *, more: int | None, by_budget: bool = False
) -> str:
    """The verdict in a sentence or two; where it is open, why it ended and how many `more` questions would decide."""
    name = hypothesis.candidate.name
    range_ = f"{points(found.value)} points in {hypothesis.metric} ({points(found.low)} to {points(found.high)})"
    after = f"after {fold.counted:,} of {hypothesis.items:,} questions"
    margins = hypothesis.margins
    said: Mapping[Verdict, str] = {
        Verdict.PROMOTE: f"{name} is better: {range_}, {after}.",
        Verdict.NOT_WORSE: f"{name} is not worse by more than {100 * margins.margin:g} points: {range_}, {after}.",
        Verdict.NOT_BETTER: f"{name} does not gain {100 * margins.smallest:g} points: {range_}, {after}.",
        Verdict.WORSE: f"{name} is worse: {range_}, {after}.",
        Verdict.UNDECIDED: f"Undecided {after}: {range_}.",
    }
    if by_budget:
        return f"{said[Verdict.UNDECIDED]} The budget stopped it before the evidence did."
    words = said[joined.quality]
    if joined.verdict is not joined.quality or (joined.reasons and not joined.promotable):
        words += " " + " ".join(f"{reason[0].upper()}{reason[1:]}." for reason in joined.reasons)
    if joined.quality is Verdict.UNDECIDED:
        words += " " + _why_open(hypothesis, stopped(hypothesis, fold, joined.quality, by_budget=False))
        words += f" About {more:,} more would decide if it stays so." if more else ""
    return words


def _why_open(hypothesis: Hypothesis, ended: Stopped) -> str:
    """Why nothing more was asked, and what that leaves open."""
    margins = hypothesis.margins
    what = f"neither a gain nor that it gains less than {100 * margins.smallest:g} points"
    if hypothesis.objective == "not_worse":
        what = f"neither that it is not worse by more than {100 * margins.margin:g} points nor that it is worse"
    if ended == "horizon":
        return f"The two have differed {hypothesis.horizon:,} times, the horizon declared, and {what} is shown."
    return f"All questions are asked, and {what} is shown."


def _finite(limit: float) -> float | None:
    return limit if isfinite(limit) else None
