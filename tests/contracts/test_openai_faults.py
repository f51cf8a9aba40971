"""Every way a model server fails is one of our errors, with one line that says what and one that says what to do."""

import asyncio
import time
from typing import Any

import pytest

from assay.errors import AssayError, BadInput, BadSetting, Garbled, RateLimited, Refused, TimedOut
from assay.models.chat import ChatRequest, Message, Usage
from assay.models.openai_chat import OpenAIChat
from assay.models.openai_embedder import OpenAIEmbedder
from assay.models.wire import Wire

KEY = "sk-very-secret"
REQUEST = ChatRequest((Message("user", "Hello"),), max_tokens=9)

pytestmark = pytest.mark.usefixtures("no_proxy")


def chat(server: Any, **options: float) -> OpenAIChat:
    settings = {"timeout_seconds": 5.0, "max_retries": 2, "backoff_seconds": 0.01, **options}
    return OpenAIChat("gpt-test", Wire(server.url, key=KEY, key_source="MY_KEY", **settings), window=2048)  # type: ignore[arg-type]


async def failure(model: OpenAIChat, *, streamed: bool) -> AssayError:
    async def call() -> None:
        if not streamed:
            await model.complete(REQUEST)
        else:
            async for _ in model.stream(REQUEST):
                pass

    with pytest.raises(AssayError) as caught:
        await call()
    await model.aclose()
    error = caught.value
    assert "\n" not in error.message
    assert error.hint
    assert KEY not in f"{error.message} {error.hint} {error!r} {error.__cause__!r}"
    return error


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("fault", "expected", "says"),
    [
        ((401, {"message": f"Incorrect API key provided: {KEY}"}), Refused, "does not accept the key"),
        ((403, {"message": f"no access with {KEY}"}), Refused, "no access with ***"),
        ((404, {"message": "The model gpt-test does not exist"}), Refused, "does not exist"),
        ((400, {"message": "temperature must be below 2"}), BadInput, "temperature must be below 2"),
        ((400, {"message": "too long", "code": "context_length_exceeded"}), BadInput, "does not fit"),
        ((413, {"message": "big"}), BadInput, "does not fit"),
        ((429, {"message": "no money", "code": "insufficient_quota"}), Refused, "quota"),
        ((301, {}), Refused, "HTTP 301"),
        ("<html>hello</html>", Garbled, "not a JSON object"),
    ],
)
async def test_a_refusal_is_told_at_once_and_not_retried(
    server: Any, fault: object, expected: type[AssayError], says: str, streamed: bool
) -> None:
    server.faults = [fault]
    if streamed and isinstance(fault, str):
        fault_error = await failure(chat(server), streamed=True)
        assert isinstance(fault_error, Garbled)
        return
    error = await failure(chat(server), streamed=streamed)
    assert type(error) is expected
    assert says in error.message
    assert len(server.seen) == 1


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("fault", [(500, {"message": "oops"}), (503, {}), (529, {}), (429, {}), "drop"])
async def test_what_may_pass_is_tried_again(server: Any, fault: object, streamed: bool) -> None:
    server.faults = [fault, fault]
    model = chat(server)
    if streamed:
        text = "".join([delta.text async for delta in model.stream(REQUEST)])
    else:
        text = (await model.complete(REQUEST)).text
    await model.aclose()
    assert text == "The answer is forty two."
    assert len(server.seen) == 3


@pytest.mark.parametrize(("status", "expected"), [(500, Refused), (429, RateLimited), (504, TimedOut)])
async def test_retries_end(server: Any, status: int, expected: type[AssayError]) -> None:
    server.faults = [(status, {"message": "no"})] * 5
    error = await failure(chat(server), streamed=False)
    assert type(error) is expected
    assert len(server.seen) == 3


async def test_retry_after_is_honoured(server: Any) -> None:
    server.faults = [(429, {}, {"Retry-After": "1"})]
    model = chat(server)
    started = time.perf_counter()
    await model.complete(REQUEST)
    assert time.perf_counter() - started >= 1.0
    await model.aclose()


async def test_a_long_retry_after_is_handed_to_the_caller(server: Any) -> None:
    server.faults = [(429, {}, {"Retry-After": "3600"})]
    error = await failure(chat(server), streamed=False)
    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 3600
    assert len(server.seen) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_silence_times_out(server: Any, streamed: bool) -> None:
    server.faults = ["hang"] * 3
    error = await failure(chat(server, timeout_seconds=0.3, max_retries=1), streamed=streamed)
    assert isinstance(error, TimedOut)
    assert len(server.seen) == 2


async def test_a_stream_that_breaks_off_is_garbled(server: Any) -> None:
    server.faults = ["half"]
    assert isinstance(await failure(chat(server), streamed=True), Garbled | Refused)


