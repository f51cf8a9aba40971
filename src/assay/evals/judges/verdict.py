"""What a judge may be used for, in words: every sentence rests on a figure of the check and on a stated rule.

Rules: 100 labels, 30 clusters and 10 of the rarer kind, else nothing is said; a judge with
phi^2 under .2 saves at most a fifth of the labels and does not compare systems; one that errs more on one arm than on
another does not compare them at all; and no judge alone claims quality: what it supports without fresh labels on the
very answers is JUDGE-SUPPORTED, with them HUMAN-CALIBRATED.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, isnan

from assay.stats.agreement import FEWEST_CLUSTERS, Confusion
from assay.stats.interval import Interval

FEWEST_LABELS = 100
FEWEST_RARE = 10
LEAST_PHI_SQUARED = 0.2
WIDEST_GAP = 0.1


@dataclass(frozen=True, slots=True)
class Uses:
    """What the judge may be used for: `triage`, to choose what people look at; `rate`, to estimate a rate beside human
    labels; `difference`, to compare systems beside human labels."""

    triage: bool
    rate: bool
    difference: bool


def verdict(
    *,
    table: Confusion,
    phi: Interval,
    kappa: Interval,
    base_rate: float,
    arms: int,
    unequal: Sequence[str],
    widest_gap: float | None,
    consistent: Interval | None,
    lean: Interval | None,
    slope: Interval | None,
    human_kappa: float | None,
    failed: int,
    n: int,
) -> tuple[Uses, tuple[str, ...]]:
    """The uses and the sentences, the most important first."""
    uses, words = _uses(table, phi, arms, unequal, widest_gap)
    words += _biases(consistent, lean, slope)
    if human_kappa is not None and not isnan(human_kappa) and not isnan(kappa.value):
        reached = kappa.high >= human_kappa
        words.append(
            f"People agree with each other at kappa {human_kappa:.2f}; the judge agrees with them at {kappa.value:.2f}"
            + (", as well as people do." if reached else ", less than people do.")
        )
    if not 0.2 <= base_rate <= 0.8:
        words.append(
            f"{base_rate:.0%} of the labels are good: plain agreement is high by that alone; read kappa, AC1 and phi."
        )
    if failed:
        words.append(f"It gave no usable verdict on {failed} of {n} cases.")
    return uses, tuple(words)


def _uses(
    table: Confusion, phi: Interval, arms: int, unequal: Sequence[str], widest_gap: float | None
) -> tuple[Uses, list[str]]:
    rare = min(
        table.true_positives + table.false_negatives,
        table.false_positives + table.true_negatives,
    )
    if table.n < FEWEST_LABELS or rare < FEWEST_RARE:
        return Uses(False, False, False), [
            f"Too few labels to say what it is good for: {table.n}, of which {rare} of the rarer kind. Label "
            f"{FEWEST_LABELS} or more, {FEWEST_RARE} of the rarer kind."
        ]
    if not isfinite(phi.low):
        too_few = f"Too few clusters to say what it is good for: {phi.n}. Label cases of {FEWEST_CLUSTERS} or more."
        constant = "Do not use it: it gave one and the same verdict throughout."
        return Uses(False, False, False), [constant if isnan(phi.value) else too_few]
    saves = phi.value**2
    if phi.low <= 0:
        how = "it contradicts people" if phi.high < 0 else "that it agrees with people beyond chance is not shown"
        return Uses(False, False, False), [f"Do not use it: {how} (phi {_shown(phi)})."]
    if saves < LEAST_PHI_SQUARED:
        return Uses(True, False, False), [
            f"Use it to choose what people look at, and for nothing else: phi is {_shown(phi)}, so it can save "
            f"{saves:.0%} of the labels at most. Do not compare systems with it."
        ]
    words = [
        f"Use it beside human labels to estimate a rate: phi is {_shown(phi)}, so it can save up to {saves:.0%} of "
        f"the labels. Its own mean is not a rate of quality."
    ]
    if phi.low**2 < LEAST_PHI_SQUARED:
        words.append("The interval reaches below the phi of .45 that is asked for: more labels would settle it.")
    if unequal:
        words.append(
            f"Do not compare these systems with it: it errs differently on them ({'; '.join(unequal)}), so a "
            "difference it shows may be its own."
        )
        return Uses(True, True, False), words
    if arms < 2 or widest_gap is None:
        words.append(
            "Whether it errs alike on two systems is not known: the labels name no arms. A difference it shows is "
            "JUDGE-SUPPORTED at most."
        )
        return Uses(True, True, False), words
    if widest_gap > WIDEST_GAP:
        words.append(
            f"That it errs alike on both systems is not shown: a gap of up to {widest_gap:.0%} is possible. A "
            "difference it shows is JUDGE-SUPPORTED; label where it sees one."
        )
        return Uses(True, True, False), words
    words.append("It errs alike on these systems as far as the labels show: compare them with it and fresh labels.")
    return Uses(True, True, True), words


def _biases(consistent: Interval | None, lean: Interval | None, slope: Interval | None) -> list[str]:
    words = []
    if consistent is not None and lean is not None:
        place = "the first" if lean.low > 0.5 else "the second" if lean.high < 0.5 else None
        words.append(
            f"In {consistent.value:.0%} of pairs its verdict survives swapping the answers; "
            + (f"it favours {place} place. Always ask in both orders." if place else "no favourite place is shown.")
        )
    if slope is not None and (slope.low > 0 or slope.high < 0):
        which = "longer" if slope.value > 0 else "shorter"
        words.append(
            f"It overrates {which} answers: {abs(slope.value):.2f} more in the longest third than in the shortest."
            if slope.value > 0
            else f"It overrates {which} answers: {abs(slope.value):.2f} more in the shortest third than in the longest."
        )
    return words


def _shown(interval: Interval) -> str:
    return f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]"
