"""HTTP systems against a real server: what is sent, what is read, and every way a server fails."""

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from assay.errors import BadSetting, Garbled, RateLimited, Refused, TimedOut
from assay.evals.output import Cited, Retrieved
from assay.evals.system import System
from assay.evals.systems.openai_endpoint import OpenAISystem
from assay.evals.systems.spec import HttpSpec, OpenAISpec
from assay.evals.systems.template import HttpSystem
from assay.gateway.tally import tallying

KEY = "sk-very-secret"


@dataclass
class Server:
    """Answers with the first of `replies` (the last for ever): JSON, a (status, body, headers), text, or a function."""

    url: str = ""
    replies: list[Any] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(await request.json() if request.can_read_body else None)
        self.paths.append(request.raw_path)
        self.headers.append(dict(request.headers))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if callable(reply):
            reply = await reply(request)
        if isinstance(reply, web.StreamResponse):
            return reply
        if isinstance(reply, tuple):
            status, body, headers = (*reply, {}, {})[:3]
            return web.Response(
                status=status, text=body if isinstance(body, str) else json.dumps(body), headers=headers
            )
        return web.Response(text=reply if isinstance(reply, str) else json.dumps(reply))


@pytest.fixture
async def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    async with listening() as running:
        yield running


@contextlib.asynccontextmanager
async def listening():
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


ANSWER = {"answer": {"text": "Thirty days [1]."}}


@contextlib.asynccontextmanager
async def template(server, environ=None, **spec):
    spec = {"url": f"{server.url}/ask", "body": {"q": "{question}"}, "reply": {"text": "answer.text"}, **spec}
    system = HttpSystem(HttpSpec.model_validate(spec), where="bot.toml", environ=environ or {})
    system._endpoint._backoff_seconds = 0.01
    try:
        yield system
    finally:
        await system.aclose()
        await system.aclose()


async def failure(server, kind, question="why?", **spec):
    with pytest.raises(kind) as caught:
        async with template(server, **spec) as system:
            await system(question)
    assert caught.value.hint
    assert KEY not in f"{caught.value} {caught.value.hint} {caught.value!r}"
    return caught.value


# --- the template ---------------------------------------------------------------------------------------------------


async def test_the_question_is_sent_as_data_wherever_it_stands(server):
    server.replies = [ANSWER]
    question = 'say "hi" & {x} \n/?#é'
    body = {"query": "{question}", "chat": [{"role": "user", "text": "Q: {question}"}], "k": 3, "stream": False}
    async with template(server, body=body, headers={"X-Team": "a"}) as system:
        assert isinstance(system, System)
        assert (await system(question)).text == "Thirty days [1]."
    assert server.seen[-1] == {
        "query": question,
        "chat": [{"role": "user", "text": f"Q: {question}"}],
        "k": 3,
        "stream": False,
    }
    assert server.headers[-1]["X-Team"] == "a"
    async with template(server, method="GET", body=None, query={"q": "{question}", "k": "3"}) as system:
        await system("a&b=c d/é")
    assert server.paths[-1] == "/ask?q=a%26b%3Dc+d/%C3%A9&k=3"
    async with template(server, method="GET", body=None, url=server.url + "/ask/{question}?x=1") as system:
        await system("a/b?c")
    assert server.paths[-1] == "/ask/a%2Fb%3Fc?x=1"


async def test_every_part_is_read_from_where_the_file_says(server):
    server.replies = [
        {
            "out": [{"msg": "Yes."}],
            "sources": [
                {"meta": {"doc.id": "a.md"}, "body": "one", "span": [3, 6], "sim": 0.5},
                {"meta": {"doc.id": "b.md"}, "body": "two", "span": [0, 3], "sim": 0.25},
            ],
            "refs": [{"where": "a.md", "said": "on"}],
            "sure": 0.75,
            "usd": 0.5,
            "ms": 12.5,
            "usage": {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}},
            "id": 77,
        }
    ]
    passages = {
        "at": "sources",
        "document": 'meta."doc.id"',
        "text": "body",
        "start": "span[0]",
        "end": "span[-1]",
        "score": "sim",
    }
    reply = {
        "text": "out[0].msg",
        "passages": passages,
        "citations": {"at": "refs", "document": "where", "quote": "said"},
        "confidence": "sure",
        "cost_usd": "usd",
        "latency_ms": "ms",
        "usage": "usage",
        "trace_id": "id",
    }
    with tallying() as counts:
        async with template(server, reply=reply) as system:
            output = await system("q")
    assert output.text == "Yes."
    assert output.passages == (Retrieved("a.md", "one", 3, 6, 0.5), Retrieved("b.md", "two", 0, 3, 0.25))
    assert output.citations == (Cited("a.md", "on"),)
    assert (output.confidence, output.cost_usd, output.latency_ms, output.trace_id) == (0.75, 0.5, 12.5, "77")
    assert (output.usage.uncached, output.usage.cache_read, output.usage.output) == (6, 4, 5)
    assert (counts.paid_calls, counts.cost_usd, counts.unpriced_calls) == (1, 0.5, 0)


