"""Retrievers alone as systems: passages and no text, so only retrieval metrics apply."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

from assay.evals.output import Output, Retrieved
from assay.gateway.tally import tallying
from assay.index.hit import Retriever


async def _nothing() -> None:
    return None


class RetrieverSystem:
    """The best `k` passages of one of our retrievers (None: as many as its settings say)."""

    kind: Literal["answerer", "retriever"] = "retriever"

    def __init__(
        self,
        retriever: Retriever,
        *,
        name: str,
        subject: str | None,
        k: int | None = None,
        spec: Mapping[str, Any] | None = None,
        expected_cost_usd: tuple[float, float] | None = (0.0, 0.0),
        close: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self.name, self.subject = name, subject
        self.spec = {"kind": "retriever", "k": k, **(spec or {})}
        self.expected_cost_usd = expected_cost_usd
        self._retriever, self._k, self._close = retriever, k, close

    async def __call__(self, question: str) -> Output:
        """The passages for `question`, best first."""
        started = time.perf_counter()
        with tallying() as counts:
            hits = await self._retriever.search(question, k=self._k)
        return Output(
            passages=tuple(
                Retrieved(hit.source, hit.passage.text, hit.passage.start, hit.passage.end, float(hit.score))
                for hit in hits
            ),
            cost_usd=None if counts.unpriced_calls else counts.cost_usd,
            latency_ms=(time.perf_counter() - started) * 1000,
            calls=counts.paid_calls,
        )

    async def aclose(self) -> None:
        """Free what the system holds. Safe to call twice."""
        close, self._close = self._close, _nothing
        await close()
