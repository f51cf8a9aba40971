"""Cases, runs and prompts of one workspace, and what is read back of them for people."""

import asyncio
import shlex
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.answers.prompt import instructions_prompt
from assay.app.corpus import StoredCorpus
from assay.app.report.library import Library
from assay.app.report.page import write_report
from assay.app.report.view import RunView, run_view
from assay.app.wiring import Workspace
from assay.decisions.split import SplitStore
from assay.errors import BadInput, NotFound
from assay.evals.case import Case
from assay.evals.cases import DECISION_ORDER, LIMITED, CaseStore, read_cases
from assay.evals.columns import rows_of
from assay.evals.diff import Diff, diff, hiding
from assay.evals.history import history
from assay.evals.judges.prompts import prompts as judge_prompts
from assay.evals.prompts import PromptStore
from assay.evals.result import Result
from assay.evals.runs import RunRecord, Runs
from assay.evals.scoreboard import Scoreboard, scoreboard
from assay.ledger.values import Values
from assay.models.prompt import Prompt


@dataclass(frozen=True, slots=True)
class Chosen:
    """The cases of an evaluation: the exact set (`digest`), and what people call it."""

    name: str
    digest: str
    cases: Sequence[Case]


class Measuring:
    """Cases, runs and kept values of one workspace. Close with `aclose`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.runs = Runs(workspace.database)
        self.cases = CaseStore(workspace.database)
        self.values = Values(workspace.database)

    async def aclose(self) -> None:
        """Write down what is pending."""
        await asyncio.to_thread(self.values.close)

    # ---- cases --------------------------------------------------------------------------------

    def read(self, path: Path) -> list[Case]:
        """The cases of a JSONL file; evidence that its document does not hold is a fault of its line."""
        return read_cases(path, corpus=self.corpus())

    def corpus(self) -> StoredCorpus:
        """The documents at hand, as they are now."""
        return StoredCorpus(self.workspace.store)

    def absent_documents(self, cases: Sequence[Case]) -> list[str]:
        """Documents that evidence names and this workspace does not hold; none where it holds no document at all."""
        corpus = self.corpus()
        named = dict.fromkeys(piece.document for case in cases for piece in case.evidence)
        return [name for name in named if len(corpus) and not corpus.holds(name)]

    def choose(self, named: str | None, *, limit: int | None = None) -> Chosen:
        """The cases of a file, of a set by name or digest, or of the newest set where none is named.

        A file is kept as a set under its name, so that the run names exactly what it was measured on. With `limit` the
        first so many: a set of its own. Raises NotFound where there are none.
        """
        if named is None:
            sets = self.cases.names()
            if not sets:
                raise NotFound(
                    "There are no cases in this workspace.",
                    hint="Import some: assay cases import jsonl FILE, or give a file: assay eval --cases FILE",
                )
            named = max(sets, key=lambda found: found.created_ns).name
        path = Path(named)
        if path.suffix.lower() == ".jsonl" or path.is_file():
            _check_is_ours(path)
            name, cases, origin = path.stem, self.read(path), path.name
        else:
            name, cases, origin = named, self._loaded(named), ""
        if limit is not None and limit < len(cases):
            name, cases, origin = f"{name}, first {limit}", cases[:limit], LIMITED
        digest = self.cases.save(name, cases, origin) if origin else self.cases.digest(named)
        return Chosen(name, digest, cases)

    def _loaded(self, named: str) -> list[Case]:
        try:
            return self.cases.load(named)
        except NotFound:
            _check_is_ours(Path(named))
            raise

    def save_part(self, name: str, cases: Sequence[Case]) -> str:
        """Keep a part of a set, in this order, under `name`; its digest. Such sets are never the newest."""
        return self.cases.save(name, cases, DECISION_ORDER)

    # ---- prompts ------------------------------------------------------------------------------

    def prompt_store(self) -> PromptStore:
        """Every prompt this workspace has seen, those in use now among them."""
        store = PromptStore(self.workspace.database)
        store.register(self.prompts_in_use())
        return store

    def prompts(self) -> list[tuple[Prompt, int]]:
        """The newest version of each prompt, with how many versions there are."""
        store = self.prompt_store()
        versions = [store.versions(name) for name in store.names()]
        return [(found[-1].prompt, len(found)) for found in versions]

    def prompts_in_use(self) -> list[Prompt]:
        """The prompts of answers under the settings in force, and those of all judges."""
        return [instructions_prompt(self.workspace.settings.answers.instructions), *judge_prompts()]

    # ---- reading runs -------------------------------------------------------------------------

    def cases_of(self, record: RunRecord) -> list[Case]:
        """The exact cases a run was measured on."""
        return self.cases.load(record.spec.set_digest)

    def board(
        self, record: RunRecord, cases: Sequence[Case] | None = None, *, metrics: Sequence[str] | None = None
    ) -> Scoreboard:
        """The scoreboard of what a run has so far, of the `metrics` given, else those the run was asked for."""
        cases = self.cases_of(record) if cases is None else cases
        wanted = record.shown if metrics is None else metrics
        return scoreboard(rows_of(self.runs.results(record.id), cases), metrics=wanted)

    def diff(self, first: str, second: str, *, metrics: Sequence[str] | None = None) -> Diff:
        """What changed from one run to another, each given by id; confirm cases of a split set are not listed."""
        runs = [self.runs.get(run_id) for run_id in (first, second)]
        rows = (rows_of(self.runs.results(run.id, outputs=False), self.cases_of(run)) for run in runs)
        hidden = SplitStore(self.workspace.database).hidden(self.cases_of(runs[0]))
        return hiding(diff(*rows, metrics=metrics, most_cases=10_000), hidden)

    def score_lines(self, record: RunRecord, metric: str) -> Iterator[dict[str, Any]]:
        """One metric of a run as `assay compare` reads it: a line for each answer, without a score where it failed.

        Raises NotFound where the run has no such metric.
        """
        if metric not in record.means:
            raise NotFound(
                f"Run {record.id[:8]} has no metric {metric}.", hint=f"Use one of: {', '.join(record.means)}."
            )
        cases = self.cases_of(record)
        for result in self.runs.results(record.id, outputs=False):
            score = result.scores.get(metric)
            if score is None and not result.error:
                continue
            case = cases[result.ordinal]
            line: dict[str, Any] = {"case": case.id, "score": score.value if score else 0.0, "metric": metric}
            line |= {"latency_ms": result.latency_ms, "cost_usd": result.cost_usd}
            if case.cluster:
                line["cluster"] = case.cluster
            if result.error:
                line["error"] = result.error
            yield line

    def view(self, record: RunRecord) -> RunView:
        """A run as report and page show it."""
        cases = self.cases_of(record)
        others = self.runs.list(200, set_digest=record.spec.set_digest)
        course = tuple(history(others, before=record).items())
        hidden = SplitStore(self.workspace.database).hidden(cases)
        gold_of = Library(self.workspace.store).gold
        return run_view(self.runs, record, cases, gold_of=gold_of, hidden=hidden, history=course)

    def write_report(self, record: RunRecord, path: Path | None = None) -> Path:
        """Write the HTML report of a run, by default into the workspace; where it is."""
        if path is None:
            path = self.workspace.home / "reports" / f"{record.id}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
        write_report(path, self.view(record))
        return path

    def results(self, record: RunRecord) -> Iterator[Result]:
        """The results of a run, in order."""
        return self.runs.results(record.id)


def _check_is_ours(path: Path) -> None:
    """Raise BadInput where a path holds cases in a shape that is imported first, saying how."""
    kind = None
    if path.is_dir() and (path / "queries.jsonl").is_file():
        kind = "beir", "a set in the BEIR layout"
    elif path.suffix.lower() in (".csv", ".tsv"):
        kind = "csv", "a table"
    elif path.suffix.lower() == ".json" and path.is_file():
        with path.open("rb") as file:
            start = file.read(4_096)
        if b'"data"' in start and b'"paragraphs"' in start:
            kind = "squad", "a set in SQuAD's format"
    if kind is not None:
        raise BadInput(
            f"{path} is {kind[1]}, which is imported first.",
            hint=f"Run `assay cases import {kind[0]} {shlex.quote(str(path))}`, then measure on the set it names.",
        )


@asynccontextmanager
async def measuring(workspace: Workspace) -> AsyncIterator[Measuring]:
    """The evaluations of an open workspace."""
    opened = Measuring(workspace)
    try:
        yield opened
    finally:
        await opened.aclose()


def run_shape(record: RunRecord, board: Scoreboard) -> dict[str, Any]:
    """The documented object of `assay eval --json`."""
    return {
        "run_id": record.id,
        "status": record.status,
        "system": record.spec.system,
        "cases_set": {"name": record.spec.set_name, "digest": record.spec.set_digest, "cases": record.spec.cases},
        **board.as_json(),
        # Where no call had a known price the cost is not 0, it is not known.
        "cost_usd": None if record.unpriced_calls and not record.cost_usd else record.cost_usd,
        "unpriced_calls": record.unpriced_calls,
        "paid_calls": record.paid_calls,
        "cached_calls": record.cached_calls,
    }
