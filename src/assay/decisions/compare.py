"""Did the change help? Paired by case, one interval, one verdict read from it, cost and latency beside it.

Invariant: the verdict and the interval never disagree, and swapping the two sides mirrors both.
Proved by properties over arbitrary results in `tests/properties/test_compare_properties.py`; that the intervals hold
what they promise is proved by simulation in `tests/oracles/test_coverage.py`.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import inf, isfinite
from typing import Any

import numpy as np

from assay.decisions.advice import advice
from assay.decisions.comparison import Change, Comparison, verdict_of
from assay.decisions.figures import counted, shown_name
from assay.decisions.needed import further_cases
from assay.decisions.pairs import NAMED, Arm, Pairs, pair
from assay.decisions.results import Scored, read_results
from assay.decisions.sentence import outlook, sentence
from assay.errors import BadInput
from assay.stats.bootstrap import bootstrap_quantile_change, bootstrap_ratio, quantile
from assay.stats.clusters import Codes, Floats
from assay.stats.interval import Interval
from assay.stats.paired import paired_interval, without_rounding
from assay.stats.power import detectable_from

__all__ = ["Change", "Comparison", "Scored", "compare", "comparison_shape", "read_results"]

FEWEST_BOOTSTRAPPED = 100  # percentile limits from fewer cases are too narrow
FEWEST_CLUSTERS = 30
FAR_BEYOND_ONE = 5  # a mean loss may pass 1 on one side only; five times the other side's scale is another scale


def compare(
    incumbent: Sequence[Scored],
    candidate: Sequence[Scored],
    *,
    alpha: float = 0.05,
    lower_is_better: bool = False,
    margin: float | None = None,
) -> Comparison:
    """Compare two lists of results of the same cases; raises BadInput where they make no pairs (see `pair`).

    `margin`, in the unit of the score: how much worse still counts as not worse (`Comparison.not_worse`).
    """
    check_options(alpha=alpha, margin=margin)
    pairs = pair(incumbent, candidate, lower_is_better=lower_is_better)
    worse, better = in_order(pairs, lower_is_better=lower_is_better)
    difference = paired_interval(worse, better, clusters=pairs.clusters, alpha=alpha)
    notes = [*_unpaired_note(pairs), *side_notes(pairs, "A", "B", lower_is_better=lower_is_better)]
    if verdict_of(difference) == "UNDECIDED" and pairs.incumbent.repeats and pairs.candidate.repeats:
        notes += filter(None, [advice(incumbent, candidate)])
    return measured(pairs, difference, notes=notes, lower_is_better=lower_is_better, margin=margin)


def check_options(*, alpha: float, margin: float | None) -> None:
    """Raise BadInput for a level or a margin that is none."""
    if not 0 < alpha < 1:
        raise BadInput(f"alpha must lie between 0 and 1, not {alpha}.", hint="Use 0.05 for a 95% interval.")
    if margin is not None and not 0 <= margin < inf:
        raise BadInput(
            f"A margin must be a number of 0 or more, not {margin:g}.",
            hint="Give it in the unit of the score: 0.02 is two points where scores lie in 0 to 1.",
        )


def in_order(pairs: Pairs, *, lower_is_better: bool) -> tuple[Floats, Floats]:
    """Both sides' scores, turned so that second minus first is the improvement."""
    first, second = pairs.incumbent.scores, pairs.candidate.scores
    return (second, first) if lower_is_better else (first, second)


def improvements(pairs: Pairs, *, lower_is_better: bool) -> Floats:
    """Each case's improvement, 0 where rounding is all that differs."""
    worse, better = in_order(pairs, lower_is_better=lower_is_better)
    return without_rounding(better - worse, scale=float(max(np.abs(worse).max(), np.abs(better).max())))


