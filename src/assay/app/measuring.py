"""Evaluations of a workspace: systems, scorers and models put together from settings, runs read back for people.

Assay's own answers are measured with every model metered and cached: what was computed before under the same key is
not computed again, whatever run asked for it. Invariant: a run's subject names all that can change an output (settings
of the rooms that answer, weights, prompts, the state of the corpus, the code), so two runs share outputs only where
they would have been equal.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from assay.answers import ask as asking
from assay.answers.outcome import Outcome
from assay.app.daemon import in_daemon_thread
from assay.app.metrics import Instruments, scorers_for
from assay.app.report.page import write_report
from assay.app.report.view import RunView, run_view
from assay.app.settings import Settings, SettingsInForce, load_settings
from assay.app.wiring import Workspace
from assay.errors import BadInput, BadSetting, NotFound
from assay.evals.cached_retriever import CachedRetriever
from assay.evals.case import Case
from assay.evals.cases import CaseStore, read_cases
from assay.evals.columns import rows_of
from assay.evals.diff import Diff, diff
from assay.evals.engine import evaluate
from assay.evals.gold import resolve, resolve_all, source_named
from assay.evals.history import history
from assay.evals.progress import Progress
from assay.evals.result import Result
from assay.evals.runs import RunRecord, Runs
from assay.evals.scoreboard import Scoreboard, scoreboard
from assay.evals.scorer import Gold, Scorer
from assay.evals.system import System
from assay.evals.systems.own import OwnSystem
from assay.evals.systems.parse import OwnSettings, parse_system
from assay.evals.systems.subject import code_version, subject_of
from assay.gateway.cache import CachedChat, CachedEmbedder
from assay.gateway.meter import MeteredChat, MeteredEmbedder
from assay.index.store import Store
from assay.ledger.values import Values, key_of
from assay.models import catalogue
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder

_TEXTS_REMEMBERED = 64
_LIMITED = "limit"  # the origin of sets that are the beginning of another


@dataclass(frozen=True, slots=True)
class Chosen:
    """The cases of an evaluation: the exact set (`digest`), and what people call it."""

    name: str
    digest: str
    cases: Sequence[Case]


class StoredCorpus:
    """The workspace's documents, as gold evidence looks for them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._ids = {row.source: row.id for row in store.documents(limit=10**9)}
        self._by_end: dict[str, list[str]] = {}
        for source in self._ids:
            self._by_end.setdefault(source.rsplit("/", 1)[-1], []).append(source)
        self._text = lru_cache(_TEXTS_REMEMBERED)(lambda source: store.document(self._ids[source]).text)

    def __len__(self) -> int:
        return len(self._ids)

    def find(self, name: str) -> tuple[str, str] | None:
        """Source and text of the document that is `name` or whose path ends in it. Raises BadInput for several."""
        if name in self._ids:
            return name, self._text(name)
        source = source_named(name, self._by_end.get(name.rsplit("/", 1)[-1], ()))
        return None if source is None else (source, self._text(source))


