"""Caches: what was asked before is not executed again, in this process or any other that shares the database.

A key holds everything that can change the output, the replica included. Invariants: a completion from the cache equals
the original in every field, usage, log-probabilities and times as they were measured then included (how long a hit took
is the caller's to measure; that it was one shows in `Tally.cached_calls`); failures and streams that did not reach
their end are never kept; identical calls at the same time are one execution, paid by whoever came first and cached for
the others. Proved by `tests/unit/gateway/test_cache.py`.
"""

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from assay.gateway.around import AroundChat, AroundEmbedder, closing
from assay.gateway.flight import Flight, Flights
from assay.gateway.replica import replica
from assay.gateway.stored import as_json, chat_key, completion_from
from assay.gateway.tally import in_force
from assay.ledger.values import key_of
from assay.models.chat import ChatModel, ChatRequest, Completion, Delta
from assay.models.embedder import Embedder, Kind, Vectors

_VECTOR_FORM = "<f4"


class KeptValues(Protocol):
    """What a cache needs of `assay.ledger.values.Values`."""

    def get(self, key: str) -> Any | None: ...

    def get_many(self, keys: Sequence[str]) -> Mapping[str, Any]: ...

    def put(self, key: str, kind: str, value: Any) -> None: ...


class CachedChat(AroundChat):
    """A ChatModel that executes a request once. A hit streams as one piece."""

    def __init__(self, model: ChatModel, values: KeptValues) -> None:
        super().__init__(model)
        self._values = values
        self._flights = Flights[Completion, Delta]()

    async def complete(self, request: ChatRequest) -> Completion:
        """The whole answer: kept, or executed and then kept."""
        key = chat_key(self._model, request)
        if (kept := self._kept(key)) is not None:
            return kept
        if (flight := self._flights.get(key)) is not None:
            completion = await flight.result()
            in_force().cached_calls += 1
            return completion

        async def execute(_: Flight[Completion, Delta]) -> Completion:
            return self._keep(key, await self._model.complete(request))

        return await self._flights.start([key], execute).result()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The answer in pieces. It is executed to its end as long as anyone listens, however slowly."""
        key = chat_key(self._model, request)
        if (kept := self._kept(key)) is not None:
            yield _whole(kept)
            return
        flight = self._flights.get(key)
        joined = flight is not None
        if flight is None:
            flight = self._flights.start([key], lambda flight: self._execute_stream(key, request, flight))
        ended = False
        async with closing(flight.pieces()) as deltas:
            async for delta in deltas:
                ended = delta.completion is not None
                in_force().cached_calls += joined and ended
                yield delta
        if not ended:  # it was started by a `complete`, which has no pieces
            completion = await flight.result()
            in_force().cached_calls += 1
            yield _whole(completion)

    async def _execute_stream(self, key: str, request: ChatRequest, flight: Flight[Completion, Delta]) -> Completion:
        completion: Completion | None = None
        async with closing(self._model.stream(request)) as deltas:
            async for delta in deltas:
                if delta.completion is not None:
                    completion = self._keep(key, delta.completion)
                flight.show(delta)
        assert completion is not None, "a stream ends with its completion"
        return completion

    def _kept(self, key: str) -> Completion | None:
        shape = self._values.get(key)
        if shape is None:
            return None
        in_force().cached_calls += 1
        return completion_from(shape)

    def _keep(self, key: str, completion: Completion) -> Completion:
        self._values.put(key, "chat", as_json(completion))
        return completion


class CachedEmbedder(AroundEmbedder):
    """An Embedder that executes a text once; vectors are kept as float32 bytes.

    A call of which every text was kept is a cached call; otherwise the rest is one executed call. `embed_tokens` goes
    through: token vectors are large and the embedded embedder remembers the recent ones itself.
    """

    def __init__(self, embedder: Embedder, values: KeptValues) -> None:
        super().__init__(embedder)
        self._values = values
        self._flights = Flights[dict[str, Any], None]()

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        """Unit-norm float32 vectors, shape (len(texts), dimensions), in order."""
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        keys = [self._key(text, kind) for text in texts]
        by_key = dict(zip(keys, texts, strict=True))
        found = {key: np.frombuffer(data, dtype=_VECTOR_FORM) for key, data in self._values.get_many([*by_key]).items()}
        joined = {key: flight for key in by_key if key not in found and (flight := self._flights.get(key)) is not None}
        missing = {key: text for key, text in by_key.items() if key not in found and key not in joined}
        flights = list(dict.fromkeys(joined.values()))
        if missing:
            flights.append(self._flights.start([*missing], lambda _: self._execute(missing, kind)))
        async with contextlib.AsyncExitStack() as aboard:
            for flight in flights:
                await aboard.enter_async_context(flight.aboard())
            for flight in flights:
                found.update(await flight.result())
        in_force().cached_calls += not missing
        return np.stack([found[key] for key in keys]).astype(np.float32, copy=False)

    async def _execute(self, missing: Mapping[str, str], kind: Kind) -> dict[str, Any]:
        vectors = await self._embedder.embed([*missing.values()], kind=kind)
        for key, vector in zip(missing, vectors, strict=True):
            self._values.put(key, "vector", np.ascontiguousarray(vector, dtype=_VECTOR_FORM).tobytes())
        return dict(zip(missing, vectors, strict=True))

    def _key(self, text: str, kind: Kind) -> str:
        return key_of("vector", {"digest": self.digest, "kind": kind, "text": text, "replica": replica.get()})


def _whole(completion: Completion) -> Delta:
    """A completion as the only piece of a stream: all of it came when the whole had."""
    if completion.ttft_ms is None:
        completion = dataclasses.replace(completion, ttft_ms=completion.latency_ms)
    return Delta(completion.text, completion)