@pytest.mark.parametrize("garbage", [{}, {"choices": []}, {"choices": [{"message": {"content": 5}}]}, {"choices": "x"}])
async def test_an_answer_of_another_form_is_garbled(server: Any, garbage: dict[str, object]) -> None:
    server.faults = [garbage]
    assert isinstance(await failure(chat(server), streamed=False), Garbled)


@pytest.mark.parametrize("streamed", [False, True])
async def test_nobody_listening_is_refused(streamed: bool) -> None:
    wire = Wire("http://127.0.0.1:9/v1", max_retries=1, backoff_seconds=0.01)
    error = await failure(OpenAIChat("m", wire, window=512), streamed=streamed)
    assert isinstance(error, Refused)
    assert "127.0.0.1:9 cannot be reached" in error.message


@pytest.mark.parametrize("url", ["", "api.openai.com/v1", "ftp://x/v1", "http://", "http://[::1"])
def test_a_base_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(BadSetting, match="base URL"):
        Wire(url)


@pytest.mark.parametrize("streamed", [False, True])
async def test_cancelling_closes_the_connection(server: Any, streamed: bool) -> None:
    server.pause_seconds = 0.05 if streamed else 30.0
    model = chat(server)
    if streamed:
        stream = model.stream(REQUEST)
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(server.gone.wait(), 5)
    else:
        server.faults = ["hang"]
        task = asyncio.create_task(model.complete(REQUEST))
        while not server.seen:
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait_for(server.gone.wait(), 5)
    await model.aclose()


async def test_the_wire_carries_what_was_asked_and_the_key(server: Any) -> None:
    model = chat(server)
    schema = {"type": "object", "properties": {"grade": {"type": "integer"}}, "required": ["grade"]}
    request = ChatRequest(
        REQUEST.messages, max_tokens=9, temperature=0.5, seed=3, stop=("END",), schema=schema, top_logprobs=2
    )
    await model.complete(request)
    await model.aclose()
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    body = server.seen[0]
    assert (body["model"], body["max_tokens"], body["temperature"], body["seed"]) == ("gpt-test", 9, 0.5, 3)
    assert (body["stop"], body["logprobs"], body["top_logprobs"]) == (["END"], True, 2)
    form = body["response_format"]["json_schema"]
    assert form["schema"] == schema
    assert form["strict"] is False  # OpenAI's strict mode would refuse a schema that leaves additionalProperties open


async def test_usage_comes_in_disjoint_buckets(server: Any) -> None:
    model = chat(server)
    expected = Usage(uncached=3, cache_read=2, output=5, reasoning=3)
    assert (await model.complete(REQUEST)).usage == expected
    deltas = [delta async for delta in model.stream(REQUEST)]
    assert deltas[-1].completion is not None
    assert deltas[-1].completion.usage == expected
    assert server.seen[-1]["stream_options"] == {"include_usage": True}
    await model.aclose()


async def test_it_learns_what_a_reasoning_model_wants(server: Any) -> None:
    refusals = [
        (
            400,
            {"message": "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead."},
        ),
        (400, {"message": "Unsupported value: 'temperature' does not support 0 with this model."}),
    ]
    model = chat(server)
    server.faults = refusals[:1]
    await model.complete(REQUEST)
    server.faults = refusals[1:]
    async for _ in model.stream(REQUEST):
        pass
    await model.complete(REQUEST)
    await model.aclose()
    assert "max_tokens" not in server.seen[-1]
    assert server.seen[-1]["max_completion_tokens"] == 9
    assert "temperature" not in server.seen[-1]
    assert len(server.seen) == 5


async def test_embeddings_that_are_not_are_garbled(server: Any) -> None:
    model = OpenAIEmbedder("e", Wire(server.url, max_retries=0), dimensions=server.dimensions)
    zero = {"data": [{"index": 0, "embedding": [0.0] * server.dimensions}]}
    for garbage in ({}, {"data": []}, {"data": [{"index": 0, "embedding": "x"}]}, zero):
        server.faults = [garbage]
        with pytest.raises(Garbled):
            await model.embed(["text"])
    await model.aclose()


async def test_a_failing_batch_fails_the_call_and_stops_the_others(server: Any) -> None:
    model = OpenAIEmbedder("e", Wire(server.url, max_retries=0), dimensions=server.dimensions)
    server.faults = [(401, {})]
    with pytest.raises(Refused):
        await model.embed([f"text {i}" for i in range(2000)])
    await model.aclose()
    assert len(server.seen) < 2000 / 64


async def test_embeddings_arrive_in_order_however_they_are_batched(server: Any) -> None:
    model = OpenAIEmbedder("e", Wire(server.url), dimensions=server.dimensions)
    texts = [f"text {i}" for i in range(150)]
    together = await model.embed(texts)
    assert len(server.seen) == 3
    alone = await model.embed(texts[140:141])
    await model.aclose()
    assert (together[140] == alone[0]).all()