@dataclass(slots=True)
class Evaluation:
    """An evaluation ready to run: `plan` it, then `run` it."""

    measuring: "Measuring"
    chosen: Chosen
    system: System
    scorers: Sequence[Scorer]
    shown: tuple[str, ...] | None
    gold: dict[str, tuple[Gold, ...]]
    settings: Settings

    async def run(self, *, progress: Callable[[Progress], None] | None = None) -> tuple[RunRecord, Scoreboard]:
        """Evaluate, or go on with what was interrupted; the run and its scoreboard (kept with the run)."""
        options = self.settings.evals
        record = await evaluate(
            self.system,
            self.chosen.cases,
            scorers=self.scorers,
            runs=self.measuring.runs,
            values=self.measuring.values,
            set_digest=self.chosen.digest,
            set_name=self.chosen.name,
            gold=lambda case: self.gold[case.id],
            replicas=options.replicas,
            concurrency=options.concurrency,
            timeout_seconds=options.timeout_seconds,
            progress=progress,
            details=self.details(),
        )
        board = await asyncio.to_thread(self.measuring.board, record, self.chosen.cases, metrics=self.shown)
        if record.status == "done":
            await asyncio.to_thread(self.measuring.runs.summarise, record.id, board.as_json())
        return record, board

    @property
    def total(self) -> int:
        """Questions: cases times replicas."""
        return len(self.chosen.cases) * self.settings.evals.replicas

    def plan(self) -> Any:
        class P:
            def lines(self):
                return []

            def as_json(self):
                return {}

        return P()

    def details(self) -> dict[str, Any]:
        """What the run records for people."""
        spec = getattr(self.system, "spec", None)
        return {"system": dict(spec) if spec else {}, "timeout_seconds": self.settings.evals.timeout_seconds}


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

    def choose(self, named: str | None, *, limit: int | None = None) -> Chosen:
        """The cases of a file, of a set by name or digest, or of the newest set where none is named.

        A file is kept as a set under its name, so that the run names exactly what it was measured on. With `limit` the
        first so many: a set of its own. Raises NotFound where there are none.
        """
        if named is None:
            sets = [found for found in self.cases.names() if found.origin != _LIMITED]
            if not sets:
                raise NotFound(
                    "There are no cases in this workspace.",
                    hint="Import some: assay cases import jsonl FILE, or give a file: assay eval --cases FILE",
                )
            named = max(sets, key=lambda found: found.created_ns).name
        path = Path(named)
        if path.suffix.lower() == ".jsonl" or path.is_file():
            name, cases, origin = path.stem, read_cases(path), path.name
        else:
            name, cases, origin = named, self.cases.load(named), ""
        if limit is not None and limit < len(cases):
            name, cases, origin = f"{name}, first {limit}", cases[:limit], _LIMITED
        digest = self.cases.save(name, cases, origin) if origin else self.cases.digest(named)
        return Chosen(name, digest, cases)

    # ---- systems ------------------------------------------------------------------------------

    @asynccontextmanager
    async def evaluation(
        self,
        chosen: Chosen,
        in_force: SettingsInForce,
        *,
        system: str | None = None,
        budget_usd: float | None = None,
    ) -> AsyncIterator[Evaluation]:
        """Everything an evaluation needs, opened; closed at the end."""
        settings = in_force.settings
        async with AsyncExitStack() as stack:
            measured = await self._system(system, stack)
            instruments = await self._instruments(settings, stack)
            scorers, shown = scorers_for(
                settings.evals.metrics, kind=measured.kind, cases=chosen.cases, instruments=instruments
            )
            corpus = await asyncio.to_thread(StoredCorpus, self.workspace.store)
            golds = await asyncio.to_thread(resolve_all, chosen.cases, corpus)
            gold = {case.id: pieces for case, pieces in zip(chosen.cases, golds, strict=True)}
            yield Evaluation(self, chosen, measured, scorers, shown, gold, settings)

    async def _system(self, named: str | None, stack: AsyncExitStack) -> System:
        if named is None:
            return await self._own(self.workspace)
        found = parse_system(named)
        if isinstance(found, OwnSettings):
            variant = await stack.enter_async_context(self.workspace.variant(_settings_of(found.path)))
            return await self._own(variant)
        stack.push_async_callback(found.aclose)
        return found

    async def _own(self, workspace: Workspace) -> System:
        """Assay's own answers under the settings of `workspace`, metered and cached."""
        settings, values = workspace.settings, self.values
        embedder = self._metered_embedder(await workspace.embedder(), settings)
        chat = await workspace.chat_in_use()
        model = None if chat is None else self._metered_chat(chat)
        retriever = await workspace.retriever_with(embedder)
        corpus = workspace.corpus_state()
        rooms = {name: getattr(settings, name).model_dump(mode="json") for name in ("documents", "index", "answers")}
        parts = {
            "rooms": rooms,
            "embedder": embedder.digest,
            "chat": None if chat is None else [chat.provider, chat.name, chat.digest],
            "reranker": settings.models.reranker if settings.index.rerank else None,
            "corpus": corpus,
            "code": code_version(),
        }
        cached = CachedRetriever(
            retriever,
            values,
            corpus=corpus,
            settings=key_of("retrieval-settings", {**parts, "rooms": {"index": rooms["index"]}}),
        )

        async def ask(question: str) -> Outcome:
            with workspace.recorder.recording():
                return await asking.ask(
                    question, retriever=cached, embedder=embedder, model=model, settings=settings.answers
                )

        changed = {
            key: value
            for key, value, origin, _description in workspace.in_force.rows()
            if origin.kind != "default" and key.split(".")[0] in ("documents", "index", "answers", "models")
        }
        return OwnSystem(
            ask,
            name=_own_name(changed),
            subject=subject_of(parts),
            spec={"settings": changed, "parts": parts},
        )

    def _metered_embedder(self, embedder: Embedder, settings: Settings) -> CachedEmbedder:
        provider = "embedded" if settings.models.embedder == "embedded" else None
        return CachedEmbedder(MeteredEmbedder(embedder, provider=provider), self.values)

    def _metered_chat(self, model: ChatModel) -> ChatModel:
        return CachedChat(MeteredChat(model), self.values)

    # ---- instruments --------------------------------------------------------------------------

    async def _instruments(self, settings: Settings, stack: AsyncExitStack) -> Instruments:
        """The judge and the embedder, loaded only where a metric needs them."""
        named = settings.evals.metrics
        needs = partial(_needs, named)
        judge: ChatModel | None = None
        embedder: Embedder | None = None
        if needs("judge"):
            judge = await self.judge(settings, stack)
        if needs("embedder"):
            embedder = self._metered_embedder(await self.workspace.embedder(), settings)

        def the_judge() -> ChatModel:
            assert judge is not None
            return judge

        def the_embedder() -> Embedder:
            assert embedder is not None
            return embedder

        return Instruments(the_judge, the_embedder, settings.evals.criterion)

    async def judge(self, settings: Settings, stack: AsyncExitStack) -> ChatModel:
        """The model that judges, metered and cached: `evals.judge`, or the chat model."""
        options = settings.evals
        models = settings.models
        if not options.judge:
            chat = await self.workspace.chat()
            if chat is None:
                raise BadSetting("A judge needs a model and models.chat is none.", hint="Set evals.judge.")
            return self._metered_chat(chat)
        named = models.model_copy(
            update={
                "chat": options.judge,
                "chat_base_url": options.judge_base_url or models.chat_base_url,
                "chat_key_env": options.judge_key_env or models.chat_key_env,
                "chat_window": options.judge_window,
            }
        )
        model = await in_daemon_thread(lambda: catalogue.chat_model(named))
        stack.push_async_callback(model.aclose)
        return self._metered_chat(model)

    # ---- reading runs -------------------------------------------------------------------------

    def cases_of(self, record: RunRecord) -> list[Case]:
        """The exact cases a run was measured on."""
        return self.cases.load(record.spec.set_digest)

    def board(
        self, record: RunRecord, cases: Sequence[Case] | None = None, *, metrics: Sequence[str] | None = None
    ) -> Scoreboard:
        """The scoreboard of what a run has so far."""
        cases = self.cases_of(record) if cases is None else cases
        return scoreboard(rows_of(self.runs.results(record.id), cases), metrics=metrics)

    def diff(self, first: str, second: str, *, metrics: Sequence[str] | None = None) -> Diff:
        """What changed from one run to another, each given by id."""
        runs = [self.runs.get(run_id) for run_id in (first, second)]
        rows = (rows_of(self.runs.results(run.id, outputs=False), self.cases_of(run)) for run in runs)
        return diff(*rows, metrics=metrics)

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

    def gold_of(self, cases: Sequence[Case]) -> Callable[[Case], tuple[Gold, ...]]:
        """Gold of cases in the documents as they are now; as the case says where they are gone or have changed."""
        corpus = StoredCorpus(self.workspace.store)

        def find(case: Case) -> tuple[Gold, ...]:
            try:
                return resolve(case, corpus)
            except BadInput:
                return tuple(Gold(piece.document, piece.quote, grade=piece.grade) for piece in case.evidence)

        return find

    def view(self, record: RunRecord) -> RunView:
        """A run as report and page show it."""
        cases = self.cases_of(record)
        others = self.runs.list(200, set_digest=record.spec.set_digest)
        return run_view(self.runs, record, cases, gold_of=self.gold_of(cases), history=tuple(history(others).items()))

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
        "cost_usd": record.cost_usd,
        "unpriced_calls": record.unpriced_calls,
        "paid_calls": record.paid_calls,
        "cached_calls": record.cached_calls,
    }


def _settings_of(path: Path) -> SettingsInForce:
    if not path.is_file():
        raise NotFound(f"There is no settings file {path}.", hint="Check the path.")
    return load_settings(folder=path.parent, environ={"ASSAY_CONFIG": str(path)})


def _own_name(changed: dict[str, Any]) -> str:
    return "assay" + (" " + " ".join(f"{key}={value}" for key, value in sorted(changed.items())) if changed else "")


def _needs(named: str, what: str) -> bool:
    from assay.app.metrics import EMBEDDED, JUDGED

    wanted = {name.strip() for name in named.split(",")}
    if what == "judge":
        return bool(wanted & set(JUDGED))
    return bool(wanted & (set(EMBEDDED) | {"answer_relevancy"}))
