"""Clusters that move together, looked at a few times declared beforehand: group-sequential sign-flips of cluster sums.

Questions about one document are right or wrong together, so tests that take them one by one are wrong far too often,
and a bet on cluster means has no power with few clusters. Here whole clusters come in a random order, the test looks
after a few numbers of clusters stated before the first, and each look spends a share of alpha (`assay.stats.flips`). By
default looks are equally far apart and the share spent is that of the clusters seen.

Conditions, the caller's to keep: the order of clusters was random and fixed, with the looks, before the first result; a
cluster is folded in when its last question is done; an error scores 0.

Invariant: with `shown` the claims made so far, `low > 0` iff PROMOTE, `high < 0` iff WORSE, `low > -margin` iff
NOT_WORSE or PROMOTE, `high < smallest` iff NOT_BETTER or WORSE. Proved on streams in
`tests/properties/test_looks_properties.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from math import ceil, isfinite, log2, nextafter
from typing import Any, Self

import numpy as np

from assay.stats.clusters import ClusterSums
from assay.stats.estimate import Evidence
from assay.stats.flips import LookFlips, Spent, look_flips, stage_wise_centre
from assay.stats.interval import Interval
from assay.stats.mean import adjusted_t_of
from assay.stats.paired import FEW_DIFFERENT
from assay.stats.verdict import Verdict

_STRONGER = {Verdict.NOT_WORSE: Verdict.PROMOTE, Verdict.NOT_BETTER: Verdict.WORSE}


class ClusterLooks:
    """Is the mean of differences in [-1, 1] above 0, when they come in clusters? Verdicts change only at looks.

    - `clusters`: how many there will be, all of them declared; `looks`: how many looks, or after which numbers of
      clusters, the last being all. Fewer than 5 can show nothing at .05.
    - `alpha`: the chance of ever claiming PROMOTE, or NOT_WORSE, wrongly; `beta`: WORSE, or NOT_BETTER.
    - `smallest`: the smallest gain that matters; enables NOT_BETTER. `margin`: how much worse is still acceptable;
      enables NOT_WORSE.
    - `spending`: after a share t of the clusters t**spending of the error is spent (Kim and DeMets 1987, Biometrika
      74:149). Above 1 saves more for the last look: a little more power, more questions.
    - `draws`, `seed`: sign patterns drawn where there are more than 14 clusters.
    - `go_on_after`: NOT_WORSE, NOT_BETTER or both: reported, but the test goes on for PROMOTE or WORSE.

    The first verdict stays for ever, except that NOT_WORSE may become PROMOTE and NOT_BETTER may become WORSE where
    the test was told to go on after them. Raises `ValueError` for settings that make no sense.
    """

    kind = "cluster-looks"

    def __init__(
        self,
        alpha: float = 0.05,
        *,
        clusters: int,
        looks: int | Sequence[int] = 3,
        smallest: float | None = None,
        beta: float = 0.05,
        margin: float | None = None,
        spending: float = 1.0,
        draws: int = 10_000,
        seed: int = 0,
        go_on_after: Collection[Verdict] = (),
    ) -> None:
        _check(alpha, beta, clusters, smallest, margin, spending, draws)
        if not set(go_on_after) <= set(_STRONGER):
            raise ValueError("a test goes on at most after NOT_WORSE and NOT_BETTER; PROMOTE and WORSE end it")
        self.alpha, self.beta, self.smallest, self.margin = alpha, beta, smallest, margin
        self.clusters, self.looks = clusters, _declared(looks, clusters)
        self.spending, self.draws, self.seed = spending, draws, seed
        self.go_on_after = frozenset(go_on_after)
        self.verdict = Verdict.UNDECIDED
        self.shown: frozenset[Verdict] = frozenset()
        self.over = False
        self._units: list[tuple[float, float]] = []
        self._evidence = Evidence(self.verdict, 0.0, -1.0, 1.0, 0.0, self.kind, 0, alpha, reason=self._before())
        self._above = {Verdict.PROMOTE: 0.0} if margin is None else {Verdict.PROMOTE: 0.0, Verdict.NOT_WORSE: -margin}
        self._below = {Verdict.WORSE: 0.0} if smallest is None else {Verdict.WORSE: 0.0, Verdict.NOT_BETTER: smallest}

    @property
    def n(self) -> int:
        """How many clusters count."""
        return len(self._units)

    @property
    def cases(self) -> float:
        """How many cases those clusters hold."""
        return sum(size for _, size in self._units)

    @property
    def next_look(self) -> int | None:
        """After how many clusters the next look comes; None once the test is over."""
        return None if self.over else next(look for look in self.looks if look > self.n)

    def update(self, total: float, size: float) -> Verdict:
        """Fold in the next whole cluster: the sum of its differences and how many there were.

        Once `over`, further clusters change nothing. Raises `ValueError` for sums that such a cluster cannot have.
        """
        total, size = float(total), float(size)
        if not (isfinite(size) and size > 0):
            raise ValueError(f"a cluster holds at least one case, not {size}")
        if not abs(total) <= size * (1 + 1e-9):
            raise ValueError(
                f"{size:g} differences between -1 and 1 cannot sum to {total}: score in [0, 1], an error as 0"
            )
        if not self.over:
            self._units.append((total, size))
            if self.n in self.looks:
                self._look()
        return self.verdict

    def evidence(self) -> Evidence:
        """What the last look showed: interval, stop-adjusted estimate and raw mean; [-1, 1] before the first."""
        return self._evidence

    def limits(self) -> tuple[float, float]:
        """The interval of the last look, intersected with those before it."""
        return self._evidence.low, self._evidence.high

    def state(self) -> dict[str, Any]:
        """Everything needed to go on elsewhere, as plain JSON: the settings and the clusters in their order."""
        names = ("alpha", "clusters", "smallest", "beta", "margin", "spending", "draws", "seed")
        settings = {name: getattr(self, name) for name in names}
        units = [list(unit) for unit in self._units]
        return {
            "kind": self.kind,
            **settings,
            "looks": list(self.looks),
            "go_on_after": sorted(self.go_on_after),
            "units": units,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The test as `state()` left it; the verdict is found again from the clusters, not believed."""
        if state.get("kind") != cls.kind:
            raise ValueError(f"this is the state of a {state.get('kind')!r} test, not of a {cls.kind!r} one")
        settings = {name: value for name, value in state.items() if name not in ("kind", "units")}
        settings["go_on_after"] = [Verdict(name) for name in settings["go_on_after"]]
        test = cls(**settings)
        for total, size in state["units"]:
            test.update(total, size)
        return test

    def _look(self) -> None:
        looks = self.looks[: self.looks.index(self.n) + 1]
        units = np.array(self._units)
        groups = ClusterSums(units[:, 0].copy(), units[:, 1].copy())
        flips = look_flips(groups, looks, planned=self.clusters, draws=self.draws, seed=self.seed)
        spent = self._spent(len(looks))
        low, high = self._limits(flips, groups, spent)
        claims = [claim for claim, point in self._above.items() if low > point]
        claims += [claim for claim, point in self._below.items() if high < point]
        for claim in claims:
            self._show(claim)
        self.over = self.over or self.n == self.clusters
        waits = self.margin is None or Verdict.NOT_WORSE in self.go_on_after
        fights = self.smallest is None or Verdict.NOT_BETTER in self.go_on_after
        value = stage_wise_centre(
            flips,
            groups,
            looks,
            above=0.0 if waits else self._above[Verdict.NOT_WORSE],
            below=0.0 if fights else self._below[Verdict.NOT_BETTER],
            spent=spent,
        )
        self._evidence = Evidence(
            verdict=self.verdict,
            value=min(max(value, low), high),
            low=low,
            high=high,
            raw=groups.mean,
            method=self.kind,
            n=self.n,
            alpha=self.alpha,
            p_value=flips.p_value(self.alpha, [self._share(look) for look in looks]),
            reason=self._reason(len(looks)),
        )

    def _limits(self, flips: LookFlips, groups: ClusterSums, spent: Spent) -> tuple[float, float]:
        """The interval so far. Only whether it holds 0 is the sign-flips' alone: a mean of 0 makes signs symmetric.

        Where few clusters differ, deviations from other means are anything but, so the adjusted t over clusters widens
        the rest, at the error of this look.
        """
        low, high = flips.limit(1, spent.above), flips.limit(-1, spent.below)
        if np.count_nonzero(groups.sums) < FEW_DIFFERENT:
            low = min(low, _adjusted(groups, spent.above).low)
            high = max(high, _adjusted(groups, spent.below).high)
        before = self._evidence
        low, high = max(low, before.low), min(high, before.high)
        low = max(low, nextafter(0.0, 1.0)) if flips.refutes(0.0, 1, spent.above) else min(low, 0.0)
        high = min(high, nextafter(0.0, -1.0)) if flips.refutes(0.0, -1, spent.below) else max(high, 0.0)
        return (low, high) if low <= high else ((low + high) / 2,) * 2

    def _show(self, claim: Verdict) -> None:
        self.shown |= {claim}
        if self.verdict is Verdict.UNDECIDED or _STRONGER.get(self.verdict) is claim:
            self.verdict = claim
        self.over = self.over or claim not in self.go_on_after

    def _share(self, look: int) -> float:
        return float((look / self.clusters) ** self.spending)

    def _spent(self, looks: int) -> Spent:
        shares = [self._share(look) for look in self.looks[:looks]]
        return Spent(tuple(self.alpha * share for share in shares), tuple(self.beta * share for share in shares))

    def _before(self) -> str:
        dumb = [look for look in self.looks if 2.0**-look > min(self.alpha, self.beta) * self._share(look)]
        reason = f"looks after {', '.join(map(str, self.looks))} clusters"
        if dumb:
            return (
                f"{reason}; too few to show anything after {', '.join(map(str, dumb))}, whose error is kept for later"
            )
        return reason

    def _reason(self, look: int) -> str:
        spent = self._share(self.looks[look - 1])
        return (
            f"look {look} of {len(self.looks)} after {self.n} of {self.clusters} clusters, {spent:.0%} of alpha spent"
        )


