"""Many changes tried on one set of questions: how much error each decision may spend, whatever the others did.

Online fallback (Tian and Ramdas 2021, "Online control of the familywise error rate", Stat. Methods Med. Res. 30:976,
arXiv 1910.04900): decision t is tested at alpha_t = alpha·gamma_t + (alpha_{t-1} if decision t-1 was rejected), with
gamma_t = 1/(t(t+1)), which sums to one. A promotion hands on the alpha it was tested at; a failure spends it.

Why it holds for any dependence, such as the same questions every time: before the first wrong promotion every promoted
change was better, so the alpha of an equal change t is at most alpha times the gammas from just after the last equal
change up to t. Those stretches do not overlap, so their sum is at most alpha. It needs a test that rejects less when
given less alpha, and changes chosen without looking at results on these questions (a promotion itself may be known).
Invariant: the alphas of decisions that were not rejected, together with `left`, never exceed `alpha`.
Proved by simulation on one shared set of questions, with and without real improvements: `tests/oracles/test_online.py`.
"""

from dataclasses import dataclass, replace


def gamma(t: int) -> float:
    """The share of alpha of decision t = 1, 2, ...: 1/(t(t+1)); all from t on sum to 1/t."""
    if t < 1:
        raise ValueError(f"decisions are counted from 1, not {t}")
    return 1 / (t * (t + 1))


@dataclass(frozen=True, slots=True)
class Spending:
    """The evidence budget of one set of questions: `step` counts the next decision from 1, `carried` is the alpha that
    a promotion just handed on. Three numbers are the whole state; every change returns a new one."""

    alpha: float = 0.05
    step: int = 1
    carried: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, not {self.alpha}")
        if self.step < 1 or not 0 <= self.carried <= self.alpha:
            raise ValueError(f"no budget is at step {self.step} with {self.carried:g} carried of {self.alpha:g}")

    @property
    def next(self) -> float:
        """The level at which the next decision may be tested."""
        return min(self.alpha, self.alpha * gamma(self.step) + self.carried)

    @property
    def left(self) -> float:
        """What the next and all later decisions share: alpha/step plus what was carried; `alpha` at the start."""
        return min(self.alpha, self.alpha / self.step + self.carried)

    def spent(self, rejected: bool) -> "Spending":
        """The budget after a decision at `next`. Rejecting (a promotion) hands that alpha on to the next decision."""
        return replace(self, step=self.step + 1, carried=self.next if rejected else 0.0)

    def charge(self) -> "Spending":
        """The budget after a question was opened: one step's own share is gone without a test. What a promotion
        handed on stays, because no equal change was tested with it."""
        return replace(self, step=self.step + 1)
