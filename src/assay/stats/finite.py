"""Who wins on this very set of questions? A test by betting that draws them without replacement.

With N questions in a random order, the null "the mean over all N is at most m" fixes the mean of those still to come:
after t of them it is (N·m - S_t)/(N - t), so every bet is made against a null that follows the results (Waudby-Smith
and Ramdas 2020, arXiv 2006.04347). Once the lead exceeds what the rest could undo, the null is impossible, the wealth
infinite and the verdict certain; with the last question the mean is known.

It says nothing about questions outside the set: for those use `BettingTest` or `SequentialBinary`.

Invariant: as `BettingTest`; and an answer that is certain never contradicts the full set. Proved in
`tests/oracles/test_betting.py`.
"""

from collections.abc import Collection
from typing import ClassVar

from assay.stats.betting import BettingTest
from assay.stats.verdict import Verdict

_HAIR = 1e-9  # sums of scores such as thirds miss their value by rounding


class FiniteSetTest(BettingTest):
    """Is the mean difference over all `size` questions above 0? Valid after every question of a random order.

    Settings as for `BettingTest`. After the last question `low` and `high` are the mean itself and every verdict is
    certain, also where a bet had been lucky: a tie is NOT_BETTER (NOT_WORSE if a margin was stated). Further
    differences raise `ValueError`.
    """

    kind: ClassVar[str] = "betting-finite"

    def __init__(
        self,
        size: int,
        alpha: float = 0.05,
        *,
        smallest: float | None = None,
        beta: float = 0.05,
        margin: float | None = None,
        low: float = -1.0,
        high: float = 1.0,
        go_on_after: Collection[Verdict] = (),
    ) -> None:
        if size < 1:
            raise ValueError(f"a set has at least one question, not {size}")
        super().__init__(
            alpha, smallest=smallest, beta=beta, margin=margin, low=low, high=high, go_on_after=go_on_after
        )
        self.size = self._size = size

    @property
    def complete(self) -> bool:
        """Whether every question has been answered, so that nothing is left to chance."""
        return self.n == self.size

    def update(self, difference: float) -> Verdict:
        """Fold in the next difference; raises `ValueError` outside the range or after the last question."""
        if self.complete:
            raise ValueError(f"all {self.size} questions have been answered: state the size of the whole set")
        verdict = super().update(difference)
        return self._settled() if self.n == self._size else verdict

    def limits(self) -> tuple[float, float]:
        """The running intersection of the intervals so far; both are the mean itself after the last question."""
        return (self.raw, self.raw) if self.complete else super().limits()

    def _null(self, point: float) -> float:
        return (self._size * point - self._total) / (self._size - self.n)

    def _settled(self) -> Verdict:
        """The whole set is known: what was shown gives way to what is so."""
        above = {claim for claim, point in self._above.items() if self.raw > point + _HAIR}
        below = {claim for claim, point in self._below.items() if self.raw < point - _HAIR}
        self.shown, self.over = frozenset(above | below), True
        ranked = (Verdict.PROMOTE, Verdict.WORSE, Verdict.NOT_WORSE, Verdict.NOT_BETTER)
        self.verdict = next((claim for claim in ranked if claim in self.shown), Verdict.NOT_BETTER)
        return self.verdict

    @classmethod
    def _settings(cls) -> tuple[str, ...]:
        return ("size", *super()._settings())
