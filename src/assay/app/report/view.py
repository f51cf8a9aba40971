"""What a report shows of a run: its record, its scoreboard, and the cases to look at first."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from assay.errors import NotFound
from assay.evals.case import Case
from assay.evals.columns import Columns, rows_of
from assay.evals.explore import Outcome, outcome_of, worst_first
from assay.evals.history import Point
from assay.evals.result import Result
from assay.evals.runs import RunRecord, Runs
from assay.evals.scoreboard import Scoreboard, scoreboard
from assay.evals.scorer import Gold

MOST_CASES = 500
"""Cases shown in a report: worst first, enough to read for a day, and a file that opens at once."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """One case with its gold as the corpus has it and its worst result of `replicas`."""

    case: Case
    gold: tuple[Gold, ...]
    result: Result
    replicas: int = 1

    @classmethod
    def of(cls, case: Case, gold: tuple[Gold, ...], results: Sequence[Result]) -> "CaseView":
        """The case with the worst of its results. Raises NotFound where there is none."""
        if not results:
            raise NotFound(f"The run has not come to case {case.id!r}.", hint="Look again when it has gone on.")
        return cls(case, gold, min(results, key=goodness), len(results))

    @property
    def outcome(self) -> Outcome:
        """What became of the case."""
        return outcome_of(self.case, self.result)


@dataclass(frozen=True, slots=True)
class RunView:
    """A run to be shown. `cases` come worst first and may be fewer than the run has; they are read once.

    `kept` counts those left out because decisions are made on them.
    """

    run: RunRecord
    board: Scoreboard
    cases: Iterable[CaseView]
    history: tuple[tuple[str, tuple[Point, ...]], ...] = ()
    kept: int = 0


def run_view(
    runs: Runs,
    run: RunRecord,
    cases: Sequence[Case],
    *,
    gold_of: Callable[[Case], tuple[Gold, ...]],
    most_cases: int = MOST_CASES,
    hidden: Collection[str] = (),
    history: tuple[tuple[str, tuple[Point, ...]], ...] = (),
) -> RunView:
    """The view of a run on `cases`, its set in order. Reads the results once, and those of the shown cases again.

    Cases whose id is `hidden` count on the board and are not shown one by one.
    """
    columns = Columns(rows_of(runs.results(run.id), cases))
    board, ordered = scoreboard(columns, metrics=run.shown), worst_first(columns)
    shown = [ordinal for ordinal in ordered if cases[ordinal].id not in hidden]
    views = _case_views(runs, run, cases, shown[:most_cases], gold_of)
    return RunView(run, board, views, history, kept=len(ordered) - len(shown))


def _case_views(
    runs: Runs,
    run: RunRecord,
    cases: Sequence[Case],
    ordinals: Sequence[int],
    gold_of: Callable[[Case], tuple[Gold, ...]],
) -> Iterator[CaseView]:
    for ordinal in ordinals:
        case = cases[ordinal]
        if results := replicas(runs, run, case, ordinal):
            yield CaseView.of(case, gold_of(case), results)


def replicas(runs: Runs, run: RunRecord, case: Case, ordinal: int) -> list[Result]:
    """What a run has of a case, at `ordinal` in its set: one result for each time it was asked."""
    found = []
    for number in range(run.spec.replicas):
        try:
            found.append(runs.result(run.id, case.id, replica=number, ordinal=ordinal))
        except NotFound:
            continue  # an interrupted run has not come to every replica
    return found


def goodness(result: Result) -> tuple[bool, float]:
    """What replicas of a case are ordered by to find the worst: failures first, then by the mean of their scores."""
    values = [score.value or 0.0 for score in result.scores.values()]
    return not result.error, sum(values) / len(values) if values else 0.0
