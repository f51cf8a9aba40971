"""Questions made from statements by rule, for when no model can write them: plain, grammatical where they apply, and in
the statement's own words.

English only. Each rule takes the part of a clause that answers a question word and asks for it; what it cannot take
apart it leaves alone. Invariant: the answer is a stretch of the sentence and is not in the question. Proved by
`tests/unit/evals/generation/test_rules.py`.
"""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from assay.evals.generation.clause import Clause, clause_of
from assay.evals.generation.verbs import PRESENT, base_of, word_set


@dataclass(frozen=True, slots=True)
class Asked:
    """A question and its answer, the characters `start` to `end` of the sentence it was made from."""

    question: str
    start: int
    end: int


_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_YEAR = r"(?:1\d{3}|20\d{2})"
_DAY = rf"(?:\d{{1,2}} {_MONTH}(?: {_YEAR})?|{_MONTH} \d{{1,2}}(?:, {_YEAR})?)"
_ABOUT = rf"(?:the (?:early |late |mid-)?{_YEAR}s|the \d{{1,2}}(?:st|nd|rd|th) century)"
DATE = rf"(?:(?:{_MONTH} )?(?:\d{{1,2}},? )?{_YEAR}(?![%\w])|{_DAY}|{_ABOUT})"
NAME = r"(?:the )?[A-Z][\w'’.-]*\w(?:(?: of| of the| de| von| van)? [A-Z][\w'’.-]*\w)*"
_NUMBER = r"\$?\d[\d.,]*(?: (?:million|billion|thousand|hundred))?"
_WHEN = re.compile(rf"\b(?:in|on|since|around|until|during) ({DATE})")
_WHERE = re.compile(rf"\b(?:in|at|near|to|from) (?!(?:the )?{_MONTH}\b)({NAME})")
_BY = re.compile(rf"\bby ({NAME})")
_COUNT = re.compile(
    rf"(?:about |around |over |more than |nearly |some |at least )?({_NUMBER}) ((?:[a-z-]+ ){{0,2}}[a-z-]{{3,}}s)\b"
)
_WHY = re.compile(r"\b(?:because(?! of)|because of|due to|in order to) (.+)")
_AS = re.compile(r"^((?:also |commonly |often |sometimes )*(?:known as|called|named)) (.+)")
_THING = re.compile(r"^(?:an?|the|one) .+")
_OBJECT_ENDS = re.compile(
    r",| (?:in|on|at|for|to|from|by|with|under|over|after|before|during|between|into|through|as|when|and|that|until"
    r"|because)\b"
)
_LINK = re.compile(r",| (?:as|when|and|that|until|because|after|before)\b")
_PEOPLES_VERBS = word_set(
    """
    argued became believed bought composed conquered created defeated described designed developed died discovered
    established explained founded introduced invented led married moved named painted played proposed published
    ruled said studied taught thought translated won wrote
    """
)
_DONE = re.compile(
    r"(?:\w+ly |not |also |first |now |often |still )?"
    r"(?:[a-z-]+ed|[a-z]+(?:wn|en|ght|ade|eld|old|uilt|ound|ung|aid|ent|put|set|ost|et|ead|un))\b"
)
_LINKING = ("became", "becomes", "remains", "seems")  # what follows is no object
_FEW_WORDS = 7


def asked_of(sentence: str, *, vocabulary: Collection[str] = ()) -> list[Asked]:
    """Every question the rules find in a sentence. `vocabulary` holds lower-case words of the texts around it."""
    clause = clause_of(sentence)
    if clause is None:
        return []
    parts = _Parts(clause, vocabulary)
    found: dict[str, Asked] = {}
    for rule in _RULES:
        for asked in rule(parts):
            answer = sentence[asked.start : asked.end]
            if answer.lower() not in asked.question.lower():
                found.setdefault(asked.question, asked)
    return list(found.values())


class _Parts:
    """A clause with what rules need of it: words as a question writes them, and the verb turned round."""

    def __init__(self, clause: Clause, vocabulary: Collection[str]) -> None:
        self.clause = clause
        self.sentence = clause.sentence
        self.rest = clause.text(clause.rest)
        self.rest_start = clause.rest[0]
        self.verb = clause.text(clause.verb)
        self.subject = _inside(clause.text(clause.subject), vocabulary, opens=not clause.front[1])
        self.front = _inside(clause.text(clause.front).rstrip(" ,"), vocabulary, opens=True)
        self._vocabulary = vocabulary

    def turned(self, asks: str, body: str) -> Iterator[str]:
        """`asks`, the verb turned round the subject, and `body`; nothing where the verb's base form is not known."""
        body = body.strip(" ,")
        if body and not (body := _short(body)):
            return
        if "," in body or self.verb in _LINKING:
            return
        kind = self.clause.kind
        if kind == "be" and not _DONE.match(body):
            return  # "Where is Rome the largest city?"
        if kind in ("be", "modal", "have"):
            yield _asked(f"{asks} {self.verb} {self.subject} {body}")
            return
        base = "have" if self.verb in ("had", "has", "have") else None
        base = base or (
            PRESENT.get(self.verb) if kind == "present" else base_of(self.verb, vocabulary=self._vocabulary)
        )
        if base is not None:
            helper = "did" if kind == "past" else "do" if self.verb == "have" else "does"
            yield _asked(f"{asks} {helper} {self.subject} {base} {body}")

    def in_rest(self, found: re.Match[str], group: int = 1) -> tuple[int, int]:
        """Where a group of a match in `rest` stands in the sentence."""
        return self.rest_start + found.start(group), self.rest_start + found.end(group)

    @property
    def is_named(self) -> bool:
        """Whether the subject is a name."""
        return re.fullmatch(NAME, self.subject) is not None


