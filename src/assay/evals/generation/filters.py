"""What is wrong with a question, told from its words alone. Every filter names its reason and what it saw.

Thresholds of leakage are those that 95 in 100 questions written by people pass on XQuAD's paragraphs (1,190 questions:
the longest run of words a question shares with its paragraph is at most 7 words, and at most .625 of its words).
Invariant: a filter looks at one question and its excerpt and at nothing else, so order changes nothing. Proved by
`tests/unit/evals/generation/test_filters.py`.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from assay.answers import question as asking
from assay.answers.words import STOP_WORDS, content_stems, stems, words
from assay.evals.generation.draft import Draft, Reason

LONGEST_RUN_WORDS = 7
LONGEST_RUN_SHARE = 0.625
LEAST_KNOWN_SHARE = 0.6
_SHORT_RUN_WORDS = 4  # "What is the capital of X?" shares most of its few words with any text that answers it

_LEAST_WORDS, _MOST_WORDS = 3, 45
_WITHOUT_BLANKS = re.compile("[\u2e80-\u9fff\u0e00-\u0eff]")  # scripts that do not part words
_OPENING = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|might|must|name|list|ist|sind|waren?|"
    r"hat|haben|kann|können)\b",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how|wie|was|wer|wen|wem|wo|woher|wann|warum|welche[mnrs]?|wessen)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"</?\w+>|https?://|```|\b(?:question|answer|text|passage|title)\s*:|[{}<>\[\]|\\]", re.IGNORECASE)
_DEICTIC = re.compile(
    r"\b(?:this|these|those|above|below|following|aforementioned)\b(?! (?:is|was)\b)"
    r"|\b(?:the|this|our) (?:stud(?:y|ies)|papers?|authors?|articles?|passages?|texts?|documents?|excerpts?|"
    r"paragraphs?|sections?|chapters?|figures?|tables?|sentences?|researchers|findings|speaker|narrator|writer)\b"
    r"(?! (?:of|on|about|by|in) )",
    re.IGNORECASE,
)
_PRONOUN = re.compile(
    r"\b(?:he|she|it|they|him|her|them|his|its|their|there|here|we|us|our|you|your|i|my|one|former|latter)\b",
    re.IGNORECASE,
)
_DEFINITE = re.compile(r"\bthe [a-z]+", re.IGNORECASE)
_LEAST_SAID = 3  # words with meaning that say which one "the city" is, where no name does
_UNSAID = frozenset(
    ("thing", "things", "people", "person", "group", "kind", "type", "way", "work", "name", "example", "fact", "part")
)


def fault_of(draft: Draft) -> tuple[Reason, str] | None:
    """The first thing wrong with a draft, with what was seen; None where nothing is."""
    question = draft.question
    if (seen := malformed(question)) is not None:
        return "malformed", seen
    if (seen := ambiguous(question)) is not None:
        return "ambiguous", seen
    if draft.answer and answer_shown(question, draft.answer):
        return "answer_in_question", draft.answer
    texts = [quote.excerpt.text for quote in draft.evidence] or [draft.about.text]
    for text in texts:
        run = longest_run(question, text)
        if leaks(question, run):
            return "leaks", " ".join(run)
    return None


def malformed(question: str) -> str | None:
    """What keeps a text from being one well-formed question; None where nothing does."""
    found = words(question)
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co") for char in question):
        return "control characters"
    if len(found) > _MOST_WORDS or (len(found) < _LEAST_WORDS and not _WITHOUT_BLANKS.search(question)):
        return f"{len(found)} words"
    if not question.rstrip().endswith(("?", "？")) or question.count("?") + question.count("？") > 1:
        return "not one question mark at its end"
    if (seen := _MARKUP.search(question)) is not None:
        return seen.group()
    if question.isascii() and not (_ASKS.search(question) or _OPENING.match(question)):
        return "no question word"
    lower = [word.lower() for word in found]
    runs = list(zip(lower, lower[1:], lower[2:], lower[3:], strict=False))
    if len(set(runs)) < len(runs) or any(a == b for a, b in pairwise(lower)):
        return "repeats itself"
    return None


def ambiguous(question: str) -> str | None:
    """What in a question points at something that is not in it; None where nothing does."""
    if (seen := _DEICTIC.search(question)) is not None:
        return seen.group()
    said = set(content_stems(question)) - STOP_WORDS - _UNSAID
    if not any(len(word) > 1 and word.isalpha() for word in said):
        return "no words that carry meaning"
    named = asking.names(question)
    is_vague = len(said) < _LEAST_SAID and not named and not asking.numbers(question)
    if is_vague and (seen := _DEFINITE.search(question)) is not None:
        return seen.group()
    for pronoun in _PRONOUN.finditer(question):
        before = question[: pronoun.start()]
        # Something the pronoun can stand for: a name, or two words with meaning, said before it.
        told = [word for word in words(before) if word.lower() not in STOP_WORDS and word.lower() not in _UNSAID]
        if not asking.names(before) & named and len(told) < 2:
            return pronoun.group()
    return None


def answer_shown(question: str, answer: str) -> bool:
    """Whether the question gives its answer away: all words of the answer that carry meaning, in one run or apart."""
    wanted = content_stems(answer)
    asked = stems(question)
    return bool(wanted) and set(wanted) <= set(asked)


def longest_run(question: str, text: str) -> list[str]:
    """The longest run of words that stands in both texts, in lower case."""
    asked, there = ([word.lower() for word in words(some)] for some in (question, text))
    best, end = 0, 0
    before: dict[int, int] = {}
    places: dict[str, list[int]] = {}
    for place, word in enumerate(there):
        places.setdefault(word, []).append(place)
    for at, word in enumerate(asked):
        lengths = {place: before.get(place - 1, 0) + 1 for place in places.get(word, ())}
        longest = max(lengths.values(), default=0)
        if longest > best:
            best, end = longest, at + 1
        before = lengths
    return asked[end - best : end]


def leaks(question: str, run: list[str]) -> bool:
    """Whether a run of words shared with the passage is longer than people's questions share."""
    count = len(words(question))
    return len(run) > LONGEST_RUN_WORDS or (len(run) > _SHORT_RUN_WORDS and len(run) > LONGEST_RUN_SHARE * count)


