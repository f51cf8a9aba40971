"""Reading traces: one by its id or a prefix of it, the recent ones, and the waterfall of one.

A trace is a tree of spans. When the process died before the request ended, the spans above those
that were written are missing; the trace is then not `finished`, and its orphans are shown as
roots rather than hidden.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from assay.errors import BadInput, NotFound
from assay.ledger.conventions import COST_USD, INPUT_TOKENS, OUTPUT_TOKENS
from assay.ledger.database import Database
from assay.ledger.rows import attributes_of
from assay.ledger.tables import span as table

MIN_PREFIX = 4
_SHOWN_CANDIDATES = 8
_SHOWN_ORPHANS = 500
# Listing reads what a line of the list is made of: a trace may have tens of thousands of spans.
_COUNTS = sa.or_(
    table.c.parent_id.is_(None),
    table.c.input_tokens.is_not(None),
    table.c.output_tokens.is_not(None),
    table.c.cost_usd.is_not(None),
)
_LIGHT = sa.select(
    *[column for column in table.c if column is not table.c.attributes],
    sa.case((table.c.parent_id.is_(None), table.c.attributes), else_="{}").label("attributes"),
)
_SEE_RECENT = "Run `assay trace` to see the recent ones."


@dataclass(frozen=True, slots=True)
class Consumption:
    """Tokens and cost of a span and everything under it.

    `cost_usd` sums what has a price; `unpriced` counts the model calls that have none, so that an
    unknown price never looks like a price of zero.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    unpriced: int = 0

    def __add__(self, other: "Consumption") -> "Consumption":
        return Consumption(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_usd + other.cost_usd,
            self.unpriced + other.unpriced,
        )


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """A span as it was recorded. Times are nanoseconds since 1970; `status` is ok, error or cancelled."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    status: str
    error_code: str | None
    attributes: Mapping[str, Any]
    children: tuple["RecordedSpan", ...] = ()

    @property
    def duration_ms(self) -> float:
        """Milliseconds from start to end."""
        return (self.end_ns - self.start_ns) / 1e6

    @property
    def consumption(self) -> Consumption:
        """Own figures where the span has any (they cover its subtree), else the sum of its children's."""
        own = self.attributes
        if INPUT_TOKENS not in own and OUTPUT_TOKENS not in own and COST_USD not in own:
            return sum((child.consumption for child in self.children), Consumption())
        return Consumption(
            own.get(INPUT_TOKENS, 0), own.get(OUTPUT_TOKENS, 0), own.get(COST_USD, 0.0), int(COST_USD not in own)
        )

    def walk(self) -> Iterator["RecordedSpan"]:
        """This span and all under it, parents first, in order of start."""
        pending = [self]
        while pending:
            span = pending.pop()
            yield span
            pending.extend(reversed(span.children))


@dataclass(frozen=True, slots=True)
class Trace:
    """One request. `roots` is one span when it `finished`; orphans of a request cut short otherwise."""

    trace_id: str
    started_ns: int
    roots: tuple[RecordedSpan, ...]

    @property
    def finished(self) -> bool:
        """Whether the root was recorded."""
        return len(self.roots) == 1 and self.roots[0].parent_id is None

    @property
    def name(self) -> str:
        """The root's name; `(unfinished)` where the root is missing."""
        return self.roots[0].name if self.finished else "(unfinished)"

    @property
    def duration_ms(self) -> float:
        """Milliseconds from the start of the request to its last recorded end."""
        return (max(root.end_ns for root in self.roots) - self.started_ns) / 1e6

    @property
    def status(self) -> str:
        """ok, error or cancelled, of the root; `unfinished` where the root is missing."""
        return self.roots[0].status if self.finished else "unfinished"

    @property
    def consumption(self) -> Consumption:
        """Tokens and cost of the whole request."""
        return sum((root.consumption for root in self.roots), Consumption())

    def walk(self) -> Iterator[RecordedSpan]:
        """All spans, parents first, in order of start."""
        for root in self.roots:
            yield from root.walk()


@dataclass(frozen=True, slots=True)
class WaterfallRow:
    """One line of the picture: `offset_ms` after the start of the trace, `duration_ms` long.

    `offset_share` and `share` are the same two in parts of the whole trace, in [0, 1]. `folded`
    is how many spans of one name the row stands for; their durations overlap or have gaps, so
    `duration_ms` runs from the first start to the last end.
    """

    depth: int
    name: str
    offset_ms: float
    duration_ms: float
    offset_share: float
    share: float
    status: str
    error_code: str | None
    consumption: Consumption
    span_id: str
    attributes: Mapping[str, Any]
    folded: int = 1


