"""Questions by a small model and by rule: the answer is chosen first, then asked for in several ways.

A model of 135M parameters left alone writes questions nobody could answer. So the sentence and the answer are picked
here, the model is shown how it is done and writes one line, and rules turn statements into questions beside it. All of
them are drafts that the filters judge; where both pass, the model's is taken, since the rules' copy the text.
"""

import random
import re
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Literal

from assay.answers import question as asking
from assay.answers.words import STOP_WORDS, words
from assay.errors import BadInput, Upstream
from assay.evals.generation.draft import Draft, Dropped, Quote
from assay.evals.generation.filters import fault_of, longest_run, unsupported
from assay.evals.generation.prompts import WEAK, WEAK_EXAMPLES
from assay.evals.generation.rules import DATE, NAME, asked_of
from assay.evals.generation.statements import Statement, statements
from assay.evals.generation.swap import swapped
from assay.evals.generation.texts import Excerpt, drawn_from
from assay.models.chat import ChatModel, ChatRequest, Message
from assay.models.prompt import Prompt

_TRIES = 3  # answers asked for in an excerpt
_MOST_TOKENS = 40
_NUMBER = r"\$?\b\d(?:[\d.,]*\d)?(?: (?:million|billion|percent))?%?"
_ANSWER = re.compile(rf"{DATE}|{NAME}|{_NUMBER}")
_ASKS_ANEW = re.compile(r"^(When|Where|Who|What|Which|Why|How|By whom|In what|In which)\b")
_TYPED = ("date", "number", "person", "place")

Made = AsyncIterator[Draft | Dropped]


class WeakWriter:
    """Writes by rule, and with `model` where there is one. What it writes about an excerpt depends on nothing else.

    `vocabulary` holds the lower-case words of the texts.
    """

    prompts: tuple[Prompt, ...] = (WEAK,)
    is_weak = True

    def __init__(self, model: ChatModel | None, *, vocabulary: Collection[str], seed: int) -> None:
        self._model, self._vocabulary, self._seed = model, vocabulary, seed

    async def single(self, excerpt: Excerpt) -> Made:
        """Drafts about one excerpt, the model's first; whoever takes one early saves the calls of the rest."""
        drawn = drawn_from("weak", self._seed, excerpt.source, excerpt.start)
        # The rules copy; what copies least comes first.
        by_rule = sorted(self._by_rule(excerpt), key=_copied_share)
        if self._model is not None:
            for statement, answer in self._targets(excerpt, by_rule, drawn):
                yield await self._by_model(excerpt, statement, answer)
        for draft in by_rule:
            yield draft

    async def multi(self, first: Excerpt, second: Excerpt) -> Made:
        """Two questions joined into one that needs both excerpts."""
        one, other = [await self._sound(excerpt) for excerpt in (first, second)]
        if one is not None and other is not None:
            yield joined(one, other)

    async def adversarial(self, excerpt: Excerpt, distractor: Excerpt) -> Made:
        """Questions about the excerpt; whether another one is close enough to mislead is for the checks to say."""
        async for draft in self.single(excerpt):
            yield replace(draft, kind="adversarial") if isinstance(draft, Draft) else draft

    async def unanswerable(self, excerpt: Excerpt, others: Sequence[Excerpt]) -> Made:
        """Questions about the excerpt with a name or a year in them exchanged for one from elsewhere."""
        drawn = drawn_from("swap", self._seed, excerpt.source, excerpt.start)
        async for draft in self.single(excerpt):
            if isinstance(draft, Draft) and is_sound(draft):
                for other in swapped(draft, others, drawn):
                    yield other

    async def _sound(self, excerpt: Excerpt) -> Draft | None:
        async for draft in self.single(excerpt):
            if isinstance(draft, Draft) and is_sound(draft):
                return draft
        return None

    def _by_rule(self, excerpt: Excerpt) -> Iterator[Draft]:
        for statement in statements(excerpt):
            for asked in asked_of(statement.text, vocabulary=self._vocabulary):
                span = statement.source_span(asked.start, asked.end)
                if span is not None:
                    yield _draft(excerpt, statement, asked.question, excerpt.quote(*span), written="rule")

    def _targets(self, excerpt: Excerpt, by_rule: Sequence[Draft], drawn: random.Random) -> list[tuple[Statement, str]]:
        """Statements with an answer in them worth asking for: those the rules found, and names, dates and numbers."""
        rest = {(draft.evidence[0].start, draft.answer) for draft in by_rule}
        found = []
        for statement in statements(excerpt):
            found += [(statement, answer) for start, answer in sorted(rest) if start == statement.start]
            # The first word has a capital whatever it is.
            begin = max(statement.filled, statement.text.find(" ") + 1)
            found += [(statement, match.group()) for match in _ANSWER.finditer(statement.text, begin)]
        found = [target for target in dict.fromkeys(found) if target[1].lower() not in STOP_WORDS]
        return drawn.sample(found, min(_TRIES, len(found)))

    async def _by_model(self, excerpt: Excerpt, statement: Statement, answer: str) -> Draft | Dropped:
        try:
            question = await self._line(statement.text, answer)
        except (Upstream, BadInput) as error:
            return Dropped("", "model_failed", f"{error.slug}: {error.message}")
        sentence = excerpt.quote(statement.start, statement.end)
        return _draft(excerpt, statement, question, _answer_to(question, sentence, answer), written="model")

    async def _line(self, sentence: str, answer: str) -> str:
        assert self._model is not None
        messages = []
        for text, given, question in WEAK_EXAMPLES:
            messages += [Message("user", _prompt(text, given)), Message("assistant", question)]
        messages.append(Message("user", _prompt(sentence, answer)))
        request = ChatRequest(tuple(messages), max_tokens=_MOST_TOKENS, seed=self._seed, stop=("\n",))
        return (await self._model.complete(request)).text.strip().strip('"“”')


def is_sound(draft: Draft) -> bool:
    """Whether a draft passes the filters of words: all that can be asked of it before its kind is known."""
    return fault_of(draft) is None and unsupported(draft) is None


def joined(first: Draft, second: Draft) -> Draft:
    """One question that asks two, with both answers and the evidence of both."""
    other = _ASKS_ANEW.sub(lambda found: found[1].lower(), second.question)
    return Draft(
        question=f"{first.question.rstrip('? ')}, and {other}",
        answer=f"{first.answer} and {second.answer}",
        evidence=first.evidence + second.evidence,
        kind="multi",
        about=first.about,
        written="model" if "model" in (first.written, second.written) else "rule",
    )


def _prompt(text: str, answer: str) -> str:
    return WEAK.text.replace("{text}", text.replace("\n", " ")).replace("{answer}", answer)


def _draft(
    excerpt: Excerpt, statement: Statement, question: str, answer: str, *, written: Literal["model", "rule"]
) -> Draft:
    return Draft(question, answer, (Quote(excerpt, statement.start, statement.end),), "single", excerpt, written)


def _copied_share(draft: Draft) -> float:
    """The longest run of words a question shares with its excerpt, over its words."""
    return len(longest_run(draft.question, draft.about.text)) / max(1, len(words(draft.question)))


def _answer_to(question: str, sentence: str, wanted: str) -> str:
    """What in the sentence answers a model's question: the one date or number where it asks for one, the answer
    it was to ask for where that may be the kind, or all of the sentence where nothing tells."""
    kind = asking.Question.of(question).kind
    if kind not in _TYPED:
        return sentence
    if kind in ("date", "number"):
        found = {match.group() for match in re.finditer(DATE if kind == "date" else _NUMBER, sentence)}
        if len(found) == 1:
            return found.pop()
    return wanted
