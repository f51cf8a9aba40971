"""What a sequential test will cost and find, before a question is spent. Exact, from `assay.stats.trinomial`.

Invariant: the chances of the five verdicts sum to 1, and those of PROMOTE at a difference of 0 stay within alpha.
Proved against the published table, enumeration and simulation in `tests/oracles/test_trinomial.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, inf, log, sqrt

import numpy as np

from assay.stats.horizon import Floats
from assay.stats.rule import BinaryRule
from assay.stats.trinomial import stop_law
from assay.stats.verdict import Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Where a test ends if the truth is `difference` (score units) and the share `disagreement` of questions differs.

    `stops[verdict][n]` is the chance to end at question n with that verdict; UNDECIDED: questions or horizon ran out.
    """

    difference: float
    disagreement: float
    stops: Mapping[Verdict, Floats]

    @property
    def power(self) -> float:
        """The chance of PROMOTE."""
        return self.chances()[Verdict.PROMOTE]

    @property
    def items(self) -> float:
        """The expected number of questions."""
        ends = self._ends()
        return float(np.arange(len(ends)) @ ends)

    def chances(self, by: int | None = None) -> dict[Verdict, float]:
        """The chance of each verdict, at question `by` or before; without it, in the end."""
        upto = None if by is None else by + 1
        return {verdict: float(chance[:upto].sum()) for verdict, chance in self.stops.items()}

    def quantile(self, share: float) -> int:
        """The number of questions within which the test ends with probability `share`."""
        if not 0 < share < 1:
            raise ValueError(f"a share lies between 0 and 1, not {share}")
        return int(np.searchsorted(np.cumsum(self._ends()), share))

    def _ends(self) -> Floats:
        return np.asarray(sum(self.stops.values()), np.float64)


def forecast(rule: BinaryRule, *, difference: float, disagreement: float, items: int | None = None) -> Forecast:
    """The forecast for `rule`, with `items` questions (default: the rule's, or as many as the horizon lasts).

    Raises `ValueError` where |difference| > disagreement or disagreement is not in (0, 1].
    """
    if not 0 < disagreement <= 1:
        raise ValueError(f"the share of questions that differ lies between 0 and 1, not {disagreement}")
    enough = ceil((rule.horizon + 8 * sqrt(rule.horizon) + 64) / disagreement)
    law = stop_law(rule, difference=difference, disagreement=disagreement, items=items or rule.items or enough)
    return Forecast(difference, disagreement, law.chance)


def horizon_for(items: int, disagreement: float) -> int:
    """The horizon for `items` questions of which the share `disagreement` is expected to differ: their product."""
    if items < 1 or not 0 <= disagreement <= 1:
        raise ValueError(f"{items} questions of which {disagreement} differ make no plan")
    return max(1, round(items * disagreement))


def questions_expected(difference: float, disagreement: float, *, alpha: float = 0.05) -> float:
    """Questions until evidence of 1/alpha is expected: ln(1/alpha) / (disagreement · KL), infinite at no difference.

    KL = p ln 2p + (1-p) ln 2(1-p) is what a question that differs adds on average when it is won with chance p. A rule
    of thumb for a first look; `forecast` knows the test's boundary and its end.
    """
    if not abs(difference) <= disagreement <= 1:
        raise ValueError(f"{disagreement} of questions differ, so the difference cannot be {difference}")
    if difference == 0:
        return inf
    shares = ((1 + difference / disagreement) / 2, (1 - difference / disagreement) / 2)
    return log(1 / alpha) / (disagreement * sum(p * log(2 * p) for p in shares if p > 0))
