"""Questions by a model that can write: freely, as JSON, with quotes that stand in the excerpts character by character.

Documents stand fenced in the user's message, so text in them that looks like instructions or closes a tag stays text.
The model's own word for its answer is not taken: another call must find the same answer in the excerpt
(`answered_from`), and must not know it without (`answered_without`).
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from pydantic import BaseModel, Field

from assay.answers.words import content_stems
from assay.errors import BadInput, Upstream
from assay.evals.generation.draft import Draft, Dropped, Kind, Quote
from assay.evals.generation.prompts import ADVERSARIAL, ANSWER, CLOSED_BOOK, MULTI, SINGLE, UNANSWERABLE
from assay.evals.generation.texts import Excerpt
from assay.evals.judges.judge import TEXT, list_of, object_of
from assay.evals.judges.reply import Unusable, form_in
from assay.evals.normalised import NormalisedText
from assay.models.chat import ChatModel, ChatRequest, Message
from assay.models.prompt import Prompt, fenced

_MOST_TOKENS = 400
_TEMPERATURE = 0.7
_SHORTEST_QUOTE = 15  # characters; less is a word that stands anywhere
_SAME = 0.5

Made = AsyncIterator[Draft | Dropped]


class _Written(BaseModel):
    question: str
    answer: str = ""
    quotes: list[str] = Field(default_factory=list)


class _Answered(BaseModel):
    answered: bool
    answer: str = ""


_WRITTEN = object_of(question=TEXT, answer=TEXT, quotes=list_of(TEXT, most=4))
_ANSWERED = object_of(answered={"type": "boolean"}, answer=TEXT)


class StrongWriter:
    """Writes with `model`, one call a draft. What it writes about an excerpt depends on the seed and nothing else."""

    prompts: tuple[Prompt, ...] = (SINGLE, MULTI, UNANSWERABLE, ADVERSARIAL, ANSWER, CLOSED_BOOK)
    is_weak = False

    def __init__(self, model: ChatModel, *, seed: int) -> None:
        self._model, self._seed = model, seed

    async def single(self, excerpt: Excerpt) -> Made:
        """A question the excerpt answers."""
        if (made := await self._write(SINGLE, "single", {"passage": excerpt})) is not None:
            yield made

    async def multi(self, first: Excerpt, second: Excerpt) -> Made:
        """A question that needs both excerpts."""
        if (made := await self._write(MULTI, "multi", {"first_passage": first, "second_passage": second})) is not None:
            yield made

    async def adversarial(self, excerpt: Excerpt, distractor: Excerpt) -> Made:
        """A question the excerpt answers in words of the distractor, which does not."""
        if (
            made := await self._write(ADVERSARIAL, "adversarial", {"passage": excerpt, "distractor": distractor})
        ) is not None:
            yield made

    async def unanswerable(self, excerpt: Excerpt, others: Sequence[Excerpt]) -> Made:
        """A question on the excerpt's subject that it does not answer."""
        if (made := await self._write(UNANSWERABLE, "unanswerable", {"passage": excerpt})) is not None:
            yield made

    async def answered_from(self, question: str, excerpts: Sequence[Excerpt]) -> str | None:
        """The model's answer to the question from the excerpts alone; None where it finds none."""
        parts = [(f"excerpt_{place}", _titled(some)) for place, some in enumerate(excerpts, start=1)]
        return await self._answer(ANSWER, [("question", question), *parts])

    async def answered_without(self, question: str) -> str | None:
        """The model's answer from what it knows; None where it says it does not."""
        return await self._answer(CLOSED_BOOK, [("question", question)])

    async def _write(self, prompt: Prompt, kind: Kind, given: dict[str, Excerpt]) -> Draft | Dropped | None:
        parts = [(name, _titled(excerpt)) for name, excerpt in given.items()]
        try:
            written = form_in(await self._reply(prompt, parts, _WRITTEN, temperature=_TEMPERATURE), _Written)
        except (Upstream, BadInput, Unusable) as error:
            return Dropped("", "model_failed", str(error))
        if not written.question.strip():
            return None
        return _draft(written, kind, given)

    async def _answer(self, prompt: Prompt, parts: Sequence[tuple[str, str]]) -> str | None:
        found = form_in(await self._reply(prompt, parts, _ANSWERED, temperature=0.0), _Answered)
        return found.answer if found.answered and found.answer.strip() else None

    async def _reply(
        self, prompt: Prompt, parts: Sequence[tuple[str, str]], schema: dict[str, Any], *, temperature: float
    ) -> str:
        request = ChatRequest(
            (Message("system", prompt.text), Message("user", fenced(parts))),
            max_tokens=_MOST_TOKENS,
            temperature=temperature,
            seed=self._seed,
            schema=schema,
            lenient=True,
        )
        return (await self._model.complete(request)).text


def same_answer(one: str, other: str) -> bool:
    """Whether two short answers say the same, as far as words tell: they share half of the shorter one's."""
    first, second = set(content_stems(one)), set(content_stems(other))
    shorter = min(len(first), len(second))
    return shorter > 0 and len(first & second) >= _SAME * shorter


def _draft(written: _Written, kind: Kind, given: dict[str, Excerpt]) -> Draft | Dropped:
    about = next(iter(given.values()))
    question = " ".join(written.question.split())
    if kind == "unanswerable":
        return Draft(question, "", (), kind, about)
    sources = [excerpt for name, excerpt in given.items() if name != "distractor"]
    evidence = [quote for text in written.quotes if (quote := _found(text, sources)) is not None]
    missing = [excerpt for excerpt in sources if not any(quote.excerpt is excerpt for quote in evidence)]
    if missing or not written.answer.strip():
        what = "quotes nothing that stands in " + ("both passages" if kind == "multi" else "the passage")
        return Dropped(question, "unsupported", what if missing else "has no answer")
    return Draft(question, " ".join(written.answer.split()), tuple(dict.fromkeys(evidence)), kind, about)


def _found(text: str, sources: Sequence[Excerpt]) -> Quote | None:
    if len(text.strip()) < _SHORTEST_QUOTE:
        return None
    for excerpt in sources:
        span = NormalisedText(excerpt.text).find(text.strip())
        if span is not None:
            return Quote(excerpt, excerpt.start + span[0], excerpt.start + span[1])
    return None


def _titled(excerpt: Excerpt) -> str:
    return f"{excerpt.title}\n\n{excerpt.text}" if excerpt.title else excerpt.text
