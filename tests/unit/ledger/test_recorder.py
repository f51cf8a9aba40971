"""Spans form the tree the code ran in, whatever tasks, threads, generators and failures do."""

import asyncio
import gc
import logging
import random
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path

import pytest
from opentelemetry import trace as global_opentelemetry
from opentelemetry.sdk.trace import TracerProvider

from assay.errors import RateLimited
from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.recorder import Recorder
from assay.ledger.settings import LedgerSettings
from assay.ledger.spans import current, span, trace_id
from assay.ledger.traces import RecordedSpan, Trace, load, recent
from assay.models.chat import Usage


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    yield database
    database.close()


@pytest.fixture
def recorder(database: Database) -> Iterator[Recorder]:
    with Recorder(database, LedgerSettings()) as recorder:
        yield recorder


def only_trace(recorder: Recorder, database: Database) -> Trace:
    assert recorder.flush()
    (trace,) = recent(database)
    return load(database, trace.trace_id)


def shape(recorded: RecordedSpan) -> object:
    return (recorded.name, [shape(child) for child in recorded.children]) if recorded.children else recorded.name


def test_without_a_recorder_spans_are_free_and_silent() -> None:
    with span("retrieve", {"k": 8}) as inner:
        inner.set("hits", 3)
        inner.set_usage(Usage(uncached=3), cost_usd=None)
        assert (inner.trace_id, inner.span_id, trace_id()) == ("", "", "")
    assert current.get() is None


def test_a_request_becomes_a_tree_with_ids_names_and_times(recorder: Recorder, database: Database) -> None:
    with recorder.recording():
        assert trace_id() == recorder.trace_id == ""
        with span("assay.ask", {"question": "why?"}) as root:
            assert trace_id() == recorder.trace_id == root.trace_id
            with span("retrieve", {"k": 8, "nothing": None}) as retrieve:
                retrieve.set("hits", 5)
                assert retrieve.trace_id == root.trace_id
            with span("generate"), span("embed"):
                pass
        assert trace_id() == ""

    trace = only_trace(recorder, database)
    assert shape(trace.roots[0]) == ("assay.ask", ["retrieve", ("generate", ["embed"])])
    assert trace.finished
    assert trace.trace_id == root.trace_id
    assert len(trace.trace_id) == 32
    assert [len(recorded.span_id) for recorded in trace.walk()] == [16] * 4
    assert trace.roots[0].attributes["assay.question"] == "why?"
    assert trace.roots[0].attributes["gen_ai.operation.name"] == "invoke_workflow"
    found = trace.roots[0].children[0].attributes
    assert (found["assay.k"], found["assay.hits"], found["gen_ai.operation.name"]) == (8, 5, "retrieval")
    assert "assay.nothing" not in found
    for recorded in trace.walk():
        assert trace.started_ns <= recorded.start_ns <= recorded.end_ns
        assert all(
            recorded.start_ns <= child.start_ns and child.end_ns <= recorded.end_ns for child in recorded.children
        )


def test_usage_is_kept_in_the_conventions_names_and_in_disjoint_buckets(recorder: Recorder, database: Database) -> None:
    usage = Usage(uncached=100, cache_read=20, cache_write=3, output=40, reasoning=5)
    with recorder.span("assay.ask"):
        with span("generate", {"model": "m", "provider": "openai"}) as priced:
            priced.set_usage(usage, cost_usd=0.25)
        with span("generate") as unpriced:
            unpriced.set_usage(usage, cost_usd=None)

    trace = only_trace(recorder, database)
    attributes = trace.roots[0].children[0].attributes
    assert attributes["gen_ai.usage.input_tokens"] == usage.input == 123
    assert attributes["gen_ai.usage.output_tokens"] == 45
    buckets = ("uncached", "cache_read", "cache_write", "output", "reasoning")
    assert sum(attributes[f"assay.usage.{bucket}"] for bucket in buckets) == usage.total
    assert attributes["assay.cost_usd"] == 0.25
    assert (attributes["gen_ai.request.model"], attributes["gen_ai.provider.name"]) == ("m", "openai")
    total = trace.consumption
    assert (total.input_tokens, total.output_tokens, total.cost_usd, total.unpriced) == (246, 90, 0.25, 1)


async def test_concurrent_tasks_and_threads_keep_their_own_parents(recorder: Recorder, database: Database) -> None:
    async def branch(n: int) -> None:
        with span(f"branch{n}"):
            await asyncio.sleep(0.001 * (3 - n))
            with span(f"leaf{n}"):
                await asyncio.to_thread(in_thread, n)

    def in_thread(n: int) -> None:
        with span(f"thread{n}"):
            pass

    with recorder.recording(), span("assay.ask"):
        await asyncio.gather(*(branch(n) for n in range(3)))

    tree = shape(only_trace(recorder, database).roots[0])
    assert tree == ("assay.ask", [(f"branch{n}", [(f"leaf{n}", [f"thread{n}"])]) for n in range(3)])


def test_requests_side_by_side_are_traces_of_their_own(recorder: Recorder, database: Database) -> None:
    def request(n: int) -> str:
        with recorder.span("assay.search", {"n": n}) as root, span("retrieve"):
            return root.trace_id

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(request, range(40)))
    assert recorder.flush()
    assert len(set(ids)) == 40
    assert {trace.trace_id for trace in recent(database, 100)} == set(ids)
    assert all(shape(load(database, found).roots[0]) == ("assay.search", ["retrieve"]) for found in ids)