def known_share(question: str, texts: Iterable[str]) -> float:
    """The share of the question's words with meaning that stand in one of the texts, by their stems."""
    asked = set(content_stems(question))
    there = {stem for text in texts for stem in stems(text)}
    return len(asked & there) / len(asked) if asked else 0.0


def unsupported(draft: Draft) -> str | None:
    """What in the question or its answer the evidence does not bear out; None where nothing is seen.

    Words only: an answer of the kind the question asks for, names and numbers that stand in the excerpt, and most other
    words too. A question that passes can still be wrong.
    """
    texts = [part for quote in draft.evidence for part in (quote.excerpt.text, quote.excerpt.title)]
    joined = " ".join(texts)
    if (mismatch := _wrong_kind(draft.question, draft.answer)) is not None:
        return mismatch
    there = set(stems(joined))
    if strange := sorted(
        (asking.names(draft.question) | asking.numbers(draft.question)) - there - asking.numbers(joined)
    ):
        return f"not in the passage: {', '.join(strange[:3])}"
    if known_share(draft.question, texts) < LEAST_KNOWN_SHARE:
        return "most of its words are not in the passage"
    return None


def _wrong_kind(question: str, answer: str) -> str | None:
    if not answer:
        return None
    kind = asking.Question.of(question).kind
    starts = answer.removeprefix("the ").removeprefix("The ")[:1]
    fits = {
        "date": asking.holds_date(answer, question=""),
        "number": asking.holds_number(answer, beside=frozenset()),
        "person": starts.isupper() or len(answer.split()) > 2,
        "place": starts.isupper() or len(answer.split()) > 2,
    }.get(kind, True)
    asked_otherwise = kind not in ("date", "number") and re.fullmatch(r"[\d.,]+|\d{4}s?", answer) is not None
    return f"asks for a {kind}, answered by {answer}" if not fits or asked_otherwise else None
