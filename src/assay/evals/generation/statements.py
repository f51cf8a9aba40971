"""Sentences of an excerpt that a question can be asked of by itself, pronouns filled in from the sentence before.

People's questions name what a paragraph is about, while the sentence that answers them often says "it": a set made only
of sentences that name everything would never punish passages that are cut too small. So `It was opened in 1932` after
`The harbour of Lund is old.` is asked of as `The harbour of Lund was opened in 1932`, and its evidence stays the
sentence as it stands. Only a plain subject is carried over, and only from the sentence just before.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assay.evals.generation.clause import clause_of
from assay.evals.generation.texts import Excerpt

SHORTEST_CHARACTERS, LONGEST_CHARACTERS = 40, 320
_OPENS_ON_OTHERS = re.compile(
    r"(?:he|she|it|they|this|these|those|that|such|here|there|his|her|its|their|however|but|and|also|thus|therefore|"
    r"another|both|one|some|others|many|most)\b",
    re.IGNORECASE,
)
_CARRIES = re.compile(r"(?:He|She|It|They) (?=[a-z])")
_LONGEST_SUBJECT = 6  # words
_PLURAL = re.compile(r"(?:[^s]s|people|men|women|children)$|\band\b")


@dataclass(frozen=True, slots=True)
class Statement:
    """`text` says what the source's characters `start` to `end` say; its first `filled` characters are carried over
    and stand for the sentence's first `replaced`.
    """

    start: int
    end: int
    text: str
    filled: int = 0
    replaced: int = 0

    def source_span(self, start: int, end: int) -> tuple[int, int] | None:
        """Where characters of `text` stand in the sentence itself; None where they were carried over."""
        if start < self.filled:
            return None
        shift = self.replaced - self.filled
        return self.start + start + shift, self.start + end + shift


def statements(excerpt: Excerpt) -> Iterator[Statement]:
    """Every sentence that stands by itself, or does with its pronoun filled in."""
    before = ""
    for start, end in excerpt.sentences:
        text = excerpt.quote(start, end)
        if SHORTEST_CHARACTERS <= len(text) <= LONGEST_CHARACTERS:
            if not _OPENS_ON_OTHERS.match(text):
                yield Statement(start, end, text)
            elif (carried := _carried(before, text)) is not None:
                pronoun, subject = carried
                yield Statement(start, end, f"{subject}{text[pronoun:]}", len(subject), pronoun)
        before = text


def _carried(before: str, text: str) -> tuple[int, str] | None:
    """The length of the sentence's pronoun and the subject it stands for; None where that is not plain."""
    opening = _CARRIES.match(text)
    clause = clause_of(before) if opening else None
    if opening is None or clause is None or clause.front[1]:
        return None
    pronoun, subject = opening.group().strip(), clause.text(clause.subject)
    words = subject.split()
    is_plural = _PLURAL.search(subject) is not None
    is_name = all(word[0].isupper() for word in words)
    fits = {"They": is_plural, "It": not is_plural, "He": is_name, "She": is_name}[pronoun]
    return (len(pronoun), subject) if fits and len(words) <= _LONGEST_SUBJECT else None
