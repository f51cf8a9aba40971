"""Embedder: texts in, unit vectors out. A text's vector depends on nothing but the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Kind = Literal["passage", "query"]
Vectors = NDArray[np.float32]


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors.

    `digest` names weights and recipe: vectors of different digests are never compared.
    `max_tokens` is how many tokens of a text the vector sees; longer texts are truncated.
    """

    name: str
    digest: str
    dimensions: int
    max_tokens: int

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Unit-norm float32 vectors, shape (len(texts), dimensions), in order."""
        ...

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans of the text's tokens, in order, without special tokens or truncation.

        Where the embedder is remote and has no local tokenizer these are words and punctuation,
        an estimate.
        """
        ...

    async def aclose(self) -> None:
        """Free what the embedder holds. Safe to call twice."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TokenVectors:
    """A text as its embedder sees it: one vector per token, each knowing its neighbours.

    `tokens` are unit-norm float32, shape (tokens, dimensions); row i stands for the characters
    `spans[i]`. Text beyond the embedder's `max_tokens` has none. `vector` is the text's own vector.
    """

    tokens: Vectors
    spans: tuple[tuple[int, int], ...]
    vector: Vectors


@runtime_checkable
class TokenEmbedder(Embedder, Protocol):
    """An embedder that shows its token vectors: words can be compared in their context."""

    async def embed_tokens(self, texts: Sequence[str], *, kind: Kind = "passage") -> list[TokenVectors]:
        """One per text, in order. Costs what `embed` costs."""
        ...
