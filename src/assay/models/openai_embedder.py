"""Embeddings from any server that speaks the OpenAI wire format."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from assay.errors import Garbled
from assay.models.embedder import Kind, Vectors
from assay.models.prices import UNKNOWN_PROVIDER
from assay.models.wellformed import well_formed
from assay.models.wire import Wire

_PATH = "embeddings"
_BATCH_TEXTS = 64
_BATCH_CHARACTERS = 100_000
_REQUESTS_AT_ONCE = 4
# A stand-in for word pieces: up to twelve letters of a script with spaces, or one character of any other kind.
_TOKEN = re.compile(r"[^\W\u0e00-\u0eff\u2e80-\U0010ffff]{1,12}|\S")


class OpenAIEmbedder:
    """The embedding model `name` at the server of `wire`, its vectors brought to unit length.

    A text is cut after `max_tokens` estimated tokens, so that a long one is not refused. A server that computes in low
    precision may give a text slightly different vectors in different batches; the embedded embedder does not.
    `provider` is the price table's.
    """

    def __init__(
        self, name: str, wire: Wire, *, dimensions: int, max_tokens: int = 512, provider: str = UNKNOWN_PROVIDER
    ) -> None:
        self.name, self.provider = name, provider
        self.dimensions = dimensions
        self.max_tokens = max_tokens
        self.digest = f"openai-compatible:{wire.server}:{name}:{dimensions}:{max_tokens}"
        self._wire = wire

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Unit-norm float32 vectors, shape (len(texts), dimensions), in order. Raises `Upstream` errors."""
        vectors = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        batches = self._batches(texts)

        async def work() -> None:
            for start, batch in batches:  # one iterator, shared: each batch goes to one worker
                vectors[start : start + len(batch)] = await self._embed_batch(batch)

        workers = [asyncio.ensure_future(work()) for _ in range(min(_REQUESTS_AT_ONCE, len(texts)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return vectors

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        """Character spans of words and punctuation, an estimate: the server's tokenizer is not here."""
        return [match.span() for match in _TOKEN.finditer(text)]

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._wire.aclose()

    async def _embed_batch(self, batch: list[str]) -> Vectors:
        rows = await request_vectors(self._wire, self.name, batch)
        if rows.shape[1] != self.dimensions:
            raise Garbled(
                f"{self.name} answered vectors of {rows.shape[1]} dimensions instead of {self.dimensions}.",
                hint="Ingest again: the server has changed its model.",
            )
        return rows

    def _batches(self, texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """(index of the first, texts) with at most 64 texts and 100,000 characters, unless one text alone is longer."""
        start, batch, characters = 0, list[str](), 0
        for i, text in enumerate(texts):
            cut = self._cut(text)
            if batch and (len(batch) == _BATCH_TEXTS or characters + len(cut) > _BATCH_CHARACTERS):
                yield start, batch
                start, batch, characters = i, [], 0
            batch.append(cut)
            characters += len(cut)
        if batch:
            yield start, batch

    def _cut(self, text: str) -> str:
        end = 0
        for number, match in enumerate(_TOKEN.finditer(text)):
            if number == self.max_tokens:
                break
            end = match.end()
        return well_formed(text[:end]) or " "  # servers refuse empty input


async def request_vectors(wire: Wire, model: str, texts: list[str]) -> Vectors:
    """One call: unit vectors of `texts`, in order. Raises `Garbled` unless there is one non-zero vector for each."""
    answer = await wire.post(_PATH, {"model": model, "input": texts, "encoding_format": "float"})
    try:
        rows: list[Any] = sorted(answer["data"], key=lambda row: row["index"])
        vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise _garbled(model, repr(error)) from error
    if vectors.ndim != 2 or len(vectors) != len(texts):
        raise _garbled(model, f"{len(rows)} vectors for {len(texts)} texts")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all(np.isfinite(norms) & (norms > 0)):
        raise _garbled(model, "a vector is zero or not finite")
    return np.asarray(vectors / norms, dtype=np.float32)


def _garbled(model: str, what: str) -> Garbled:
    return Garbled(
        f"{model} did not answer with embeddings: {what}.",
        hint="Check that the base URL is right and the model is one for embeddings.",
    )
