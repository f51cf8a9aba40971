"""Check what is about to be said: every citation is verbatim, every claim stands on what it cites.

A citation that is not exactly the characters of its document is a broken invariant of ours, never an
outcome. A claim whose citation does not support it, lexically or by embedding, is flagged and shown.

What the check can see: a claim that is about something else, or has another number. What it cannot: two
names swapped, a negation. Figures are in LOG.md.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assay.answers.outcome import Citation
from assay.answers.question import numbers
from assay.answers.words import content_stems, stems
from assay.errors import Corrupt
from assay.index.hit import Hit
from assay.models.embedder import Embedder

SUPPORT_COVERED = 0.5
"""A claim is supported lexically where the quote holds this share of its words that carry meaning."""

SUPPORT_COSINE = 0.65
"""A claim is supported by embedding from this cosine to the quote on."""


def check_verbatim(citations: Sequence[Citation], hits: Sequence[Hit]) -> None:
    """Raises Corrupt where a quote is not the characters `start` to `end` of a passage that was found."""
    passages = [hit.passage for hit in hits]
    for citation in citations:
        if not any(
            passage.document_id == citation.document_id
            and passage.start <= citation.start < citation.end <= passage.end
            and passage.text[citation.start - passage.start : citation.end - passage.start] == citation.quote
            for passage in passages
        ):
            raise Corrupt(
                f"A citation of {citation.document} is not verbatim at characters {citation.start} to {citation.end}.",
                hint="Report this with the output of `assay trace`.",
            )


def covered(claim: str, quote: str) -> float:
    """The share of the claim's words that carry meaning which the quote holds, in [0, 1]; 1 where it has none.

    Numbers are left to `supports`: they are written in too many ways to be compared as words.
    """
    wanted = frozenset(stem for stem in content_stems(claim) if not stem.isdigit())
    return len(wanted & frozenset(stems(quote))) / len(wanted) if wanted else 1.0


def supports(claim: str, quote: str, *, cosine: float) -> bool:
    """Whether the quote supports the claim: it holds enough of its words or is near in meaning, and has its numbers."""
    if numbers(claim) - numbers(quote):
        return False
    return covered(claim, quote) >= SUPPORT_COVERED or cosine >= SUPPORT_COSINE


async def cosines(claims: Sequence[str], quotes: Sequence[str], *, embedder: Embedder) -> NDArray[np.float64]:
    """Cosine of every claim to every quote, shape (claims, quotes)."""
    if not claims or not quotes:
        return np.zeros((len(claims), len(quotes)))
    vectors = await embedder.embed([*claims, *quotes], kind="query")
    return np.asarray(vectors[: len(claims)] @ vectors[len(claims) :].T, dtype=np.float64)