async def test_usual_names_need_no_paths_and_passages_alone_are_a_retriever(server):
    server.replies = [{"hits": [{"page_content": "one", "metadata": {"source": "a.md"}, "score": 2}]}]
    async with template(server, reply={"passages": "hits"}) as system:
        assert system.kind == "retriever"
        output = await system("q")
    assert output.passages == (Retrieved("a.md", "one", None, None, 2.0),)
    assert output.cost_usd is None


async def test_refusals_are_told_by_a_flag_or_by_their_words(server):
    server.replies = [{"t": "I don't know.", "no": True}, {"t": None, "no": True}, {"t": "Yes.", "no": False}]
    async with template(server, reply={"text": "t", "declined": "no"}) as system:
        outputs = [await system("q") for _ in range(3)]
    assert [(output.text, output.declined) for output in outputs] == [
        ("I don't know.", True),
        ("", True),
        ("Yes.", False),
    ]
    server.replies = [{"t": "Sorry, I do not know."}, {"t": "You know."}]
    async with template(server, reply={"text": "t", "declined_pattern": "(?i)^sorry|do not know"}) as system:
        assert [(await system("q")).declined for _ in range(2)] == [True, False]


async def test_an_absent_part_fails_unless_it_may_be_absent(server):
    server.replies = [{"answer": {"txt": "x"}, "n": None}]
    error = await failure(server, Garbled)
    assert "the reply has no answer.text; answer has txt" in str(error)
    assert "reply.text" in error.hint
    error = await failure(server, Garbled, reply={"text": "answer.txt", "passages": "sources"})
    assert "no sources; it has answer, n" in str(error)
    assert "sources?" in error.hint
    async with template(server, reply={"text": "answer.txt", "passages": "sources?", "citations": "n"}) as system:
        output = await system("q")
    assert (output.text, output.passages, output.citations) == ("x", (), ())
    server.replies = [{"a": "x", "s": [{"t": "one"}, {"u": "two"}]}]
    error = await failure(server, Garbled, reply={"text": "a", "passages": {"at": "s", "text": "t"}})
    assert "no s[1].t; it has u" in str(error)
    server.replies = [{"a": ["x"]}]
    assert "a is a list of 1" in str(await failure(server, Garbled, reply={"text": "a[3]"}))
    server.replies = [{"a": 7}]
    assert "a is a int, not text" in str(await failure(server, Garbled, reply={"text": "a"}))


async def test_keys_come_from_the_environment_and_are_in_no_message(server):
    spec = {"headers": {"Authorization": "Bearer ${BOT_KEY}"}}
    environ = {"BOT_KEY": KEY + "\n"}
    server.replies = [ANSWER]
    async with template(server, environ, **spec) as system:
        await system("q")
        assert KEY not in json.dumps(system.spec)
        assert KEY not in repr(vars(system)["spec"]) + system.name
    assert server.headers[-1]["Authorization"] == f"Bearer {KEY}"
    for status in (400, 401, 403, 404, 500):
        server.replies = [(status, {"error": f"bad key {KEY}"})]
        await failure(server, Refused, environ=environ, max_retries=0, **spec)
    server.replies = [f"<html>{KEY}</html>"]
    await failure(server, Garbled, environ=environ, **spec)
    with pytest.raises(BadSetting, match="environment variable BOT_KEY, which is not set"):
        async with template(server, {}, **spec):
            pass


