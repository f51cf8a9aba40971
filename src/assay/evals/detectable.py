"""The smallest difference that a set of cases can show, before anything is asked.

Proved by `tests/unit/evals/test_plan.py` against the sample-size formula of `assay.stats.power`.
"""

import math
from statistics import fmean, stdev

from assay.evals.runs import RunRecord, Runs
from assay.stats.power import detectable_effect

DISCORDANCES = (0.10, 0.16, 0.25)
"""Shares of cases on which two systems differ, from alike to unlike; .16 is usual for a changed setting."""

_RUNS_LOOKED_AT = 50


def detectable(cases: int, discordance: float) -> float | None:
    """The smallest difference of two rates that `cases` paired cases show when the systems differ on that share.

    Solves n = r² (disc - effect²)/effect² (Miller 2024, eq. 9) for the effect; None where even all differing cases
    going one way would not do.
    """
    if not cases:
        return None
    reach = detectable_effect(1, variance=1.0)
    effect = math.sqrt(reach**2 * discordance / (cases + reach**2))
    return effect if effect <= discordance else None


def measured_effects(runs: Runs, set_digest: str, cases: int) -> dict[str, float]:
    """By metric, what `cases` cases show if they spread as the differences of the last two runs on them did."""
    done: list[RunRecord] = [
        run for run in runs.list(_RUNS_LOOKED_AT, set_digest=set_digest) if run.status == "done" and run.results
    ][:2]
    if len(done) < 2 or cases < 2 or done[0].spec.subject == done[1].spec.subject:
        return {}
    new, old = (_case_means(runs, run.id) for run in done)
    found = {}
    for metric in new.keys() & old.keys():
        both = new[metric].keys() & old[metric].keys()
        differences = [new[metric][ordinal] - old[metric][ordinal] for ordinal in both]
        if len(differences) > 1 and (spread := stdev(differences)) > 0:
            found[metric] = detectable_effect(len(differences), variance=spread**2)
    return dict(sorted(found.items()))


def _case_means(runs: Runs, run_id: str) -> dict[str, dict[int, float]]:
    sums: dict[str, dict[int, list[float]]] = {}
    for one in runs.results(run_id, outputs=False):
        for metric, score in one.scores.items():
            if score.value is not None:
                sums.setdefault(metric, {}).setdefault(one.ordinal, []).append(score.value)
    return {metric: {ordinal: fmean(of) for ordinal, of in cases.items()} for metric, cases in sums.items()}
