"""What the pages need to know of all cases of a run: outcome, scores and order of each, without its texts.

Made in one pass over the results; some hundred bytes a case stay in memory. Invariant: whatever is chosen, every case
that fits is in it once, so going from page to page shows all of them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from assay.app.report.view import goodness
from assay.evals.case import Case
from assay.evals.columns import Columns, rows_of
from assay.evals.explore import OUTCOMES, Outcome, outcome_of, worst_first
from assay.evals.result import Result
from assay.evals.scoreboard import Scoreboard, headline, scoreboard

WORST, BEST, SLOWEST = "", "best", "slowest"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which cases are listed, in what order, and which page of them: the query of an address.

    `order` is worst first where empty, else `best`, `slowest`, `low:METRIC` or `high:METRIC`.
    """

    outcome: str = ""
    tag: str = ""
    q: str = ""
    order: str = WORST
    page: int = 1

    def query(self, **changed: Any) -> str:
        """As the query of an address, `?` included, with what is `changed`; empty where all is as usual."""
        wanted = replace(self, **changed)
        said = {field.name: getattr(wanted, field.name) for field in fields(wanted)}
        kept = {name: value for name, value in said.items() if value and (name, value) != ("page", 1)}
        return f"?{urlencode(kept, errors='replace')}" if kept else ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one case stands by its worst `replica`."""

    outcome: Outcome
    replica: int
    replicas: int
    latency_ms: float
    goodness: tuple[bool, float]


class RunIndex:
    """The cases of one run, by their ordinals in `cases`; on its board the `metrics` asked for (None: all)."""

    def __init__(
        self, cases: Sequence[Case], results: Iterable[Result], *, metrics: Sequence[str] | None = None
    ) -> None:
        self.cases = cases
        self.standings: dict[int, Standing] = {}
        self.columns = Columns(rows_of(self._noted(results), cases))
        self.board: Scoreboard = scoreboard(self.columns, metrics=metrics)
        self.worst_first = worst_first(self.columns)
        self.ordinals = {cases[ordinal].id: ordinal for ordinal in self.standings}
        self._outcomes = Counter(standing.outcome for standing in self.standings.values())

    @property
    def outcomes(self) -> list[tuple[str, int]]:
        """Outcomes with how many cases have each, worst first."""
        return [(outcome, self._outcomes[outcome]) for outcome in OUTCOMES if outcome in self._outcomes]

    @property
    def tags(self) -> dict[str, int]:
        """Tags with how many cases have each."""
        return {tag: len(cases) for tag, cases in self.columns.tags.items()}

    @property
    def orders(self) -> list[tuple[str, str]]:
        """The orders there are, with what each is called."""
        usual = [(WORST, "worst first"), (BEST, "best first"), (SLOWEST, "slowest first")]
        for name in headline(self.columns.metrics):
            usual += [(f"low:{name}", f"{name}, lowest first"), (f"high:{name}", f"{name}, highest first")]
        return usual

    def chosen(self, selection: Selection, *, found: frozenset[int] | None = None) -> list[int]:
        """The ordinals of all cases that fit, in order; of those `found` by their text where given.

        In the order of a metric, only cases it applies to.
        """
        wanted = self._ordered(selection.order)
        if selection.outcome:
            wanted = [at for at in wanted if self.standings[at].outcome == selection.outcome]
        if selection.tag:
            tagged = self.columns.tags.get(selection.tag, ())
            here = {self.columns.ordinals[case] for case in tagged}
            wanted = [at for at in wanted if at in here]
        return wanted if found is None else [at for at in wanted if at in found]

    def score(self, metric: str) -> dict[int, float]:
        """The metric's score by ordinal, averaged over replicas; what a judge failed to score counts as 0."""
        if metric not in self.columns.metrics:
            return {}
        scores = self.columns.scores(metric)
        places = (self.columns.ordinals[case] for case in scores.cases)
        return dict(zip(places, map(float, scores.worst), strict=True))

    def _ordered(self, order: str) -> list[int]:
        if order == BEST:
            return self.worst_first[::-1]
        if order == SLOWEST:
            return sorted(self.worst_first, key=lambda at: -self.standings[at].latency_ms)
        end, _, metric = order.partition(":")
        if end in ("low", "high") and metric in self.columns.metrics:
            scores = self.score(metric)
            sign = 1 if end == "low" else -1
            return sorted((at for at in self.worst_first if at in scores), key=lambda at: sign * scores[at])
        return self.worst_first

    def _noted(self, results: Iterable[Result]) -> Iterator[Result]:
        for result in results:
            key, known = goodness(result), self.standings.get(result.ordinal)
            count = 1 if known is None else known.replicas + 1
            if known is None or key < known.goodness:
                outcome = outcome_of(self.cases[result.ordinal], result)
                self.standings[result.ordinal] = Standing(outcome, result.replica, count, result.latency_ms, key)
            else:
                self.standings[result.ordinal] = replace(known, replicas=count)
            yield result