# --- faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        ((400, {"detail": "no such field"}), Refused, "no such field"),
        ((401, ""), Refused, "HTTP 401"),
        ((403, {"message": "not you"}), Refused, "HTTP 403: not you"),
        ((404, "<h1>Not Found</h1>"), Refused, "HTTP 404"),
        ((405, ""), Refused, "HTTP 405"),
        ((418, "teapot"), Refused, "HTTP 418: teapot"),
        ((422, {"detail": [{"msg": "field required"}]}), Refused, "field required"),
        ((500, {"error": {"message": "boom"}}), Refused, "HTTP 500: boom"),
        ((504, ""), TimedOut, "HTTP 504"),
        ((429, {"error": "slow"}, {"Retry-After": "900"}), RateLimited, "slow down"),
        ("", Garbled, "answered nothing"),
        ("<html>hello", Garbled, "not JSON: '<html>hello'"),
        ('data: {"x": 1}\n\n', Garbled, "not JSON"),
        ("[" * 100_000, Garbled, "not JSON"),
        ('"just text"', Garbled, "the reply has no answer.text; it is str"),
        ("null", Garbled, "it is null"),
    ],
)
async def test_a_fault_is_told_in_one_line_with_what_to_do(server, reply, kind, said):
    server.replies = [reply]
    error = await failure(server, kind, max_retries=0)
    assert said in str(error)
    assert "127.0.0.1" in str(error)
    assert "\n" not in str(error)


async def test_429_and_5xx_are_tried_again_and_retry_after_is_honoured(server):
    server.replies = [(429, "", {"Retry-After": "0.3"}), (503, ""), ANSWER]
    started = time.perf_counter()
    with tallying() as counts:
        async with template(server) as system:
            assert (await system("q")).text
    assert time.perf_counter() - started >= 0.3
    assert (len(server.seen), counts.paid_calls, counts.unpriced_calls) == (3, 1, 1)
    server.seen, server.replies = [], [(500, "")]
    await failure(server, Refused, max_retries=2)
    assert len(server.seen) == 3
    server.seen, server.replies = [], [(404, "")]
    await failure(server, Refused, max_retries=2)
    assert len(server.seen) == 1


async def test_what_timed_out_is_not_asked_again_and_counts_as_executed(server):
    async def hang(_request):
        await asyncio.sleep(5)

    server.replies = [hang]
    with tallying() as counts:
        error = await failure(server, TimedOut, timeout_seconds=0.1, cost_usd_per_question=0.5)
    assert "no answer in 0.1 s" in str(error)
    assert (len(server.seen), counts.paid_calls, counts.cost_usd) == (1, 1, 0.5)


async def test_a_reply_that_trickles_is_cut_off_by_the_same_limit(server):
    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    server.replies = [trickle]
    started = time.perf_counter()
    await failure(server, TimedOut, timeout_seconds=0.2)
    assert time.perf_counter() - started < 1


async def test_a_reply_without_end_is_refused_at_its_limit(server):
    server.replies = [json.dumps({"answer": {"text": "x" * 200_000}})]
    error = await failure(server, Garbled, largest_reply_mb=0.1)
    assert "more than 0.1 MB" in str(error)


async def test_a_connection_that_breaks_or_is_refused_is_told(server):
    async def drop(request):
        request.transport.abort()
        return web.Response()

    server.replies = [drop]
    assert "closed the connection" in str(await failure(server, Refused, max_retries=0))
    error = await failure(Server("http://127.0.0.1:9"), Refused, max_retries=0)
    assert "cannot be reached" in str(error)


async def test_redirects_stay_on_the_server_and_keep_the_question(server):
    async with listening() as other:
        other.replies = [ANSWER]
        server.replies = [(307, "", {"Location": f"{other.url}/ask"})]
        error = await failure(server, Refused, headers={"Authorization": "Bearer x"})
        assert f"redirects to {other.url}/ask" in str(error)
        assert other.seen == []
    server.replies = [(308, "", {"Location": "/ask/"}), ANSWER]
    async with template(server) as system:
        assert (await system("q")).text
    assert (server.paths[-1], server.seen[-1]) == ("/ask/", {"q": "q"})
    server.replies = [(302, "", {"Location": "/login"})]
    assert "drops the question" in str(await failure(server, Refused))
    server.replies = [(307, "", {"Location": "/ask"})]
    assert "without end" in str(await failure(server, Refused, max_retries=0))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"body": {"q": "fixed"}}, "sends the question nowhere"),
        ({"url": "ftp://x/{question}"}, "is no URL"),
        ({"reply": {}}, "does not say where the answer stands"),
        ({"reply": {"text": "a..b"}}, "is no path"),
        ({"reply": {"text": "a."}}, "ends with a dot"),
        ({"reply": {"text": "a[b]"}}, "is no path"),
        ({"reply": {"text": "a", "declined_pattern": "("}}, "no regular expression"),
        ({"reply": {"text": "a"}, "returns": "passages"}, "does not say where"),
    ],
)
async def test_a_file_that_makes_no_sense_is_refused_before_any_question(server, spec, said):
    with pytest.raises(BadSetting, match=said):
        async with template(server, **spec):
            pass


