"""An English statement taken apart: what stands in front, who or what it is about, the verb, and the rest.

Plain rules on words, no tagger: a sentence with a shape they do not know is left alone (None). Invariant: every part is
a stretch of the sentence, by characters. Proved by `tests/unit/evals/generation/test_clause.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay.evals.generation.verbs import BE, HAVE, MODALS, PRESENT, is_past, word_set

VerbKind = Literal["be", "modal", "have", "past", "present"]

_WORD = re.compile(r"\$?[^\W_](?:[\w.,'’/&%-]*[\w%])?|[,;:()\"“”–—]")
_DETERMINERS = word_set(
    """
    the a an its his her their our my your this that these those each every some any no all
    """
)
_PREPOSITIONS = word_set(
    """
    in on at of for to from by with under over after before during between among since until through into within
    against about near across around as than like without along behind beyond despite towards upon
    """
)
_PRONOUNS = word_set(
    """
    he she it they we you i this that these those there here who which what such one some many most others another
    both each neither either his her its their
    """
)
_LINKS = word_set(
    """
    and or but if when while because although though where whereas which who that whose as
    """
)
_OPENERS = word_set(
    """
    in on at by during after before since from under between until throughout within around
    """
)
_ADVERBS = word_set(
    """
    also then later now still often usually however never always already soon first originally eventually finally
    today generally typically currently sometimes only even once
    """
)
_SUBJECT_WORDS = 9
_STOPS = re.compile(
    r"\s*[,;:–—(]\s*(?:which|who|whose|where|when|while|and|but|although|though|whereas|with|including|making|as|or|"
    r"leading|causing|allowing|because|since|after|before)\b|[;:]| [–—(]",
)


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a mark of a sentence, with where it stands."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Clause:
    """Spans (start, end) of a sentence. `front` and `rest` may be empty; `rest` goes to the clause's end."""

    sentence: str
    front: tuple[int, int]
    subject: tuple[int, int]
    verb: tuple[int, int]
    rest: tuple[int, int]
    kind: VerbKind

    def text(self, span: tuple[int, int]) -> str:
        """The sentence's characters of a span."""
        return self.sentence[span[0] : span[1]]


def words_of(sentence: str) -> list[Word]:
    """Words and marks of a sentence, in order."""
    return [Word(found.group(), *found.span()) for found in _WORD.finditer(sentence)]


def clause_of(sentence: str) -> Clause | None:
    """The main clause of a sentence, or None where its shape is not known."""
    words = words_of(sentence)
    begin = _after_front(words)
    if begin >= len(words):
        return None
    verb = _verb(words, begin)
    if verb is None:
        return None
    place, kind = verb
    subject = (words[begin].start, words[place - 1].end)
    rest_start = words[place + 1].start if place + 1 < len(words) else len(sentence)
    return Clause(
        sentence=sentence,
        front=(words[0].start, words[begin - 1].start) if begin else (0, 0),
        subject=subject,
        verb=(words[place].start, words[place].end),
        rest=(rest_start, max(rest_start, _clause_end(sentence, rest_start))),
        kind=kind,
    )


def _after_front(words: Sequence[Word]) -> int:
    """The place of the first word of the subject: after `In 1932,` where a sentence opens like that."""
    if words and words[0].text.lower() in _OPENERS:
        for place, word in enumerate(words[1:10], start=1):
            if word.text == ",":
                return place + 1
    return 0


def _verb(words: Sequence[Word], begin: int) -> tuple[int, VerbKind] | None:
    """The first word that can only be the verb of a short, plain subject that starts at `begin`."""
    if words[begin].text.lower() in _PRONOUNS | _LINKS | _PREPOSITIONS | _ADVERBS:
        return None
    for place in range(begin + 1, min(begin + 1 + _SUBJECT_WORDS, len(words))):
        word, before = words[place].text, words[place - 1].text.lower()
        lower = word.lower()
        if not word[0].isalnum() or lower in _LINKS - {"and"}:
            return None
        if before in _DETERMINERS | _PREPOSITIONS | {"and"}:
            continue
        if (kind := _kind(word, words[place + 1 : place + 2])) is not None:
            # "The forest lost in the fire grew back": what looks like the verb belongs to the subject.
            return None if kind == "past" and _has_another(words, place + 1) else (place, kind)
    return None


def _has_another(words: Sequence[Word], start: int) -> bool:
    """Whether a second verb follows before any mark or link that could open a clause of its own."""
    for word in words[start:]:
        lower = word.text.lower()
        if not word.text[0].isalnum() or lower in _LINKS or lower == "to":
            return False
        if word.text in BE | MODALS | HAVE or word.text in PRESENT:  # not the month of May
            return True
    return False


def _kind(word: str, following: Sequence[Word]) -> VerbKind | None:
    if word in BE:
        return "be"
    if word in MODALS:
        return "modal"
    if word in HAVE:
        after = following[0].text.lower() if following else ""
        owns = (
            after in _DETERMINERS or after[:1].isdigit() or not (is_past(after) or after in ("been", "also", "since"))
        )
        return ("past" if word == "had" else "present") if owns else "have"
    if is_past(word):
        # `The pope named John spoke`: a past form before another verb is no main verb; a name or article is safe.
        after = following[0].text.lower() if following else ""
        return None if after in BE | MODALS | HAVE or is_past(after) else "past"
    return "present" if word in PRESENT else None


def _clause_end(sentence: str, start: int) -> int:
    """Where the clause ends: before a relative clause, a second clause or a bracket, without the final stop."""
    found = _STOPS.search(sentence, start)
    end = found.start() if found else len(sentence)
    return start + len(sentence[start:end].rstrip(' .!?"”'))