def _adjusted(groups: ClusterSums, spent: tuple[float, ...]) -> Interval:
    step = spent[-1] - (spent[-2] if len(spent) > 1 else 0.0)
    return adjusted_t_of(groups, scale=1.0, alpha=min(2 * step, 0.999))


def _declared(looks: int | Sequence[int], clusters: int) -> tuple[int, ...]:
    if isinstance(looks, int):
        if not 1 <= looks <= clusters:
            raise ValueError(f"{clusters} clusters allow 1 to {clusters} looks, not {looks}")
        return tuple(ceil(clusters * i / looks) for i in range(1, looks + 1))
    counts = tuple(int(look) for look in looks)
    if not counts or counts[0] < 1 or counts[-1] != clusters or any(a >= b for a, b in pairwise(counts)):
        raise ValueError(f"looks are rising numbers of clusters that end with all {clusters}, not {list(looks)}")
    return counts


def _check(
    alpha: float,
    beta: float,
    clusters: int,
    smallest: float | None,
    margin: float | None,
    spending: float,
    draws: int,
) -> None:
    for name, level in (("alpha", alpha), ("beta", beta)):
        if not 0 < level < 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {level}")
        least = ceil(-log2(level))
        if clusters < least:
            raise ValueError(
                f"{clusters} clusters can never show anything at {name} = {level:g}: even all on one side happens by "
                f"chance more often; at least {least} are needed"
            )
        if draws < 2 / level:
            raise ValueError(
                f"{draws} sign patterns are too few for {name} = {level:g}: draw at least {ceil(2 / level)}"
            )
    for name, value in (("smallest", smallest), ("margin", margin)):
        if value is not None and not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value}")
    if not (isfinite(spending) and spending > 0):
        raise ValueError(f"spending must be above 0, not {spending}")
