"""Reranker: how well each text answers a question."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Reranker(Protocol):
    """Scores question-text pairs; higher is more relevant, scale is the reranker's own."""

    name: str
    digest: str

    async def score(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """One score per text, shape (len(texts),), in order."""
        ...

    async def aclose(self) -> None:
        """Free what the reranker holds. Safe to call twice."""
        ...