def _when(parts: _Parts) -> Iterator[Asked]:
    if found := _WHEN.search(parts.rest):
        for question in parts.turned("When", parts.rest[: found.start()]):
            yield Asked(question, *parts.in_rest(found))
    front = parts.clause.front
    if found := re.search(rf" ({DATE})$", parts.sentence[front[0] : front[1]]):
        for question in parts.turned("When", parts.rest):
            yield Asked(question, front[0] + found.start(1), front[0] + found.end(1))


def _where(parts: _Parts) -> Iterator[Asked]:
    found = _WHERE.search(parts.rest)
    if found and not re.search(r"[’']s$", found[1]):
        for question in parts.turned("Where", parts.rest[: found.start()]):
            yield Asked(question, *parts.in_rest(found))


def _by_whom(parts: _Parts) -> Iterator[Asked]:
    found = _BY.search(parts.rest)
    if found is None or parts.clause.kind != "be":
        return
    done, _, more = parts.rest[: found.start()].strip().partition(" ")
    if done.endswith("ed"):
        yield Asked(_asked(f"Who {done} {parts.subject} {more}"), *parts.in_rest(found))
    elif done.endswith(("en", "wn", "ght", "ade", "ung", "eld", "aid", "old", "uilt", "ound")):
        for question in parts.turned("By whom", parts.rest[: found.start()]):
            yield Asked(question, *parts.in_rest(found))


def _how_many(parts: _Parts) -> Iterator[Asked]:
    found = _COUNT.match(parts.rest)
    if found and parts.clause.kind in ("past", "present"):
        after = _LINK.split(parts.rest[found.end() :], maxsplit=1)[0]
        for question in parts.turned(f"How many {found[2]}", after):
            yield Asked(question, *parts.in_rest(found))


def _who_or_what(parts: _Parts) -> Iterator[Asked]:
    """The subject itself, where it is a name: the only rule that needs no verb turned round."""
    said = _short(parts.rest)
    if not parts.is_named or parts.verb in ("are", "were", "have") or not said:
        return
    asks = "Who" if parts.verb in _PEOPLES_VERBS else "What"
    front = parts.front if len(parts.front.split()) <= 4 else ""
    yield Asked(_asked(f"{asks} {parts.verb} {said} {front}"), *parts.clause.subject)


def _short(text: str) -> str:
    """The beginning of a text up to a preposition or mark that leaves a handful of words; empty where there is none."""
    ends = [found.start() for found in _OBJECT_ENDS.finditer(text)] + [len(text)]
    return next((text[:end] for end in reversed(ends) if 0 < len(text[:end].split()) <= _FEW_WORDS), "")


def _what_is(parts: _Parts) -> Iterator[Asked]:
    if parts.clause.kind != "be":
        return
    if found := _AS.match(parts.rest):
        for question in parts.turned("What", found[1]):
            yield Asked(question, *parts.in_rest(found, 2))
    elif _THING.match(parts.rest) and len(parts.subject.split()) <= 4:
        end = parts.rest.find(",")
        stop = parts.rest_start + (end if end > 0 else len(parts.rest))
        yield Asked(_asked(f"What {parts.verb} {parts.subject}"), parts.rest_start, stop)


def _why(parts: _Parts) -> Iterator[Asked]:
    found = _WHY.search(parts.sentence, parts.rest_start)
    if found:
        for question in parts.turned("Why", parts.sentence[parts.rest_start : found.start()]):
            yield Asked(question, found.start(1), found.start(1) + len(found[1].rstrip(' .!?"”')))


def _what_did(parts: _Parts) -> Iterator[Asked]:
    """The object of a verb, up to the first preposition."""
    if parts.clause.kind not in ("past", "present") or not re.match(
        rf"(?:an?|the|its|his|her|their) |{NAME}", parts.rest
    ):
        return
    found = _OBJECT_ENDS.search(parts.rest)
    if found and found[0].strip() in ("and", "that", "as", "when", "until", "because"):
        return
    stop = found.start() if found else len(parts.rest)
    after = parts.rest[stop:].split(",")[0] if found and found[0] != "," else ""
    for question in parts.turned("What", after):
        yield Asked(question, parts.rest_start, parts.rest_start + len(parts.rest[:stop].rstrip()))


_RULES: tuple[Callable[[_Parts], Iterator[Asked]], ...] = (
    _when, _where, _by_whom, _how_many, _why, _what_is, _who_or_what, _what_did,
)  # fmt: skip


def _asked(text: str) -> str:
    return " ".join(text.split()).rstrip(" ,.;:") + "?"


def _inside(text: str, vocabulary: Collection[str], *, opens: bool) -> str:
    """Words from a sentence's start as they stand inside one: a capital goes where the word is no name."""
    first, _, more = text.partition(" ")
    lower = first.lower()
    is_common = lower in vocabulary or lower in (
        "the",
        "a",
        "an",
        "in",
        "on",
        "at",
        "by",
        "during",
        "after",
        "before",
        "since",
        "from",
        "under",
        "between",
        "until",
        "throughout",
        "within",
    )
    return text if not (opens and is_common) else f"{lower} {more}".strip()
