"""Questions by a small model and by rule: the answer is chosen first, then asked for in several ways.

A model of 135M parameters left alone writes questions nobody could answer. So the sentence and the answer are picked
here, the model is shown how it is done and writes one line, and rules turn statements into questions beside it. All of
them are drafts that the filters judge; where both pass, the model's is taken, since the rules' copy the text.
"""

import random
import re
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import replace

from assay.answers import question as asking
from assay.answers.words import STOP_WORDS
from assay.errors import BadInput, Upstream
from assay.evals.generation.draft import Draft, Dropped, Quote
from assay.evals.generation.filters import fault_of, unsupported
from assay.evals.generation.prompts import WEAK, WEAK_EXAMPLES
from assay.evals.generation.rules import DATE, NAME, Asked, asked_of
from assay.evals.generation.texts import Excerpt, drawn_from
from assay.models.chat import ChatModel, ChatRequest, Message
from assay.models.prompt import Prompt

_TRIES = 3  # answers asked for in an excerpt
_MOST_TOKENS = 40
_SHORTEST_SENTENCE, _LONGEST_SENTENCE = 40, 320  # characters
_NUMBER = r"\$?\b\d(?:[\d.,]*\d)?(?: (?:million|billion|percent))?%?"
_ANSWER = re.compile(rf"{DATE}|{NAME}|{_NUMBER}")
_OPENS_ON_OTHERS = re.compile(
    r"(?:he|she|it|they|this|these|those|that|such|here|there|his|her|its|their|however|but|and|also|thus|therefore|"
    r"another|both|one|some)\b",
    re.IGNORECASE,
)
_ASKS_ANEW = re.compile(r"^(When|Where|Who|What|Which|Why|How|By whom|In what|In which)\b")
_CALENDAR = re.compile(r"(?:Jan|Febr|Septem|Octo|Novem|Decem|March|April|May|Ju(?:ne|ly)|August|\w+day)\w*$")
_STOP_BEFORE = re.compile(r"(?:[.!?:;\"“(]|^)\s*$")
_NAME_GOES_ON = re.compile(r"[-’'/]|,? (?:and |of |of the |for )?[A-Z0-9]")
_NAME_BEFORE = re.compile(r"(?:[A-Z][\w.]*,? (?:and |of |of the |for )?|[-/$])$")
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
        by_rule = list(self._by_rule(excerpt))
        drawn.shuffle(by_rule)
        if self._model is not None:
            for span, answer in self._targets(excerpt, by_rule, drawn):
                yield await self._by_model(excerpt, span, answer)
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
                for swapped in _swapped(draft, others, drawn):
                    yield swapped

    async def _sound(self, excerpt: Excerpt) -> Draft | None:
        async for draft in self.single(excerpt):
            if isinstance(draft, Draft) and is_sound(draft):
                return draft
        return None

    def _by_rule(self, excerpt: Excerpt) -> Iterator[Draft]:
        for start, end in _good_sentences(excerpt):
            for asked in asked_of(excerpt.quote(start, end), vocabulary=self._vocabulary):
                yield _draft(excerpt, (start, end), asked, written="rule")

    def _targets(
        self, excerpt: Excerpt, by_rule: Sequence[Draft], drawn: random.Random
    ) -> list[tuple[tuple[int, int], str]]:
        """Sentences with an answer in them worth asking for: those the rules found, and names, dates and numbers."""
        found = [((draft.evidence[0].start, draft.evidence[0].end), draft.answer) for draft in by_rule]
        for start, end in _good_sentences(excerpt):
            sentence = excerpt.quote(start, end)
            # The first word has a capital whatever it is.
            found += [((start, end), match.group()) for match in _ANSWER.finditer(sentence, sentence.find(" ") + 1)]
        found = [target for target in dict.fromkeys(found) if target[1].lower() not in STOP_WORDS]
        return drawn.sample(found, min(_TRIES, len(found)))

    async def _by_model(self, excerpt: Excerpt, span: tuple[int, int], answer: str) -> Draft | Dropped:
        sentence = excerpt.quote(*span)
        try:
            question = await self._line(sentence, answer)
        except (Upstream, BadInput) as error:
            return Dropped("", "model_failed", f"{error.slug}: {error.message}")
        at = sentence.find(answer)
        return _draft(excerpt, span, Asked(question, at, at + len(answer)), written="model")

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


def _good_sentences(excerpt: Excerpt) -> Iterator[tuple[int, int]]:
    """Sentences that stand by themselves: not too short or long, and not about something said before them."""
    for start, end in excerpt.sentences:
        text = excerpt.quote(start, end)
        if _SHORTEST_SENTENCE <= len(text) <= _LONGEST_SENTENCE and not _OPENS_ON_OTHERS.match(text):
            yield start, end


def _draft(excerpt: Excerpt, span: tuple[int, int], asked: Asked, *, written: str) -> Draft:
    sentence = excerpt.quote(*span)
    answer = sentence[asked.start : asked.end]
    # What a small model asked for is only known where the question says what kind of thing answers it.
    if written == "model":
        answer = _answer_to(asked.question, sentence, answer)
    quote = Quote(excerpt, *span)
    return Draft(asked.question, answer, (quote,), "single", excerpt, "rule" if written == "rule" else "model")


def names_in(text: str, pattern: str) -> list[str]:
    """What matches inside sentences, months and days left out: a capital after a stop may be any word's."""
    return [
        found.group()
        for found in re.finditer(pattern, text)
        if _is_whole(text, found)
        and not _CALENDAR.match(found.group())
        and not _STOP_BEFORE.search(text[: found.start()])
    ]


def _is_whole(text: str, found: re.Match[str]) -> bool:
    """Whether a match neither opens the text nor is part of a longer name."""
    return (
        found.start() > 0
        and not _NAME_GOES_ON.match(text, found.end())
        and not _NAME_BEFORE.search(text[: found.start()])
    )


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


def _swapped(draft: Draft, others: Sequence[Excerpt], drawn: random.Random) -> Iterator[Draft]:
    """The question with one name or year exchanged for one that its own excerpt does not have."""
    own = f"{draft.about.title} {draft.about.text}"
    for pattern in (NAME, r"\b1\d{3}\b|\b20\d{2}\b"):
        asked = [found for found in re.finditer(pattern, draft.question) if _is_whole(draft.question, found)]
        if not asked:
            continue
        old = max(asked, key=lambda found: len(found.group()))
        is_short = len(old.group().split()) == 1
        choices = sorted(
            {
                name
                for other in others
                for name in names_in(other.text, pattern)
                if name not in own and (len(name.split()) == 1) == is_short and name.lower() not in STOP_WORDS
                and name.startswith("the ") == old.group().startswith("the ")
            }
        )  # fmt: skip
        for new in drawn.sample(choices, min(2, len(choices))):
            question = draft.question[: old.start()] + new + draft.question[old.end() :]
            yield replace(draft, question=question, answer="", evidence=(), kind="unanswerable")
