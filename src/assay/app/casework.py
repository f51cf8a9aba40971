"""Test cases made from the workspace's documents, and what says how far they can be trusted."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

from assay.app.behind import Behind, paced
from assay.app.corpus import StoredCorpus
from assay.app.measuring import Measuring
from assay.app.settings import SettingsInForce
from assay.errors import NotFound
from assay.evals.audit import RankAudit, ScoreTable, audit, table_of
from assay.evals.columns import Columns, rows_of
from assay.evals.generation.generate import generate
from assay.evals.generation.generated import Generated, GenerationProgress
from assay.evals.review import ReviewQueue
from assay.evals.runs import RunRecord
from assay.evals.set_audit import SetAudit, audit_set
from assay.index.store import Store
from assay.models.chat import ChatModel


async def generate_cases(
    measuring: Measuring,
    in_force: SettingsInForce,
    *,
    n: int,
    seed: int,
    by_rule: bool,
    progress: Callable[[GenerationProgress], None],
) -> Generated:
    """About `n` cases from the workspace's documents, with `models.chat` or by rule alone.

    What a model said before it is not asked again, so an interrupted generation goes on where it was.
    """
    settings = in_force.settings
    store = measuring.workspace.store
    if not await asyncio.to_thread(lambda: store.counts().documents):
        raise NotFound("There are no documents to ask about.", hint="Ingest some first: assay ingest PATH")
    async with AsyncExitStack() as stack:
        workspace = await stack.enter_async_context(paced(measuring.workspace, in_force))
        behind = Behind(measuring.values, settings, retries=settings.models.max_retries)
        chat: ChatModel | None = None if by_rule else await workspace.chat()
        embedder = behind.embedder(await workspace.embedder())
        return await generate(
            _documents(store),
            n=n,
            model=None if chat is None else behind.chat(chat),
            embedder=embedder,
            seed=seed,
            retriever=await workspace.retriever_with(embedder),
            progress=progress,
        )


def audit_sets(measuring: Measuring, synthetic: str, human: str, *, metric: str) -> RankAudit:
    """Whether a set ranks the systems measured on it as another does: the newest finished run of each on both."""
    tables = [_table(measuring, name, metric) for name in (synthetic, human)]
    return audit(*tables, metric=metric)


def look_at_set(measuring: Measuring, name: str) -> SetAudit:
    """How near a set's questions stand to the words of their evidence, and what else can be told without runs."""
    progress = ReviewQueue(measuring.workspace.database, name).progress()
    corpus = StoredCorpus(measuring.workspace.store)
    return audit_set(measuring.cases.load(name), corpus=corpus, decided=progress.total - progress.to_review)


def _table(measuring: Measuring, name: str, metric: str) -> ScoreTable:
    cases = measuring.cases.load(name)
    newest: dict[str, RunRecord] = {}
    for record in measuring.runs.list(10_000, set_digest=measuring.cases.digest(name)):
        if record.status == "done" and metric in record.means:
            newest.setdefault(record.spec.system, record)
    results = {
        system: Columns(rows_of(measuring.runs.results(record.id, outputs=False), cases))
        for system, record in newest.items()
    }
    return table_of(results, metric, cases)


def _documents(store: Store) -> Iterator[tuple[str, str, str]]:
    for row in store.documents(limit=10**9):
        yield row.source, row.title, store.document(row.id).text
