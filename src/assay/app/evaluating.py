"""An evaluation put together: the system, the scorers, the gold, the gateway its models stand behind.

Assay's own answers are measured with every model metered and cached: what was computed before under the same key is
not computed again, whatever run asked for it. Invariant: a run's subject names all that can change an output (settings
of the rooms that answer, weights, prompts, the state of the corpus, the code), so two runs share outputs only where
they would have been equal.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from assay.answers import ask as asking
from assay.answers.outcome import Outcome
from assay.answers.prompt import instructions_prompt
from assay.app.behind import RETRIES, Behind, judging_model, paced, unretried
from assay.app.corpus import StoredCorpus
from assay.app.foreign import Located, settled
from assay.app.judging import opponent
from assay.app.measuring import Chosen, Measuring
from assay.app.rehearsing import rehearsal
from assay.app.settings import Origin, Settings, SettingsInForce, load_settings, read_settings_file
from assay.app.wiring import Workspace
from assay.errors import NotFound
from assay.evals.engine import evaluate, most_nano, spec_of
from assay.evals.follow import Follower
from assay.evals.gold import resolve_all
from assay.evals.judges.checks import checked
from assay.evals.metrics import EMBEDDED, JUDGED, Instruments, scorers_for
from assay.evals.plan import Plan, plan
from assay.evals.progress import Progress
from assay.evals.run_spec import SHOWN, RunSpec
from assay.evals.runs import RunRecord
from assay.evals.scoreboard import Scoreboard
from assay.evals.scorer import Gold, Scorer
from assay.evals.system import System
from assay.evals.systems.own import OwnSystem
from assay.evals.systems.parse import OwnSettings, parse_system
from assay.evals.systems.probe import FEWEST_ASKED
from assay.evals.systems.subject import code_version, subject_of
from assay.evals.timing import Passages, Rehearsal, Work
from assay.gateway.budget import Budget
from assay.ledger.database import Database
from assay.ledger.values import key_of
from assay.models.chat import ChatModel, Usage
from assay.models.embedder import Embedder
from assay.models.prices import cost_usd

# Tokens of a call from the least to the most, to say beforehand what nobody has measured yet.
_TOLD_TOKENS = 400  # instructions and question
_JUDGED_TOKENS = (300, 4_000)
_VERDICT_TOKENS = (20, 1_000)

QUEUED_JUDGE_CONCURRENCY = 4
"""Most cases at once where the embedded model judges. It takes one call after another, and a judge's time limit runs
while it waits its turn; a few at once bring calls that begin alike together, so their beginning is read once."""


@dataclass(slots=True)
class Evaluation:
    """An evaluation ready to run: `plan` it, then `run` it."""

    measuring: Measuring
    chosen: Chosen
    system: System
    scorers: Sequence[Scorer]
    shown: tuple[str, ...] | None
    gold: Mapping[str, tuple[Gold, ...]]
    settings: Settings
    budget: Budget | None = None
    is_foreign: bool = False
    judge: ChatModel | None = None
    run_id: str | None = None
    bare_judge: ChatModel | None = None
    behind: Behind | None = None

    @property
    def total(self) -> int:
        """Questions: cases times replicas."""
        return len(self.chosen.cases) * self.settings.evals.replicas

    def spec(self) -> RunSpec:
        """What is measured on what by what."""
        return spec_of(self.system, self.chosen.cases, **self._what())

    @property
    def is_judge_slow(self) -> bool:
        """Whether the embedded model judges."""
        return self.judge is not None and self.judge.provider == "embedded"

    @property
    def concurrency(self) -> int:
        """Cases at once."""
        asked = self.settings.evals.concurrency
        return min(asked, QUEUED_JUDGE_CONCURRENCY) if self.is_judge_slow else asked

    async def planned(self) -> Plan:
        """The plan; what no earlier run timed is timed now where that costs nothing, in a few seconds."""
        found = await asyncio.to_thread(self.plan)
        if not found.untimed:
            return found
        questions = [case.question for case in self.chosen.cases]
        timed = await rehearsal(self.system, questions, judge=self.bare_judge, untimed=found.untimed)
        return await asyncio.to_thread(self.plan, timed)

    def plan(self, rehearsal: Rehearsal | None = None) -> Plan:
        """What it will take, before anything is asked."""
        opened = self.measuring
        return plan(
            self.system,
            self.chosen.cases,
            runs=opened.runs,
            values=opened.values,
            concurrency=self.concurrency,
            judge_call_usd=call_usd(self.judge, prompt=_JUDGED_TOKENS, answer=_VERDICT_TOKENS),
            slow_judge=self.is_judge_slow,
            rehearsal=rehearsal,
            **self._what(),
        )

    async def run(self, *, progress: Callable[[Progress], None] | None = None) -> tuple[RunRecord, Scoreboard]:
        """Evaluate, or go on with what was interrupted; the run and its scoreboard (kept with the run)."""
        opened = self.measuring
        record = await self.results(progress=progress)
        board = await asyncio.to_thread(opened.board, record, self.chosen.cases, metrics=self.shown)
        if record.status == "done":
            await asyncio.to_thread(opened.runs.summarise, record.id, board.as_json())
        return record, board

    async def results(
        self,
        *,
        progress: Callable[[Progress], None] | None = None,
        follower: Follower | None = None,
        concurrency: int | None = None,
    ) -> RunRecord:
        """The run without its scoreboard; `follower` may end it early (see `evals.follow`)."""
        opened, options = self.measuring, self.settings.evals
        await asyncio.to_thread(opened.prompt_store)  # so that the digests a run names can be read back
        spec = getattr(self.system, "spec", None)
        return await evaluate(
            self.system,
            self.chosen.cases,
            runs=opened.runs,
            values=opened.values,
            gold=lambda case: self.gold[case.id],
            concurrency=min(self.concurrency, concurrency or self.concurrency),
            timeout_seconds=options.timeout_seconds,
            progress=progress,
            details={
                "system": dict(spec) if spec else {},
                "timeout_seconds": options.timeout_seconds,
                SHOWN: None if self.shown is None else list(self.shown),
            },
            run_id=self.run_id,
            # Our own models pay for themselves, call by call.
            budget=self.budget if self.is_foreign else None,
            follower=follower,
            **self._what(),
        )

    def _what(self) -> dict[str, Any]:
        return {
            "scorers": self.scorers,
            "set_digest": self.chosen.digest,
            "set_name": self.chosen.name,
            "replicas": self.settings.evals.replicas,
        }


@asynccontextmanager
async def evaluation(
    measuring: Measuring,
    chosen: Chosen,
    in_force: SettingsInForce,
    *,
    system: str | None = None,
    system_settings: Mapping[str, Any] | None = None,
    budget_usd: float | None = None,
    budget_id: str | None = None,
) -> AsyncIterator[Evaluation]:
    """Everything an evaluation needs, opened; closed at the end. `system` as `--system` takes it, None: our own.

    `budget_id` names a budget that several evaluations share.

    Raises what a wrong system, metric or piece of evidence raises, before anything is paid for.
    """
    settings = in_force.settings
    async with AsyncExitStack() as stack:
        workspace = await stack.enter_async_context(paced(measuring.workspace, in_force))
        corpus = await asyncio.to_thread(StoredCorpus, measuring.workspace.store)
        golds = await asyncio.to_thread(resolve_all, chosen.cases, corpus)
        gold = {case.id: pieces for case, pieces in zip(chosen.cases, golds, strict=True)}
        rival = await asyncio.to_thread(opponent, measuring, chosen.cases, in_force)
        foreign: System | None = None
        found = None if system is None else parse_system(system, settings=system_settings)
        if isinstance(found, OwnSettings):
            workspace = await stack.enter_async_context(measuring.workspace.variant(unretried(_read(found.path))))
        elif found is not None:
            stack.push_async_callback(found.aclose)
            questions = [case.question for case in chosen.cases[:FEWEST_ASKED]]
            known = await settled(measuring, found, questions, may_ask=budget_usd is None)
            foreign = Located(known, corpus, state=measuring.workspace.corpus_state())

        async def made(budget: Budget | None, run_id: str | None = None) -> Evaluation:
            behind = Behind(measuring.values, settings, retries=in_force.settings.models.max_retries, budget=budget)
            measured = foreign or await own_system(measuring, workspace, behind)
            instruments, judge, bare = await _instruments(workspace, settings, behind, stack)
            scorers, shown = scorers_for(
                settings.evals.metrics,
                kind=measured.kind,
                cases=chosen.cases,
                instruments=replace(instruments, opponent=rival),
                shows_sources=foreign is None,
            )
            named = [_checked(scorer, measuring.workspace.database) for scorer in scorers]
            return Evaluation(
                measuring,
                chosen,
                measured,
                named,
                shown,
                gold,
                settings,
                budget,
                foreign is not None,
                judge,
                run_id,
                bare,
                behind,
            )

        ready = await made(None)
        if budget_usd is not None:
            if foreign is not None:
                most_nano(foreign)  # refused now, before anything is taken or spent
            # The budget belongs to the run, and the run is known by what it measures; or several share one.
            run_id = await asyncio.to_thread(measuring.runs.id_for, ready.spec())
            opened = partial(Budget, budget_usd, database=measuring.workspace.database, run_id=budget_id or run_id)
            budget = await asyncio.to_thread(opened)
            stack.callback(budget.close)
            ready = await made(budget, run_id)
        yield ready


async def own_system(measuring: Measuring, workspace: Workspace, behind: Behind) -> System:
    """Assay's own answers under the settings of `workspace`, metered and cached.

    Where a flag or a release cuts the documents otherwise than they were ingested, they are cut anew beside them.
    """
    settings = workspace.settings
    bare = await workspace.embedder()
    embedder = behind.embedder(bare)
    chat = await workspace.chat_in_use()
    model = None if chat is None else behind.chat(chat)
    retriever = await workspace.retriever_with(embedder)
    corpus = await asyncio.to_thread(workspace.corpus_state)
    told = instructions_prompt(settings.answers.instructions)
    rooms = {name: getattr(settings, name).model_dump(mode="json") for name in ("documents", "index", "answers")}
    seen = {
        "embedder": embedder.digest,
        "reranker": settings.models.reranker if settings.index.rerank else None,
        "code": await asyncio.to_thread(code_version),
    }
    parts = {
        **seen,
        "rooms": rooms,
        "chat": None if chat is None else [chat.provider, chat.name, chat.digest],
        "prompts": {} if chat is None else {told.name: told.digest},
        "corpus": corpus,
    }
    retrieval = key_of("retrieval-settings", {**seen, "index": rooms["index"]})
    cached = behind.searches(retriever, corpus=corpus, settings=retrieval)

    async def ask(question: str) -> Outcome:
        with workspace.recorder.recording():
            return await asking.ask(
                question, retriever=cached, embedder=embedder, model=model, settings=settings.answers
            )

    rehearse = await _rehearsal_of(workspace, bare) if chat is None else None
    changed = {
        key: value
        for key, value, origin, _description in workspace.in_force.rows()
        if origin.kind != "default" and key.split(".")[0] in {*rooms, "models"} and key != RETRIES
    }
    name = " ".join(["assay", *(f"{key}={value}" for key, value in sorted(changed.items()))])
    # The question's vector, its tokens and those of the passages; the model where one writes.
    calls = 3.0 if chat is None else 4.0
    passages = settings.index.k * settings.documents.size
    shown = min(settings.models.chat_window if chat is None else chat.window, passages + _TOLD_TOKENS)
    return OwnSystem(
        ask,
        name=name,
        subject=subject_of(parts),
        spec={"settings": changed, "parts": parts},
        expected_cost_usd=call_usd(chat, prompt=(_TOLD_TOKENS, shown), answer=(20, settings.answers.max_tokens)),
        expected_calls=(calls - 1, calls),
        expected_work=None if chat is None else Work((_TOLD_TOKENS, shown), (20, settings.answers.max_tokens)),
        expected_passages=Passages((settings.index.k,) * 2, (passages / 2, passages)),
        rehearse=rehearse,
        writer=chat,
    )


async def _rehearsal_of(workspace: Workspace, embedder: Embedder) -> Callable[[str], Awaitable[Outcome]] | None:
    """Asks without meter and cache, where no model but those of this process is called; else None."""
    settings = workspace.settings
    if settings.models.embedder != "embedded" or (settings.index.rerank and settings.models.reranker == "judge"):
        return None
    retriever = await workspace.retriever_with(embedder)
    return partial(asking.ask, retriever=retriever, embedder=embedder, model=None, settings=settings.answers)


def call_usd(
    model: ChatModel | None, *, prompt: tuple[int, int], answer: tuple[int, int]
) -> tuple[float, float] | None:
    """What one call costs, from the fewest tokens to the most; None where the model has no known price."""
    if model is None:
        return 0.0, 0.0
    low, high = (
        cost_usd(model.provider, model.name, Usage(uncached=prompt[end], output=answer[end])) for end in (0, 1)
    )
    return None if low is None or high is None else (low, high)


async def _instruments(
    workspace: Workspace, settings: Settings, behind: Behind, stack: AsyncExitStack
) -> tuple[Instruments, ChatModel | None, ChatModel | None]:
    """The judge and the embedder, loaded only where a metric needs them; and the judge, where there is one, as it is
    asked and as it is without the gateway."""
    wanted = {name.strip() for name in settings.evals.metrics.split(",")}
    judge: ChatModel | None = None
    bare: ChatModel | None = None
    embedder: Embedder | None = None
    if wanted & JUDGED.keys():
        bare = await judging_model(workspace, settings, stack)
        judge = behind.chat(bare)
    if wanted & {*EMBEDDED, "answer_relevancy"}:
        embedder = behind.embedder(await workspace.embedder())

    def the_judge() -> ChatModel:
        assert judge is not None
        return judge

    def the_embedder() -> Embedder:
        assert embedder is not None
        return embedder

    return Instruments(the_judge, the_embedder, settings.evals.criterion), judge, bare


def _read(path: Path) -> SettingsInForce:
    if not path.is_file():
        raise NotFound(f"There is no settings file {path}.", hint="Check the path.")
    in_force = load_settings(folder=path.parent, environ={"ASSAY_CONFIG": str(path)})
    # A candidate: what it says of the cut is measured, not left to the next ingest.
    return in_force.changed(read_settings_file(path), origin=Origin("flag", path.name))


def _checked(scorer: Scorer, database: Database) -> Scorer:
    """The scorer, its judge with its last check against people."""
    if scorer.judge is not None:
        scorer.judge = checked(database, scorer.judge)
    return scorer
