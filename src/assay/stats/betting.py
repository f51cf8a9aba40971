"""Graded differences, looked at after every one of them, for as long as it takes: a test by betting.

Bets run side by side, each against a hypothesis that would make it fair: "not better" (mean <= 0), "not worse" (mean
>= 0), "worse by the margin" (mean <= -margin) and "better by what matters" (mean >= smallest). A wealth of 1/level
refutes its hypothesis (`assay.stats.wealth`), whenever it is reached, however often somebody looked. The interval
inverts the same bets over every other null, at the same levels and looks: it is the intersection of the intervals
after each difference.

Conditions, the caller's to keep: the order was random and fixed before the first result, and results are folded in that
order; the candidate did not change; an error scores 0 and is not left out; differences are independent (clusters move
together: `ClusterLooks`, or one mean per cluster where there are hundreds).

Invariant: with `shown` the claims made so far, `low > 0` iff PROMOTE, `high < 0` iff WORSE, `low > -margin` iff
NOT_WORSE or PROMOTE, `high < smallest` iff NOT_BETTER or WORSE. Proved on streams in
`tests/properties/test_betting_properties.py`.
"""

from collections.abc import Collection, Mapping
from math import ceil, inf, isfinite, nan, nextafter
from typing import Any, ClassVar, Self

import numpy as np

from assay.stats.estimate import Evidence
from assay.stats.planning import Forecast
from assay.stats.stopped import Rule, forecast_stops, stage_wise_mean
from assay.stats.verdict import Verdict
from assay.stats.wealth import HAIR, Wealth, furthest_refuted, reach, steps_to

_STRONGER = {Verdict.NOT_WORSE: Verdict.PROMOTE, Verdict.NOT_BETTER: Verdict.WORSE}


