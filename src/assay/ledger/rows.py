"""A finished span as a row of the table, and a row's attributes back.

Attributes that have a column are kept there and nowhere else; reading puts them back under their
names, so that what comes out of the database is what was recorded. Text is made storable on both
databases: PostgreSQL refuses NUL characters and lone surrogates, JSON has no NaN.
"""

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import RowMapping

from assay.ledger.conventions import (
    COST_USD,
    ERROR_TYPE,
    INPUT_TOKENS,
    OPERATION,
    OUTPUT_TOKENS,
    PROVIDER,
    REQUEST_MODEL,
    TRACE_START,
)
from assay.ledger.redaction import storable

if TYPE_CHECKING:  # reading a trace needs no OpenTelemetry
    from opentelemetry.sdk.trace import ReadableSpan

MAX_CHARACTERS = 20_000
"""Longer attribute values are cut, and say so."""

PROMOTED: dict[str, str] = {
    ERROR_TYPE: "error_code",
    OPERATION: "operation",
    PROVIDER: "provider",
    REQUEST_MODEL: "model",
    INPUT_TOKENS: "input_tokens",
    OUTPUT_TOKENS: "output_tokens",
    COST_USD: "cost_usd",
}
"""Attributes that have a column of their own."""

COLUMNS = (
    "trace_id",
    "span_id",
    "parent_id",
    "name",
    "trace_start_ns",
    "start_ns",
    "end_ns",
    "status",
    *PROMOTED.values(),
    "attributes",
)

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

Row = tuple[str | int | float | None, ...]


def row_of(span: "ReadableSpan", *, record_content: bool, secrets: Iterable[str] = ()) -> Row:
    """The row of a finished span, in the order of `COLUMNS`."""
    context = span.get_span_context()
    assert context is not None
    start_ns, end_ns = span.start_time or 0, span.end_time or 0
    attributes = storable(dict(span.attributes or {}), record_content=record_content, secrets=secrets)
    status = "error" if not span.status.is_ok else "cancelled" if ERROR_TYPE in attributes else "ok"
    trace_start_ns = attributes.pop(TRACE_START, start_ns)
    promoted = [
        _column(attributes.pop(name), column) if name in attributes else None for name, column in PROMOTED.items()
    ]
    return (
        format(context.trace_id, "032x"),
        format(context.span_id, "016x"),
        format(span.parent.span_id, "016x") if span.parent is not None else None,
        _text(span.name),
        trace_start_ns,
        start_ns,
        end_ns,
        status,
        *promoted,
        _json(attributes),
    )


def attributes_of(row: RowMapping) -> dict[str, Any]:
    """All attributes of a stored span under their recorded names."""
    attributes: dict[str, Any] = {name: row[column] for name, column in PROMOTED.items() if row[column] is not None}
    attributes.update(json.loads(row["attributes"]))
    return attributes


def _column(value: Any, column: str) -> str | int | float | None:
    if column in ("input_tokens", "output_tokens"):
        return int(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
    if column == "cost_usd":
        return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None
    return _text(str(value))


def _text(text: str) -> str:
    return text.replace("\0", "�").encode("utf-8", "replace").decode("utf-8")


def _json(attributes: dict[str, Any]) -> str:
    shortened = {name: _shortened(value) for name, value in attributes.items()}
    try:
        text = _encode(shortened)
    except ValueError:
        finite = {name: _finite(value) for name, value in shortened.items()}
        text = _encode(finite)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # lone surrogates
        return text.encode("utf-8", "replace").decode("utf-8")
    return text


def _shortened(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_CHARACTERS:
        return f"{value[:MAX_CHARACTERS]}… ({len(value) - MAX_CHARACTERS} more characters)"
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
