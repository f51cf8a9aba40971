"""The JSON shapes others build on: one function per shape, used by the command line and by HTTP."""

from collections.abc import Sequence
from typing import Any

from assay.answers.outcome import Citation, Outcome
from assay.index.hit import Hit
from assay.models.chat import Usage


def outcome_shape(outcome: Outcome) -> dict[str, Any]:
    """An answer or a refusal: the object of `assay ask --json` and `POST /api/ask`."""
    shape: dict[str, Any] = {
        "outcome": outcome.kind,
        "text": outcome.text,
        "citations": [citation_shape(citation) for citation in outcome.citations],
        "hits": hits_shape(outcome.hits),
        "usage": usage_shape(outcome.usage),
        "cost_usd": outcome.cost_usd,
        "latency_ms": round(outcome.latency_ms, 1),
        "trace_id": outcome.trace_id,
        "confidence": round(outcome.confidence, 4),
    }
    if outcome.kind == "answer":
        shape["flags"] = list(outcome.flags)
    else:
        shape["reason"] = outcome.reason
    return shape


def citation_shape(citation: Citation) -> dict[str, Any]:
    """A citation: `quote` is characters `start` to `end` of the document's text."""
    return {
        "marker": citation.marker,
        "document": citation.document,
        "document_id": citation.document_id,
        "start": citation.start,
        "end": citation.end,
        "quote": citation.quote,
        "page": citation.page,
        "supported": citation.supported,
    }


def hits_shape(hits: Sequence[Hit]) -> list[dict[str, Any]]:
    """Hits in order."""
    return [
        {
            "rank": rank,
            "document": hit.source,
            "document_id": hit.passage.document_id,
            "title": hit.title,
            "heading": hit.passage.heading,
            "page": hit.passage.page,
            "start": hit.passage.start,
            "end": hit.passage.end,
            "text": hit.passage.text,
            "score": float(hit.score),
            "signals": {name: float(value) for name, value in hit.signals.items()},
        }
        for rank, hit in enumerate(hits, start=1)
    ]


def usage_shape(usage: Usage) -> dict[str, int]:
    """Tokens in disjoint buckets."""
    return {
        "uncached": usage.uncached,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "output": usage.output,
        "reasoning": usage.reasoning,
    }
