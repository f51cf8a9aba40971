"""A request is executed once, whoever asks, how often and at the same time; every field that matters is in its key."""

import asyncio
import dataclasses
import math
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np
import pytest

from assay.errors import TimedOut
from assay.gateway.cache import CachedChat, CachedEmbedder
from assay.gateway.meter import MeteredChat, MeteredEmbedder
from assay.gateway.replica import replica
from assay.gateway.stored import as_json, chat_key, completion_from
from assay.gateway.tally import Tally, tallying
from assay.ledger.database import Database
from assay.ledger.values import Values
from assay.models.chat import ChatRequest, Completion, Delta, Message, TokenLogprob, Usage
from assay.models.embedder import Kind, TokenEmbedder, TokenVectors, Vectors
from assay.models.scripted import ScriptedChat, ScriptedEmbedder

ASKED = ChatRequest((Message("user", "how much is it"),), max_tokens=50)


def cached(model: ScriptedChat, values: Values) -> CachedChat:
    return CachedChat(MeteredChat(model), values)


def counting(delay_seconds: float = 0.0) -> ScriptedChat:
    """Every call gives another answer, so that a copy can be told from a call."""
    numbers = iter(range(10_000))
    return ScriptedChat(lambda _: f"answer number {next(numbers)}", delay_seconds=delay_seconds)


async def test_the_second_time_is_the_first_again_in_another_process_too(
    values: Values, sqlite_database: Database
) -> None:
    request = dataclasses.replace(ASKED, top_logprobs=1)
    with tallying() as counts:
        first = await cached(counting(), values).complete(request)
        values.flush()
        reopened = Values(sqlite_database)
        assert await cached(counting(), values).complete(request) == first
        assert await cached(counting(), reopened).complete(request) == first
        reopened.close()
    assert first.logprobs
    assert counts == Tally(paid_calls=1, cached_calls=2)


def test_a_completion_survives_in_every_field() -> None:
    top = ((" a", -0.1), ("b\ud83d\x00", -math.inf))
    every = Completion(
        "t\ud83d", "length", Usage(1, 2, 3, 4, 5), "m", (TokenLogprob(" a", -1e-17, top),), 12.3456789, None
    )
    import json

    again = completion_from(json.loads(json.dumps(as_json(every), allow_nan=False)))
    assert again == every
    assert all(getattr(every, field.name) != field.default for field in dataclasses.fields(every)[:-1])


CHANGED: dict[str, Any] = {
    "messages": (Message("system", "how much is it"),),
    "max_tokens": 51,
    "temperature": 0.1,
    "seed": 0,
    "stop": ("x",),
    "schema": {"type": "object"},
    "top_logprobs": 0,
    "lenient": True,
}


def test_every_field_of_a_request_and_of_a_model_is_in_the_key() -> None:
    assert set(CHANGED) == {field.name for field in dataclasses.fields(ChatRequest)}
    keys = {chat_key(ScriptedChat([]), ASKED)}
    keys |= {chat_key(ScriptedChat([]), dataclasses.replace(ASKED, **{name: value})) for name, value in CHANGED.items()}
    for name, value in {"name": "other", "provider": "other", "digest": "other", "window": 9}.items():
        model = ScriptedChat([])
        setattr(model, name, value)
        keys.add(chat_key(model, ASKED))
    token = replica.set(1)
    keys.add(chat_key(ScriptedChat([]), ASKED))
    replica.reset(token)
    assert len(keys) == 1 + len(CHANGED) + 4 + 1


def test_the_order_of_a_schemas_properties_is_in_the_key() -> None:
    one, other = {"a": {}, "b": {}}, {"b": {}, "a": {}}
    keys = {chat_key(ScriptedChat([]), dataclasses.replace(ASKED, schema={"properties": p})) for p in (one, other)}
    assert len(keys) == 2


async def test_replicas_are_never_copies_of_each_other(values: Values) -> None:
    model = cached(counting(), values)

    async def ask(number: int) -> str:
        replica.set(number)
        return (await model.complete(ASKED)).text

    texts = await asyncio.gather(*(ask(number) for number in (0, 1, 2, 0, 1, 2)))
    assert len(set(texts)) == 3
    assert texts[:3] == texts[3:]


