"""The recorder: makes real spans of `assay.ledger.spans` with the OpenTelemetry SDK.

It owns a tracer provider of its own and never touches the global one or the global context, so
that Assay inside another application neither joins nor disturbs that application's traces. The
current span lives in a context variable of ours, which follows tasks and copied contexts. Times
come from one wall-clock reading per trace and a monotonic clock from there on, so that a clock
set back cannot make a span end before it began.
"""

import json
import logging
import os
import time
from asyncio import CancelledError
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import Token
from types import TracebackType
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span as OpenTelemetrySpan
from opentelemetry.trace import StatusCode, set_span_in_context

from assay.errors import AssayError
from assay.ledger.conventions import (
    DIALECT,
    DIALECT_NAME,
    ERROR_MESSAGE,
    ERROR_TYPE,
    OPERATION,
    OPERATIONS,
    TRACE_START,
    Tokens,
    recorded_name,
    usage_attributes,
)
from assay.ledger.database import Database
from assay.ledger.settings import LedgerSettings
from assay.ledger.spans import UNRECORDED, Span, Spanner, current
from assay.ledger.writer import QUEUE_SPANS, SpanWriter, WriterState

_logger = logging.getLogger(__name__)
_CANCELLED = (CancelledError, GeneratorExit, KeyboardInterrupt)


