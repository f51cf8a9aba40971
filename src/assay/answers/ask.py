"""A question in, a cited answer or a stated refusal out.

Retrieve, pack, generate, verify: each a span of the trace and an event of the stream. An embedded model
is too weak to be trusted with an answer, so by default the answer is the best supporting sentences,
verbatim; a stronger model writes freely, and what it wrote is tied to sentences or flagged. Either way
every citation that leaves here was checked to be the exact characters of its document.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace

from assay.answers.candidates import signals
from assay.answers.decline import confidence, reason
from assay.answers.outcome import (
    CUT_OFF,
    FILTERED,
    UNPHRASED,
    Answer,
    AnswerEvent,
    Citation,
    Declined,
    Finished,
    Outcome,
    Progress,
    TextPiece,
)
from assay.answers.pack import Packed, pack
from assay.answers.phrase import ask_for_phrase, checked_phrase
from assay.answers.prompt import instructions_prompt, prompt_for
from assay.answers.question import Question
from assay.answers.quote import best_sentences, quoted_text, sentence_scores
from assay.answers.settings import AnswerSettings
from assay.answers.verify import check_verbatim
from assay.answers.write import Written, citation, cited, may_refuse, refusal
from assay.errors import BadInput, Upstream
from assay.index.hit import Filter, Hit, Retriever
from assay.ledger.spans import Span, span
from assay.models.chat import ChatModel, ChatRequest, Completion, Usage
from assay.models.embedder import Embedder
from assay.models.prices import cost_usd

LONGEST_QUESTION = 4000
"""Characters."""

_Emit = Callable[[AnswerEvent], None]


async def ask(
    question: str,
    *,
    retriever: Retriever,
    embedder: Embedder,
    model: ChatModel | None,
    settings: AnswerSettings,
    where: Filter | None = None,
) -> Outcome:
    """An answer with verified citations, or why there is none.

    Raises BadInput for a question that is empty or too long, Upstream where the server of a model that writes
    fails, LimitReached where the model's window holds no passage. A quote needs no model: where one fails to put a
    phrase before it, the answer is the quote and a flag says so.
    """
    asking = _Asking(retriever, embedder, model, settings, where, emit=lambda _event: None)
    return await asking.answer(question)


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
    asking = _Asking(retriever, embedder, model, settings, where, emit=events.put_nowait)

    async def work() -> None:
        try:
            events.put_nowait(Finished(await asking.answer(question)))
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


def writes(settings: AnswerSettings, *, provider: str) -> bool:
    """Whether a model of this provider writes the answers; else they are quotes."""
    return settings.style == "write" or (settings.style == "auto" and provider != "embedded")


def needs_model(settings: AnswerSettings, *, provider: str) -> bool:
    """Whether answers under these settings call a model of this provider at all."""
    return settings.phrase or writes(settings, provider=provider)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One question on its way."""

    retriever: Retriever
    embedder: Embedder
    model: ChatModel | None
    settings: AnswerSettings
    where: Filter | None
    emit: _Emit

    async def answer(self, text: str) -> Outcome:
        started = time.perf_counter()
        question = Question.of(checked(text))
        with span("assay.ask", {"question": question.text}) as root:
            outcome = await self._outcome(question)
            root.set("outcome", outcome.kind)
            root.set("confidence", outcome.confidence)
            root.set("answer", outcome.text)
            elapsed_ms = (time.perf_counter() - started) * 1000
            return _stamped(outcome, latency_ms=elapsed_ms, trace_id=root.trace_id)

    async def _outcome(self, question: Question) -> Outcome:
        self.emit(Progress("retrieve"))
        with span("retrieve", {"query": question.text}) as retrieving:
            hits = tuple(await self.retriever.search(question.text, where=self.where))
            retrieving.set("hits", len(hits))
        if not hits:
            return Declined(reason(question, hits), hits)
        if self.model is None or not writes(self.settings, provider=self.model.provider):
            return await self._quote(question, hits)
        return await self._write(question, hits, self.model)

    async def _quote(self, question: Question, hits: tuple[Hit, ...]) -> Outcome:
        self.emit(Progress("pack", f"{len(hits)} passages"))
        with span("pack") as packing:
            found = await signals(question, hits, embedder=self.embedder)
            scores = sentence_scores(found)
            sure = confidence(found, scores)
            chosen = best_sentences(found, scores, most=self.settings.sentences)
            packing.set("sentences", len(found.candidates))
            packing.set("confidence", sure)
        if not chosen or sure < self.settings.decline_below:
            return Declined(reason(question, hits), hits, confidence=sure)
        phrase, usage, flags = "", Usage(), tuple[str, ...]()
        if self.settings.phrase and self.model is not None:
            try:
                phrase, usage = await self._phrase(question, chosen[0].text, self.model)
            except (Upstream, BadInput) as error:
                flags = (f"{self.model.name}{UNPHRASED}{error.message}",)
        text = quoted_text(chosen, phrase=phrase)
        citations = tuple(citation(sentence, marker) for marker, sentence in enumerate(chosen, start=1))
        self._verify(citations, hits)
        self.emit(TextPiece(text))
        # Quoting without a call costs nothing, whatever model is set.
        cost = cost_usd(self.model.provider, self.model.name, usage) if self.model and usage.total else 0.0
        return Answer(text, citations, hits, usage=usage, cost_usd=cost, confidence=sure, flags=flags)

    async def _phrase(self, question: Question, sentence: str, model: ChatModel) -> tuple[str, Usage]:
        """A phrase of the sentence that answers by itself, or nothing where the check does not support one."""
        self.emit(Progress("generate", model.name))
        with span("generate", {"model": model.name, "provider": model.provider}) as generating:
            completion = await ask_for_phrase(question.text, sentence, model=model)
            generating.set("completion", completion.text)
            generating.set_usage(completion.usage, cost_usd=cost_usd(model.provider, model.name, completion.usage))
        return checked_phrase(completion.text, question=question.text, sentence=sentence), completion.usage

    async def _write(self, question: Question, hits: tuple[Hit, ...], model: ChatModel) -> Outcome:
        sure, packed = await self._packed(question, hits, model)
        if packed is None:
            return Declined(reason(question, hits), hits, confidence=sure)
        self.emit(Progress("generate", model.name))
        told = instructions_prompt(self.settings.instructions)
        about = {"model": model.name, "provider": model.provider, "prompt": f"{told.name}@{told.digest}"}
        with span("generate", about) as generating, _quotes_hinted():
            completion = await self._generated(packed, model)
            cost = cost_usd(model.provider, model.name, completion.usage)
            _record(generating, packed, completion, cost)
        outcome = await self._judged(question, hits, packed, completion, model)
        return replace(outcome, usage=completion.usage, cost_usd=cost, confidence=sure)

    async def _judged(
        self, question: Question, hits: tuple[Hit, ...], packed: Packed, completion: Completion, model: ChatModel
    ) -> Outcome:
        """What is to be made of what the model wrote."""
        refused = refusal(completion.text)
        if refused is not None:
            return Declined(refused or reason(question, hits), hits)
        written = await self._tied(completion, packed, hits)
        if not written.citations:
            return Declined(f"What {model.name} wrote is supported by none of the passages.", hits)
        return Answer(written.text, written.citations, hits, flags=written.flags)

    async def _packed(self, question: Question, hits: tuple[Hit, ...], model: ChatModel) -> tuple[float, Packed | None]:
        """The confidence, and what fits the model's window; None where the passages hold no sentence."""
        self.emit(Progress("pack", f"{len(hits)} passages"))
        with span("pack") as packing:
            found = await signals(question, hits, embedder=self.embedder)
            scores = sentence_scores(found)
            sure = confidence(found, scores)
            if not found.candidates:
                return sure, None
            ranked = [found.candidates[int(i)] for i in (-scores).argsort(kind="stable")]
            prompt = prompt_for(question.text, instructions=self.settings.instructions)
            packed = await pack(ranked, prompt, model=model, max_tokens=self.settings.max_tokens)
            packing.set("sentences", len(ranked) - packed.dropped)
            packing.set("dropped", packed.dropped)
            packing.set("prompt_tokens", packed.prompt_tokens)
            packing.set("confidence", sure)
        return sure, packed

    async def _generated(self, packed: Packed, model: ChatModel) -> Completion:
        """What the model wrote. Its text is passed on as it comes, held back while it may still be a refusal."""
        request = ChatRequest(packed.messages, max_tokens=packed.max_tokens)
        start, holding = "", True
        completion: Completion | None = None
        async with contextlib.aclosing(model.stream(request)) as deltas:  # type: ignore[type-var]
            async for delta in deltas:
                completion = delta.completion or completion
                start += delta.text if holding else ""
                if holding and not may_refuse(start):
                    holding = False
                    self.emit(TextPiece(start))
                elif not holding and delta.text:
                    self.emit(TextPiece(delta.text))
        assert completion is not None
        return completion

    async def _tied(self, completion: Completion, packed: Packed, hits: tuple[Hit, ...]) -> Written:
        """The text with its citations, checked."""
        self.emit(Progress("verify"))
        with span("verify") as verifying:
            written = await cited(completion.text, packed.shown, embedder=self.embedder)
            check_verbatim(written.citations, hits)
            flags = written.flags
            if completion.finish_reason == "length":
                flags = (*flags, f"{CUT_OFF}{packed.max_tokens} tokens (answers.max_tokens).")
            elif completion.finish_reason == "content_filter":
                flags = (*flags, FILTERED)
            verifying.set("citations", len(written.citations))
            verifying.set("flags", len(flags))
            return Written(written.text, written.citations, flags)

    def _verify(self, citations: tuple[Citation, ...], hits: tuple[Hit, ...]) -> None:
        self.emit(Progress("verify"))
        with span("verify") as verifying:
            check_verbatim(citations, hits)
            verifying.set("citations", len(citations))