async def test_identical_calls_at_the_same_time_are_one(values: Values) -> None:
    inner = counting(0.01)
    model = cached(inner, values)

    async def streamed() -> str:
        return "".join([delta.text async for delta in model.stream(ASKED)])

    with tallying() as counts:
        texts = await asyncio.gather(*(streamed() for _ in range(20)))
        texts += [completion.text for completion in await asyncio.gather(*(model.complete(ASKED) for _ in range(20)))]
    assert set(texts) == {"answer number 0"}
    assert len(inner.requests) == 1
    assert counts == Tally(paid_calls=1, cached_calls=39)


@pytest.mark.parametrize("first", ["complete", "stream"])
async def test_a_complete_and_a_stream_share_one_call(values: Values, first: str) -> None:
    inner = counting(0.01)
    model = cached(inner, values)

    async def complete() -> Completion:
        return await model.complete(ASKED)

    async def stream() -> Completion:
        *_, last = [delta async for delta in model.stream(ASKED)]
        assert last.completion is not None
        return last.completion

    calls = [complete, stream] if first == "complete" else [stream, complete]
    with tallying() as counts:
        one, other = await asyncio.gather(*(call() for call in calls))
    assert dataclasses.replace(one, ttft_ms=None) == dataclasses.replace(other, ttft_ms=None)
    assert counts == Tally(paid_calls=1, cached_calls=1)


async def test_a_hit_streams_as_one_piece(values: Values) -> None:
    model = cached(counting(), values)
    completion = await model.complete(ASKED)
    assert [delta async for delta in model.stream(ASKED)] == [
        Delta(completion.text, dataclasses.replace(completion, ttft_ms=completion.ttft_ms or completion.latency_ms))
    ]


