"""Is the candidate better, on answers that are right or wrong? A test that may be looked at after every question.

State is five numbers, an update is O(1). PROMOTE and WORSE use the exact-horizon boundary of `assay.stats.horizon`,
NOT_BETTER and NOT_WORSE the shifted evidence of `assay.stats.shifted`.

Invariant: the chance to promote what is not better is at most `alpha`, however often anyone looks; verdict and interval
never disagree. Conditions: questions in an order fixed before the first result and folded in that order, independent of
each other (clusters: `ClusterLooks`), a candidate that does not change, errors counted as wrong answers.
Proved by `tests/oracles/test_horizon.py`, `test_trinomial.py`, and `tests/properties/test_sequential_properties.py`.
"""

from collections.abc import Collection, Mapping
from math import ceil, inf, nextafter
from typing import Any, Self

import numpy as np

from assay.stats.estimate import Evidence
from assay.stats.horizon import calibrate, log_e_now, p_value
from assay.stats.planning import Forecast, forecast, questions_expected
from assay.stats.rule import BinaryRule
from assay.stats.shifted import lower_limit, shows
from assay.stats.stagewise import last_look_p, promoted_low, unbiased
from assay.stats.trinomial import mean_first
from assay.stats.verdict import Verdict

_STRONGER = {Verdict.NOT_WORSE: Verdict.PROMOTE, Verdict.NOT_BETTER: Verdict.WORSE}


