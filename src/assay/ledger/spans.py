"""Spans as every room sees them: say what you do, and it is recorded if somebody records.

    with span("retrieve", {"k": 8}) as retrieve:
        hits = ...
        retrieve.set("hits", len(hits))

A span belongs to the one around it, through tasks and threads that copy the context, and carries
its name, its times, what was set and how it ended: ok, error with a code, or cancelled. Where no
recorder is in force the same lines cost a lookup and record nothing, so no room needs a ledger to
work. `assay.ledger.recorder` is the part that records; this module imports nothing heavy.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol

from assay.ledger.conventions import Tokens


class Span(Protocol):
    """A piece of work with a beginning and an end; a context manager."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits shared by all spans of one request; empty where nothing records."""
        ...

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits; empty where nothing records."""
        ...

    def set(self, name: str, value: Any) -> None:
        """Keep `value` under `name` (words of `conventions.NAMES`, or your own). None keeps nothing."""
        ...

    def set_usage(self, usage: Tokens, *, cost_usd: float | None) -> None:
        """Keep the tokens of one model call, and its cost; None where no price is known."""
        ...

    def __enter__(self) -> "Span": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


class Spanner(Protocol):
    """What a new span is made from: a recorder, or the span around it."""

    @property
    def trace_id(self) -> str: ...

    def span(self, name: str, attributes: Mapping[str, Any] | None = None) -> Span: ...


current: ContextVar[Spanner | None] = ContextVar("assay_span", default=None)
"""What the next span is made from. Set by `Recorder.recording()` and by entering a span."""


class _Unrecorded:
    """A span where nothing records. One instance serves all."""

    __slots__ = ()
    trace_id = ""
    span_id = ""

    def set(self, name: str, value: Any) -> None:
        pass

    def set_usage(self, usage: Tokens, *, cost_usd: float | None) -> None:
        pass

    def __enter__(self) -> "_Unrecorded":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass


UNRECORDED = _Unrecorded()


def span(name: str, attributes: Mapping[str, Any] | None = None) -> Span:
    """A span inside the one in force; the root of a new trace directly under a recorder."""
    spanner = current.get()
    return UNRECORDED if spanner is None else spanner.span(name, attributes)


def trace_id() -> str:
    """The id of the trace in force, 32 hexadecimal digits; empty where nothing records."""
    spanner = current.get()
    return "" if spanner is None else spanner.trace_id
