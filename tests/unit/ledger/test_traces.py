"""Traces are found by id and prefix, listed by age, and drawn as they happened."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from assay.errors import BadInput, NotFound
from assay.ledger.database import Database, open_database, sqlite_url
from assay.ledger.tables import span as table
from assay.ledger.traces import load, recent, waterfall


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(sqlite_url(tmp_path / "assay.db"))
    yield database
    database.close()


def insert(database: Database, trace_id: str, spans: list[dict[str, object]], *, started_ns: int = 10**18) -> None:
    """Spans given as name, id, parent and times in ms; the rest is filled in."""
    rows = []
    for given in spans:
        row: dict[str, object] = {
            "trace_id": trace_id,
            "parent_id": given.get("parent"),
            "name": given["name"],
            "span_id": given["id"],
            "trace_start_ns": started_ns,
            "start_ns": started_ns + int(given["at"] * 1e6),  # type: ignore[operator]
            "end_ns": started_ns + int(given["to"] * 1e6),  # type: ignore[operator]
            "status": given.get("status", "ok"),
            "error_code": given.get("error"),
            "input_tokens": given.get("tokens"),
            "output_tokens": given.get("tokens"),
            "cost_usd": given.get("cost"),
            "attributes": "{}",
        }
        rows.append(row)
    with database.write() as connection:
        connection.execute(sa.insert(table), rows)


ASK = [
    {"name": "generate", "id": "c" * 16, "parent": "a" * 16, "at": 30, "to": 90, "tokens": 7, "cost": 0.5},
    {"name": "retrieve", "id": "b" * 16, "parent": "a" * 16, "at": 0, "to": 25},
    {"name": "embed", "id": "e" * 16, "parent": "b" * 16, "at": 5, "to": 10, "tokens": 2, "cost": 0.25},
    {"name": "verify", "id": "d" * 16, "parent": "a" * 16, "at": 90, "to": 100, "status": "error", "error": "refused"},
    {"name": "assay.ask", "id": "a" * 16, "at": 0, "to": 100},
]


def test_a_waterfall_has_depths_offsets_and_shares_of_the_whole(database: Database) -> None:
    insert(database, "1234" + "0" * 28, ASK)
    trace = load(database, "1234")
    rows = waterfall(trace)
    assert [(row.depth, row.name, row.offset_ms, row.duration_ms) for row in rows] == [
        (0, "assay.ask", 0, 100),
        (1, "retrieve", 0, 25),
        (2, "embed", 5, 5),
        (1, "generate", 30, 60),
        (1, "verify", 90, 10),
    ]
    assert [(row.offset_share, row.share) for row in rows] == [(0, 1), (0, 0.25), (0.05, 0.05), (0.3, 0.6), (0.9, 0.1)]
    assert (rows[4].status, rows[4].error_code) == ("error", "refused")
    assert trace.duration_ms == 100
    assert (trace.consumption.input_tokens, trace.consumption.cost_usd) == (9, 0.75)


def test_a_figure_of_a_parent_covers_its_children_and_is_not_added_to_theirs(database: Database) -> None:
    spans = [dict(given) for given in ASK]
    spans[-1] |= {"tokens": 9, "cost": 0.75}
    insert(database, "1" * 32, spans)
    total = load(database, "1" * 32).consumption
    assert (total.input_tokens, total.cost_usd, total.unpriced) == (9, 0.75, 0)


def test_tokens_without_a_price_are_unpriced_never_free(database: Database) -> None:
    insert(database, "1" * 32, [{"name": "generate", "id": "a" * 16, "at": 0, "to": 1, "tokens": 5}])
    total = load(database, "1" * 32).consumption
    assert (total.cost_usd, total.unpriced) == (0.0, 1)


def test_an_id_may_be_cut_short_until_it_is_ambiguous(database: Database) -> None:
    for trace_id in ("abcd1" + "0" * 27, "abcd2" + "0" * 27, "ffff" + "f" * 28):
        insert(database, trace_id, ASK)
    assert load(database, "abcd1").trace_id == "abcd1" + "0" * 27
    assert load(database, " FFFF\n").trace_id == "ffff" + "f" * 28
    with pytest.raises(BadInput) as ambiguous:
        load(database, "abcd")
    assert "abcd1000" in ambiguous.value.hint
    assert "abcd2000" in ambiguous.value.hint
    with pytest.raises(NotFound) as unknown:
        load(database, "0000")
    assert "assay trace" in unknown.value.hint


@pytest.mark.parametrize("wrong", ["", "   ", "abc", "xyz0", "abcd%", "'; drop table span; --", "a" * 33, "é" * 8])
def test_what_is_no_id_is_refused(database: Database, wrong: str) -> None:
    with pytest.raises(BadInput) as refused:
        load(database, wrong)
    assert refused.value.hint


def test_recent_traces_come_newest_first(database: Database) -> None:
    for n in range(5):
        insert(database, f"{n}" * 32, ASK, started_ns=10**18 + n)
    assert [trace.trace_id[0] for trace in recent(database, 3)] == ["4", "3", "2"]
    assert recent(database, 3)[0].consumption.input_tokens == 9
    with pytest.raises(ValueError, match="at least 1"):
        recent(database, 0)


def test_a_request_cut_short_is_shown_as_unfinished_with_what_it_recorded(database: Database) -> None:
    insert(database, "5" * 32, ASK[:-1])
    trace = load(database, "5" * 32)
    assert not trace.finished
    assert (trace.status, trace.name) == ("unfinished", "(unfinished)")
    assert [row.name for row in waterfall(trace)] == ["retrieve", "embed", "generate", "verify"]
    (listed,) = recent(database, 1)
    assert (listed.status, listed.consumption, listed.duration_ms) == ("unfinished", trace.consumption, 100)


def test_a_finished_root_whose_other_spans_were_dropped_still_counts_as_finished(database: Database) -> None:
    insert(database, "6" * 32, [ASK[-1]])
    assert load(database, "6" * 32).finished


def test_spans_whose_parent_was_dropped_hang_from_the_root(database: Database) -> None:
    insert(database, "9" * 32, [given for given in ASK if given["name"] != "retrieve"])
    trace = load(database, "9" * 32)
    assert trace.finished
    assert [row.name for row in waterfall(trace)] == ["assay.ask", "embed", "generate", "verify"]


def test_many_siblings_of_one_name_fold_into_one_row(database: Database) -> None:
    root = {"name": "assay.ingest", "id": "a" * 16, "at": 0, "to": 1000}
    spans: list[dict[str, object]] = [
        {"name": "embed", "id": f"{n:016x}", "parent": "a" * 16, "at": n, "to": n + 1, "tokens": 1} for n in range(1000)
    ]
    spans[500] |= {"status": "error", "error": "timed_out"}
    insert(database, "7" * 32, [*spans, root, {"name": "commit", "id": "c" * 16, "parent": "a" * 16, "at": 1, "to": 2}])
    rows = waterfall(load(database, "7777"), fold=3)
    assert [(row.name, row.folded) for row in rows if row.depth] == [
        ("embed", 1),
        ("embed", 1),
        ("commit", 1),
        ("embed", 1),
        ("embed", 997),
    ]
    folded = rows[-1]
    assert (folded.offset_ms, folded.duration_ms) == (3, 997)
    assert (folded.status, folded.error_code) == ("error", "timed_out")
    assert folded.consumption.input_tokens == 997
    assert len(waterfall(load(database, "7777"))) == 1002


def test_an_empty_ledger_has_no_traces(database: Database) -> None:
    assert recent(database) == []


def test_a_trace_of_an_instant_has_no_division_by_zero(database: Database) -> None:
    insert(database, "8" * 32, [{"name": "assay.ask", "id": "a" * 16, "at": 0, "to": 0}])
    (row,) = waterfall(load(database, "8" * 32))
    assert (row.offset_share, row.share) == (0, 0)


def test_lookups_use_the_indexes(database: Database) -> None:
    with database.read() as connection:
        prefix = "select distinct trace_id from span where trace_id >= 'ab' and trace_id < 'abg'"
        newest = (
            "select distinct trace_start_ns, trace_id from span order by trace_start_ns desc, trace_id desc limit 5"
        )
        for statement in (prefix, newest):
            plan = str(connection.exec_driver_sql(f"explain query plan {statement}").all())
            assert "USING COVERING INDEX" in plan
            assert "TEMP B-TREE" not in plan
