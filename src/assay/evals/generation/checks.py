"""Checks of a draft that need vectors or a model, after those of its words: each names a reason, or lets it pass."""

from collections.abc import Sequence
from dataclasses import dataclass

from assay.answers import question as asking
from assay.answers.words import stems
from assay.errors import BadInput, Upstream
from assay.evals.generation.draft import Draft, Dropped, Reason
from assay.evals.generation.filters import fault_of, known_share, unsupported
from assay.evals.generation.nearness import CLOSE, Nearness
from assay.evals.generation.strong import StrongWriter, same_answer
from assay.evals.generation.texts import Excerpt
from assay.evals.judges.reply import Unusable
from assay.evals.similarity import contains
from assay.index.hit import Retriever

_CANDIDATES = 5  # passages looked at for an answer to a question that should have none
_ANSWERS_SHARE = 0.75  # of a question's words in one passage that has all its names: may well answer it

Fault = tuple[Reason, str]


@dataclass(frozen=True, slots=True)
class Checks:
    """The checks, in order of what they cost. `examiner` is a model that can answer; without one words and vectors
    decide. With `found_within`, an answerable question whose evidence `retriever` does not find among so many is
    dropped: then recall on these cases flatters that retriever.
    """

    nearness: Nearness
    examiner: StrongWriter | None
    retriever: Retriever | None = None
    found_within: int | None = None

    async def dropped(self, draft: Draft) -> Dropped | None:
        """The draft as dropped, with the first reason; None where it passes."""
        try:
            fault = fault_of(draft) or await self._fault(draft)
        except (Upstream, BadInput, Unusable) as error:
            fault = ("model_failed", str(error))
        return None if fault is None else Dropped(draft.question, *fault)

    async def _fault(self, draft: Draft) -> Fault | None:
        if draft.kind == "unanswerable":
            return await self._answered_elsewhere(draft)
        if (fault := await (self._by_words(draft) if self.examiner is None else self._by_model(draft))) is not None:
            return fault
        if draft.kind == "adversarial" and (fault := await self._not_close(draft)) is not None:
            return fault
        return await self._not_retrieved(draft)

    async def _by_words(self, draft: Draft) -> Fault | None:
        if (seen := unsupported(draft)) is not None:
            return "unsupported", seen
        if draft.written == "model" and draft.kind != "multi":
            quote = draft.evidence[0]
            if await self.nearness.best_sentence(draft.question, quote.excerpt) != (quote.start, quote.end):
                return "unsupported", "another sentence of the passage is nearer to it"
        return None

    async def _by_model(self, draft: Draft) -> Fault | None:
        assert self.examiner is not None
        excerpts = list(dict.fromkeys(quote.excerpt for quote in draft.evidence))
        if not await self._finds(draft, excerpts):
            return "unsupported", "asked again, the model does not find that answer in the passage"
        if len(excerpts) > 1:
            for excerpt in excerpts:
                if await self._finds(draft, [excerpt]):
                    return "unsupported", "one of the passages is enough"
        known = await self.examiner.answered_without(draft.question)
        if known is not None and same_answer(known, draft.answer):
            return "answerable_without", known
        return None

    async def _finds(self, draft: Draft, excerpts: Sequence[Excerpt]) -> bool:
        assert self.examiner is not None
        found = await self.examiner.answered_from(draft.question, excerpts)
        return found is not None and same_answer(found, draft.answer)

    async def _not_close(self, draft: Draft) -> Fault | None:
        found = await self.nearness.distractor(draft.question, draft.evidence[0].excerpt)
        if found is None:
            return "not_close", "there is no other passage"
        distractor, lead = found
        if lead > CLOSE:
            return "not_close", f"its own passage is {lead:.2f} nearer"
        is_answered = (
            await self._finds(draft, [distractor]) if self.examiner else contains(distractor.text, draft.answer) > 0
        )
        return ("not_close", "the distractor answers it too") if is_answered else None

    async def _answered_elsewhere(self, draft: Draft) -> Fault | None:
        candidates = await self._candidates(draft.question)
        if self.examiner is not None:
            found = await self.examiner.answered_from(draft.question, [draft.about, *candidates])
            return None if found is None else ("answered_elsewhere", found)
        named = asking.names(draft.question) | asking.numbers(draft.question)
        for excerpt in candidates:
            there = set(stems(excerpt.text)) | asking.numbers(excerpt.text)
            if named <= there and known_share(draft.question, [excerpt.text, excerpt.title]) >= _ANSWERS_SHARE:
                return "answered_elsewhere", excerpt.source
        return None

    async def _candidates(self, question: str) -> list[Excerpt]:
        if self.retriever is None:
            return await self.nearness.nearest(question, most=_CANDIDATES)
        hits = await self.retriever.search(question, k=_CANDIDATES)
        return [
            Excerpt(hit.source, hit.title, hit.passage.start, hit.passage.end, hit.passage.text, ()) for hit in hits
        ]

    async def _not_retrieved(self, draft: Draft) -> Fault | None:
        if self.retriever is None or self.found_within is None:
            return None
        hits = await self.retriever.search(draft.question, k=self.found_within)
        for quote in draft.evidence:
            if not any(
                hit.source == quote.excerpt.source and hit.passage.start < quote.end and hit.passage.end > quote.start
                for hit in hits
            ):
                return "not_retrieved", f"not among the first {self.found_within}"
        return None
