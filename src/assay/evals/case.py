"""Cases: a question, what is known about its answer, and where the evidence stands in the sources.

Gold evidence is characters of a *source document*, by quote or by offsets, never a passage: it survives any change of
reader, cut or index. A set of cases is named by its content, so a run can say exactly what it was measured on.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Evidence:
    """A stretch of `document` (a source, or the end of its path): by `quote`, by characters `start` to `end`, or both.

    With neither, the whole document is the evidence, as in BEIR's judgements; `grade` is its relevance.
    """

    document: str
    quote: str = ""
    start: int | None = None
    end: int | None = None
    grade: int = 1


@dataclass(frozen=True, slots=True)
class Case:
    """A question with what is known about its answer.

    `answers` are alternatives: one suffices. `evidence` are the pieces an answer rests on. `answerable` False means
    the documents do not hold the answer and declining is right. Cases of one `cluster` (document, user,
    conversation) are not independent of each other; empty means a cluster of its own.
    """

    id: str
    question: str
    answers: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    answerable: bool = True
    tags: tuple[str, ...] = ()
    cluster: str = ""

    def as_json(self) -> dict[str, Any]:
        """The documented line: `{"id", "question"[, "answers", "evidence", "answerable", "tags", "cluster"]}`."""
        shape: dict[str, Any] = {"id": self.id, "question": self.question}
        if self.answers:
            shape["answers"] = list(self.answers)
        if self.evidence:
            shape["evidence"] = [_evidence_json(piece) for piece in self.evidence]
        if not self.answerable:
            shape["answerable"] = False
        if self.tags:
            shape["tags"] = list(self.tags)
        if self.cluster:
            shape["cluster"] = self.cluster
        return shape

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the case's content, whatever the order of keys in the file it came from."""
        canonical = json.dumps(self.as_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode(errors="surrogatepass")).hexdigest()


def set_digest(cases: Sequence[Case]) -> str:
    """SHA-256 (hex) over the digests of the cases, in their order."""
    return digest_of(case.digest for case in cases)


def digest_of(digests: Iterable[str]) -> str:
    """SHA-256 (hex) over digests in their order."""
    total = hashlib.sha256()
    for digest in digests:
        total.update(bytes.fromhex(digest))
    return total.hexdigest()


def _evidence_json(piece: Evidence) -> dict[str, Any]:
    shape: dict[str, Any] = {"document": piece.document}
    if piece.quote:
        shape["quote"] = piece.quote
    if piece.start is not None and piece.end is not None:
        shape |= {"start": piece.start, "end": piece.end}
    if piece.grade != 1:
        shape["grade"] = piece.grade
    return shape