async def test_failures_are_told_to_everyone_waiting_and_never_kept(values: Values) -> None:
    model = cached(ScriptedChat([TimedOut("slow"), "then this"], delay_seconds=0.01), values)
    failed = await asyncio.gather(*(model.complete(ASKED) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in failed] == [TimedOut] * 3
    assert (await model.complete(ASKED)).text == "then this"


async def test_a_stream_that_was_left_is_never_kept(values: Values) -> None:
    inner = counting(0.01)
    model = cached(inner, values)
    stream = model.stream(ASKED)
    await anext(stream)
    await stream.aclose()
    assert (await model.complete(ASKED)).text == "answer number 1"


async def test_one_that_leaves_does_not_disturb_the_others(values: Values) -> None:
    inner = counting(0.02)
    model = cached(inner, values)
    leaver = asyncio.create_task(model.complete(ASKED))
    stayer = asyncio.create_task(model.complete(ASKED))
    await asyncio.sleep(0.01)
    leaver.cancel()
    assert (await stayer).text == "answer number 0"
    assert leaver.cancelled()
    assert len(inner.requests) == 1


async def test_when_all_leave_the_call_ends_and_a_newcomer_starts_another(values: Values) -> None:
    ended: list[str] = []

    class Slow(ScriptedChat):
        async def complete(self, request: ChatRequest) -> Completion:
            try:
                return await super().complete(request)
            except asyncio.CancelledError:
                await asyncio.sleep(0.02)  # takes its time to let go
                ended.append("ended")
                raise

    model = CachedChat(Slow(lambda _: "hello", delay_seconds=0.05), values)
    waiting = [asyncio.create_task(model.complete(ASKED)) for _ in range(2)]
    await asyncio.sleep(0.01)
    for task in waiting:
        task.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (await model.complete(ASKED)).text == "hello"
    assert [task.cancelled() for task in waiting] == [True, True]
    assert ended == ["ended"]


async def test_a_stream_that_is_read_slowly_keeps_nobody_waiting(values: Values) -> None:
    model = cached(counting(), values)
    slow = model.stream(ASKED)
    await anext(slow)
    async with asyncio.timeout(2):
        assert (await model.complete(ASKED)).text == "answer number 0"
    assert "".join([delta.text async for delta in slow]) == " number 0"


class TokenScripted(ScriptedEmbedder):
    """Counts the texts it embeds, after a while."""

    def __init__(self) -> None:
        super().__init__(dimensions=32)
        self.batches: list[list[str]] = []
        self.error: Exception | None = None

    async def embed(self, texts: Any, *, kind: Kind = "passage") -> Vectors:
        self.batches.append(list(texts))
        await asyncio.sleep(0.01)
        if self.error is not None:
            raise self.error
        return await super().embed(texts, kind=kind)

    async def embed_tokens(self, texts: Any, *, kind: Kind = "passage") -> list[TokenVectors]:
        vectors = await self.embed(texts, kind=kind)
        return [TokenVectors(vector[None, :], ((0, 1),), vector) for vector in vectors]


async def test_texts_are_embedded_once_and_come_in_order(values: Values) -> None:
    inner = TokenScripted()
    model = CachedEmbedder(MeteredEmbedder(inner, provider="embedded"), values)
    with tallying() as counts:
        await model.embed(["b", "d"])
        mixed = await model.embed(["a", "b", "c", "a", "d"])
        again = await model.embed(["a", "b", "c", "a", "d"])
    np.testing.assert_array_equal(mixed, await ScriptedEmbedder(dimensions=32).embed(["a", "b", "c", "a", "d"]))
    np.testing.assert_array_equal(mixed, again)
    assert again.dtype == np.float32
    assert again.flags.writeable
    assert inner.batches == [["b", "d"], ["a", "c"]]
    assert counts == Tally(paid_calls=2, cached_calls=1)


async def test_a_query_is_not_a_passage(values: Values) -> None:
    inner = TokenScripted()
    model = CachedEmbedder(inner, values)
    await model.embed(["a"])
    await model.embed(["a"], kind="query")
    assert len(inner.batches) == 2


async def test_texts_wanted_at_the_same_time_are_embedded_once(values: Values) -> None:
    inner = TokenScripted()
    model = CachedEmbedder(MeteredEmbedder(inner, provider="embedded"), values)
    with tallying() as counts:
        one, other, third = await asyncio.gather(
            model.embed(["a", "b"]), model.embed(["b", "c"]), model.embed(["c", "a"])
        )
    np.testing.assert_array_equal(one[1], other[0])
    np.testing.assert_array_equal(third, np.stack([other[1], one[0]]))
    assert inner.batches == [["a", "b"], ["c"]]
    assert counts == Tally(paid_calls=2, cached_calls=1)


async def test_a_failed_batch_is_not_kept_and_a_cancelled_one_leaves_others_whole(values: Values) -> None:
    inner = TokenScripted()
    inner.error = TimedOut("slow")
    model = CachedEmbedder(inner, values)
    with pytest.raises(TimedOut):
        await model.embed(["a"])
    inner.error = None
    leaver = asyncio.create_task(model.embed(["a", "b"]))
    await asyncio.sleep(0)
    stayer = asyncio.create_task(model.embed(["b"]))
    await asyncio.sleep(0.001)
    leaver.cancel()
    assert (await stayer).shape == (1, 32)
    assert inner.batches == [["a"], ["a", "b"]]


async def test_token_vectors_go_through(values: Values) -> None:
    model = CachedEmbedder(MeteredEmbedder(TokenScripted(), provider="embedded"), values)
    assert isinstance(model, TokenEmbedder)
    with tallying() as counts:
        (seen,) = await model.embed_tokens(["a"])
    assert seen.vector.shape == (32,)
    assert counts == Tally(paid_calls=1)
    assert not isinstance(CachedEmbedder(ScriptedEmbedder(), values), TokenEmbedder)


async def test_a_stream_dropped_without_closing_blocks_nobody(values: Values) -> None:
    model = cached(counting(0.01), values)

    async def first_piece() -> AsyncGenerator[Delta, None]:
        stream = model.stream(ASKED)
        await anext(stream)
        return stream

    kept = await first_piece()
    async with asyncio.timeout(2):
        assert (await model.complete(ASKED)).text == "answer number 0"
    await kept.aclose()
