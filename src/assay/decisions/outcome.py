"""What a decision says, as one object that every door shows: the command, the page, the pull request, a program.

Invariant: `verdict` follows from `difference`, `cost`, `latency` and the margins stated before; nothing else decides.
"""

from collections.abc import Mapping
from dataclasses import asdict, replace
from math import ceil, isfinite
from typing import Any

from assay.decisions.compare import change_shape
from assay.decisions.comparison import Comparison
from assay.decisions.figures import points
from assay.decisions.fold import Fold
from assay.decisions.hypothesis import Hypothesis
from assay.decisions.joint import Joint, joint
from assay.decisions.rules import read_verdict
from assay.stats.estimate import Evidence
from assay.stats.verdict import Verdict

MOST_QUESTIONS = 1_000_000


def outcome_shape(
    hypothesis: Hypothesis, fold: Fold, comparison: Comparison | None, *, evidence: Evidence | None = None
) -> dict[str, Any]:
    """The shared object of `assay try --json`; `comparison` holds cost and latency over the folded questions."""
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
        "needed": needed(hypothesis, fold, found) if joined.quality is Verdict.UNDECIDED else 0,
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


def needed(hypothesis: Hypothesis, fold: Fold, found: Evidence) -> int | None:
    """How many more questions like these would decide if the difference stays what it is; None where none can be told.

    An interval narrows with the root of the questions, so the one shown (with its clusters, its alpha, its looks) says
    how many it takes until a limit passes 0, the margin, or what matters: the nearest of them counts.
    """
    margins = hypothesis.margins
    reaches = []
    for value, limit, goal in (
        (found.raw, found.low, 0.0),
        (found.raw, found.low, -margins.margin),
        (-found.raw, -found.high, -margins.smallest),
    ):
        if value > goal and isfinite(limit) and value > limit:
            reaches.append(((value - limit) / (value - goal)) ** 2)
    if not reaches or found.n == 0 or fold.counted < 2 or min(reaches) * fold.counted > MOST_QUESTIONS:
        return None
    return max(1, ceil(min(reaches) * fold.counted) - fold.counted)


def sentence(hypothesis: Hypothesis, fold: Fold, found: Evidence, joined: Joint) -> str:
    """The verdict in a sentence or two."""
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
    words = said[joined.quality]
    if joined.verdict is not joined.quality or (joined.reasons and not joined.promotable):
        words += " " + " ".join(f"{reason[0].upper()}{reason[1:]}." for reason in joined.reasons)
    if joined.quality is Verdict.UNDECIDED:
        more = needed(hypothesis, fold, found)
        words += f" About {more:,} more would decide if it stays so." if more else ""
    return words


def _finite(limit: float) -> float | None:
    return limit if isfinite(limit) else None
