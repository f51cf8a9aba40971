"""Words as the answers room compares them: where they stand, their stems, which of them carry meaning.

The stemmer is light on purpose: it only has to make `invaded`, `invades` and `invasion` of a question
meet those of a sentence, and a wrong cut costs a little weight, never an answer.
"""

import re
from collections.abc import Iterable

_WORD = re.compile(r"\w+(?:['’]\w+)?")
_SUFFIXES = (
    ("ational", 3),
    ("ization", 3),
    ("ation", 3),
    ("ingly", 3),
    ("edly", 3),
    ("ement", 3),
    ("ment", 3),
    ("ness", 3),
    ("ing", 3),
    ("ed", 3),
    ("er", 4),
    ("ly", 4),
    ("ion", 4),
    ("al", 4),
    ("ive", 4),
    ("e", 3),
    ("y", 4),
)

_STOP_WORDS = """
a an the of in on at to for from by with and or but is are was were be been being am do does did done have has had
having will would can could shall should may might must it its he she they them his her their this that these those
there here as if than then so not no nor into over under about between during after before out up down off also such s
t d ll re ve we you i me my our your us him who whom whose which what when where why how many much name called
"""

STOP_WORDS = frozenset(_STOP_WORDS.split())


def words(text: str) -> list[str]:
    """The words of `text` as written, in order."""
    return _WORD.findall(text)


def stem(word: str) -> str:
    """`word` in lower case without a possessive, plural or common English suffix."""
    word = word.lower().removesuffix("'s").removesuffix("’s")
    if len(word) <= 3:
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("sses"):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for suffix, least in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= least:
            return word[: -len(suffix)]
    return word


def stems(text: str) -> list[str]:
    """The stems of every word of `text`, in order."""
    return [stem(word) for word in words(text)]


def content_stems(text: str) -> list[str]:
    """The stems of the words that carry meaning, in order; of all words where none does."""
    return meaningful(words(text)) or stems(text)


def meaningful(found: Iterable[str]) -> list[str]:
    """The stems of those words that are no stop words."""
    return [stem(word) for word in found if word.lower() not in STOP_WORDS]
