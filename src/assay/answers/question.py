"""What a question asks for: its words, the names and numbers it holds, and the kind of answer it wants.

The kinds are those whose answers leave a mark a sentence can be checked for: a date, a number, a name.
English question words, and German ones where they are as plain.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from assay.answers.words import STOP_WORDS, content_stems, stem, stems, words

Kind = Literal["number", "date", "person", "place", "reason", "manner", "definition", "thing", "other"]

_ASKED_BY: tuple[tuple[Kind, str], ...] = (
    (
        "number",
        r"how (?:many|much|long|old|far|large|big|tall|high|often|fast|deep|wide|heavy)"
        r"|what (?:percent|percentage|number|share|fraction|proportion)"
        r"|wie ?viele?|wie (?:lange|alt|hoch|gro(?:ß|ss)|weit)",
    ),
    (
        "date",
        r"when|(?:what|which) (?:years?|dates?|days?|months?|century|centuries|decades?|time)"
        r"|wann|welche[mns]? jahr(?:en|es)?",
    ),
    ("person", r"who|whom|whose|wer|wem|wen|wessen"),
    (
        "place",
        r"where|(?:what|which) (?:cit(?:y|ies)|countr(?:y|ies)|states?|places?|regions?|continents?)|wo|woher|wohin",
    ),
    ("reason", r"why|what (?:caused|causes|reason)|warum|weshalb|wieso"),
    ("manner", r"how|wie"),
    ("definition", r"what (?:is|are|was|were)|what does .* mean|was (?:ist|sind|war|waren)"),
    ("thing", r"what|which|welche[mnrs]?"),
)
_KINDS = [(kind, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)) for kind, pattern in _ASKED_BY]
_DIGITS = re.compile(r"\d[\d.,]*\d|\d")
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))")
_NUMBER_WORDS = re.compile(
    r"\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|forty|fifty|hundred|hundreds"
    r"|thousand|thousands|million|billion|trillion|half|third|quarter|dozen|percent|once|twice|first|second"
    r"|ein(?:e|en|er)?|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|hundert|tausend|prozent)\b",
    re.IGNORECASE,
)
_DATES = re.compile(
    r"\b(?:1\d{3}|20\d{2})s?\b|\b(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday|Januar|Februar|März|Mai|Juni|Juli|Oktober|Dezember"
    r"|[Cc]entury|[Cc]enturies|Jahrhunderts?|[Dd]ecades?|BC|AD|BCE|CE)\b"
)
_REASONS = re.compile(
    r"\b(?:because|due to|since|so that|in order to|therefore|thus|as a result|causes?|caused|reasons?"
    r"|results?|resulted|led to|leads to|to (?:avoid|prevent|allow|ensure)|weil|da|wegen|aufgrund|um)\b",
    re.IGNORECASE,
)
# A capital that does not open the text or a sentence.
_NAME = re.compile(r"(?<![.!?:\"“]\s)(?<!^)\b[A-ZÄÖÜ][\w'’-]+")


@dataclass(frozen=True, slots=True)
class Question:
    """A question taken apart. `terms` are the stems of its words that carry meaning, once each, in order."""

    text: str
    terms: tuple[str, ...]
    pairs: frozenset[tuple[str, str]]
    names: frozenset[str]
    numbers: frozenset[str]
    kind: Kind

    @classmethod
    def of(cls, text: str) -> "Question":
        every = stems(text)
        return cls(
            text=text,
            terms=tuple(dict.fromkeys(content_stems(text))),
            pairs=frozenset(pairwise(every)),
            names=names(text),
            numbers=numbers(text),
            kind=_kind(text),
        )


def _kind(text: str) -> Kind:
    """The kind its first question word asks for; at one place the more special kind."""
    found = [(match.start(), rank) for rank, (_, pattern) in enumerate(_KINDS) if (match := pattern.search(text))]
    return _KINDS[min(found)[1]][0] if found else "other"


def names(text: str) -> frozenset[str]:
    """Stems of the capitalised words of `text` that do not open a sentence."""
    return frozenset(stem(name) for name in _NAME.findall(text) if name.lower() not in STOP_WORDS)


def numbers(text: str) -> frozenset[str]:
    """The numbers written in digits in `text`, without separators of thousands."""
    return frozenset(_THOUSANDS.sub("", number) for number in _DIGITS.findall(text))


def holds_number(text: str, *, beside: frozenset[str]) -> bool:
    """Whether `text` holds a number, in digits or words, that is not among those `beside` it in the question."""
    return bool(numbers(text) - beside) or _NUMBER_WORDS.search(text) is not None


def holds_date(text: str, *, question: str) -> bool:
    """Whether `text` holds a year, month, day or century that the question does not."""
    return any(found not in question for found in _DATES.findall(text))


def holds_reason(text: str) -> bool:
    """Whether `text` has a word that introduces a reason."""
    return _REASONS.search(text) is not None


def is_asked(text: str) -> bool:
    """Whether `text` is a question itself."""
    return text.rstrip().endswith(("?", "？"))


def new_words(text: str, *, terms: frozenset[str]) -> int:
    """How many words of `text` carry meaning and are not the question's."""
    return sum(1 for word in words(text) if word.lower() not in STOP_WORDS and stem(word) not in terms)
