"""Races are written down before the first call, found again by what they are, and known for what became of them."""

import json
import subprocess
import sys
import time

import pytest
import sqlalchemy as sa

from assay.decisions.hypothesis import Hypothesis, Margins, Named
from assay.decisions.race.store import Races, claim_name
from assay.decisions.register import Register
from assay.decisions.tables import race as table
from assay.errors import BadInput, NotFound
from assay.ledger.claim import claimed
from assay.ledger.database import Database

VIEW = {"arms": [{"number": 0, "mean": 0.5}], "status": "planned", "created_ns": 1, "finished_ns": 2, "race_id": "?"}
CONFIRMED = Hypothesis(
    set_name="support",
    season=1,
    set_digest="d",
    order_digest="o",
    items=40,
    clusters=None,
    metric="exact_match",
    incumbent=Named("old", "1"),
    candidate=Named("new", "2"),
    scorers=("s",),
    objective="better",
    rule="exact-horizon",
    alpha=0.025,
    beta=0.05,
    margins=Margins(),
    horizon=20,
)
RACE = """
import sys, time
from assay.decisions.race.store import Races, claim_name
from assay.ledger.claim import claimed
from assay.ledger.database import open_database
database = open_database(sys.argv[1])
with claimed(database, claim_name("d")):
    print(Races(database).open(set_name="support", digest="d", view={}).id, flush=True)
    time.sleep(600)
"""


def test_what_is_opened_comes_back_and_says_when_and_who_it_is(database: Database) -> None:
    before = time.time_ns()
    races = Races(database)
    with claimed(database, claim_name("d")) as who:
        assert who == ""
        opened = races.open(set_name="support", digest="d", view=VIEW)
        assert (opened.status, opened.set_name, opened.digest) == ("running", "support", "d")
        assert (opened.finished_ns, opened.decision_id) == (None, None)
        assert before <= opened.created_ns <= time.time_ns()
        assert opened.view == {
            "arms": VIEW["arms"],
            "race_id": opened.id,
            "status": "running",
            "created_ns": opened.created_ns,
            "finished_ns": None,
        }
        assert races.get(opened.id) == opened
    assert races.open(set_name="support", digest="e", view={}, race_id="ab" * 16).id == "ab" * 16


def test_it_keeps_when_it_was_opened_whatever_a_later_view_says(database: Database) -> None:
    races = Races(database)
    opened = races.open(set_name="support", digest="d", view=VIEW)
    races.update(opened.id, view={**VIEW, "created_ns": 7, "finished_ns": 8, "status": "running", "more": True})
    found = races.get(opened.id)
    assert (found.created_ns, found.view["created_ns"]) == (opened.created_ns, opened.created_ns)
    assert (found.finished_ns, found.view["finished_ns"], found.view["more"]) == (None, None, True)


def test_only_what_is_given_is_rewritten_and_an_end_is_stamped(database: Database) -> None:
    races = Races(database)
    opened = races.open(set_name="support", digest="d", view={"arms": 1})
    other = races.open(set_name="support", digest="e", view={"arms": 2})
    decision = Register(database).open(CONFIRMED, details={})
    races.update(opened.id, decision_id=decision.id)
    races.update(opened.id)
    races.update(opened.id, status="done")
    done = races.get(opened.id)
    assert (done.status, done.decision_id, done.view["arms"]) == ("done", decision.id, 1)
    assert done.finished_ns is not None
    assert done.finished_ns >= done.created_ns
    assert (done.view["status"], done.view["finished_ns"]) == ("done", done.finished_ns)
    races.update(opened.id, status="failed")
    assert races.get(opened.id).finished_ns is not None
    for status in ("budget", "interrupted"):  # these are gone on with, so they have not ended
        races.update(opened.id, status=status)  # type: ignore[arg-type]
        assert (races.get(opened.id).status, races.get(opened.id).finished_ns) == (status, None)
    assert (races.get(other.id).decision_id, races.get(other.id).view["arms"]) == (None, 2)


def test_the_newest_of_a_digest_is_found_and_no_other(database: Database) -> None:
    races = Races(database)
    assert races.find("d") is None
    first = races.open(set_name="support", digest="d", view={})
    _stranger = races.open(set_name="support", digest="e", view={})
    assert _id(races.find("d")) == first.id
    second = races.open(set_name="other", digest="d", view={})
    assert _id(races.find("d")) == second.id
    assert [found.id for found in races.list()] == [second.id, _stranger.id, first.id]
    assert [found.id for found in races.list(limit=1)] == [second.id]


def test_a_race_is_named_by_the_beginning_of_its_id(database: Database) -> None:
    races = Races(database)
    whole = "ab" * 16
    for name in (whole, "ac" + "0" * 30):
        races.open(set_name="support", digest="d", view={}, race_id=name)
    assert races.get("ab").id == whole
    assert races.get(f"  {whole[:9].upper()} ").id == whole
    with pytest.raises(BadInput, match="Several races begin with a"):
        races.get("a")
    for wrong in ("", " ", "zz", "a%", "_", "a'"):
        with pytest.raises(BadInput, match="is not the id of a race"):
            races.get(wrong)
    with pytest.raises(NotFound, match="There is no race dead"):
        races.get("dead")
    # Not of this length by our own hand, but an id that is the beginning of another is still that race.
    races.open(set_name="support", digest="d", view={}, race_id="a")
    assert races.get("a").id == "a"


def test_what_json_does_not_know_is_refused_and_nothing_is_written(database: Database) -> None:
    races = Races(database)
    with pytest.raises(ValueError, match="JSON"):
        races.open(set_name="support", digest="d", view={"mean": float("nan")})
    assert races.list() == []
    opened = races.open(set_name="support", digest="d", view={"mean": 0.5})
    with pytest.raises(ValueError, match="JSON"):
        races.update(opened.id, view={"mean": float("inf")}, status="done")
    assert (races.get(opened.id).view["mean"], races.get(opened.id).finished_ns) == (0.5, None)


def test_a_race_whose_process_was_killed_is_shown_as_interrupted(database: Database, database_url: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", RACE, database_url], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        races, found = Races(database), process.stdout.readline().strip()
        assert races.get(found).status == races.get(found).view["status"] == "running"
        process.kill()
        process.wait(30)
        deadline = time.monotonic() + 20  # PostgreSQL's server takes a moment to miss a client
        while races.get(found).status == "running" and time.monotonic() < deadline:
            time.sleep(0.05)
        shown = races.get(found)
        assert (shown.status, shown.view["status"], shown.finished_ns) == ("interrupted", "interrupted", None)
        assert [one.status for one in races.list()] == ["interrupted"]
        assert _status(races.find("d")) == "interrupted"
        with database.read() as connection:
            assert connection.execute(sa.select(table.c.status)).scalar_one() == "running", "looking writes nothing"
        with claimed(database, claim_name("d")) as who:
            assert who == ""
            assert races.get(found).status == "running", "gone on with"
    finally:
        process.kill()
        process.wait()


def test_a_view_is_kept_as_json_text(database: Database) -> None:
    """The page reads what it was given, texts of any script included."""
    races = Races(database)
    opened = races.open(set_name="support", digest="d", view={"notes": ["größer 漢字 \ud800"]})
    assert races.get(opened.id).view["notes"] == ["größer 漢字 \ud800"]
    with database.read() as connection:
        assert json.loads(connection.execute(sa.select(table.c.view)).scalar_one())["notes"]


def _id(found: object) -> str:
    return str(getattr(found, "id", ""))


def _status(found: object) -> str:
    return str(getattr(found, "status", ""))