class Recorder:
    """Records spans into a database until closed. Safe to share between threads and tasks.

    `secrets` are values (keys this process holds) that are never stored, wherever they turn up.
    `capacity` is how many finished spans may wait to be written; more are dropped and counted.
    Recording never raises into the work it records and never blocks it: see `SpanWriter`. A database that is
    `read_only` gets no spans, said once in the log.
    """

    def __init__(
        self,
        database: Database,
        settings: LedgerSettings,
        *,
        secrets: Iterable[str] = (),
        capacity: int = QUEUE_SPANS,
    ) -> None:
        self._writer = SpanWriter(database, settings, secrets=secrets, capacity=capacity)
        limits = SpanLimits(
            max_span_attributes=200, max_events=0, max_links=0, max_span_attribute_length=SpanLimits.UNSET
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource({"service.name": "assay"}),
            shutdown_on_exit=False,
            span_limits=limits,
            id_generator=_Ids(),
        )
        self._tracer = self._provider.get_tracer("assay")
        # The SDK honours OTEL_SDK_DISABLED; so do we, aloud.
        self._disabled = not self._tracer.start_span("probe", context=Context()).is_recording()
        self._provider.add_span_processor(_ToWriter(self._writer))
        if self._disabled:
            _logger.warning("OTEL_SDK_DISABLED is set: requests are not recorded.")
        elif database.read_only:
            self._disabled = True
            _logger.warning("%s can only be read: requests are not recorded.", database.url)

    @contextmanager
    def recording(self) -> Iterator["Recorder"]:
        """Inside, `spans.span(...)` records here: at the top as the root of a new trace."""
        token = current.set(self)
        try:
            yield self
        finally:
            _restore(token)

    def span(self, name: str, attributes: Mapping[str, Any] | None = None) -> Span:
        """A span inside this recorder's span in force, or the root of a new trace where there is none."""
        if self._disabled:
            return UNRECORDED
        around = current.get()
        parent = around if isinstance(around, _Recorded) and around.recorder is self else None
        return _Recorded(self, name, attributes, parent)

    @property
    def trace_id(self) -> str:
        """The id of this recorder's trace in force; empty outside of any span."""
        around = current.get()
        return around.trace_id if isinstance(around, _Recorded) and around.recorder is self else ""

    def state(self) -> WriterState:
        """How many spans were recorded, written and dropped, and why recording stopped if it did."""
        return self._writer.state()

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Wait until everything recorded so far is committed. False when it was not in time. Blocks."""
        return self._writer.flush(timeout_seconds)

    def close(self, timeout_seconds: float = 5.0) -> None:
        """Commit what is left and stop. Blocks at most `timeout_seconds`; safe to call twice."""
        self._writer.close(timeout_seconds)

    def __enter__(self) -> "Recorder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(
        self, name: str, attributes: dict[str, Any], parent: OpenTelemetrySpan | None, start_ns: int
    ) -> OpenTelemetrySpan:
        context = Context() if parent is None else set_span_in_context(parent, Context())
        return self._tracer.start_span(name, context=context, attributes=attributes, start_time=start_ns)


class _Recorded:
    """One span, from `with` to its end. `clock` is the trace's pair of wall and monotonic start, in ns."""

    __slots__ = ("_attributes", "_name", "_parent", "_token", "clock", "otel", "recorder")
    clock: tuple[int, int]
    otel: OpenTelemetrySpan

    def __init__(
        self, recorder: Recorder, name: str, attributes: Mapping[str, Any] | None, parent: "_Recorded | None"
    ) -> None:
        self.recorder = recorder
        self._name = name
        self._attributes = attributes
        self._parent = parent
        self._token: Token[Spanner | None] | None = None

    def __enter__(self) -> "_Recorded":
        parent = self._parent
        recorded: dict[str, Any] = {}
        if self._name in OPERATIONS:
            recorded[OPERATION] = OPERATIONS[self._name]
        if parent is None:
            self.clock = (time.time_ns(), time.perf_counter_ns())
            recorded[DIALECT_NAME] = DIALECT
        else:
            self.clock = parent.clock
        recorded[TRACE_START] = self.clock[0]
        for word, value in (self._attributes or {}).items():
            if value is not None:
                recorded[recorded_name(word)] = _plain(value)
        self.otel = self.recorder._start(self._name, recorded, parent.otel if parent else None, self._now_ns())
        self._token = current.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._ended_by(error)
        self.otel.end(self._now_ns())
        if self._token is not None:
            _restore(self._token)

    def span(self, name: str, attributes: Mapping[str, Any] | None = None) -> Span:
        return _Recorded(self.recorder, name, attributes, self)

    @property
    def trace_id(self) -> str:
        return format(self.otel.get_span_context().trace_id, "032x")

    @property
    def span_id(self) -> str:
        return format(self.otel.get_span_context().span_id, "016x")

    def set(self, name: str, value: Any) -> None:
        if value is not None:
            self.otel.set_attribute(recorded_name(name), _plain(value))

    def set_usage(self, usage: Tokens, *, cost_usd: float | None) -> None:
        self.otel.set_attributes(usage_attributes(usage, cost_usd))

    def _ended_by(self, error: BaseException) -> None:
        if isinstance(error, _CANCELLED):
            self.otel.set_attribute(ERROR_TYPE, "interrupted" if isinstance(error, KeyboardInterrupt) else "cancelled")
            return
        self.otel.set_attribute(ERROR_TYPE, error.slug if isinstance(error, AssayError) else type(error).__name__)
        self.otel.set_attribute(ERROR_MESSAGE, str(error))
        self.otel.set_status(StatusCode.ERROR)

    def _now_ns(self) -> int:
        wall, monotonic = self.clock
        return wall + time.perf_counter_ns() - monotonic


class _Ids(IdGenerator):
    """Ids from the operating system: the SDK's come from `random`, where a program that seeds it, as
    experiments do, would give every run the same ids."""

    def generate_span_id(self) -> int:
        return int.from_bytes(os.urandom(8), "big") or 1

    def generate_trace_id(self) -> int:
        return int.from_bytes(os.urandom(16), "big") or 1

    def is_trace_id_random(self) -> bool:
        return True


class _ToWriter(SpanProcessor):
    def __init__(self, writer: SpanWriter) -> None:
        self._writer = writer

    def on_end(self, span: ReadableSpan) -> None:
        self._writer.put(span)


def _restore(token: Token[Spanner | None]) -> None:
    # An async generator that was abandoned is closed by the event loop in another context, where
    # there is nothing to restore.
    with suppress(ValueError):
        current.reset(token)


def _plain(value: Any) -> Any:
    """`value` as OpenTelemetry takes it: scalars and lists of scalars as they are, anything else as JSON text."""
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)) and all(isinstance(item, (str, bool, int, float)) for item in value):
        return list(value)
    if hasattr(value, "item"):  # a numpy scalar
        return _plain(value.item())
    return json.dumps(value, ensure_ascii=False, default=str)
