"""Many candidates against one incumbent: one test for all of them, so that the best of many errs as rarely as one.

Sign flips of the same cases (whole clusters) for every candidate, and the largest of all their statistics as the bar:
`assay.stats.max_t`. Where little happened its limits are too narrow (as t's are: `paired_interval`), so there they are
widened to those of one candidate at alpha/K; the test of no difference, exact by itself, keeps its say.
Invariant: BETTER or WORSE exactly where the simultaneous interval leaves out 0, which is where the adjusted p-value is
at most alpha; the order of the candidates changes nothing but order. Proved by the family-wise error and the joint
coverage of simulated families in `tests/oracles/test_many_arms.py`.
"""

from collections.abc import Sequence
from math import inf, isinf
from typing import Any

import numpy as np

from assay.decisions.compare import (
    check_options,
    comparison_shape,
    improvements,
    in_order,
    measured,
    side_notes,
)
from assay.decisions.comparison import ComparedArm, Family
from assay.decisions.figures import all_of, counted, shown_name
from assay.decisions.pairs import NAMED, Pairs, pair_all
from assay.decisions.results import Scored
from assay.decisions.sentence import caveat, headline
from assay.errors import BadInput
from assay.stats.clusters import Floats, as_codes, cluster_sums
from assay.stats.interval import Interval
from assay.stats.mean import FEW_CASES, adjusted_t_of
from assay.stats.paired import FEW_DIFFERENT, paired_interval
from assay.stats.permutation import MaxT, max_t

Named = tuple[str, Sequence[Scored]]

METHOD = "max-t"
SMALLEST_ALPHA = 0.001
"""A smaller one would rest on the few largest of 10,000 random flips."""
_FLIPS = 10_000
_FLIPS_OF_MANY = 2_000  # each costs a sign per unit
_MANY_UNITS = 2_000


def compare_many(
    incumbent: Named,
    candidates: Sequence[Named],
    *,
    alpha: float = 0.05,
    lower_is_better: bool = False,
    margin: float | None = None,
) -> Family:
    """Compare each candidate with the incumbent, on the cases that all of them have; `alpha` is for all together.

    Raises BadInput as `compare` does, for no candidates, for two sides of one name, and for `alpha` under .001.
    """
    check_options(alpha=alpha, margin=margin)
    names = [name for name, _ in (incumbent, *candidates)]
    if not candidates or len(set(names)) < len(names):
        raise BadInput("Candidates need a name each, and there must be one.", hint="Name every side once.")
    if alpha < SMALLEST_ALPHA:
        raise BadInput(
            f"alpha {alpha:g} is too small for many candidates: the smallest is {SMALLEST_ALPHA:g}.",
            hint="Use a larger alpha, or compare the one candidate that matters.",
        )
    # Sorted: sums of floats, and so limits, must not depend on the order in which candidates were named.
    ordered = sorted(candidates, key=lambda named: named[0])
    paired = pair_all(
        [(shown_name(name), rows) for name, rows in (incumbent, *ordered)], lower_is_better=lower_is_better
    )
    differences = np.stack([improvements(pairs, lower_is_better=lower_is_better) for pairs in paired])
    units = paired[0].cluster_count or paired[0].n
    flips = _FLIPS if units <= _MANY_UNITS or alpha < 0.01 else _FLIPS_OF_MANY
    tested = max_t(differences, paired[0].clusters, alpha, draws=flips)
    left_out = _left_out(paired, [shown_name(incumbent[0]), *(shown_name(name) for name, _ in ordered)])
    arms = {}
    for place, ((name, _), pairs) in enumerate(zip(ordered, paired, strict=True)):
        difference, p = _simultaneous(tested, place, pairs, differences[place], lower_is_better=lower_is_better)
        notes = side_notes(pairs, shown_name(incumbent[0]), shown_name(name), lower_is_better=lower_is_better)
        comparison = measured(
            pairs,
            difference,
            notes=[*left_out, *notes],
            lower_is_better=lower_is_better,
            margin=margin,
            family=len(candidates),
            alone_alpha=_alone_alpha(tested.critical, alpha),
        )
        arms[name] = ComparedArm(name, comparison, p)
    in_turn = tuple(arms[name] for name, _ in candidates)
    said = dict.fromkeys(note for arm in in_turn for note in arm.comparison.notes)
    return Family(incumbent[0], in_turn, alpha, (*said, *_alike(ordered, differences)))


