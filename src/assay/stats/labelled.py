"""People label while somebody watches: candidate minus incumbent by betting on labels, with the judge's help.

Cases are drawn uniformly, with replacement, from a pool the judge has scored throughout; J is its difference on a case,
J̄ its mean over the pool, D people's difference. x = r·J̄ + (D - r·J) has the pool's true mean whatever the judge is and
whatever r in [0, 1] was chosen from earlier labels, and varies less where the judge is good. Betting on x is then valid
after every label (anytime-valid PPI: arXiv 2505.18000; the bets: `assay.stats.wealth`). Its target is this pool.
Invariant: `low > 0` iff PROMOTE, `high < 0` iff WORSE. Proved with a judge that flatters: `tests/oracles/test_ppi.py`.
"""

from math import inf, log, nextafter

import numpy as np

from assay.stats.estimate import Evidence
from assay.stats.verdict import Verdict
from assay.stats.wealth import Floats, Wealth, payoffs, reach, supremum

_LEARNING = 10  # labels before the judge is trusted at all


class LabelledBetting:
    """Is the candidate better on this pool, by people's word? PROMOTE or WORSE, looked at after every label.

    `judge_mean` is J̄, fixed before the first label. `alpha` is the chance of ever claiming PROMOTE wrongly, `beta` of
    ever claiming WORSE wrongly. The first verdict stays.
    """

    def __init__(self, judge_mean: float, alpha: float = 0.05, *, beta: float = 0.05) -> None:
        if not -1 <= judge_mean <= 1:
            raise ValueError(f"the judge's mean difference lies between -1 and 1, not at {judge_mean}")
        self.judge_mean, self.alpha, self.beta = float(judge_mean), alpha, beta
        self.verdict = Verdict.UNDECIDED
        self._needed = (reach(alpha), reach(beta))
        self._wealth = Wealth(2)
        self._best = 1.0
        self._rows: list[tuple[float, float]] = []  # x and the weight it was made with
        self._sums = np.zeros(5)  # n, sums of D, J, D·J, J²

    @property
    def n(self) -> int:
        """How many labels count."""
        return len(self._rows)

    @property
    def weight(self) -> float:
        """How far the judge is trusted for the next label, from 0 to 1: Cov(D, J)/Var(J) of the labels so far."""
        n, d, j, dj, jj = self._sums
        spread = n * jj - j * j
        return float(min(max((n * dj - d * j) / spread, 0.0), 1.0)) if n >= _LEARNING and spread > 1e-12 else 0.0

    @property
    def raw(self) -> float:
        """The mean of x: an estimate that a stop at a high point inflates. 0 before the first label."""
        return float(np.mean([x for x, _ in self._rows])) if self._rows else 0.0

    def update(self, difference: float, judge: float) -> Verdict:
        """Fold in people's difference of the next drawn case and the judge's, both in [-1, 1]; a case drawn again
        counts again. After a verdict nothing changes."""
        d, j = float(difference), float(judge)
        if not (-1 <= d <= 1 and -1 <= j <= 1):
            raise ValueError(f"differences lie between -1 and 1, not at {d} and {j}")
        if self.verdict is not Verdict.UNDECIDED:
            return self.verdict
        weight = self.weight
        x = weight * self.judge_mean + d - weight * j
        self._rows.append((x, weight))
        self._sums += (1.0, d, j, d * j, j * j)
        low, high = self._ends(weight)
        up, down = self._wealth.after([(x - low) / -low, (high - x) / high])
        self._best = max(self._best, up)
        if up >= self._needed[0]:
            self.verdict = Verdict.PROMOTE
        elif down >= self._needed[1]:
            self.verdict = Verdict.WORSE
        return self.verdict

    def evidence(self) -> Evidence:
        """The verdict with the always-valid interval of the same bets. `value` is the raw mean, held inside the
        interval: it isn't adjusted for the stop."""
        low, high = self._limits()
        raw = self.raw
        return Evidence(
            verdict=self.verdict,
            value=min(max(raw, low), high),
            low=low,
            high=high,
            raw=raw,
            method="labelled-betting",
            n=self.n,
            alpha=self.alpha,
            p_value=min(1.0, 1 / self._best),
            reason=f"{self.n} labels drawn from the judged pool, judge trusted by {self.weight:.2f}",
        )

    def _ends(self, weight: float) -> tuple[float, float]:
        """The least and the most that x can be."""
        centre, reach_ = weight * self.judge_mean, 1 + weight
        return centre - reach_, centre + reach_

    def _limits(self) -> tuple[float, float]:
        rows = np.array(self._rows).reshape(-1, 2)
        x, centre, width = rows[:, 0], rows[:, 1] * self.judge_mean, 1 + rows[:, 1]
        low = -1 + _refuted(x - centre + width, width - centre - 1, self.alpha)
        high = 1 - _refuted(centre + width - x, width + centre - 1, self.beta)
        # Sums in another order differ in the last digit: at zero the bets themselves have the word.
        low = max(low, nextafter(0, inf)) if self.verdict is Verdict.PROMOTE else min(low, 0.0)
        high = min(high, nextafter(0, -inf)) if self.verdict is Verdict.WORSE else max(high, 0.0)
        return (low, high) if low <= high else ((low + high) / 2,) * 2


def _refuted(distances: Floats, offsets: Floats, level: float) -> float:
    """How far from the end of [-1, 1] the mean is refuted: the largest m in [0, 2] with a fair bet's wealth at 1/level,
    where the distance of step t from the end of what is possible is m + offsets[t] in the mean."""
    kept, refuted, target = 2.0, 0.0, log(reach(level))
    for _ in range(40):
        middle = (refuted + kept) / 2
        if supremum(payoffs(distances, middle + offsets)) >= target:
            refuted = middle
        else:
            kept = middle
    return refuted
