"""`assay trace`: what one request did, as a waterfall in the terminal; without an id, the recent requests.

The picture is made of lines of text no wider than asked, legible without colour; colour only
repeats what the words say. Everything that came from outside is stripped of control characters,
so that a document cannot drive the terminal.
"""

import datetime
import unicodedata
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.text import Text

    from assay.ledger.traces import Consumption, Trace, WaterfallRow

_STYLES = {"error": "red", "cancelled": "yellow", "unfinished": "yellow"}
_FOLD = 8
_SHOWN_ATTRIBUTES = 300


@click.command("trace")
@click.argument("trace_id", required=False, metavar="[ID]")
@click.option("-n", "count", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many to list.")
@click.option("--all", "everything", is_flag=True, help="Draw every span, also thousands of the same name.")
@click.option("--attributes", is_flag=True, help="Print what each span recorded.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(trace_id: str | None, count: int, everything: bool, attributes: bool, as_json: bool) -> None:
    """Draw what one request did, step by step. ID may be the first digits of a trace id.

    Without ID, list the recent requests.
    """
    from assay.app.cli import output
    from assay.app.wiring import open_workspace_database
    from assay.ledger import traces

    database = open_workspace_database()
    try:
        if trace_id is None:
            found = traces.recent(database, count)
        else:
            trace = traces.load(database, trace_id)
    finally:
        database.close()

    if trace_id is None:
        if as_json:
            output.emit_json({"traces": [summary(trace) for trace in found]})
        elif not found:
            output.note('Nothing is recorded yet. Ask something first: assay ask "..."')
        else:
            console = output.console()
            for line in listed(found, width=console.width):
                console.print(line, overflow="crop", no_wrap=True)
    elif as_json:
        output.emit_json(summary(trace) | {"spans": _spans(trace)})
    else:
        console = output.console()
        fold = None if everything else _FOLD
        plain = not (console.encoding or "").lower().startswith("utf")
        for line in drawn(trace, width=console.width, fold=fold, attributes=attributes, ascii_only=plain):
            console.print(line, overflow="crop", no_wrap=True)


def drawn(
    trace: "Trace", *, width: int, fold: int | None = None, attributes: bool = False, ascii_only: bool = False
) -> list["Text"]:
    """The trace as lines at most `width` characters wide: a head, then one row per span with a bar placed in time."""
    from rich.text import Text

    from assay.ledger.traces import waterfall

    rows = waterfall(trace, fold=fold)
    labels = ["  " * row.depth + row.name + (f" x{row.folded}" if row.folded > 1 else "") for row in rows]
    durations = [_duration(row.duration_ms) for row in rows]
    tokens = [_tokens(row.consumption) for row in rows]
    costs = [_cost(row.consumption) for row in rows]
    columns = [durations] + [column for column in (tokens, costs) if any(column)]
    sizes = [max(len(cell) for cell in column) for column in columns]
    label_size = min(max(len(label) for label in labels), max(12, width // 3))
    bar_size = width - label_size - sum(size + 2 for size in sizes) - 2
    while bar_size < 8 and len(columns) > 1:
        columns.pop()
        bar_size += sizes.pop() + 2
    bar_size = max(bar_size, 4)

    lines = [Text(_cut(line, width), style=style) for line, style in _head(trace)] + [Text("")]
    for index, row in enumerate(rows):
        cells = "".join(f"  {column[index]:>{size}}" for column, size in zip(columns, sizes, strict=True))
        line = f"{_cut(labels[index], label_size):<{label_size}}  {_bar(row, bar_size, ascii_only)}{cells}"
        lines.append(Text(_cut(line.rstrip(), width), style=_STYLES.get(row.status, "")))
        lines += [Text(_cut(note, width), style=style) for note, style in _notes(row, attributes)]
    return lines


def listed(found: list["Trace"], *, width: int) -> list["Text"]:
    """The traces as a table at most `width` characters wide, newest first."""
    from rich.text import Text

    rows = [("trace", "when", "request", "time", "status", "tokens", "cost", "question")]
    for trace in found:
        rows.append(
            (
                trace.trace_id[:8],
                _when(trace, with_date=width >= 100),
                trace.name,
                _duration(trace.duration_ms),
                trace.status,
                _tokens(trace.consumption),
                _cost(trace.consumption),
                _question(trace),
            )
        )
    shown = [0, 1, 2, 3, 4, 7] if width < 100 else list(range(8))
    sizes = {column: max(len(row[column]) for row in rows) for column in shown[:-1]}
    lines = []
    for index, row in enumerate(rows):
        cells = [f"{row[c]:>{sizes[c]}}" if c in (3, 5, 6) else f"{row[c]:<{sizes[c]}}" for c in shown[:-1]]
        style = "bold" if index == 0 else _STYLES.get(row[4], "")
        lines.append(Text(_cut("  ".join([*cells, row[7]]).rstrip(), width), style=style))
    return lines


def summary(trace: "Trace") -> dict[str, Any]:
    """The trace without its spans, as `--json` prints it."""
    total = trace.consumption
    return {
        "trace_id": trace.trace_id,
        "name": trace.name,
        "started_at": _started(trace).astimezone(datetime.UTC).isoformat(),
        "duration_ms": trace.duration_ms,
        "status": trace.status,
        "input_tokens": total.input_tokens,
        "output_tokens": total.output_tokens,
        "cost_usd": total.cost_usd,
        "unpriced": total.unpriced,
    }


def _spans(trace: "Trace") -> list[dict[str, Any]]:
    return [
        {
            "span_id": span.span_id,
            "parent_id": span.parent_id,
            "name": span.name,
            "start_ns": span.start_ns,
            "end_ns": span.end_ns,
            "offset_ms": (span.start_ns - trace.started_ns) / 1e6,
            "duration_ms": span.duration_ms,
            "status": span.status,
            "error_code": span.error_code,
            "attributes": dict(span.attributes),
        }
        for span in trace.walk()
    ]


def _head(trace: "Trace") -> list[tuple[str, str]]:
    total = trace.consumption
    facts = [trace.name, _duration(trace.duration_ms), trace.status]
    if _tokens(total):
        facts.append(f"{total.input_tokens:,} tokens in, {total.output_tokens:,} out")
    if _cost(total):
        facts.append(_cost(total))
    lines = [
        ("  ".join(facts), "bold"),
        (f"{trace.trace_id}  {_when(trace, with_date=True)}", ""),
    ]
    if _question(trace):
        lines.append((f"question: {_question(trace)}", ""))
    if not trace.finished:
        lines.append(("The process ended before this request did; what it had recorded is below.", "yellow"))
    return lines


def _notes(row: "WaterfallRow", attributes: bool) -> list[tuple[str, str]]:
    indent = "  " * (row.depth + 1)
    notes = []
    if row.status != "ok":
        message = _shown(str(row.attributes.get("assay.error.message", "")))
        code = row.error_code or row.status
        notes.append((f"{indent}! {code}" + (f": {message}" if message else ""), _STYLES.get(row.status, "")))
    if attributes:
        for name, value in row.attributes.items():
            notes.append((f"{indent}{name} = {_shown(str(value))[:_SHOWN_ATTRIBUTES]}", "dim"))
    return notes


def _bar(row: "WaterfallRow", size: int, ascii_only: bool) -> str:
    length = min(size, max(1, round(row.share * size)))
    start = min(size - length, int(row.offset_share * size))
    full, empty = ("#", ".") if ascii_only else ("█", "·")
    return empty * start + full * length + empty * (size - start - length)


def _duration(milliseconds: float) -> str:
    if milliseconds >= 100_000:
        return f"{milliseconds / 1000:,.0f} s"
    if milliseconds >= 10_000:
        return f"{milliseconds / 1000:.1f} s"
    if milliseconds >= 100:
        return f"{milliseconds:,.0f} ms"
    return f"{milliseconds:.1f} ms" if milliseconds >= 1 else f"{milliseconds:.2f} ms"


def _tokens(consumption: "Consumption") -> str:
    if not consumption.input_tokens and not consumption.output_tokens:
        return ""
    return f"{consumption.input_tokens:,}>{consumption.output_tokens:,}"


def _cost(consumption: "Consumption") -> str:
    known = f"${consumption.cost_usd:.4g}"
    if consumption.unpriced:
        return "unpriced" if not consumption.cost_usd else f"{known} + {consumption.unpriced} unpriced"
    return known if consumption.input_tokens or consumption.output_tokens or consumption.cost_usd else ""


def _started(trace: "Trace") -> datetime.datetime:
    return datetime.datetime.fromtimestamp(trace.started_ns / 1e9, tz=datetime.UTC)


def _when(trace: "Trace", *, with_date: bool) -> str:
    return _started(trace).astimezone().strftime("%Y-%m-%d %H:%M:%S" if with_date else "%H:%M:%S")


def _question(trace: "Trace") -> str:
    attributes = trace.roots[0].attributes
    text = attributes.get("assay.question") or attributes.get("gen_ai.retrieval.query.text") or ""
    return _shown(str(text))


def _shown(text: str) -> str:
    """On one line and harmless to a terminal."""
    spaced = " ".join(text.split())
    return "".join("�" if unicodedata.category(character) in ("Cc", "Cf", "Cs") else character for character in spaced)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
