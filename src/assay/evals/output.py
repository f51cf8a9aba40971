"""What a system gave back for one question, whatever the system is: the one shape that scorers read and runs keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assay.models.chat import Usage


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A passage the system retrieved, best first in `Output.passages`.

    `document` is the source's name as the system knows it. `start` and `end` are characters of that document where
    the system knows them, else None: gold is then found by its quote in `text`.
    """

    document: str
    text: str
    start: int | None = None
    end: int | None = None
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Cited:
    """A citation: `quote` of `document`, with its characters `start` to `end` where the system knows them."""

    document: str
    quote: str = ""
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """An answer, a refusal (`declined`), or only passages (a retriever: `text` is empty).

    `confidence` in [0, 1] is the system's own, where it has one. `cost_usd` None means unpriced. `calls` are model and
    embedder calls executed to make it, local ones too. `extra` holds what else the system returned, for the page.
    """

    text: str = ""
    declined: bool = False
    citations: tuple[Cited, ...] = ()
    passages: tuple[Retrieved, ...] = ()
    confidence: float | None = None
    usage: Usage = Usage()
    cost_usd: float | None = 0.0
    latency_ms: float = 0.0
    calls: int = 0
    trace_id: str = ""
    extra: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """As kept in the ledger; `output_from` reads it back."""
        usage = self.usage
        return {
            "text": self.text,
            "declined": self.declined,
            "citations": [[c.document, c.quote, c.start, c.end] for c in self.citations],
            "passages": [[p.document, p.text, p.start, p.end, p.score] for p in self.passages],
            "confidence": self.confidence,
            "usage": [usage.uncached, usage.cache_read, usage.cache_write, usage.output, usage.reasoning],
            "cost_usd": self.cost_usd,
            "latency_ms": self.latency_ms,
            "calls": self.calls,
            "trace_id": self.trace_id,
            "extra": dict(self.extra) if self.extra else None,
        }


def output_from(shape: Mapping[str, Any]) -> Output:
    """The output `as_json` wrote."""
    return Output(
        text=shape["text"],
        declined=shape["declined"],
        citations=tuple(Cited(*row) for row in shape["citations"]),
        passages=tuple(Retrieved(*row) for row in shape["passages"]),
        confidence=shape["confidence"],
        usage=Usage(*shape["usage"]),
        cost_usd=shape["cost_usd"],
        latency_ms=shape["latency_ms"],
        calls=shape["calls"],
        trace_id=shape["trace_id"],
        extra=shape["extra"],
    )
