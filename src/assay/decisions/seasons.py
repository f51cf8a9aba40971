"""A set of cases as it is divided: what may be looked at, and what each season can still show at the alpha it has left.

Proved by `tests/unit/decisions/test_split.py`.
"""

from dataclasses import dataclass, field
from math import sqrt
from statistics import NormalDist

from assay.errors import BadInput
from assay.evals.case import Case
from assay.stats.online import Spending
from assay.stats.power import detectable

ASSUMED_DISC = 0.16
"""The share of cases on which two systems are taken to differ before anything is known of them."""


@dataclass(frozen=True, slots=True)
class Season:
    """Confirm cases that share an evidence budget; `clusters` counts the units they come in.

    What it can show is planned by the formula for a fixed number of cases (`stats.power`), one-sided, at the alpha of
    the next decision: as if the cases of a cluster were independent, or with `together` as if each were one case. The
    truth lies between. A rule that may stop at any question reaches a little less with all of them.
    """

    number: int
    cases: list[Case]
    clusters: int
    spending: Spending

    def detectable(self, *, disc: float = ASSUMED_DISC, together: bool = False) -> float:
        """The smallest gain that the next decision shows 4 times in 5."""
        n = self.clusters if together else len(self.cases)
        return detectable(n, disc=disc, alpha=self.spending.next, two_sided=False)

    def chance(self, gain: float, *, disc: float = ASSUMED_DISC, together: bool = False) -> float:
        """The chance that the next decision shows a gain of this size: `detectable` solved for the power."""
        n = self.clusters if together else len(self.cases)
        even = detectable(n, disc=disc, alpha=self.spending.next, power=0.5, two_sided=False)
        return NormalDist().cdf((gain - even) / sqrt(disc / n))


@dataclass(frozen=True, slots=True)
class Split:
    """The cases of a set as they are divided. `season` is the one whose next decision sees the smallest difference.

    `unplaced` are cases that no split has seen yet (only from `SplitStore.read`); `warnings` are sentences for people.
    """

    set_name: str
    dev_share: float
    dev: list[Case]
    seasons: list[Season]
    unplaced: list[Case] = field(default_factory=list)
    warnings: tuple[str, ...] = ()

    @property
    def season(self) -> int:
        """The number of the season to decide on now; the newest of equals, 1 where there are no confirm cases."""
        if not self.seasons:
            return 1
        return min(self.seasons, key=lambda one: (one.detectable(together=True), -one.number)).number

    @property
    def confirm(self) -> list[Case]:
        """The confirm cases of `season`; empty where there are none."""
        return next((one.cases for one in self.seasons if one.number == self.season), [])

    @property
    def waiting(self) -> list[Case]:
        """Confirm cases of seasons after `season`."""
        return [case for one in self.seasons if one.number > self.season for case in one.cases]

    def chosen(self, number: int | None = None) -> Season:
        """A season by number, by default the one to decide on now. Raises BadInput where it has no confirm cases."""
        wanted = self.season if number is None else number
        found = next((one for one in self.seasons if one.number == wanted), None)
        if found is None:
            where = f"season {wanted} of {self.set_name}" if number is not None else self.set_name
            raise BadInput(
                f"There are no confirm cases in {where}.", hint="Add fresh cases to the set: assay cases import"
            )
        return found


@dataclass(frozen=True, slots=True)
class Opened:
    """What opening a case moved to dev: its cluster, and any it was in before. Empty where it was dev already.

    `cost` is the alpha that decisions to come have lost.
    """

    clusters: tuple[str, ...]
    case_ids: tuple[str, ...]
    cost: float
