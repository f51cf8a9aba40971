"""A claim is held by one, says by whom, and goes with its holder."""

import subprocess
import sys

from assay.ledger.claim import claimed, is_claimed
from assay.ledger.database import Database, open_database

_HOLDER = """
import sys, time
from assay.ledger.claim import claimed
from assay.ledger.database import open_database
with claimed(open_database(sys.argv[1]), "name") as who:
    print(who or "held", flush=True)
    time.sleep(60)
"""


def test_a_name_is_held_once_and_others_are_free(database: Database) -> None:
    assert not is_claimed(database, "name")
    with claimed(database, "name") as who:
        assert who == ""
        assert is_claimed(database, "name")
        assert not is_claimed(database, "other")
        with claimed(database, "name") as second, claimed(database, "other") as other:
            assert second
            assert other == ""
    assert not is_claimed(database, "name")


def test_the_holder_is_named_and_its_death_frees_the_name(database_url: str) -> None:
    database = open_database(database_url)
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, database_url], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with claimed(database, "name") as who:
        assert f"process {holder.pid}" in who
    assert is_claimed(database, "name")
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with claimed(database, "name") as who:
        assert who == ""
    database.close()


def test_a_database_in_memory_claims_nothing() -> None:
    database = open_database("sqlite://")
    with claimed(database, "name") as who:
        assert who == ""
        assert not is_claimed(database, "name")