# --- the OpenAI wire ------------------------------------------------------------------------------------------------


def completion(content="Thirty days.", message=None, **more):
    choice = {"message": {"role": "assistant", "content": content, **(message or {})}, "finish_reason": "stop"}
    return {"choices": [choice], "usage": {"prompt_tokens": 1000, "completion_tokens": 100}, **more}


@contextlib.asynccontextmanager
async def openai(server, environ=None, **spec):
    spec = {"url": f"{server.url}/v1", "model": "m", **spec}
    system = OpenAISystem(OpenAISpec.model_validate(spec), where="bot.toml", environ=environ or {})
    system._endpoint._backoff_seconds = 0.01
    try:
        yield system
    finally:
        await system.aclose()


async def answered(server, reply, **spec):
    server.replies = [reply]
    async with openai(server, **spec) as system:
        return await system("why?")


async def test_the_wire_carries_the_question_and_the_key(server):
    server.replies = [completion()]
    async with openai(
        server, {"MY_KEY": KEY}, key_env="MY_KEY", instructions="Be brief.", temperature=0.5, max_tokens=9
    ) as system:
        output = await system("why? \ud800")
        assert KEY not in json.dumps(system.spec)
    assert (output.text, output.usage.uncached, output.usage.output) == ("Thirty days.", 1000, 100)
    assert server.paths == ["/v1/chat/completions"]
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert server.seen[0]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert server.seen[0]["messages"][1]["content"].startswith("why?")
    assert (server.seen[0]["model"], server.seen[0]["temperature"], server.seen[0]["max_tokens"]) == ("m", 0.5, 9)


async def test_no_key_goes_to_a_server_that_was_not_named_for_it(server):
    server.replies = [completion()]
    async with openai(server, {"OPENAI_API_KEY": KEY}) as system:
        await system("q")
    assert "Authorization" not in server.headers[0]
    with pytest.raises(BadSetting, match="OPENAI_API_KEY"):
        async with openai(Server("https://api.openai.com")):
            pass


async def test_the_only_model_is_found_and_several_are_refused(server):
    server.replies = [{"data": [{"id": "assay"}]}, completion()]
    async with openai(server, model="") as system:
        assert (await system("q")).text
        assert (await system("q")).text
    assert server.paths == ["/v1/models", "/v1/chat/completions", "/v1/chat/completions"]
    server.replies = [{"data": [{"id": "a"}, {"id": "b"}]}]
    async with openai(server, model="") as system:
        with pytest.raises(BadSetting, match="lists 2 models") as caught:
            await system("q")
    assert caught.value.hint.endswith("/v1#a.")
    server.replies = [completion()]
    async with openai(server, model="", url=f"{server.url}/v1/chat/completions#big") as system:
        await system("q")
    assert (server.paths[-1], server.seen[-1]["model"]) == ("/v1/chat/completions", "big")


async def test_a_cap_by_another_name_is_learnt_once(server):
    refusal = (400, {"error": {"message": "Unsupported parameter: use 'max_completion_tokens' instead."}})
    server.replies = [refusal, completion()]
    async with openai(server) as system:
        await system("q")
        await system("q")
    caps = [[name for name in body if name.startswith("max")] for body in server.seen]
    assert caps == [["max_tokens"], ["max_completion_tokens"], ["max_completion_tokens"]]


OURS = {
    "outcome": "answer",
    "text": "Thirty days [1].",
    "citations": [
        {"marker": 1, "document": "a.md", "document_id": "ff", "start": 3, "end": 6, "quote": "one", "page": None}
    ],
    "hits": [
        {"rank": 1, "document": "a.md", "document_id": "ff", "start": 0, "end": 9, "text": "xx one xx", "score": 0.5}
    ],
    "confidence": 0.8,
    "cost_usd": 0.0,
    "trace_id": "t1",
}


