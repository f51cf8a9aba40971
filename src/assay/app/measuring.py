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
from assay.answers.prompt import instructions_prompt
from assay.app.daemon import in_daemon_thread
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
from assay.evals.engine import evaluate, spec_of
from assay.evals.gold import resolve, resolve_all, source_named
from assay.evals.history import history
from assay.evals.judges import prompts as judge_prompts
from assay.evals.judges.check import check
from assay.evals.judges.checks import checked, save_check
from assay.evals.judges.labels import Label, judged
from assay.evals.judges.pairwise import Pairwise
from assay.evals.judges.probes import ProbeReport, injection_rate
from assay.evals.judges.report import Report, judge_key
from assay.evals.metrics import EMBEDDED, JUDGED, Instruments, judge_for, scorers_for
from assay.evals.plan import Plan, plan
from assay.evals.progress import Progress
from assay.evals.prompts import PromptStore
from assay.evals.result import Result
from assay.evals.run_spec import RunSpec
from assay.evals.runs import RunRecord, Runs
from assay.evals.scoreboard import Scoreboard, scoreboard
from assay.evals.scorer import Gold, Scorer
from assay.evals.system import System
from assay.evals.systems.own import OwnSystem
from assay.evals.systems.parse import OwnSettings, parse_system
from assay.evals.systems.probe import settled
from assay.evals.systems.subject import code_version, subject_of
from assay.gateway.budget import Budget
from assay.gateway.pace import Pace
from assay.gateway.stack import stacked_chat, stacked_embedder
from assay.index.store import Store
from assay.ledger.database import Database
from assay.ledger.values import Values, key_of
from assay.models import catalogue
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder
from assay.models.minilm import MiniLMEmbedder
from assay.models.prompt import Prompt

_TEXTS_REMEMBERED = 64
_RETRIES = "models.max_retries"
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
    budget: Budget | None = None
    is_foreign: bool = False
    run_id: str | None = None

    async def run(self, *, progress: Callable[[Progress], None] | None = None) -> tuple[RunRecord, Scoreboard]:
        """Evaluate, or go on with what was interrupted; the run and its scoreboard (kept with the run)."""
        options = self.settings.evals
        await asyncio.to_thread(self.measuring.prompt_store)  # so that the digests a run names can be read back
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
            run_id=self.run_id,
            # Our own models pay for themselves, call by call.
            budget=self.budget if self.is_foreign else None,
        )
        board = await asyncio.to_thread(self.measuring.board, record, self.chosen.cases, metrics=self.shown)
        if record.status == "done":
            await asyncio.to_thread(self.measuring.runs.summarise, record.id, board.as_json())
        return record, board

    @property
    def total(self) -> int:
        """Questions: cases times replicas."""
        return len(self.chosen.cases) * self.settings.evals.replicas

    def spec(self) -> RunSpec:
        """What is measured on what by what."""
        return spec_of(
            self.system,
            self.chosen.cases,
            scorers=self.scorers,
            set_digest=self.chosen.digest,
            set_name=self.chosen.name,
            replicas=self.settings.evals.replicas,
        )

    def plan(self) -> Plan:
        """What it will take, before anything is asked."""
        options = self.settings.evals
        return plan(
            self.system,
            self.chosen.cases,
            scorers=self.scorers,
            runs=self.measuring.runs,
            values=self.measuring.values,
            set_digest=self.chosen.digest,
            set_name=self.chosen.name,
            replicas=options.replicas,
            concurrency=options.concurrency,
        )

    def details(self) -> dict[str, Any]:
        """What the run records for people."""
        spec = getattr(self.system, "spec", None)
        return {"system": dict(spec) if spec else {}, "timeout_seconds": self.settings.evals.timeout_seconds}


