"""What a decision says, as one object that every door shows: the command, the page, the pull request, a program.

Invariant: `verdict` follows from `difference`, `cost`, `latency` and the margins stated before; nothing else decides.
"""

from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from assay.decisions.compare import change_shape
from assay.decisions.comparison import Comparison
from assay.decisions.fold import Fold
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.joint import Joint, joint
from assay.decisions.rules import read_verdict
from assay.stats.estimate import Evidence
from assay.stats.power import sample_size
from assay.stats.verdict import Verdict

MOST_QUESTIONS = 1_000_000


def outcome_shape(
    hypothesis: Hypothesis, fold: Fold, comparison: Comparison | None, *, evidence: Evidence | None = None
) -> dict[str, Any]:
    """The shared object of `assay try --json`; `comparison` holds cost and latency over the folded questions."""
    found = fold.rule.evidence() if evidence is None else evidence
    joined = joint(
        read_verdict(found.low, found.high, hypothesis.margins, hypothesis.objective),
        cost=comparison.cost if comparison else None,
        latency=comparison.latency if comparison else None,
        margins=hypothesis.margins,
        objective=hypothesis.objective,
    )
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
        "needed": needed(hypothesis, fold) if joined.quality is Verdict.UNDECIDED else 0,
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
        "sentence": sentence(hypothesis, fold, found, joined),
        "steps": [asdict(step) for step in fold.steps],
        "order_digest": hypothesis.order_digest,
        "hypothesis_digest": hypothesis.digest,
    }


def needed(hypothesis: Hypothesis, fold: Fold) -> int | None:
    """How many more questions like these would show the difference seen, 4 times in 5; None where none can be told.

    At the alpha of this decision, by the fixed-n formula: a larger number than the rule needs on average. A candidate
    that gains less than what matters is asked for the number that shows so.
    """
    if fold.counted < 2:
        return None
    differences = [item.difference for item in fold.folded if item.counted]
    mean = sum(differences) / len(differences)
    variance = sum((d - mean) ** 2 for d in differences) / (len(differences) - 1)
    if variance == 0:
        return None
    # Clusters: what a question is worth is what the spread of the plain mean says, and that is not known better here.
    effect = mean if mean > 0 else hypothesis.margins.smallest - mean
    total = sample_size(effect, variance=variance, alpha=hypothesis.alpha, two_sided=False)
    more = total - fold.counted
    return None if total > MOST_QUESTIONS else max(1, more)


def sentence(hypothesis: Hypothesis, fold: Fold, found: Evidence, joined: Joint) -> str:
    """The verdict in a sentence or two."""
    name, points = hypothesis.candidate.name, f"{100 * found.value:+.1f} points"
    range_ = f"{points} in {hypothesis.metric} ({_points(found.low)} to {_points(found.high)})"
    after = f"after {fold.counted:,} of {hypothesis.items:,} questions"
    margins = hypothesis.margins
    said: Mapping[Verdict, str] = {
        Verdict.PROMOTE: f"{name} is better: {range_}, {after}.",
        Verdict.NOT_WORSE: f"{name} is not worse by more than {100 * margins.margin:g} points: {range_}, {after}.",
        Verdict.NOT_BETTER: f"{name} does not gain {100 * margins.smallest:g} points: {range_}, {after}.",
        Verdict.WORSE: f"{name} is worse: {range_}, {after}.",
        Verdict.UNDECIDED: f"Undecided {after}: {range_}.",
    }
    words = said[joined.quality]
    if joined.verdict is not joined.quality or (joined.reasons and not joined.promotable):
        words += " " + " ".join(f"{reason[0].upper()}{reason[1:]}." for reason in joined.reasons)
    if joined.quality is Verdict.UNDECIDED:
        more = needed(hypothesis, fold)
        words += f" About {more:,} more questions would decide if it stays so." if more else ""
    return words


def _points(limit: float) -> str:
    return f"{100 * limit:+.1f}" if isfinite(limit) else "unbounded"


def _finite(limit: float) -> float | None:
    return limit if isfinite(limit) else None
