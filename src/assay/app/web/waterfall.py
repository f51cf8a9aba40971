"""A trace as a waterfall: one line per span, its bar where it lies in time, and what it recorded.

The bars are percentages of the trace's length, so the picture needs no script and stays readable
at 390 px. Attributes may hold what users and models wrote: they are escaped like everything else.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from assay.app.web import icons
from assay.app.web.figures import count, duration, money
from assay.ledger.traces import Consumption, Trace, WaterfallRow, waterfall

_SERIES: dict[str, int] = {
    "retrieve": 2, "embed": 2, "search": 2, "lexical": 2, "dense": 2, "fuse": 2,
    "rerank": 3, "pack": 3, "generate": 1, "chat": 1, "verify": 4, "cite": 4,
}  # fmt: skip
"""The colour of a span by the first word of its name; the rest is grey. The name says it too."""

MAX_ROWS = 400
_TICKS = 4
FOLD = 12
"""Of more siblings of one name than this, the rest share a line."""


def trace_markup(trace: Trace) -> Markup:
    """The head and the waterfall of a trace."""
    rows = waterfall(trace, fold=FOLD)
    total_ms = max(trace.duration_ms, 1e-3)
    ticks = tick_marks(total_ms)
    lines = Markup().join(Markup('<span style="left:{}%"></span>').format(f"{100 * at / total_ms:.3f}") for at in ticks)
    labels = Markup().join(
        Markup('<span style="left:{}%">{}</span>').format(f"{100 * at / total_ms:.3f}", duration(at)) for at in ticks
    )
    body = Markup().join(_row(row, lines) for row in rows[:MAX_ROWS])
    left = len(rows) - MAX_ROWS
    return Markup(
        '{}<section class="card flush"><div class="waterfall">'
        '<div class="wf-row wf-head faint" aria-hidden="true"><span>span</span>'
        '<span class="wf-track num">{}</span><span></span></div>'
        "{}{}</div></section>"
    ).format(
        _head(trace, len(rows)),
        labels,
        body,
        Markup('<p class="nothing">and {} more spans</p>').format(count(left)) if left > 0 else Markup(),
    )


def tick_marks(total_ms: float) -> list[float]:
    """Round times from 0 that divide the trace in two to five parts."""
    step = 10 ** math.floor(math.log10(total_ms / _TICKS))
    step *= next(factor for factor in (1, 2, 5, 10) if total_ms / (step * factor) <= _TICKS + 1)
    return [step * n for n in range(int(total_ms / step) + 1) if step * n < total_ms * 0.94]


def _head(trace: Trace, rows: int) -> Markup:
    started = datetime.fromtimestamp(trace.started_ns / 1e9, tz=UTC)
    icon = (
        icons.GOOD if trace.status == "ok" else icons.WARN if trace.status in ("cancelled", "unfinished") else icons.BAD
    )
    kind = {"ok": "good", "error": "bad"}.get(trace.status, "warn")
    facts = [duration(trace.duration_ms), count(rows, "span"), *_consumed(trace.consumption)]
    return Markup(
        '<div class="trace-head"><span class="tag {}">{}{}</span><span class="num muted">{}</span>'
        '<time class="num faint" datetime="{}">{} UTC</time><code class="faint">{}</code></div>'
    ).format(
        kind, icon, trace.status, ", ".join(facts),
        started.isoformat(), started.strftime("%d %b %Y %H:%M:%S"), trace.trace_id,
    )  # fmt: skip


def _consumed(consumption: Consumption) -> list[str]:
    out = []
    if consumption.input_tokens or consumption.output_tokens:
        out.append(f"{count(consumption.input_tokens)} in, {count(consumption.output_tokens)} out")
        out.append("unpriced" if consumption.unpriced else money(consumption.cost_usd))
    return out


def _row(row: WaterfallRow, lines: Markup) -> Markup:
    left = min(100.0, 100 * row.offset_share)
    width = max(0.0, min(100.0 - left, 100 * row.share))
    name = row.name if row.folded == 1 else f"{row.name} × {row.folded}"
    error = Markup('<span class="tag bad">{}</span>').format(row.error_code or row.status) if row.status != "ok" else ""
    line = Markup(
        '<span class="wf-name" style="padding-left:{}px"><bdi>{}</bdi>{}</span>'
        '<span class="wf-track" aria-hidden="true">{}<i class="{}" style="left:{}%;width:{}%"></i></span>'
        '<span class="right num muted">{}</span>'
    ).format(
        min(row.depth, 8) * 12, name, error, lines, _kind(row), f"{left:.3f}", f"{width:.3f}", duration(row.duration_ms)
    )
    attributes = _attributes(row.attributes)
    if not attributes:
        return Markup('<div class="wf-row">{}</div>').format(line)
    return Markup('<details class="wf-span"><summary class="wf-row">{}</summary>{}</details>').format(line, attributes)


def _kind(row: WaterfallRow) -> str:
    first = row.name.removeprefix("assay.").replace(".", " ").replace("_", " ").split(" ")[0]
    series = _SERIES.get(first)
    return "failed" if row.status == "error" else f"series-{series}" if series and row.depth else ""


def _attributes(attributes: Mapping[str, Any]) -> Markup:
    pairs = Markup().join(
        Markup('<dt><code>{}</code></dt><dd dir="auto">{}</dd>').format(name, str(value)[:2000])
        for name, value in sorted(attributes.items())
        if value is not None
    )
    return Markup('<dl class="attributes">{}</dl>').format(pairs) if pairs else Markup()
