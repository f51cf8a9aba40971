"""The HTTP interface over a real socket: shapes, errors, limits, disconnects, a real OpenAI client."""

import asyncio
import json

import aiohttp
import openai
import pytest

from assay.app.scripted import Reply
from assay.errors import RateLimited

QUESTION = "How long can I return a lamp?"


async def post(url, body, **options):
    async with aiohttp.ClientSession() as session, session.post(url, json=body, **options) as response:
        return response.status, await response.json()


async def get(url):
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.json()


async def an_answered_question(served):
    """A question the scripted workspace answers: a sentence of its own documents."""
    for view in served.service.held.values():
        for line in view.text.splitlines():
            if len(line.split()) > 8:
                return line.split(".")[0]
    raise AssertionError("the sample documents are empty")


async def test_ask_has_the_contract_shape(served):
    status, body = await post(f"{served.url}/api/ask", {"question": await an_answered_question(served)})
    assert status == 200
    wanted = {"outcome", "text", "citations", "hits", "usage", "cost_usd", "latency_ms", "trace_id"}
    assert wanted <= set(body)
    assert body["outcome"] == "answer"
    texts = {view.id: view.text for view in served.service.held.values()}
    for citation in body["citations"]:
        text = texts[citation["document_id"]]
        assert text[citation["start"] : citation["end"]] == citation["quote"]


async def test_a_declined_question_says_why(served):
    status, body = await post(f"{served.url}/api/ask", {"question": "Zxqv wpfk?"})
    assert (status, body["outcome"], body["citations"]) == (200, "declined", [])
    assert body["text"] == body["reason"] != ""


async def test_search_respects_k(served):
    status, body = await post(f"{served.url}/api/search", {"question": "return", "k": 2})
    assert status == 200
    assert [hit["rank"] for hit in body["hits"]] == [1, 2]


@pytest.mark.parametrize(
    "body",
    [{}, {"question": ""}, {"question": 3}, {"question": "x" * 9000}, {"question": "x", "unknown": 1}],
)
async def test_a_wrong_body_is_answered_with_what_is_wrong(served, body):
    status, reply = await post(f"{served.url}/api/ask", body)
    assert status == 400
    assert set(reply["error"]) == {"code", "message", "hint"}
    assert reply["error"]["message"]


@pytest.mark.parametrize(
    ("data", "headers", "said"),
    [
        (b'{"question":', {"Content-Type": "application/json"}, "not JSON"),
        (b"[" * 10_000, {"Content-Type": "application/json"}, "parsing"),
        (b"[]", {"Content-Type": "application/json"}, "JSON object"),
        (b'{"question": "x"}', {"Content-Type": "text/plain"}, "content-type: application/json"),
    ],
)
@pytest.mark.parametrize("path", ["/api/ask", "/v1/chat/completions"])
async def test_a_body_that_is_no_object_is_said_in_one_shape(served, data, headers, said, path):
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{served.url}{path}", data=data) as response,
    ):
        assert response.status == 400
        error = (await response.json())["error"]
    assert said in error["message"]
    assert "code" in error


@pytest.mark.parametrize("path", ["/api/ask", "/api/nope", "/v1/embeddings", "/v1/models/no/such"])
async def test_what_the_api_does_not_have_it_says_as_json(served, path):
    status, reply = await get(f"{served.url}{path}")
    assert (status, reply["error"]["code"]) == (404, "not_found")
    assert f"GET {path}" in reply["error"]["message"]


async def test_a_large_body_is_refused_declared_or_not(served):
    large = json.dumps({"question": "x" * 20_000}).encode()

    async def in_pieces():
        for start in range(0, len(large), 1000):
            yield large[start : start + 1000]

    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
        for data in (large, in_pieces()):
            async with session.post(f"{served.url}/api/ask", data=data) as response:
                assert response.status == 413
                assert (await response.json())["error"]["code"] == "request_too_large"
        async with session.post(f"{served.url}/v1/chat/completions", data=large) as response:
            assert (await response.json())["error"]["type"] == "invalid_request_error", "waiting would not help"


