"""What a search returns, and what it may be restricted to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from assay.documents.document import Passage

Mode = Literal["lexical", "dense", "fused"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found for a question.

    `score` ranks within one search and mode (higher is better); `signals` keeps what it was made
    from (`lexical`: BM25, `dense`: cosine, `rerank`), for the answer and for the trace.
    """

    passage: Passage
    source: str
    title: str
    score: float
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which documents may be seen, applied before the cut to k on both sides.

    `groups` None means no access control is asked for; otherwise only documents carrying at least
    one of these groups are seen (documents without groups are public). `metadata` entries must all match:
    the keys `source` (exact), `source_prefix`, `media_type`, or any key of the document's metadata.
    """

    groups: frozenset[str] | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class Retriever(Protocol):
    """Question in, hits out."""

    async def search(
        self, question: str, *, k: int | None = None, mode: Mode | None = None, where: Filter | None = None
    ) -> list[Hit]:
        """The best `k` passages, best first; k and mode default to the settings in force."""
        ...
