"""Runs on both databases: started, resumed, held by one process, written in batches, read back whole."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from assay.errors import BadInput, Conflict, NotFound
from assay.evals.live_run import LiveRun
from assay.evals.output import Cited, Output, Retrieved
from assay.evals.result import Result, scores_from, scores_json
from assay.evals.run_spec import RunSpec
from assay.evals.runs import Runs
from assay.evals.scorer import Score
from assay.evals.tables import run as run_table
from assay.gateway.tally import Tally
from assay.ledger.database import Database, open_database
from assay.models.chat import Usage


def spec(**changed: object) -> RunSpec:
    whole = RunSpec(
        system="mine",
        subject="s1",
        kind="answerer",
        set_digest="0" * 64,
        set_name="golden",
        cases=1200,
        replicas=2,
        scorers=({"metrics": ["exact_match"], "digest": "d1", "judge": None},),
        details={"concurrency": 8},
    )
    return replace(whole, **changed)  # type: ignore[arg-type]


def result(ordinal: int, replica: int = 0, *, value: float | None = 1.0, error: str = "") -> Result:
    output = Output(
        text="wer\0 \ud800 weiß?",
        citations=(Cited("a.md", "quote", 1, 6),),
        passages=(Retrieved("a.md", "text", 0, 4, 0.5),),
        confidence=0.5,
        usage=Usage(uncached=3, output=4),
        cost_usd=None,
        latency_ms=12.5,
        calls=2,
        extra={"more": [1, {"x": None}]},
    )
    score = Score(value, error="" if value is not None else "garbled: prose")
    return Result(
        ordinal,
        replica,
        f"c{ordinal}\0",
        None if error else output,
        {"exact_match": score},
        error,
        None,
        12.5,
        3,
        2,
        0.25,
        9,
    )


def test_results_come_back_as_they_were_added(database: Database) -> None:
    runs = Runs(database)
    added = [result(i, r) for i in range(600) for r in range(2)]
    with runs.start(spec()) as live:
        for one in reversed(added):
            live.add(one, Tally(1, 2, 0.5, 1))
        live.finish("done", {"metrics": {}})
    found = list(runs.results(live.id))
    assert [replace(one, case_id=one.case_id.replace("\ufffd", "\0")) for one in found] == added
    assert [one.output for one in runs.results(live.id, outputs=False)] == [None] * 1200
    record = runs.get(live.id)
    assert (record.status, record.results, record.failed, record.summary) == ("done", 1200, 0, {"metrics": {}})
    assert (record.paid_calls, record.cached_calls, record.cost_usd, record.unpriced_calls) == (1200, 2400, 600.0, 1200)
    assert record.means == {"exact_match": 1.0}
    assert record.spec == spec()
    assert runs.result(live.id, "c7\ufffd", replica=1) == replace(found[15])
    with pytest.raises(NotFound):
        runs.result(live.id, "nothing")


def test_scores_keep_every_part() -> None:
    scores = {
        "plain": Score(0.5),
        "failed": Score(None, error="garbled: prose"),
        "told": Score(1.0, reasoning="<b>because</b> \x1b[31m", details={"statements": ["a", "b"]}),
    }
    assert scores_from(scores_json(scores)) == scores
    assert json.loads(scores_json(scores))["plain"] == 0.5


def test_an_unfinished_run_is_resumed_and_a_finished_one_is_not(database: Database) -> None:
    runs = Runs(database)
    with runs.start(spec()) as first:
        first.add(result(0), Tally(1, 0, 0.5))
        first.add(result(1, error="timed_out: slow"), Tally(1, 0, 0.5))
        first.add(result(2, value=None), Tally(1, 0, 0.5))
        first.spend(Tally(1, 0, 0.25))
    assert runs.get(first.id).status == "interrupted"
    unfinished = runs.unfinished(spec())
    assert unfinished is not None
    assert unfinished.id == first.id
    with runs.start(spec()) as second:
        assert second.id == first.id
        assert second.resumed
        assert [second.state[2 * i] for i in range(4)] == [1, 2, 2, 0]
        second.add(result(1), Tally(1, 0, 0.5))
        second.finish("done")
    record = runs.get(first.id)
    assert (record.results, record.failed, record.paid_calls, record.cost_usd) == (3, 1, 5, 2.25)
    assert [one.error for one in runs.results(first.id)] == ["", "", ""]
    assert runs.unfinished(spec()) is None
    with runs.start(spec()) as third:
        assert third.id != first.id
        assert not third.resumed


@pytest.mark.parametrize("status", ["budget", "failed", "interrupted"])
def test_every_way_of_stopping_can_be_resumed(sqlite_database: Database, status: str) -> None:
    runs = Runs(sqlite_database)
    with runs.start(spec()) as first:
        first.finish(status)  # type: ignore[arg-type]
    assert runs.get(first.id).status == status
    with runs.start(spec(), resume=False) as fresh:
        assert fresh.id != first.id
        fresh.finish("done")
    with runs.start(spec()) as again:
        assert again.id == first.id


def test_resuming_matches_what_can_change_a_score_and_nothing_else() -> None:
    same = (
        spec(system="another name"),
        spec(details={"concurrency": 1}),
        spec(set_name="renamed"),
        spec(scorers=tuple(dict(one, judge={"last_check": "today"}) for one in spec().scorers)),
    )
    other = (
        spec(subject="s2"),
        spec(subject=None),
        spec(kind="retriever"),
        spec(set_digest="1" * 64),
        spec(replicas=3),
        spec(scorers=({"metrics": ["exact_match"], "digest": "d2", "judge": None},)),
    )
    assert {one.digest for one in same} == {spec().digest}
    assert len({spec().digest, *(one.digest for one in other)}) == 1 + len(other)
    assert spec(subject=None).digest != spec(subject=None, system="another").digest


_HOLDER = """
import sys, time
sys.path[:0] = sys.argv[2:]
from assay.evals.runs import Runs
from assay.ledger.database import open_database
from test_runs import result, spec
from assay.gateway.tally import Tally
live = Runs(open_database(sys.argv[1])).start(spec())
live.add(result(0), Tally(1, 0, 0.5))
live.flush()
live.add(result(1), Tally(1, 0, 0.5))
print(live.id, flush=True)
time.sleep(60)
"""


def test_one_process_holds_a_run_until_it_dies(database_url: str) -> None:
    database = open_database(database_url)
    runs = Runs(database)
    folder = str(__file__).rsplit("/", 1)[0]
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, database_url, folder], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    run_id = holder.stdout.readline().strip()
    try:
        with pytest.raises(Conflict) as caught:
            runs.start(spec())
        assert str(holder.pid) in caught.value.message
        assert caught.value.slug == "run_in_progress"
        assert runs.get(run_id).status == "running"
        with runs.start(spec(subject="other")) as other:
            assert other.id != run_id
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert runs.get(run_id).status == "interrupted"
    with runs.start(spec()) as live:
        assert live.id == run_id
        # The second result was added and not written: SQLite's journal has it.
        assert live.standing.results == (2 if database.is_sqlite else 1)
        assert live.totals.cost_usd == (1.0 if database.is_sqlite else 0.5)
        live.finish("done")
    record = runs.get(run_id)
    assert record.paid_calls == record.results == len(list(runs.results(run_id)))
    database.close()


def test_a_run_held_by_this_process_is_not_started_twice(database: Database) -> None:
    runs = Runs(database)
    with runs.start(spec()), pytest.raises(Conflict, match="already running"):
        runs.start(spec())
    with runs.start(spec()) as live:
        assert live.resumed


def test_runs_are_found_by_prefix_and_listed_newest_first(database: Database) -> None:
    runs = Runs(database)
    for i in range(4):
        with runs.start(spec(subject=f"s{i}", system="even" if i % 2 == 0 else "odd")) as live:
            live.finish("done")
    ids = [record.id for record in runs.list()]
    assert [record.spec.subject for record in runs.list()] == ["s3", "s2", "s1", "s0"]
    assert [record.spec.subject for record in runs.list(1, system="even")] == ["s2"]
    assert runs.list(set_digest="1" * 64) == []
    with database.write() as connection:
        for number, run_id in enumerate(ids):
            renamed = f"abc{number}{run_id[4:]}"
            connection.execute(sa.update(run_table).where(run_table.c.id == run_id).values(id=renamed))
    assert runs.get("ABC2").id == "abc2" + ids[2][4:]
    with pytest.raises(BadInput) as ambiguous:
        runs.get("abc")
    assert "abc3" in ambiguous.value.hint
    for nothing in ("abcd", "0" * 40):
        with pytest.raises(NotFound):
            runs.get(nothing)
    for odd in ("", "%", "latest!", "abc_"):
        with pytest.raises(BadInput):
            runs.get(odd)


def test_a_batch_that_cannot_be_written_is_kept_for_the_next_try(sqlite_database: Database) -> None:
    runs = Runs(sqlite_database)
    with runs.start(spec()) as live:
        with sqlite_database.session() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        for i in range(1000):
            live.add(result(i), Tally(1, 0, 0.5))
        with pytest.raises(Conflict):
            live.flush()
        with sqlite_database.session() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1000000")
        live.add(result(1000), Tally(1, 0, 0.5))
        live.finish("done")
    record = runs.get(live.id)
    assert (record.results, record.paid_calls, record.cost_usd) == (1001, 1001, 500.5)
    assert len(list(runs.results(live.id))) == 1001


def die(live: LiveRun) -> None:
    """What the kernel does to a killed process: locks go, files stay."""
    if live._journal:
        live._journal.close(keep=True)
    live._stack.close()


def test_what_was_added_and_not_written_is_taken_over_once(sqlite_database: Database, tmp_path: Path) -> None:
    runs = Runs(sqlite_database)
    first = runs.start(spec())
    for i in range(3):
        first.add(result(i), Tally(1, 0, 0.5))
    logs = {path: path.read_bytes() for path in (tmp_path / "assay.db.pending" / first.id).glob("*.log")}
    first.flush()
    first.add(result(3, error="timed_out: slow"), Tally(1, 0, 0.5))
    die(first)
    # As if the kill had come between the commit and the emptying of the file.
    for path, content in logs.items():
        if content:
            path.write_bytes(content)
    with runs.start(spec()) as second:
        assert (second.standing.results, second.standing.failed) == (4, 1)
        assert [second.state[2 * i] for i in range(5)] == [1, 1, 1, 2, 0]
        assert second.totals.paid_calls == 4
        second.finish("done")
    record = runs.get(first.id)
    assert (record.results, record.paid_calls, record.cost_usd) == (4, 4, 2.0)
    assert list((tmp_path / "assay.db.pending").iterdir()) == []


def test_an_attempt_that_ended_has_nothing_to_take_over(sqlite_database: Database, tmp_path: Path) -> None:
    runs = Runs(sqlite_database)
    first = runs.start(spec())
    first.add(result(0), Tally(1, 0, 0.5))
    logs = {path: path.read_bytes() for path in (tmp_path / "assay.db.pending" / first.id).glob("*.log")}
    first.finish("budget")
    die(first)
    for path, content in logs.items():
        path.write_bytes(content)
    with runs.start(spec()) as second:
        assert second.totals.paid_calls == 1
        assert not second.paid_before(first.attempt, 2)


def test_the_means_of_a_run_count_what_failed_as_nothing(sqlite_database: Database) -> None:
    """One of four failed, then is tried again with success: .75, then 1."""
    runs = Runs(sqlite_database)
    with runs.start(spec()) as first:
        for ordinal in range(3):
            first.add(result(ordinal), Tally())
        first.add(result(3, value=0.0, error="timed_out: slow"), Tally())
    assert runs.get(first.id).means == {"exact_match": 0.75}
    with runs.start(spec()) as second:
        second.add(result(3, value=0.0, error="timed_out: slow"), Tally())
        assert second.standing.means() == {"exact_match": 0.75}
        second.add(result(3), Tally())
        second.add(result(4, value=None), Tally())
    record = runs.get(first.id)
    assert (record.results, record.failed, record.means) == (5, 1, {"exact_match": 0.8})


def test_a_finished_run_has_the_means_of_its_scoreboard(sqlite_database: Database) -> None:
    runs = Runs(sqlite_database)
    with runs.start(spec()) as live:
        live.add(result(0), Tally())
        live.finish("done", {"metrics": {"exact_match": {"value": 0.25}}})
    assert runs.get(live.id).means == {"exact_match": 0.25}
