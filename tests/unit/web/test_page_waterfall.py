import re

from hypothesis import given
from hypothesis import strategies as st

from assay.app.web.waterfall import tick_marks, trace_markup
from assay.ledger.traces import RecordedSpan, Trace

SECOND = 10**9


def span(name: str, start_ms: float, end_ms: float, *children: RecordedSpan, **options: object) -> RecordedSpan:
    attributes = options.get("attributes", {})
    assert isinstance(attributes, dict)
    status = str(options.get("status", "ok"))
    start, end = int(start_ms * 1e6), int(end_ms * 1e6)
    return RecordedSpan("ab" * 16, name, None, name, start, end, status, None, attributes, children)


def trace(*children: RecordedSpan, **options: object) -> Trace:
    return Trace("ab" * 16, 0, (span("assay.ask", 0, 1000, *children, **options),))


@given(st.floats(1e-3, 1e7))
def test_ticks_are_round_few_and_inside(total_ms: float) -> None:
    ticks = tick_marks(total_ms)
    assert ticks[0] == 0
    assert 2 <= len(ticks) <= 6
    assert ticks[-1] < total_ms
    if len(ticks) > 1:
        assert re.fullmatch(r"[125]\.?0*e[+-]\d+", f"{ticks[1]:.9e}")


def test_bars_lie_where_their_spans_lay() -> None:
    shown = trace_markup(trace(span("retrieve", 100, 350)))
    assert 'class="series-2" style="left:10.000%;width:25.000%"' in shown
    assert "250 ms" in shown


def test_attributes_and_names_are_escaped() -> None:
    hostile = "<img src=x onerror=alert(1)>"
    shown = trace_markup(trace(span(hostile, 1, 2, status="error", attributes={hostile: hostile})))
    assert "<img" not in shown
    assert shown.count("&lt;img") == 3


def test_an_unknown_price_is_said_and_many_siblings_share_a_line() -> None:
    unpriced = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2, "assay.unpriced": True}
    shown = trace_markup(trace(*(span("embed", n, n + 1) for n in range(40)), attributes=unpriced))
    assert "10 in, 2 out, unpriced" in shown
    assert "embed × 28" in shown
