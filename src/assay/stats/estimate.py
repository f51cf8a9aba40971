"""What a sequential test has found so far: the verdict and the interval that inverts the very rule that gave it.

Invariant: verdict and interval never disagree: `low > 0` if and only if the verdict is PROMOTE, `high < 0` if and only
if it is WORSE. Proved on simulated streams in `tests/properties/test_sequential_properties.py`.
"""

from dataclasses import dataclass

from assay.stats.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """A verdict on candidate minus incumbent with its estimate and limits, all in score units.

    `value` is the estimate adjusted for the stop and `raw` the plain mean difference, which a stop at a high point
    inflates. `low` and `high` are each one-sided: the truth lies below `low` with probability at most `alpha`, above
    `high` with probability at most `alpha`, or the `beta` that the test was given for its upper side. `n` counts the
    units seen (cases, or clusters). `p_value` is one-sided for "not better" and stays valid however often it was looked
    at; 1.0 where a test has none. `method` names the rule, `reason` says in one sentence what decided.
    """

    verdict: Verdict
    value: float
    low: float
    high: float
    raw: float
    method: str
    n: int
    alpha: float = 0.05
    p_value: float = 1.0
    reason: str = ""