def test_ids_differ_though_the_program_seeds_its_randomness(recorder: Recorder) -> None:
    ids = set()
    for _ in range(3):
        random.seed(0)
        with recorder.span("assay.ask") as root:
            ids |= {root.trace_id, root.span_id}
    assert len(ids) == 6


def test_failures_pass_through_and_are_recorded_with_their_code(recorder: Recorder, database: Database) -> None:
    with recorder.span("assay.ask"):
        with pytest.raises(RateLimited), span("generate"):
            raise RateLimited("Too many requests.")
        with pytest.raises(ZeroDivisionError), span("verify"):
            raise ZeroDivisionError("division by zero")

    trace = only_trace(recorder, database)
    generate, verify = trace.roots[0].children
    assert (generate.status, generate.error_code) == ("error", "rate_limited")
    assert generate.attributes["assay.error.message"] == "Too many requests."
    assert (verify.status, verify.error_code) == ("error", "ZeroDivisionError")
    assert trace.status == "ok"


async def test_cancelled_work_is_neither_ok_nor_an_error(recorder: Recorder, database: Database) -> None:
    started = asyncio.Event()

    async def request() -> None:
        with recorder.span("assay.ask"):
            started.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(request())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    trace = only_trace(recorder, database)
    assert (trace.status, trace.roots[0].error_code) == ("cancelled", "cancelled")


async def test_an_abandoned_stream_still_ends_its_spans(recorder: Recorder, database: Database) -> None:
    async def stream() -> AsyncIterator[int]:
        with recorder.span("assay.ask"), span("generate"):
            yield 1
            yield 2

    async def reader() -> None:
        async for _ in stream():
            break

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    # In a task of its own, so that the generator is closed in another context than it began in.
    await asyncio.create_task(reader())
    gc.collect()
    await asyncio.sleep(0.01)
    trace = only_trace(recorder, database)
    assert [recorded.status for recorded in trace.walk()] == ["cancelled", "cancelled"]
    assert complaints == []


def test_the_host_applications_opentelemetry_is_left_alone(recorder: Recorder, database: Database) -> None:
    before = global_opentelemetry.get_tracer_provider()
    hosts_own = TracerProvider(shutdown_on_exit=False).get_tracer("host")
    with hosts_own.start_as_current_span("host") as host, recorder.span("assay.ask"):
        assert global_opentelemetry.get_current_span() is host
    assert global_opentelemetry.get_tracer_provider() is before
    trace = only_trace(recorder, database)
    assert trace.finished
    assert int(trace.trace_id, 16) != host.get_span_context().trace_id


def test_two_recorders_do_not_adopt_each_others_spans(recorder: Recorder, tmp_path: Path, database: Database) -> None:
    second_database = open_database(sqlite_url(tmp_path / "second.db"))
    with Recorder(second_database, LedgerSettings()) as second:
        with recorder.span("assay.ask") as outer, second.span("assay.search") as inner:
            assert inner.trace_id != outer.trace_id
            assert (recorder.trace_id, second.trace_id) == ("", inner.trace_id)
        second.flush()
    assert shape(recent(second_database)[0].roots[0]) == "assay.search"
    assert shape(only_trace(recorder, database).roots[0]) == "assay.ask"
    second_database.close()


def test_a_context_copied_before_the_end_may_add_children_after_it(recorder: Recorder, database: Database) -> None:
    with recorder.span("assay.ask"):
        later = copy_context()

    def background() -> None:
        with span("embed"):
            pass

    later.run(background)
    assert shape(only_trace(recorder, database).roots[0]) == ("assay.ask", ["embed"])


def test_values_of_any_type_are_kept_as_something_readable(recorder: Recorder, database: Database) -> None:
    import numpy as np

    with recorder.span("assay.ask") as root:
        root.set("score", np.float32(0.5))
        root.set("count", np.int64(7))
        root.set("mixed", [1, "a", None])
        root.set("mapping", {"b": Path("x")})
        root.set("names", ("a", "b"))
        root.set("not_a_number", float("nan"))
        root.set("nul", "a\0b")
        root.set("surrogate", "a\ud800b")
        root.set("finish_reasons", ["stop"])
    attributes = only_trace(recorder, database).roots[0].attributes
    assert attributes["assay.score"] == 0.5
    assert attributes["assay.count"] == 7
    assert attributes["assay.mixed"] == '[1, "a", null]'
    assert attributes["assay.mapping"] == '{"b": "x"}'
    assert attributes["assay.names"] == ["a", "b"]
    assert attributes["assay.not_a_number"] is None
    assert attributes["assay.nul"] == "a\0b"
    assert attributes["assay.surrogate"] == "a?b"
    assert attributes["gen_ai.response.finish_reasons"] == ["stop"]


def test_opentelemetry_switched_off_records_nothing_and_says_so(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with caplog.at_level(logging.WARNING), Recorder(database, LedgerSettings()) as recorder:
        with recorder.recording(), span("assay.ask") as root, span("retrieve") as inner:
            inner.set("hits", 1)
            assert root.trace_id == trace_id() == ""
        assert recorder.flush()
    assert recent(database) == []
    assert [record.message for record in caplog.records] == ["OTEL_SDK_DISABLED is set: requests are not recorded."]
