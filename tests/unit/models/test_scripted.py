"""The fakes: predictable, and honest about what a script lacks."""

import pytest

from assay.errors import BadInput, Garbled, TimedOut
from assay.models.chat import ChatRequest, Message
from assay.models.scripted import ScriptedChat, ScriptedEmbedder, ScriptedReranker

REQUEST = ChatRequest((Message("user", "Hello there"),))


async def test_replies_come_in_order_and_failures_are_raised() -> None:
    chat = ScriptedChat(["one", TimedOut("slow"), "two"])
    assert (await chat.complete(REQUEST)).text == "one"
    with pytest.raises(TimedOut):
        await chat.complete(REQUEST)
    assert (await chat.complete(REQUEST)).text == "two"
    assert len(chat.requests) == 3
    with pytest.raises(LookupError):
        await chat.complete(REQUEST)


async def test_a_function_sees_the_request() -> None:
    chat = ScriptedChat(lambda request: request.messages[-1].content.upper())
    assert (await chat.complete(REQUEST)).text == "HELLO THERE"


async def test_stop_texts_and_schemas_hold() -> None:
    assert (await ScriptedChat(["a END b"]).complete(ChatRequest(REQUEST.messages, stop=("END",)))).text == "a "
    with pytest.raises(Garbled):
        await ScriptedChat(["no json"]).complete(ChatRequest(REQUEST.messages, schema={"type": "object"}))


async def test_the_window_holds() -> None:
    chat = ScriptedChat(lambda _: "w " * 100, window=10)
    completion = await chat.complete(REQUEST)
    assert completion.usage.total == 10
    assert completion.finish_reason == "length"
    with pytest.raises(BadInput):
        await chat.complete(ChatRequest((Message("user", "w " * 10),)))


async def test_shared_words_are_near_and_the_same_everywhere() -> None:
    vectors = await ScriptedEmbedder().embed(["the old stone bridge", "an old stone wall", "taxes rise"])
    assert vectors[0] @ vectors[1] > 0.35 > 0.2 > abs(vectors[0] @ vectors[2])
    first = await ScriptedEmbedder(dimensions=4).embed(["a"])
    assert first.tolist() == [[0.5, -0.5, -0.5, -0.5]]


async def test_a_reranker_by_function() -> None:
    scores = await ScriptedReranker(lambda question, text: float(len(text))).score("q", ["a", "bbb"])
    assert scores.tolist() == [1.0, 3.0]