def measured(
    pairs: Pairs,
    difference: Interval,
    *,
    notes: Sequence[str],
    lower_is_better: bool,
    margin: float | None = None,
    family: int = 1,
    alone_alpha: float | None = None,
) -> Comparison:
    """What `difference`, the interval of the improvement, says together with all that lay beside it.

    `alone_alpha` is the level at which one arm alone would get an interval as wide, if not the interval's own: what
    more cases would do is reckoned from it.
    """
    changes = improvements(pairs, lower_is_better=lower_is_better)
    wins, losses = int((changes > 0).sum()), int((changes < 0).sum())
    verdict, alpha = verdict_of(difference), difference.alpha
    alone = difference if alone_alpha is None else replace(difference, alpha=alone_alpha)
    detectable = detectable_from(alone)
    undecided = verdict == "UNDECIDED"
    return Comparison(
        verdict=verdict,
        difference=difference,
        incumbent_mean=float(pairs.incumbent.scores.mean()),
        candidate_mean=float(pairs.candidate.scores.mean()),
        wins=wins,
        losses=losses,
        ties=len(changes) - wins - losses,
        n=len(changes),
        clusters=pairs.cluster_count,
        cost=_cost(pairs, alpha=alpha),
        latency=_latency(pairs, alpha=alpha),
        detectable=detectable if isfinite(detectable) and difference.method != "none" else None,
        unpaired=pairs.unpaired,
        unit_scale=pairs.unit_scale,
        lower_is_better=lower_is_better,
        notes=tuple(notes),
        needed=further_cases(alone, len(changes), effect=difference.value) if undecided else 0,
        margin=margin,
        family=family,
    )


def comparison_shape(comparison: Comparison, *, incumbent: str = "A", candidate: str = "B") -> dict[str, Any]:
    """The object of `assay compare --json`: plain numbers, null for an infinite limit.

    With a fixed number of cases nothing stopped at a high point, so `raw` is `value`. The names are for the sentence.
    """
    unpaired, difference = comparison.unpaired, comparison.difference
    return {
        "verdict": comparison.verdict,
        "difference": {**_interval_shape(difference), "raw": difference.value},
        "wins": comparison.wins,
        "losses": comparison.losses,
        "ties": comparison.ties,
        "n": comparison.n,
        "clusters": comparison.clusters,
        "cost": change_shape(comparison.cost, "usd"),
        "latency": change_shape(comparison.latency, "p95_ms"),
        "sentence": sentence(comparison, incumbent=incumbent, candidate=candidate),
        "outlook": outlook(comparison),
        "reason": difference.reason,
        "alpha": difference.alpha,
        "margin": comparison.margin,
        "not_worse": comparison.not_worse,
        "needed": comparison.needed,
        "lower_is_better": comparison.lower_is_better,
        "incumbent_mean": comparison.incumbent_mean,
        "candidate_mean": comparison.candidate_mean,
        "detectable": comparison.detectable,
        "unpaired": {
            "incumbent": unpaired.incumbent,
            "candidate": unpaired.candidate,
            # A lone surrogate is a legal JSON string and no legal text.
            "named": [name.encode("utf-8", "replace").decode() for name in unpaired.named],
        },
        "notes": list(comparison.notes),
    }


def _cost(pairs: Pairs, *, alpha: float) -> Change | None:
    first, second = pairs.incumbent.cost_usd, pairs.candidate.cost_usd
    known = np.isfinite(first) & np.isfinite(second)
    count = int(known.sum())
    if count == 0:
        return None
    before, after = first[known], second[known]
    ratio = None
    clusters = None if pairs.clusters is None else pairs.clusters[known]
    if float(before.sum()) > 0 and _enough(count, clusters):
        ratio = bootstrap_ratio(after, before, clusters=clusters, alpha=alpha)
    return Change(float(before.sum()), float(after.sum()), count, ratio)


def _latency(pairs: Pairs, *, alpha: float) -> Change | None:
    before, first = _timed_in_both(pairs.incumbent, pairs.candidate)
    after, second = _timed_in_both(pairs.candidate, pairs.incumbent)
    if len(before) == 0:
        return None
    timed = np.unique(first)
    if pairs.clusters is not None:
        first, second = pairs.clusters[first], pairs.clusters[second]
    if not _enough(len(timed), None if pairs.clusters is None else first):
        return Change(quantile(before, 0.95), quantile(after, 0.95), len(timed), None)
    change = bootstrap_quantile_change(before, after, units_first=first, units_second=second, alpha=alpha)
    return Change(change.first, change.second, len(timed), change.ratio, change.difference)