def family_shape(family: Family) -> dict[str, Any]:
    """The object of `assay compare --json` for many candidates; `verdict` is that of the one with the largest gain."""
    first = family.arms[0].comparison
    return {
        "verdict": family.top.comparison.verdict,
        "best": None if family.best is None else _text(family.best.name),
        "arms": [
            {
                "name": _text(arm.name),
                "p_adjusted": arm.p_adjusted,
                **comparison_shape(
                    arm.comparison, incumbent=_text(shown_name(family.incumbent)), candidate=_text(shown_name(arm.name))
                ),
            }
            for arm in family.arms
        ],
        "incumbent": _text(family.incumbent),
        "method": METHOD,
        "alpha": family.alpha,
        "n": first.n,
        "clusters": first.clusters,
        "lower_is_better": first.lower_is_better,
        "incumbent_mean": first.incumbent_mean,
        "sentence": _text(headline(family)),
        "caveat": _text(caveat(family)),
        "notes": [_text(note) for note in family.notes],
    }


def _simultaneous(
    tested: MaxT, place: int, pairs: Pairs, changes: Floats, *, lower_is_better: bool
) -> tuple[Interval, float]:
    """The arm's interval among all, and its adjusted p-value: 1 where no interval could be given to agree with it."""
    found, p, arms = tested.intervals[place], tested.p[place], len(tested.p)
    codes = as_codes(pairs.clusters, pairs.n)
    differing = int(np.count_nonzero(cluster_sums(changes, codes).sums))
    units = counted(found.n, "case" if codes is None else "cluster")
    reason = f"the same {units} flipped for {all_of(arms)} candidates, {differing} of them differ"
    low, high, method = found.low, found.high, found.method
    bounded = method != "none"
    if not bounded or differing < FEW_DIFFERENT or (codes is None and pairs.n < FEW_CASES):
        wider = _wider(pairs, changes, share=found.alpha / arms, lower_is_better=lower_is_better)
        if not bounded:
            low, high, method = min(wider.low, 0.0), max(wider.high, 0.0), wider.method
        elif wider.method != "none":
            # Where no difference is refuted it stays so: that test needs no approximation.
            low = low if low > 0 else min(low, wider.low)
            high = high if high < 0 else max(high, wider.high)
            method = f"{METHOD}+{wider.method}"
    bound = 1.0 if pairs.unit_scale else inf
    low, high = max(low, -bound), min(high, bound)
    if isinf(low) and isinf(high):
        method = "none"
    if method == "none":
        reason += ", too few to bound anything"
    shown = low > 0 or high < 0
    interval = Interval(found.value, low, high, method, found.n, found.alpha, reason)
    return interval, p if (p <= found.alpha) == shown else 1.0


def _wider(pairs: Pairs, changes: Floats, *, share: float, lower_is_better: bool) -> Interval:
    """This arm's interval alone at its share of alpha, made for data in which little happens."""
    worse, better = in_order(pairs, lower_is_better=lower_is_better)
    codes = as_codes(pairs.clusters, pairs.n)
    if codes is None or int(codes.max()) == 0:
        return paired_interval(worse, better, clusters=codes, alpha=share)
    both = np.concatenate([worse, better])
    scale = 1.0 if pairs.unit_scale else float(both.max() - both.min()) or inf
    return adjusted_t_of(cluster_sums(changes, codes), scale=scale, alpha=share)


def _alone_alpha(critical: float, alpha: float) -> float | None:
    """The level at which one arm's statistic has this critical value; None where nothing can be rejected."""
    from scipy.special import ndtr

    alone = 2 * float(ndtr(-critical))
    return min(alpha, alone) if alone > 0 else None


def _left_out(paired: list[Pairs], names: list[str]) -> list[str]:
    """Which cases are not in every file, counted by file and the first few named."""
    counts = [paired[0].unpaired.incumbent, *(pairs.unpaired.candidate for pairs in paired)]
    if not any(counts):
        return []
    named = list(dict.fromkeys(case for pairs in paired for case in pairs.unpaired.named))
    more = ", ..." if len(named) > NAMED or max(counts) > len(named) else ""
    by_file = ", ".join(
        f"{counted(count, 'case')} of {name}" for count, name in zip(counts, names, strict=True) if count
    )
    some = ", ".join(map(shown_name, named[:NAMED]))
    return [f"Not in every file: {by_file} ({some}{more}). The verdicts are about the {paired[0].n:,} in all."]


def _alike(ordered: Sequence[Named], differences: Floats) -> list[str]:
    """Candidates that score the same in every case: more often one file copied than two systems."""
    seen: dict[bytes, str] = {}
    notes = []
    for (name, _), row in zip(ordered, differences, strict=True):
        twin = seen.setdefault(row.tobytes(), name)
        if twin != name:
            notes.append(f"{shown_name(twin)} and {shown_name(name)} have the same score in every case.")
    return notes


def _text(name: str) -> str:
    """A lone surrogate is a legal file name and no legal text."""
    return name.encode("utf-8", "replace").decode()
