"""A question in, a cited answer or a stated refusal out."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from assay.answers.outcome import Answer, AnswerEvent, Citation, Declined, Finished, Outcome, Progress, TextPiece
from assay.answers.quote import Candidate, ranked_sentences
from assay.answers.settings import AnswerSettings
from assay.errors import BadInput
from assay.index.hit import Filter, Hit, Retriever
from assay.ledger.spans import span
from assay.models.chat import ChatModel
from assay.models.embedder import Embedder

LONGEST_QUESTION = 4000
"""Characters."""

Emit = Callable[[AnswerEvent], None]


async def ask(
    question: str,
    *,
    retriever: Retriever,
    embedder: Embedder,
    model: ChatModel | None,
    settings: AnswerSettings,
    where: Filter | None = None,
) -> Outcome:
    """An answer with verified citations, or why there is none. Raises BadInput for an empty or too long question."""
    return await _answer(
        question,
        retriever=retriever,
        embedder=embedder,
        model=model,
        settings=settings,
        where=where,
        emit=lambda _event: None,
    )


async def stream(
    question: str,
    *,
    retriever: Retriever,
    embedder: Embedder,
    model: ChatModel | None,
    settings: AnswerSettings,
    where: Filter | None = None,
) -> AsyncIterator[AnswerEvent]:
    """The same in pieces; the last event is Finished. Closing the iterator stops the work."""
    events: asyncio.Queue[AnswerEvent | None] = asyncio.Queue()

    async def work() -> None:
        try:
            outcome = await _answer(
                question,
                retriever=retriever,
                embedder=embedder,
                model=model,
                settings=settings,
                where=where,
                emit=events.put_nowait,
            )
            events.put_nowait(Finished(outcome))
        finally:
            events.put_nowait(None)

    # A task of its own: spans open and close in one context, whoever reads the events.
    working = asyncio.create_task(work())
    try:
        while (event := await events.get()) is not None:
            yield event
        await working
    finally:
        working.cancel()
        await asyncio.wait([working])


async def _answer(
    question: str,
    *,
    retriever: Retriever,
    embedder: Embedder,
    model: ChatModel | None,
    settings: AnswerSettings,
    where: Filter | None,
    emit: Emit,
) -> Outcome:
    started = time.perf_counter()
    question = _checked(question)
    with span("assay.ask", {"question": question}) as root:
        emit(Progress("retrieve"))
        hits = tuple(await retriever.search(question, where=where))

        def elapsed() -> float:
            return (time.perf_counter() - started) * 1000

        if not hits:
            return Declined(
                "There are no documents to answer from: ingest some first.",
                hits,
                latency_ms=elapsed(),
                trace_id=root.trace_id,
            )
        ranked = await ranked_sentences(question, hits, embedder=embedder)
        confidence = min(1.0, ranked[0].score / 2) if ranked else 0.0
        if confidence < settings.decline_below:
            return Declined(
                "No passage answers this.",
                hits,
                confidence=confidence,
                latency_ms=elapsed(),
                trace_id=root.trace_id,
            )
        chosen = ranked[: settings.sentences]
        text = " ".join(f"{candidate.text} [{n}]" for n, candidate in enumerate(chosen, start=1))
        emit(TextPiece(text))
        citations = tuple(_citation(candidate, n) for n, candidate in enumerate(chosen, start=1))
        return Answer(text, citations, hits, confidence=confidence, latency_ms=elapsed(), trace_id=root.trace_id)


def _checked(question: str) -> str:
    question = question.strip()
    if not question:
        raise BadInput("The question is empty.", hint="Ask something.")
    if len(question) > LONGEST_QUESTION:
        raise BadInput(
            f"The question has {len(question)} characters; the most is {LONGEST_QUESTION}.", hint="Shorten it."
        )
    return question


def _citation(candidate: Candidate, marker: int) -> Citation:
    hit: Hit = candidate.hit
    start = hit.passage.start + candidate.start
    return Citation(
        marker,
        hit.source,
        hit.passage.document_id,
        start,
        start + len(candidate.text),
        candidate.text,
        page=hit.passage.page,
    )