def _timed_in_both(arm: Arm, other: Arm) -> tuple[Floats, Codes]:
    keep = np.isin(arm.latency_pairs, other.latency_pairs)
    return arm.latency_ms[keep], arm.latency_pairs[keep]


def _enough(count: int, clusters: Codes | None) -> bool:
    return count >= FEWEST_BOOTSTRAPPED and (clusters is None or len(np.unique(clusters)) >= FEWEST_CLUSTERS)


def _unpaired_note(pairs: Pairs) -> list[str]:
    unpaired = pairs.unpaired
    if not unpaired.incumbent and not unpaired.candidate:
        return []
    more = ", ..." if unpaired.incumbent + unpaired.candidate > NAMED else ""
    only = f"{counted(unpaired.incumbent, 'case')} only in A, {counted(unpaired.candidate, 'case')} only in B"
    named = ", ".join(map(shown_name, unpaired.named))
    return [f"Not paired: {only} ({named}{more}). The verdict is about the {pairs.n:,} in both."]


def side_notes(pairs: Pairs, incumbent: str, candidate: str, *, lower_is_better: bool) -> list[str]:
    """What is odd about either side's paired results, in sentences that name the side."""
    notes = []
    worst = "1, the worst" if lower_is_better else "0, the worst"
    for name, arm in ((incumbent, pairs.incumbent), (candidate, pairs.candidate)):
        if arm.failures:
            notes.append(f"Failed, so no score: {counted(arm.failures, 'result')} of {name}, counted as {worst}.")
        if arm.repeats:
            notes.append(f"Repeated in {name}: {counted(arm.repeats, 'case')}, averaged before pairing.")
    notes += _lone_columns(pairs, incumbent, candidate)
    notes += _two_scales(pairs, incumbent, candidate)
    if pairs.cluster_count == pairs.n:
        notes.append("Every cluster holds one case, which is the same as no clusters.")
    elif pairs.alone:
        notes.append(f"Without a cluster: {counted(pairs.alone, 'case')}, each counted as its own.")
    return notes


def _lone_columns(pairs: Pairs, incumbent: str, candidate: str) -> list[str]:
    """What only one side has recorded: a missing row in the figures would look like no difference."""
    first, second = pairs.incumbent, pairs.candidate
    columns = (
        ("cost_usd", bool(np.isfinite(first.cost_usd).any()), bool(np.isfinite(second.cost_usd).any())),
        ("latency_ms", len(first.latency_ms) > 0, len(second.latency_ms) > 0),
    )
    return [
        f"Only {incumbent if a else candidate} has {column}, so it is not compared."
        for column, a, b in columns
        if a != b
    ]


def _two_scales(pairs: Pairs, incumbent: str, candidate: str) -> list[str]:
    """Shares on one side and what look like points or stars on the other are more often a slip than a finding."""
    if pairs.unit_scale:
        return []
    first, second = pairs.incumbent.scores, pairs.candidate.scores
    for name, scores, other, others in ((incumbent, first, candidate, second), (candidate, second, incumbent, first)):
        inside = float(scores.min()) >= 0 and 0 < float(scores.max()) <= 1
        if inside and float(others.max()) > FAR_BEYOND_ONE:
            reach = f"those of {other} reach {float(others.max()):g}"
            return [f"Scores of {name} lie in 0 to 1, {reach}: the verdict means something only on one scale."]
    return []


def _interval_shape(interval: Interval) -> dict[str, Any]:
    return {
        "value": interval.value,
        "low": interval.low if isfinite(interval.low) else None,
        "high": interval.high if isfinite(interval.high) else None,
        "method": interval.method,
    }


def change_shape(change: Change | None, unit: str) -> dict[str, Any] | None:
    """Cost (`usd`) or latency (`p95_ms`) of both sides as JSON; None where nothing is known."""
    if change is None:
        return None
    shape: dict[str, Any] = {
        f"incumbent_{unit}": change.incumbent,
        f"candidate_{unit}": change.candidate,
        "pairs": change.pairs,
        "ratio": None if change.ratio is None else _interval_shape(change.ratio),
    }
    if unit == "p95_ms":
        shape["difference_ms"] = None if change.difference is None else _interval_shape(change.difference)
    return shape