async def test_our_own_server_loses_nothing_on_the_wire(server):
    output = await answered(server, completion("Thirty days [1].", assay=OURS))
    assert output.citations == (Cited("a.md", "one", 3, 6),)
    assert output.passages == (Retrieved("a.md", "xx one xx", 0, 9, 0.5),)
    assert (output.confidence, output.cost_usd, output.trace_id, output.declined) == (0.8, 0.0, "t1", False)
    declined = {**OURS, "outcome": "declined", "text": "Not there.", "citations": [], "hits": []}
    output = await answered(server, completion("Not there.", assay=declined))
    assert (output.declined, output.text, output.passages) == (True, "Not there.", ())


@pytest.mark.parametrize(
    ("message", "more", "expected"),
    [
        ({}, {"citations": ["https://a", "https://b"]}, (Cited("https://a"), Cited("https://b"))),
        (
            {},
            {"citations": [{"document": "a.md", "quote": "one", "start": 1, "end": 4}]},
            (Cited("a.md", "one", 1, 4),),
        ),
        # Offsets into the answer are no offsets into a document.
        ({"citations": [{"start": 0, "end": 6, "text": "Thirty", "url": "u"}]}, {}, (Cited("u", "Thirty"),)),
        (
            {"annotations": [{"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 6, "url": "u"}}]},
            {},
            (Cited("u"),),
        ),
        ({"context": {"citations": [{"content": "one", "filepath": "a.md"}]}}, {}, (Cited("a.md", "one"),)),
    ],
)
async def test_citations_are_read_from_the_fields_servers_use(server, message, more, expected):
    assert (await answered(server, completion(message=message, **more))).citations == expected


async def test_passages_are_read_where_a_server_sends_them(server):
    output = await answered(server, completion(sources=[{"source": "a.md", "content": "one"}]))
    assert output.passages == (Retrieved("a.md", "one"),)
    output = await answered(server, completion(message={"context": {"citations": [{"content": "c", "url": "u"}]}}))
    assert output.passages == (Retrieved("u", "c"),)


async def test_content_in_parts_and_refusals(server):
    output = await answered(server, completion([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]))
    assert output.text == "ab"
    output = await answered(server, completion(None, message={"refusal": "I cannot."}))
    assert (output.text, output.declined) == ("I cannot.", True)


async def test_costs_come_from_the_server_the_file_or_the_table_and_else_are_unknown(server):
    priced = {"input_usd_per_million": 2.0, "output_usd_per_million": 10.0}
    assert (await answered(server, completion())).cost_usd is None
    assert (await answered(server, completion(), **priced)).cost_usd == pytest.approx(0.003)
    assert (await answered(server, completion(), cost_usd_per_question=0.5)).cost_usd == 0.5
    assert (await answered(server, completion(), provider="openai", model="gpt-4o-mini")).cost_usd == pytest.approx(
        2.1e-4
    )
    told = completion() | {"usage": {"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25}}
    assert (await answered(server, told, **priced)).cost_usd == 0.25
    silent = completion() | {"usage": None}
    assert (await answered(server, silent, **priced)).cost_usd is None


async def test_what_a_question_will_cost_is_known_beforehand_where_it_is_priced(server):
    async with openai(server) as system:
        assert system.expected_cost_usd is None
    async with openai(server, provider="openai", model="gpt-4o-mini", max_tokens=100) as system:
        low, high = system.expected_cost_usd
    assert 0 < low < high < 0.001


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"choices": []}, "without a choice"),
        ({"object": "error"}, "without a choice"),
        ([1], "no JSON object"),
        (completion(None), "answered no text"),
        (completion(7), "message.content is a int"),
        (completion() | {"usage": {"prompt_tokens": "many"}}, "usage cannot be read"),
    ],
)
async def test_a_reply_that_is_no_completion_is_garbled_and_was_paid_for(server, reply, said):
    with pytest.raises(Garbled, match=said) as caught, tallying() as counts:
        await answered(server, reply)
    assert caught.value.hint
    assert counts.paid_calls == 1


async def test_a_version_names_behaviour_and_keys_do_not(server):
    async with openai(server) as system:
        assert system.subject is None
    subjects = set()
    for environ, spec in (
        ({"A": "1"}, {}),
        ({"A": "2"}, {}),
        ({"A": "1"}, {"model": "n"}),
        ({"A": "1"}, {"version": "8"}),
    ):
        async with openai(server, environ, **{"key_env": "A", "version": "7", **spec}) as system:
            subjects.add(system.subject)
    assert len(subjects) == 3
