"""A question on its way to become a case, and what became of those that did not."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from assay.evals.case import Case, Evidence
from assay.evals.generation.texts import Excerpt

Kind = Literal["single", "multi", "unanswerable", "adversarial"]
KINDS: tuple[Kind, ...] = ("single", "multi", "unanswerable", "adversarial")

Reason = Literal[
    "model_failed", "malformed", "ambiguous", "answer_in_question", "leaks", "unsupported", "answerable_without",
    "duplicate", "not_close", "answered_elsewhere", "not_retrieved",
]  # fmt: skip

MEANING: dict[Reason, str] = {
    "model_failed": "the model gave nothing that can be read",
    "malformed": "not one well-formed question",
    "ambiguous": "cannot be understood without the passage (this, he, the study)",
    "answer_in_question": "the question holds its answer",
    "leaks": "copies a long run of the passage's words",
    "unsupported": "the evidence does not answer it",
    "answerable_without": "the model answers it without the passage",
    "duplicate": "asks what another question asks",
    "not_close": "no other passage is close enough to mislead",
    "answered_elsewhere": "meant to have no answer, but a passage seems to answer it",
    "not_retrieved": "the retriever does not find its evidence",
}
"""What each reason for dropping a question means."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Characters `start` to `end` of an excerpt's source."""

    excerpt: Excerpt
    start: int
    end: int

    @property
    def text(self) -> str:
        """The quoted characters."""
        return self.excerpt.quote(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Draft:
    """A question, its reference answer and the quotes it rests on. `about` is the excerpt it was made from.

    An unanswerable one has neither answer nor evidence.
    """

    question: str
    answer: str
    evidence: tuple[Quote, ...]
    kind: Kind
    about: Excerpt
    written: Literal["model", "rule"] = "model"

    def case(self, *, tags: Sequence[str] = ()) -> Case:
        """As a case; its id is a digest of what it asks and of where the evidence stands."""
        evidence = tuple(Evidence(q.excerpt.source, q.text, q.start, q.end) for q in self.evidence)
        named = "\n".join([self.kind, self.question, self.about.source, *(f"{e.document}:{e.start}" for e in evidence)])
        return Case(
            id=f"gen-{hashlib.sha256(named.encode(errors='surrogatepass')).hexdigest()[:12]}",
            question=self.question,
            answers=(self.answer,) if self.answer else (),
            evidence=evidence,
            answerable=self.kind != "unanswerable",
            tags=("generated", f"kind:{self.kind}", f"written:{self.written}", *tags),
            cluster=self.about.source,
        )


@dataclass(frozen=True, slots=True)
class Dropped:
    """A question that was not kept, and why; `detail` says what in it."""

    question: str
    reason: Reason
    detail: str = ""
