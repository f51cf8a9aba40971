"""Questions without an answer made from such as have one: a name or a year exchanged for one from another document.

The new name comes from inside a sentence elsewhere and is not in the question's own excerpt. Whether some passage
answers the new question by accident is for the checks to say.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from assay.answers.words import STOP_WORDS
from assay.evals.generation.draft import Draft
from assay.evals.generation.rules import NAME
from assay.evals.generation.texts import Excerpt

_YEAR = r"\b1\d{3}\b|\b20\d{2}\b"
_CHOICES = 2
_LOOK_BACK = 60  # characters: a `$` search over a whole text would cost its square
_CALENDAR = re.compile(r"(?:Jan|Febr|Septem|Octo|Novem|Decem|March|April|May|Ju(?:ne|ly)|August|\w+day)\w*$")
_STOP_BEFORE = re.compile(r"(?:[.!?:;\"“(]|^)\s*$")
_NAME_GOES_ON = re.compile(r"[-’'/]|,? (?:and |of |of the |for )?[A-Z0-9]")
_NAME_BEFORE = re.compile(r"(?:[A-Z][\w.]*,? (?:and |of |of the |for )?|[-/$])$")


def swapped(draft: Draft, others: Sequence[Excerpt], drawn: random.Random) -> Iterator[Draft]:
    """The question with one name or year exchanged for one that its own excerpt does not have."""
    own = f"{draft.about.title} {draft.about.text}"
    for pattern in (NAME, _YEAR):
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
        for new in drawn.sample(choices, min(_CHOICES, len(choices))):
            question = draft.question[: old.start()] + new + draft.question[old.end() :]
            yield replace(draft, question=question, answer="", evidence=(), kind="unanswerable")


@lru_cache(maxsize=4_096)
def names_in(text: str, pattern: str) -> tuple[str, ...]:
    """What matches inside sentences, months and days left out: a capital after a stop may be any word's."""
    return tuple(
        found.group()
        for found in re.finditer(pattern, text)
        if _is_whole(text, found)
        and not _CALENDAR.match(found.group())
        and not _STOP_BEFORE.search(text[max(0, found.start() - _LOOK_BACK) : found.start()])
    )


def _is_whole(text: str, found: re.Match[str]) -> bool:
    """Whether a match neither opens the text nor is part of a longer name."""
    before = text[max(0, found.start() - _LOOK_BACK) : found.start()]
    return found.start() > 0 and not _NAME_GOES_ON.match(text, found.end()) and not _NAME_BEFORE.search(before)
