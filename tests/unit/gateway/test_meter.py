"""Executed calls are counted once and priced where a price is known; an unknown cost is never 0."""

import asyncio

import pytest

from assay.errors import BadInput, Garbled, RateLimited, Refused, TimedOut, Upstream
from assay.gateway.meter import MeteredChat, MeteredEmbedder
from assay.gateway.tally import Tally, tally, tallying
from assay.models.chat import ChatRequest, Message, Usage
from assay.models.embedder import TokenEmbedder
from assay.models.prices import cost_usd
from assay.models.scripted import Reply, ScriptedChat, ScriptedEmbedder

ASKED = ChatRequest((Message("user", "how much is it"),), max_tokens=50)


def priced(*replies: Reply, delay_seconds: float = 0.0) -> MeteredChat:
    return MeteredChat(ScriptedChat(replies, name="gpt-4o-mini", provider="openai", delay_seconds=delay_seconds))


async def test_a_priced_call_adds_its_exact_cost() -> None:
    with tallying() as counts:
        completion = await priced("one two three").complete(ASKED)
    assert completion.usage == Usage(uncached=6, output=3)
    assert counts == Tally(1, 0, cost_usd("openai", "gpt-4o-mini", completion.usage) or -1, 0)
    assert counts.cost_usd == pytest.approx(6 * 0.15e-6 + 3 * 0.6e-6)


async def test_the_embedded_model_is_a_paid_call_that_costs_nothing() -> None:
    with tallying() as counts:
        await MeteredChat(ScriptedChat(["hello"])).complete(ASKED)
        await MeteredEmbedder(ScriptedEmbedder(), provider="embedded").embed(["a", "b"])
    assert counts == Tally(paid_calls=2)


async def test_an_unknown_price_is_counted_as_unpriced() -> None:
    with tallying() as counts:
        await MeteredChat(ScriptedChat(["hello"], provider="unknown")).complete(ASKED)
        await MeteredEmbedder(ScriptedEmbedder()).embed(["a"])
    assert counts == Tally(paid_calls=2, unpriced_calls=2)


async def test_a_stream_costs_what_the_same_completion_costs() -> None:
    with tallying() as counts:
        async for _ in priced("one two three").stream(ASKED):
            assert counts.paid_calls in (0, 1)
    assert counts == Tally(1, 0, cost_usd("openai", "gpt-4o-mini", Usage(uncached=6, output=3)) or -1, 0)


async def test_a_stream_left_early_costs_its_prompt_and_what_came() -> None:
    with tallying() as counts:
        stream = priced("one two three four").stream(ASKED)
        await anext(stream)
        await anext(stream)
        await stream.aclose()
    assert counts == Tally(1, 0, cost_usd("openai", "gpt-4o-mini", Usage(uncached=6, output=2)) or -1, 0)


async def test_a_stream_left_by_its_reader_after_the_end_is_counted_once() -> None:
    with tallying() as counts:
        stream = priced("one").stream(ASKED)
        async for delta in stream:
            if delta.completion is not None:
                break
        await stream.aclose()
    assert (counts.paid_calls, counts.unpriced_calls) == (1, 0)


async def test_a_stream_nobody_started_is_no_call() -> None:
    with tallying() as counts:
        await priced("one").stream(ASKED).aclose()
    assert counts == Tally()


@pytest.mark.parametrize("error", [TimedOut("slow"), Garbled("prose"), Refused("broke", status=500), RuntimeError("?")])
async def test_a_call_that_may_have_been_billed_counts_with_unknown_cost(error: Exception) -> None:
    with tallying() as counts:
        with pytest.raises(type(error)):
            await priced(error).complete(ASKED)
        with pytest.raises(type(error)):
            async for _ in priced(error).stream(ASKED):
                pass
    assert counts == Tally(paid_calls=2, unpriced_calls=2)


@pytest.mark.parametrize(
    "error", [RateLimited("wait"), BadInput("long"), Refused("key", status=401), Refused("busy", status=503)]
)
async def test_a_call_that_was_turned_away_counts_nothing(error: Exception) -> None:
    with tallying() as counts:
        with pytest.raises(type(error)):
            await priced(error).complete(ASKED)
        with pytest.raises(type(error)):
            async for _ in priced(error).stream(ASKED):
                pass
    assert counts == Tally()


async def test_a_connection_that_was_never_made_costs_nothing(no_proxy: None) -> None:
    from assay.models.openai_chat import OpenAIChat
    from assay.models.wire import Wire

    model = MeteredChat(OpenAIChat("m", Wire("http://127.0.0.1:9", max_retries=0), window=512))
    with tallying() as counts, pytest.raises(Upstream):
        await model.complete(ASKED)
    await model.aclose()
    assert counts == Tally()


async def test_a_cancelled_call_counts_with_unknown_cost() -> None:
    with tallying() as counts:
        task = asyncio.create_task(priced("one two", delay_seconds=5).complete(ASKED))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert counts == Tally(paid_calls=1, unpriced_calls=1)


async def test_an_embedder_costs_its_texts_most_tokens() -> None:
    inner = ScriptedEmbedder()
    inner.name = "text-embedding-3-small"
    with tallying() as counts:
        await MeteredEmbedder(inner, provider="openai").embed(["a dog"] * 1000)
        await MeteredEmbedder(inner, provider="openai").embed([])
    assert counts.paid_calls == 1
    assert counts.cost_usd == pytest.approx(1000 * 3 * 0.02e-6)


async def test_child_tasks_share_the_tally_and_tallies_nest() -> None:
    model = MeteredChat(ScriptedChat(lambda _: "hi"))
    with tallying() as outer:
        with tallying() as inner:
            await asyncio.gather(*(model.complete(ASKED) for _ in range(3)))
        assert tally.get() is outer
        await model.complete(ASKED)
    assert (inner.paid_calls, outer.paid_calls) == (3, 4)
    assert tally.get() is None


def test_a_wrapper_shows_token_vectors_only_where_there_are_some() -> None:
    assert not isinstance(MeteredEmbedder(ScriptedEmbedder()), TokenEmbedder)