class SequentialBinary:
    """Sequential test of candidate minus incumbent from d = 1 (won), -1 (lost), 0 (tied) per question.

    - `alpha`: the chance to promote what is not better; the same again to call worse what is not.
    - `horizon`: how many questions that *differ* (wins plus losses) it may use. Expected items times the share that
      differs is a good choice; another share than expected costs power, never validity.
    - `items`: how many questions there are. At the last one the alpha that is left is spent on one more look.
    - `smallest`: the smallest difference that matters; enables NOT_BETTER, wrong with probability at most `beta`.
    - `margin`: how much worse is still acceptable; enables NOT_WORSE, wrong with probability at most `alpha`.
    - `a`: the prior Beta(a, a) over win shares; 5 suits gains of a few points.
    - `go_on_after`: NOT_WORSE, NOT_BETTER or both: reported, but the test goes on for PROMOTE or WORSE.

    The first verdict stays for ever, except that NOT_WORSE may become PROMOTE and NOT_BETTER may become WORSE where
    the test was told to go on after them.
    """

    __slots__ = ("_boundary", "_peak", "losses", "n", "over", "rule", "shown", "verdict", "wins")

    def __init__(
        self,
        alpha: float = 0.05,
        horizon: int = 130,
        *,
        items: int | None = None,
        smallest: float | None = None,
        beta: float = 0.05,
        margin: float | None = None,
        a: float = 5.0,
        go_on_after: Collection[Verdict] = (),
    ) -> None:
        self.rule = BinaryRule(alpha, horizon, items, smallest, beta, margin, a, frozenset(go_on_after))
        self._boundary = calibrate(horizon, alpha, a)
        self.n = self.wins = self.losses = 0
        self._peak = 0.0
        self.over = False
        self.verdict = Verdict.UNDECIDED
        self.shown: frozenset[Verdict] = frozenset()

    @property
    def ties(self) -> int:
        """Questions on which the two did equally well."""
        return self.n - self.wins - self.losses

    def update(self, d: float) -> Verdict:
        """Fold in the next question; returns the verdict so far. Once `over`, further results change nothing.

        Raises `ValueError` for anything but -1, 0 and 1.
        """
        if isinstance(d, bool | np.bool_) or d not in (-1, 0, 1):
            raise ValueError(f"a result is -1 (lost), 0 (tied) or 1 (won), not {d!r}")
        if self.over:
            return self.verdict
        self.n += 1
        if d > 0:
            self.wins += 1
            if self.wins > self.losses:
                self._peak = max(self._peak, log_e_now(self.wins, self.losses, self.rule.a))
        elif d < 0:
            self.losses += 1
        self._look(int(d))
        return self.verdict

    def evidence(self) -> Evidence:
        """The verdict with the limits that invert it and the stop-adjusted estimate; cheap enough for a live page.

        `low` holds at level `alpha`, `high` at `beta` (at `alpha` once the verdict is WORSE).
        """
        low, high = self.limits()
        raw = (self.wins - self.losses) / self.n if self.n else 0.0
        return Evidence(
            verdict=self.verdict,
            value=min(max(self._value(), low), high),  # binds at levels above .2 only
            low=low,
            high=high,
            raw=raw,
            method="exact-horizon",
            n=self.n,
            alpha=self.rule.alpha,
            p_value=self._p_value(),
            reason=self._reason(),
        )

    def plan(self, difference: float, disagreement: float, *, items: int | None = None) -> Forecast:
        """Power, expected questions and the chance to stop by n, from the first question on, at a supposed truth."""
        return forecast(self.rule, difference=difference, disagreement=disagreement, items=items)

    def needed(self) -> int | None:
        """How many more questions would decide, were the estimate the truth: a rule of thumb, not a promise.

        The estimate counts as at least `smallest` where that was stated. 0 once over a verdict; None where nothing
        differed yet or the estimate is 0.
        """
        if self.verdict is not Verdict.UNDECIDED:
            return 0
        share = (self.wins + self.losses) / self.n if self.n else 0.0
        difference = min(max(abs(self._value()), self.rule.smallest or 0.0), share)
        if difference == 0:
            return None
        return max(1, ceil(questions_expected(difference, share, alpha=self.rule.alpha) - self.n))

    def state(self) -> dict[str, Any]:
        """Rule and counts as plain JSON values; `from_state` goes on from there."""
        rule = {name: getattr(self.rule, name) for name in BinaryRule.__slots__}
        return {
            **rule,
            "go_on_after": sorted(self.rule.go_on_after),
            "n": self.n,
            "wins": self.wins,
            "losses": self.losses,
            "peak": self._peak,
            "verdict": str(self.verdict),
            "shown": sorted(self.shown),
            "over": self.over,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The test that `state` was taken from; raises `ValueError` for a state no test can be in."""
        try:
            options = {name: state[name] for name in BinaryRule.__slots__}
            options["go_on_after"] = [Verdict(name) for name in options["go_on_after"]]
            test = cls(**options)
            test.n, test.wins, test.losses = (int(state[name]) for name in ("n", "wins", "losses"))
            test._peak, test.over = float(state["peak"]), bool(state["over"])
            test.verdict, test.shown = Verdict(state["verdict"]), frozenset(Verdict(name) for name in state["shown"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is not the state of a sequential test: {error}") from error
        differ = test.wins + test.losses
        if min(test.wins, test.losses, test.ties) < 0 or differ > test.rule.horizon:
            raise ValueError(f"no test has {test.wins} wins and {test.losses} losses of {test.n} questions")
        return test

    def _look(self, d: int) -> None:
        """Which rules fire now: each can only fire on a result that speaks for it."""
        rule, differ = self.rule, self.wins + self.losses
        last = self.n == rule.items
        enough = self._boundary.final[differ] if last else self._boundary.wins[differ]
        if (d > 0 or last) and self.wins >= enough:
            self._show(Verdict.PROMOTE)
        if (d < 0 or last) and self.losses >= enough:
            self._show(Verdict.WORSE)
        wins, losses, ties = self.wins, self.losses, self.ties
        if d >= 0 and rule.margin is not None and shows(wins, losses, ties, shift=rule.margin, level=rule.alpha):
            self._show(Verdict.NOT_WORSE)
        if d <= 0 and rule.smallest is not None and shows(losses, wins, ties, shift=rule.smallest, level=rule.beta):
            self._show(Verdict.NOT_BETTER)
        self.over = self.over or last or differ == rule.horizon

    def _show(self, verdict: Verdict) -> None:
        if self.verdict is Verdict.UNDECIDED or _STRONGER.get(self.verdict) is verdict:
            self.verdict = verdict
        self.shown |= {verdict}
        self.over = self.over or verdict not in self.rule.go_on_after

    def limits(self) -> tuple[float, float]:
        """Off the stop, evidence at every shift; the rules that have fired, and no others, move a limit past theirs."""
        rule, shown = self.rule, self.shown
        low = lower_limit(self.wins, self.losses, self.ties, alpha=rule.alpha)
        high = -lower_limit(self.losses, self.wins, self.ties, alpha=rule.beta)
        if rule.margin is not None:
            low = max(low, _after(-rule.margin)) if Verdict.NOT_WORSE in shown else min(low, -rule.margin)
        if rule.smallest is not None:
            high = min(high, -_after(-rule.smallest)) if Verdict.NOT_BETTER in shown else max(high, rule.smallest)
        low, high = min(low, 0.0), max(high, 0.0)
        if Verdict.PROMOTE in shown:
            low = promoted_low(self._boundary, self.n, self.wins, self.losses)
        if Verdict.WORSE in shown:
            high = -promoted_low(self._boundary, self.n, self.losses, self.wins)
        return low, high

    def _value(self) -> float:
        if self.n == 0:
            return 0.0
        if self.rule.stops_on_ties:
            return mean_first(self.rule, self.n, self.wins, self.losses)
        differ = self.wins + self.losses
        crossed = max(self.wins, self.losses) >= self._boundary.wins[differ] or differ == self.rule.horizon
        return unbiased(self._boundary, self.n, self.wins, self.losses, ended=not crossed)

    def _p_value(self) -> float:
        differ = self.wins + self.losses
        if self.n == self.rule.items and self.wins >= self._boundary.final[differ]:
            return last_look_p(self._boundary, self.wins, self.losses)
        return p_value(self._peak, self.rule.horizon, self.rule.a)

    def _reason(self) -> str:
        counts = f"{self.wins} wins and {self.losses} losses in {self.n} questions"
        if self.verdict is not Verdict.UNDECIDED:
            return counts
        if self.wins + self.losses == self.rule.horizon:
            return f"{counts}: the horizon of {self.rule.horizon} that differ is used up"
        return f"{counts}: all questions are used up" if self.over else f"{counts} so far"


def _after(value: float) -> float:
    """The next number above: a limit past a threshold, and not on it."""
    return nextafter(value, inf)