class BettingTest:
    """Is the mean of differences in [low, high] above 0? Valid after every difference, with no horizon.

    - `alpha`: the chance of ever claiming PROMOTE, or NOT_WORSE, wrongly; `beta`: WORSE, or NOT_BETTER.
    - `smallest`: the smallest gain that matters; enables NOT_BETTER, which drops hopeless candidates.
    - `margin`: how much worse is still acceptable; enables NOT_WORSE.
    - `low`, `high`: the ends of the scale of a difference, stated before the first.
    - `go_on_after`: NOT_WORSE, NOT_BETTER or both: reported, but the test goes on for PROMOTE or WORSE.

    The first verdict stays for ever, except that NOT_WORSE may become PROMOTE and NOT_BETTER may become WORSE where
    the test was told to go on after them. Raises `ValueError` for settings that make no sense.
    """

    kind: ClassVar[str] = "betting"
    size: int | None = None

    def __init__(
        self,
        alpha: float = 0.05,
        *,
        smallest: float | None = None,
        beta: float = 0.05,
        margin: float | None = None,
        low: float = -1.0,
        high: float = 1.0,
        go_on_after: Collection[Verdict] = (),
    ) -> None:
        _check(low, high, smallest, margin, go_on_after)
        self.alpha, self.beta, self.smallest, self.margin = alpha, beta, smallest, margin
        self.low, self.high = float(low), float(high)
        self.go_on_after = frozenset(go_on_after)
        self.differences: list[float] = []
        self.verdict = Verdict.UNDECIDED
        self.shown: frozenset[Verdict] = frozenset()
        self.over = False
        self._total = 0.0
        self._best = 1.0
        self._above = {Verdict.PROMOTE: 0.0} if margin is None else {Verdict.PROMOTE: 0.0, Verdict.NOT_WORSE: -margin}
        self._below = {Verdict.WORSE: 0.0} if smallest is None else {Verdict.WORSE: 0.0, Verdict.NOT_BETTER: smallest}
        self._needed = [reach(alpha)] * len(self._above) + [reach(beta)] * len(self._below)
        self._least = min(self._needed)
        self._wealth = Wealth(len(self._needed))

    @property
    def n(self) -> int:
        """How many differences count."""
        return len(self.differences)

    @property
    def raw(self) -> float:
        """The mean of the differences; after a stop it flatters whoever won. 0 before the first."""
        return self._total / len(self.differences) if self.differences else 0.0

    def update(self, difference: float) -> Verdict:
        """Fold in the next difference of the fixed order; once `over`, further ones change nothing.

        Raises `ValueError` where it is no number of the range.
        """
        value = float(difference)
        if not self.low <= value <= self.high:
            raise ValueError(
                f"a difference of {value} lies outside [{self.low:g}, {self.high:g}]: "
                "score on that scale, an error as 0, or state `low` and `high` before the first result"
            )
        if not self.over:
            self._bet(value)
            self.differences.append(value)
            self._total += value
        return self.verdict

    def evidence(self, *, draws: int = 1_000, seed: int = 0) -> Evidence:
        """The stop-adjusted estimate with the interval of this very rule, and the raw mean beside it.

        The estimate is median unbiased by stage-wise ordering: see `assay.stats.stopped`. Costs tenths of a second
        for hundreds of differences; `draws` streams are simulated from `seed`.
        """
        low, high = self.limits()
        value = self.raw
        if self.differences:
            side = 0 if not self.over else 1 if self.verdict in self._above else -1
            value = stage_wise_mean(np.array(self.differences), self.rule(), side, draws=draws, seed=seed)
        return Evidence(
            verdict=self.verdict,
            value=min(max(value, low), high),
            low=low,
            high=high,
            raw=self.raw,
            method=self.kind,
            n=self.n,
            alpha=self.alpha,
            p_value=1 / self._best,
            reason=self._reason(),
        )

    def limits(self) -> tuple[float, float]:
        """The running intersection of the always-valid intervals: lower limit at `alpha`, upper at `beta`."""
        values = np.array(self.differences)
        width = self.high - self.low
        low = self.low + furthest_refuted(values - self.low, self.alpha, width=width, size=self.size)
        high = self.high - furthest_refuted(self.high - values, self.beta, width=width, size=self.size)
        # Sums in another order differ in the last digit: at the nulls that decide, the bets themselves have the word.
        for claim, point in self._above.items():
            low = max(low, nextafter(point, inf)) if claim in self.shown else min(low, point)
        for claim, point in self._below.items():
            high = min(high, nextafter(point, -inf)) if claim in self.shown else max(high, point)
        # Both sides may err at once, with a probability below alpha + beta: what is left is one value.
        return (low, high) if low <= high else ((low + high) / 2,) * 2

    def rule(self) -> Rule:
        """When this test stops, as the simulations need to know it."""
        waits = self.margin is None or Verdict.NOT_WORSE in self.go_on_after
        fights = self.smallest is None or Verdict.NOT_BETTER in self.go_on_after
        return Rule(
            low=self.low,
            high=self.high,
            above=0.0 if waits else self._above[Verdict.NOT_WORSE],
            below=0.0 if fights else self._below[Verdict.NOT_BETTER],
            alpha=self.alpha,
            beta=self.beta,
            size=self.size,
        )

    def plan(self, difference: float, sd: float, *, items: int, streams: int = 2_000, seed: int = 0) -> Forecast:
        """Power, expected questions and the chance to stop by n, from the first question on, at a supposed truth.

        Simulated on `streams` streams of up to `items` differences, so chances are within two points or so. The
        forecast's `disagreement` is NaN: graded differences have a standard deviation instead.
        """
        rule = self.rule()
        stops = forecast_stops(rule, difference=difference, sd=sd, items=items, streams=streams, seed=seed)
        named = {verdict: np.zeros(items + 1) for verdict in Verdict}
        up = Verdict.NOT_WORSE if rule.above < 0 else Verdict.PROMOTE
        down = Verdict.NOT_BETTER if rule.below > 0 else Verdict.WORSE
        for verdict, side in ((up, 1), (down, -1), (Verdict.UNDECIDED, 0)):
            named[verdict] = np.bincount(stops.n[stops.side == side], minlength=items + 1) / streams
        return Forecast(difference, nan, named)

    def needed(self) -> int | None:
        """How many more differences would decide, were they like those so far: a rule of thumb, not a promise.

        0 once a verdict was given; None where all bets lose, or before the first.
        """
        if self.verdict is not Verdict.UNDECIDED:
            return 0
        if not self.differences:
            return None
        values, needs = np.array(self.differences), []
        for (end, side), points, level in (
            ((self.low, 1), self._above.values(), self.alpha),
            ((self.high, -1), self._below.values(), self.beta),
        ):
            for point in points:
                needs.append(steps_to(side * (values - end) / (side * (point - end)), level))
        return max(1, ceil(min(needs)) - self.n) if min(needs) < inf else None

    def state(self) -> dict[str, Any]:
        """Everything needed to go on elsewhere, as plain JSON: the settings and the differences in their order."""
        settings = {name: getattr(self, name) for name in self._settings()}
        settings["go_on_after"] = sorted(self.go_on_after)
        return {"kind": self.kind, **settings, "differences": list(self.differences)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The test as `state()` left it; the verdict is found again from the differences, not believed."""
        if state.get("kind") != cls.kind:
            raise ValueError(f"this is the state of a {state.get('kind')!r} test, not of a {cls.kind!r} one")
        settings = {name: value for name, value in state.items() if name not in ("kind", "differences")}
        settings["go_on_after"] = [Verdict(name) for name in settings["go_on_after"]]
        test = cls(**settings)
        for difference in state["differences"]:
            test.update(difference)
        return test

    @classmethod
    def _settings(cls) -> tuple[str, ...]:
        return ("alpha", "smallest", "beta", "margin", "low", "high")

    def _null(self, point: float) -> float:
        """The mean of the next difference if the mean of them all were `point`."""
        return point

    def _bet(self, value: float) -> None:
        up = [_payoff(value - self.low, self._null(point) - self.low) for point in self._above.values()]
        down = [_payoff(self.high - value, self.high - self._null(point)) for point in self._below.values()]
        wealth = self._wealth.after(up + down)
        self._best = max(self._best, wealth[0])
        if max(wealth) < self._least:
            return
        for claim, have, needed in zip((*self._above, *self._below), wealth, self._needed, strict=True):
            if have >= needed and claim not in self.shown:
                self._show(claim)

    def _show(self, claim: Verdict) -> None:
        self.shown |= {claim}
        if self.verdict is Verdict.UNDECIDED or _STRONGER.get(self.verdict) is claim:
            self.verdict = claim
        self.over = self.over or claim not in self.go_on_after

    def _reason(self) -> str:
        claims = {
            Verdict.PROMOTE: ("not better", self.alpha),
            Verdict.NOT_WORSE: (f"worse by {self.margin}", self.alpha),
            Verdict.WORSE: ("not worse", self.beta),
            Verdict.NOT_BETTER: (f"better by {self.smallest}", self.beta),
        }
        if self.verdict in claims:
            refuted, level = claims[self.verdict]
            return f"a bet against '{refuted}' reached {1 / level:g} times its stake"
        return f"the bet against 'not better' was at most {self._best:.3g} times its stake, {1 / self.alpha:g} decide"


def _payoff(distance: float, null: float) -> float:
    # `assay.stats.wealth.payoffs` for one number: an array of one costs more than the whole update.
    if null < -HAIR:
        return inf
    return distance / max(null, HAIR)


def _check(
    low: float, high: float, smallest: float | None, margin: float | None, go_on_after: Collection[Verdict]
) -> None:
    if not (isfinite(low) and isfinite(high) and low < 0 < high):
        raise ValueError(f"differences need a finite range around 0, not [{low}, {high}]")
    if smallest is not None and not 0 < smallest < high:
        raise ValueError(f"smallest is a gain between 0 and {high:g}, not {smallest}")
    if margin is not None and not 0 < margin < -low:
        raise ValueError(f"margin is a loss between 0 and {-low:g}, given as a positive number, not {margin}")
    if not set(go_on_after) <= set(_STRONGER):
        raise ValueError("a test goes on at most after NOT_WORSE and NOT_BETTER; PROMOTE and WORSE end it")
