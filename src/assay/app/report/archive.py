"""Runs, sets of cases and documents of a workspace as the evaluation pages read them.

Everything here waits for the database and may take seconds for a run of 100,000 cases: call it in a thread. What was
made of a run is kept until the run has changed, for as many runs as `MOST_CASES` cases allow.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assay.app.report.library import Library
from assay.app.report.page import report_pieces
from assay.app.report.run_index import RunIndex, Selection
from assay.app.report.view import CaseView, RunView, replicas, run_view
from assay.decisions.split import SplitStore
from assay.errors import NotFound
from assay.evals.case import Case
from assay.evals.cases import CaseSet, CaseStore
from assay.evals.history import Point, history
from assay.evals.result import Result
from assay.evals.runs import RunRecord, Runs
from assay.index.store import Store
from assay.ledger.database import Database

MOST_CASES = 250_000
RECENT_RUNS = 200
"""Runs looked through for sets to choose from and for the history of a set."""

_SETS_KEPT = 4
_SEARCHES_KEPT = 16


@dataclass(frozen=True, slots=True)
class RunSet:
    """A set of cases that runs were measured on: what people call it, and how many recent runs."""

    name: str
    digest: str
    runs: int


class Archive:
    """Reads one workspace. Safe to share between threads."""

    def __init__(self, database: Database) -> None:
        self.runs = Runs(database)
        self.cases = CaseStore(database)
        self.database = database
        self._store = Store(database)
        self._set = lru_cache(_SETS_KEPT)(self.cases.load)
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._indexes: OrderedDict[str, tuple[object, RunIndex]] = OrderedDict()
        self._searches: OrderedDict[tuple[object, str], frozenset[int]] = OrderedDict()

    def library(self) -> Library:
        """The documents as they are now."""
        return Library(self._store)

    # ---- runs ---------------------------------------------------------------------------------

    def newest(self, *, limit: int, offset: int = 0, set_digest: str | None = None) -> list[RunRecord]:
        """The newest runs first."""
        return self.runs.list(offset + limit, set_digest=set_digest)[offset:]

    def run_sets(self) -> list[RunSet]:
        """The sets of recent runs, that of the newest run first."""
        found: dict[str, RunSet] = {}
        for run in self.runs.list(RECENT_RUNS):
            digest = run.spec.set_digest
            before = found.get(digest)
            found[digest] = RunSet(run.spec.set_name, digest, 1 if before is None else before.runs + 1)
        return list(found.values())

    def history(self, set_digest: str) -> tuple[tuple[str, tuple[Point, ...]], ...]:
        """Each metric over the finished runs on a set, oldest first."""
        return tuple(history(self.runs.list(RECENT_RUNS, set_digest=set_digest)).items())

    def past(self, run: RunRecord) -> tuple[tuple[str, tuple[Point, ...]], ...]:
        """Each metric over the finished runs of a run's system on its set, up to it."""
        return tuple(history(self.runs.list(RECENT_RUNS, set_digest=run.spec.set_digest), before=run).items())

    def cases_of(self, run: RunRecord) -> list[Case]:
        """The exact cases of a run, in order."""
        return self._set(run.spec.set_digest)

    def hidden(self, run: RunRecord) -> set[str]:
        """The ids of its cases that decisions are made on: their wins and losses are not listed."""
        return set(self.kept(run))

    def kept(self, run: RunRecord) -> dict[str, tuple[str, str]]:
        """The same, each with the set and the id under which it can be opened."""
        return SplitStore(self.database).kept(self.cases_of(run))

    def index(self, run: RunRecord) -> RunIndex:
        """What is known of all its cases; made where the run has changed since."""
        with self._lock:
            making = self._making.setdefault(run.id, threading.Lock())
        with making:  # whoever asks meanwhile waits for the same one
            state = _state(run)
            with self._lock:
                known = self._indexes.get(run.id)
                if known is not None and known[0] == state:
                    self._indexes.move_to_end(run.id)
                    return known[1]
            made = RunIndex(self.cases_of(run), self.runs.results(run.id), metrics=run.shown)
            with self._lock:
                self._indexes[run.id] = state, made
                self._indexes.move_to_end(run.id)
                while len(self._indexes) > 1 and self._kept() > MOST_CASES:
                    self._making.pop(self._indexes.popitem(last=False)[0], None)
            return made

    def chosen(self, run: RunRecord, index: RunIndex, selection: Selection) -> list[int]:
        """The ordinals of the cases that fit, in order; none of those that decisions are made on.

        A text is looked for in every case and what became of it.
        """
        text, hidden = selection.q.strip(), self.hidden(run)
        found = index.chosen(selection, found=self._found(run, index, text) if text else None)
        return [ordinal for ordinal in found if index.cases[ordinal].id not in hidden]

    def case_view(self, run: RunRecord, ordinal: int, library: Library) -> tuple[CaseView, list[Result]]:
        """The case at a place of its set with its worst result, and all its replicas. Raises NotFound (none yet)."""
        case = self.cases_of(run)[ordinal]
        results = replicas(self.runs, run, case, ordinal)
        return CaseView.of(case, library.gold(case), results), results

    def report(self, run: RunRecord) -> Iterator[bytes]:
        """The single-file report, in pieces."""
        library = self.library()
        view: RunView = run_view(
            self.runs,
            run,
            self.cases_of(run),
            gold_of=library.gold,
            hidden=self.hidden(run),
            history=self.past(run),
        )
        return report_pieces(view)

    def _kept(self) -> int:
        return sum(len(index.standings) for _, index in self._indexes.values())

    def _found(self, run: RunRecord, index: RunIndex, text: str) -> frozenset[int]:
        key = (_state(run), text.casefold())
        with self._lock:
            if key in self._searches:
                self._searches.move_to_end(key)
                return self._searches[key]
        found = frozenset(_holding(self.runs.results(run.id), index.cases, text.casefold()))
        with self._lock:
            self._searches[key] = found
            while len(self._searches) > _SEARCHES_KEPT:
                self._searches.popitem(last=False)
        return found

    # ---- sets of cases ------------------------------------------------------------------------

    def sets(self) -> list[CaseSet]:
        """The newest version of every named set, the newest set first."""
        return sorted(self.cases.names(), key=lambda one: -one.created_ns)

    def versions(self, name: str) -> list[CaseSet]:
        """Every version of a set, newest first. Raises NotFound."""
        found = self.cases.versions(name)
        if not found:
            self.cases.digest(name)  # says which sets there are
            raise NotFound(f"There is no set named {name}.", hint="Open it from the list of sets.")
        return found

    def set(self, digest: str) -> list[Case]:
        """The cases of a version, in order."""
        return self._set(digest)


def holds(case: Case, text: str) -> bool:
    """Whether a case holds the text (case-folded) in its id, question, answers, evidence or tags."""
    said = (case.id, case.question, *case.answers, *case.tags, case.cluster)
    evidence = (part for piece in case.evidence for part in (piece.document, piece.quote))
    return any(text in part.casefold() for part in (*said, *evidence))


def _holding(results: Iterable[Result], cases: Sequence[Case], text: str) -> Iterator[int]:
    for result in results:
        said = result.output.text if result.output is not None else ""
        reasons = (part for score in result.scores.values() for part in (score.reasoning, score.error))
        if holds(cases[result.ordinal], text) or any(
            text in part.casefold() for part in (said, result.error, *reasons)
        ):
            yield result.ordinal


def _state(run: RunRecord) -> tuple[object, ...]:
    """Differs whenever the run has got or replaced a result."""
    return run.id, run.results, run.failed, run.paid_calls, run.cached_calls, run.cost_usd, run.finished_ns