async def test_documents_and_status(served):
    _, listed = await get(f"{served.url}/api/documents")
    first = listed["documents"][0]
    _, document = await get(f"{served.url}/api/documents/{first['id']}")
    assert len(document["text"]) == first["characters"]
    status, missing = await get(f"{served.url}/api/documents/nope")
    assert (status, missing["error"]["code"]) == (404, "not_found")
    _, state = await get(f"{served.url}/api/status")
    assert {"models", "ingestion", "settings"} <= set(state)


async def test_health_and_openapi(served):
    _, health = await get(f"{served.url}/healthz")
    assert health["status"] == "ok"
    _, document = await get(f"{served.url}/openapi.json")
    assert {"/api/ask", "/api/search", "/v1/chat/completions", "/v1/models", "/healthz"} <= set(document["paths"])


async def test_a_client_that_goes_away_stops_the_work(served):
    served.service.replies["slow?"] = Reply(hangs=True)
    with pytest.raises(asyncio.TimeoutError):
        await post(f"{served.url}/api/ask", {"question": "slow?"}, timeout=aiohttp.ClientTimeout(total=0.5))
    for _ in range(50):
        if served.service.closed_early:
            break
        await asyncio.sleep(0.1)
    assert served.service.closed_early == 1


async def test_a_stream_a_client_leaves_stops_the_work(served):
    served.service.replies["slow?"] = Reply(hangs=True)
    body = {"model": "assay", "stream": True, "messages": [{"role": "user", "content": "slow?"}]}
    with pytest.raises(asyncio.TimeoutError):
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.5)) as session,
            session.post(f"{served.url}/v1/chat/completions", json=body) as response,
        ):
            await response.read()
    for _ in range(50):
        if served.service.closed_early:
            break
        await asyncio.sleep(0.1)
    assert served.service.closed_early == 1


async def test_failures_have_a_status_and_no_traceback(served):
    served.service.replies["limited?"] = Reply(error=RateLimited("Slow down.", hint="Wait."))
    served.service.replies["broken?"] = Reply(error=RuntimeError("secret detail"))
    status, body = await post(f"{served.url}/api/ask", {"question": "limited?"})
    assert (status, body["error"]["code"]) == (429, "rate_limited")
    status, body = await post(f"{served.url}/api/ask", {"question": "broken?"})
    assert (status, body["error"]["code"]) == (500, "internal")
    assert "secret" not in json.dumps(body)


def client(served):
    return openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="unused", max_retries=0)


async def test_an_openai_client_lists_and_asks(served):
    async with client(served) as api:
        assert [model.id async for model in api.models.list()] == ["assay"]
        reply = await api.chat.completions.create(
            model="assay", messages=[{"role": "user", "content": await an_answered_question(served)}]
        )
    assert "[1]" in reply.choices[0].message.content
    extra = reply.model_extra["assay"]
    assert extra["outcome"] == "answer"
    assert extra["citations"][0]["quote"]


async def test_an_openai_client_streams_the_same_text(served):
    question = await an_answered_question(served)
    async with client(served) as api:
        stream = await api.chat.completions.create(
            model="assay",
            messages=[{"role": "user", "content": question}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    last = next(chunk for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason == "stop")
    assert last.model_extra["assay"]["text"] == text
    assert chunks[-1].usage is not None


async def test_an_openai_client_reads_our_errors(served):
    served.service.replies["limited?"] = Reply(error=RateLimited("Slow down.", hint="Wait."))
    async with client(served) as api:
        with pytest.raises(openai.NotFoundError, match="assay"):
            await api.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "x"}])
        with pytest.raises(openai.BadRequestError, match="user message"):
            await api.chat.completions.create(model="assay", messages=[{"role": "system", "content": "x"}])
        with pytest.raises(openai.RateLimitError):
            await api.chat.completions.create(model="assay", messages=[{"role": "user", "content": "limited?"}])
        stream = await api.chat.completions.create(
            model="assay", messages=[{"role": "user", "content": "limited?"}], stream=True
        )
        with pytest.raises(openai.APIError, match="Slow down"):
            [chunk async for chunk in stream]


async def test_content_parts_are_read(served):
    question = await an_answered_question(served)
    async with client(served) as api:
        reply = await api.chat.completions.create(
            model="assay", messages=[{"role": "user", "content": [{"type": "text", "text": question}]}]
        )
    assert reply.model_extra["assay"]["outcome"] == "answer"