class _Behind:
    """What models of an evaluation stand behind: meter, budget, pace and cache, one pace for each provider."""

    def __init__(self, values: Values, budget: Budget | None, settings: Settings) -> None:
        self._values, self._budget = values, budget
        self._timeout_seconds = settings.models.timeout_seconds
        self._retries = max(settings.models.max_retries, 2)
        self._paces: dict[str, Pace] = {}

    def chat(self, model: ChatModel) -> ChatModel:
        """A chat model behind it."""
        return stacked_chat(
            model,
            values=self._values,
            budget=self._budget,
            pace=self._pace(model.provider),
            timeout_seconds=self._timeout_seconds,
        )

    def embedder(self, embedder: Embedder) -> Embedder:
        """An embedder behind it."""
        provider = getattr(embedder, "provider", None) or (
            "embedded" if embedder.name == MiniLMEmbedder.name else "unknown"
        )
        return stacked_embedder(
            embedder, provider=provider, values=self._values, budget=self._budget, pace=self._pace(provider)
        )

    def _pace(self, provider: str) -> Pace:
        return self._paces.setdefault(provider, Pace(retries=self._retries))


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
            workspace = await stack.enter_async_context(self._paced_workspace(in_force))
            found = parse_system(system) if system is not None else None
            if isinstance(found, OwnSettings):
                other = _unretried(_settings_of(found.path))
                workspace = await stack.enter_async_context(self.workspace.variant(other))
                found = None
            if found is not None:
                stack.push_async_callback(found.aclose)
                if budget_usd is None:  # asking once to see what it gives would be outside the budget
                    found = await settled(found, chosen.cases[0].question)
            corpus = await asyncio.to_thread(StoredCorpus, self.workspace.store)
            golds = await asyncio.to_thread(resolve_all, chosen.cases, corpus)

            async def made(budget: Budget | None) -> Evaluation:
                behind = _Behind(self.values, budget, settings)
                measured = found or await self._own(workspace, behind)
                instruments = await self._instruments(workspace, settings, behind, stack)
                scorers, shown = scorers_for(
                    settings.evals.metrics, kind=measured.kind, cases=chosen.cases, instruments=instruments
                )
                named = [_checked(scorer, self.workspace.database) for scorer in scorers]
                gold = {case.id: pieces for case, pieces in zip(chosen.cases, golds, strict=True)}
                return Evaluation(self, chosen, measured, named, shown, gold, settings, budget, found is not None)

            evaluation = await made(None)
            if budget_usd is not None:
                # The budget belongs to the run, and the run is known by what it measures.
                evaluation.run_id = await asyncio.to_thread(self.runs.id_for, evaluation.spec())
                budget = await asyncio.to_thread(
                    partial(Budget, budget_usd, database=self.workspace.database, run_id=evaluation.run_id)
                )
                stack.callback(budget.close)
                run_id, evaluation = evaluation.run_id, await made(budget)
                evaluation.run_id = run_id
            yield evaluation

    @asynccontextmanager
    async def _paced_workspace(self, in_force: SettingsInForce) -> AsyncIterator[Workspace]:
        """The workspace under these settings; remote models leave retries to the pace, which knows of all calls."""
        changed = _unretried(in_force)
        if changed.settings == self.workspace.settings:
            yield self.workspace
            return
        async with self.workspace.variant(changed) as variant:
            yield variant

    async def _own(self, workspace: Workspace, behind: "_Behind") -> System:
        """Assay's own answers under the settings of `workspace`, metered and cached."""
        settings = workspace.settings
        embedder = behind.embedder(await workspace.embedder())
        chat = await workspace.chat_in_use()
        model = None if chat is None else behind.chat(chat)
        retriever = await workspace.retriever_with(embedder)
        corpus = await asyncio.to_thread(workspace.corpus_state)
        told = instructions_prompt(settings.answers.instructions)
        rooms = {name: getattr(settings, name).model_dump(mode="json") for name in ("documents", "index", "answers")}
        seen = {
            "embedder": embedder.digest,
            "reranker": settings.models.reranker if settings.index.rerank else None,
            "code": code_version(),
        }
        parts = {
            **seen,
            "rooms": rooms,
            "chat": None if chat is None else [chat.provider, chat.name, chat.digest],
            "prompts": {} if chat is None else {told.name: told.digest},
            "corpus": corpus,
        }
        cached = CachedRetriever(
            retriever,
            self.values,
            corpus=corpus,
            settings=key_of("retrieval-settings", {**seen, "index": rooms["index"]}),
        )

        async def ask(question: str) -> Outcome:
            with workspace.recorder.recording():
                return await asking.ask(
                    question, retriever=cached, embedder=embedder, model=model, settings=settings.answers
                )

        changed = {
            key: value
            for key, value, origin, _description in workspace.in_force.rows()
            if origin.kind != "default" and key.split(".")[0] in rooms | {"models": None} and key != _RETRIES
        }
        return OwnSystem(
            ask,
            name=_own_name(changed),
            subject=subject_of(parts),
            spec={"settings": changed, "parts": parts},
            expected_cost_usd=(0.0, 0.0) if chat is None or chat.provider == "embedded" else None,
        )

    # ---- instruments --------------------------------------------------------------------------

    async def _instruments(
        self, workspace: Workspace, settings: Settings, behind: "_Behind", stack: AsyncExitStack
    ) -> Instruments:
        """The judge and the embedder, loaded only where a metric needs them."""
        wanted = {name.strip() for name in settings.evals.metrics.split(",")}
        judge: ChatModel | None = None
        embedder: Embedder | None = None
        if wanted & JUDGED.keys():
            judge = behind.chat(await self._judge(workspace, settings, stack))
        if wanted & {*EMBEDDED, "answer_relevancy"}:
            embedder = behind.embedder(await workspace.embedder())

        def the_judge() -> ChatModel:
            assert judge is not None
            return judge

        def the_embedder() -> Embedder:
            assert embedder is not None
            return embedder

        return Instruments(the_judge, the_embedder, settings.evals.criterion)

    @asynccontextmanager
    async def judge(self, in_force: SettingsInForce) -> AsyncIterator[tuple[ChatModel, Embedder]]:
        """The model that judges and the embedder, behind the gateway: for checks and probes."""
        async with AsyncExitStack() as stack:
            workspace = await stack.enter_async_context(self._paced_workspace(in_force))
            behind = _Behind(self.values, None, in_force.settings)
            model = await self._judge(workspace, in_force.settings, stack)
            yield behind.chat(model), behind.embedder(await workspace.embedder())

    async def _judge(self, workspace: Workspace, settings: Settings, stack: AsyncExitStack) -> ChatModel:
        """The model that judges: `evals.judge`, or the chat model."""
        options, models = settings.evals, settings.models
        if not options.judge or (options.judge == models.chat and not options.judge_base_url):
            chat = await workspace.chat()
            if chat is None:
                raise BadSetting("A judge needs a model and models.chat is none.", hint="Set evals.judge.")
            return chat
        named = models.model_copy(
            update={
                "chat": options.judge,
                "chat_base_url": options.judge_base_url or models.chat_base_url,
                "chat_key_env": options.judge_key_env or models.chat_key_env,
                "chat_window": options.judge_window,
                "max_retries": 0,
            }
        )
        model = await in_daemon_thread(lambda: catalogue.chat_model(named))
        stack.push_async_callback(model.aclose)
        return model

    async def check_judge(
        self, labels: Sequence[Label], in_force: SettingsInForce, *, metric: str, threshold: float
    ) -> Report:
        """A judge against people's labels; those without a recorded score are judged now. The report is kept."""
        if all(label.is_judged for label in labels):
            return check(labels, key="recorded", threshold=threshold)
        async with self.judge(in_force) as (model, embedder):
            judge: Scorer | Pairwise
            if metric == "pairwise":
                judge = Pairwise(model)
            else:
                judge = judge_for(metric, model=model, embedder=embedder, criterion=in_force.settings.evals.criterion)
            found = await judged(labels, judge)
        assert judge.judge is not None
        report = await asyncio.to_thread(check, found, key=judge_key(judge.judge), threshold=threshold)
        await asyncio.to_thread(save_check, self.workspace.database, report)
        return report

    async def probe_judge(self, in_force: SettingsInForce, *, metric: str) -> ProbeReport:
        """How often the shipped injections turn a judge's verdict."""
        async with self.judge(in_force) as (model, embedder):
            criterion = in_force.settings.evals.criterion
            return await injection_rate(judge_for(metric, model=model, embedder=embedder, criterion=criterion))

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
        judges = [value for value in vars(judge_prompts).values() if isinstance(value, Prompt)]
        return [instructions_prompt(self.workspace.settings.answers.instructions), *judges]

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


def _unretried(in_force: SettingsInForce) -> SettingsInForce:
    """The settings with retries left to the pace, where a model is remote."""
    models = in_force.settings.models
    if models.chat in ("embedded", "none") and models.embedder == "embedded":
        return in_force
    return in_force.changed({_RETRIES: 0})


def _checked(scorer: Scorer, database: Database) -> Scorer:
    """The scorer, its judge with its last check against people."""
    if scorer.judge is not None:
        scorer.judge = checked(database, scorer.judge)
    return scorer
