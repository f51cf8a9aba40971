"""What is wrong in a set of cases by itself: form, leakage of the passages' words, and answers without support.

Read from the words of the cases and their documents, whoever wrote them: a clean audit is no proof that a set is good.
Proved by `tests/unit/evals/test_audit.py`.
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from assay.answers.words import words
from assay.errors import AssayError, BadInput
from assay.evals.case import Case, Evidence
from assay.evals.generation.filters import ambiguous, answer_shown, known_share, leaks, longest_run, malformed
from assay.evals.generation.generated import EVIDENCE
from assay.evals.gold import Corpus, resolve

PEOPLES_RUN_SHARE = 0.27
PEOPLES_KNOWN_SHARE = 0.78
"""Medians of the 1,190 questions of XQuAD, which people wrote with the passage before them: the longest run of words
shared with the passage over the question's words, and the share of its words with meaning that stand in the passage."""

_AROUND_CHARACTERS = 400  # each side of the evidence: about the passage a question is made from
_LEAST_ANSWER_SHARE = 0.5
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class SetAudit:
    """What a set's cases look like by themselves. Counts are cases; `faults` are (case id, what) of the first few.

    `run_share` and `known_share` are medians over cases whose evidence's text is at hand: the longest run of words the
    question shares with the passage, over its words, and the share of its words with meaning that stand there.
    """

    cases: int
    answerable: int
    clusters: int
    tags: Mapping[str, int]
    malformed: int
    ambiguous: int
    leaking: int
    answer_in_question: int
    repeated: int
    without_answer: int
    without_evidence: int
    not_found: int
    answer_not_in_evidence: int
    run_share: float | None
    known_share: float | None
    faults: tuple[tuple[str, str], ...]
    decided: int = 0

    @property
    def sentences(self) -> tuple[str, ...]:
        """What this means, in words."""
        return tuple(_said_of(self))

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self) | {"sentences": list(self.sentences)}


def audit_set(cases: Sequence[Case], *, corpus: Corpus | None = None, decided: int = 0) -> SetAudit:
    """Leakage, answerability and form of a set. Without a corpus, evidence is its quotes alone.

    `decided` is on how many of the cases a person has decided in a review that is not finished.
    """
    if not cases:
        raise BadInput("There are no cases to audit.", hint="Import or generate some.")
    counts: Counter[str] = Counter()
    faults: list[tuple[str, str]] = []
    runs: list[float] = []
    known: list[float] = []
    seen: dict[str, str] = {}
    for case in cases:
        texts, lost = _passages(case, corpus)
        if texts:
            runs.append(len(_longest(case.question, texts)) / max(1, len(words(case.question))))
            known.append(known_share(case.question, texts))
        for name, what in [*_form(case, seen), *_support(case, texts), *lost]:
            counts[name] += 1
            if len(faults) < _SHOWN:
                faults.append((case.id, what))
    return SetAudit(
        cases=len(cases),
        answerable=sum(case.answerable for case in cases),
        clusters=len({case.cluster or case.id for case in cases}),
        tags=dict(Counter(tag for case in cases for tag in case.tags).most_common()),
        **{name: counts[name] for name in _COUNTED},
        run_share=statistics.median(runs) if runs else None,
        known_share=statistics.median(known) if known else None,
        faults=tuple(faults),
        decided=decided,
    )


_COUNTED = (
    *("malformed", "ambiguous", "leaking", "answer_in_question", "repeated", "without_answer", "without_evidence"),
    *("not_found", "answer_not_in_evidence"),
)


def _form(case: Case, seen: dict[str, str]) -> Iterator[tuple[str, str]]:
    """What is wrong with a question by its words alone; `seen` are the questions before it."""
    question = case.question
    if (what := malformed(question)) is not None:
        yield "malformed", f"malformed: {what}"
    if (what := ambiguous(question)) is not None:
        yield "ambiguous", f"ambiguous by itself: {what}"
    if (other := seen.setdefault(" ".join(question.lower().split()), case.id)) != case.id:
        yield "repeated", f"asks what {other} asks"


def _support(case: Case, texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is wrong between an answerable question, its answers and the passages its evidence stands in."""
    if not case.answerable:
        return
    if any(answer_shown(case.question, answer) for answer in case.answers):
        yield "answer_in_question", "the question holds its answer"
    if not case.answers:
        yield "without_answer", "has no reference answer"
    if not case.evidence:
        yield "without_evidence", "has no evidence"
    if not texts:
        return
    if leaks(case.question, run := _longest(case.question, texts)):
        yield "leaking", f"copies: {' '.join(run)}"
    if case.answers and max(known_share(answer, texts) for answer in case.answers) < _LEAST_ANSWER_SHARE:
        yield "answer_not_in_evidence", "most words of its answers are not in the evidence"


def _longest(question: str, texts: Sequence[str]) -> list[str]:
    return max((longest_run(question, text) for text in texts), key=len)


def _passages(case: Case, corpus: Corpus | None) -> tuple[list[str], list[tuple[str, str]]]:
    """The passages a case's evidence stands in, and what of it is not to be found."""
    found, lost = [], []
    for piece in case.evidence:
        try:
            found.append(_around(case, piece, corpus))
        except AssayError as error:
            lost.append(("not_found", error.message))
    return [text for text in found if text], lost


def _around(case: Case, piece: Evidence, corpus: Corpus | None) -> str:
    """The evidence with what stands around it; empty where all that is known is the document's name."""
    if corpus is None:
        return piece.quote
    gold = resolve(Case(case.id, case.question, evidence=(piece,)), corpus, required=True)[0]
    found = corpus.find(piece.document)
    if gold.start is None or gold.end is None or found is None:
        return gold.quote
    return found[1][max(0, gold.start - _AROUND_CHARACTERS) : gold.end + _AROUND_CHARACTERS]


def _said_of(found: SetAudit) -> list[str]:
    said = [f"{found.cases} cases ({found.answerable} answerable) in {found.clusters} clusters."]
    parts = [
        (found.malformed, "not well-formed questions"),
        (found.ambiguous, "cannot be understood by themselves"),
        (found.leaking, "copy a long run of the passage's words"),
        (found.answer_in_question, "hold their answer"),
        (found.repeated, "repeat another question"),
        (found.without_answer, "have no reference answer"),
        (found.without_evidence, "have no evidence"),
        (found.not_found, "name evidence that is not in the documents"),
        (found.answer_not_in_evidence, "have answers whose words are not in their evidence"),
    ]
    said += [f"{count} of them {what}." for count, what in parts if count]
    if found.run_share is not None and found.known_share is not None:
        nearer = "closer to" if found.known_share > PEOPLES_KNOWN_SHARE else "no closer to"
        said.append(
            f"The median question shares {found.known_share:.0%} of its words with its passage and "
            f"{found.run_share:.0%} in one run: {nearer} the text than people's questions on XQuAD "
            f"({PEOPLES_KNOWN_SHARE:.0%} and {PEOPLES_RUN_SHARE:.0%}), which they wrote with the passage before them."
        )
    if "generated" in found.tags and "reviewed" not in found.tags:
        who = f"of which people have reviewed {found.decided} so far" if found.decided else "and reviewed by nobody"
        said.append(f"Generated, {who}. " + EVIDENCE)
    return said