@contextlib.contextmanager
def _quotes_hinted() -> Iterator[None]:
    """What fails here says that quoting would not have."""
    try:
        yield
    except Upstream as error:
        error.hint = f"{error.hint} To answer by quotes alone, set answers.style to quote.".strip()
        raise


def _record(generating: Span, packed: Packed, completion: Completion, cost: float | None) -> None:
    generating.set("max_tokens", packed.max_tokens)
    generating.set("messages", [{"role": message.role, "content": message.content} for message in packed.messages])
    generating.set("completion", completion.text)
    generating.set("response_model", completion.model)
    generating.set("finish_reasons", [completion.finish_reason])
    generating.set("ttft_ms", completion.ttft_ms)
    generating.set_usage(completion.usage, cost_usd=cost)


def _stamped(outcome: Outcome, *, latency_ms: float, trace_id: str) -> Outcome:
    return replace(outcome, latency_ms=latency_ms, trace_id=trace_id)


def checked(question: str) -> str:
    """The question without the space around it; raises BadInput where nothing is left, or too much."""
    question = question.strip()
    if not question:
        raise BadInput("The question is empty.", hint="Ask something.")
    if len(question) > LONGEST_QUESTION:
        raise BadInput(
            f"The question has {len(question):,} characters; the most is {LONGEST_QUESTION:,}.", hint="Shorten it."
        )
    return question