def load(database: Database, trace_id: str) -> Trace:
    """The trace whose id is or begins with `trace_id` (at least 4 characters).

    Raises BadInput where it is no id, or begins several (the hint lists them); NotFound where
    there is none.
    """
    prefix = trace_id.strip().lower()
    if not prefix or set(prefix) - set("0123456789abcdef") or len(prefix) > 32:
        raise BadInput(f"{trace_id!r} is not a trace id: they are 32 hexadecimal digits.", hint=_SEE_RECENT)
    if len(prefix) < MIN_PREFIX:
        raise BadInput(
            f"{trace_id!r} is too short for a trace id.", hint=f"Give at least its first {MIN_PREFIX} digits."
        )
    with database.read() as connection:
        # "g" sorts after every hexadecimal digit, so the range is exactly the ids that begin so, by index.
        begins = sa.and_(table.c.trace_id >= prefix, table.c.trace_id < prefix + "g")
        matches = sa.select(table.c.trace_id).where(begins).distinct().order_by(table.c.trace_id)
        found = list(connection.execute(matches.limit(_SHOWN_CANDIDATES + 1)).scalars())
        if not found:
            raise NotFound(f"There is no trace {trace_id}.", hint=_SEE_RECENT)
        if len(found) > 1:
            more = ", ..." if len(found) > _SHOWN_CANDIDATES else ""
            candidates = ", ".join(found[:_SHOWN_CANDIDATES]) + more
            raise BadInput(f"Several traces begin with {prefix}.", hint=f"Give more digits; there are {candidates}.")
        rows = connection.execute(sa.select(table).where(table.c.trace_id == found[0])).mappings().all()
    return _tree(rows)


def recent(database: Database, n: int = 20) -> list[Trace]:
    """The `n` traces that started last, newest first, in outline: the root and the spans with tokens or cost.

    Only roots carry all their attributes. `load` reads a trace whole.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    newest = (
        sa.select(table.c.trace_start_ns, table.c.trace_id)
        .distinct()
        .order_by(table.c.trace_start_ns.desc(), table.c.trace_id.desc())
        .limit(n)
    )
    with database.read() as connection:
        ids = [trace_id for _, trace_id in connection.execute(newest)]
        grouped: dict[str, list[RowMapping]] = {trace_id: [] for trace_id in ids}
        for row in connection.execute(_LIGHT.where(table.c.trace_id.in_(ids), _COUNTS)).mappings():
            grouped[row["trace_id"]].append(row)
        for trace_id, rows in grouped.items():
            if not any(row["parent_id"] is None for row in rows):
                orphans = _LIGHT.where(table.c.trace_id == trace_id).order_by(table.c.start_ns)
                grouped[trace_id] = list(connection.execute(orphans.limit(_SHOWN_ORPHANS)).mappings())
    return [_tree(rows) for rows in grouped.values()]


def waterfall(trace: Trace, *, fold: int | None = None) -> list[WaterfallRow]:
    """The trace as rows from top to bottom, parents first.

    Of more than `fold` siblings of one name, the first `fold` have rows of their own and the rest
    share one; None folds nothing.
    """
    whole_ms = max(trace.duration_ms, 1e-6)
    rows: list[WaterfallRow] = []

    def add(group: list[RecordedSpan], depth: int) -> None:
        first = group[0]
        start_ns = min(span.start_ns for span in group)
        end_ns = max(span.end_ns for span in group)
        offset_ms, duration_ms = (start_ns - trace.started_ns) / 1e6, (end_ns - start_ns) / 1e6
        failed = next((span for span in group if span.status != "ok"), first)
        rows.append(
            WaterfallRow(
                depth=depth,
                name=first.name,
                offset_ms=offset_ms,
                duration_ms=duration_ms,
                offset_share=min(1.0, max(0.0, offset_ms / whole_ms)),
                share=min(1.0, duration_ms / whole_ms),
                status=failed.status,
                error_code=failed.error_code,
                consumption=sum((span.consumption for span in group), Consumption()),
                span_id=first.span_id,
                attributes=first.attributes,
                folded=len(group),
            )
        )

    def descend(siblings: tuple[RecordedSpan, ...], depth: int) -> None:
        for group in _folded(siblings, fold):
            add(group, depth)
            if len(group) == 1:
                descend(group[0].children, depth + 1)

    descend(trace.roots, 0)
    return rows


def _folded(siblings: tuple[RecordedSpan, ...], fold: int | None) -> list[list[RecordedSpan]]:
    if fold is None:
        return [[span] for span in siblings]
    totals = Counter(span.name for span in siblings)
    seen: Counter[str] = Counter()
    groups: list[list[RecordedSpan]] = []
    shared: dict[str, list[RecordedSpan]] = {}
    for span in siblings:
        seen[span.name] += 1
        # A fold of one span would hide it to save nothing.
        if totals[span.name] <= fold + 1 or seen[span.name] <= fold:
            groups.append([span])
        elif span.name in shared:
            shared[span.name].append(span)
        else:
            shared[span.name] = [span]
            groups.append(shared[span.name])
    return groups


def _tree(rows: Sequence[RowMapping]) -> Trace:
    by_parent: dict[str | None, list[RowMapping]] = {}
    known = {row["span_id"] for row in rows}
    root_id = next((row["span_id"] for row in rows if row["parent_id"] is None), None)
    for row in sorted(rows, key=lambda row: (row["start_ns"], row["id"])):
        parent_id = row["parent_id"]
        if parent_id is not None and parent_id not in known:
            parent_id = root_id  # the spans between were dropped by a full queue, or never written
        by_parent.setdefault(parent_id, []).append(row)

    def grown(row: RowMapping) -> RecordedSpan:
        return RecordedSpan(
            trace_id=row["trace_id"],
            span_id=row["span_id"],
            parent_id=row["parent_id"],
            name=row["name"],
            start_ns=row["start_ns"],
            end_ns=row["end_ns"],
            status=row["status"],
            error_code=row["error_code"],
            attributes=attributes_of(row),
            children=tuple(grown(child) for child in by_parent.get(row["span_id"], ())),
        )

    roots = tuple(grown(row) for row in by_parent[None])
    return Trace(rows[0]["trace_id"], min(row["trace_start_ns"] for row in rows), roots)
