"""Kill -9 an evaluation at any moment and run it again: it goes on where it was, and nothing finished is paid twice."""

import json
import random
import sqlite3
import time
from pathlib import Path

from assay.evals.runs import Runs
from assay.ledger.database import open_database, sqlite_url
from eval_processes import paid_again, start

KILLS = 8
CASES = 1500
LINE_BYTES = 70  # a call writes two: paid and kept


def size_of(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def test_an_evaluation_survives_kill_9(tmp_path: Path) -> None:
    file, log = tmp_path / "assay.db", tmp_path / "paid.log"
    url = sqlite_url(file)
    chance = random.Random(11)
    for _ in range(KILLS):
        attempt = start(url, log, cases=CASES, delay_ms=5)
        # By what was paid, not by the clock: a busy machine and an idle one are killed at the same stages.
        until = size_of(log) + chance.randint(0, 200) * 2 * LINE_BYTES
        while size_of(log) < until:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
        attempt.kill()
        attempt.wait()
        assert attempt.stdout is not None
        attempt.stdout.close()
        # A reader that never saw the killed process, before anything of ours repairs anything.
        with sqlite3.connect(file) as connection:
            assert connection.execute("pragma quick_check").fetchone() == ("ok",)
        connection.close()

    calls_before, *_ = paid_again(log)
    assert CASES // 4 < calls_before < 2 * CASES, "the kills came too early or too late to prove anything"
    attempt = start(url, log, cases=CASES, delay_ms=0)
    assert attempt.stdout is not None
    ended = json.loads(attempt.stdout.read().splitlines()[-1])
    assert attempt.wait() == 0
    attempt.stdout.close()

    calls, after_kept, after_paid = paid_again(log)
    assert after_kept == 0
    # One event loop has one call at a time between its answer and its record.
    assert after_paid <= KILLS
    assert calls - after_paid == 2 * CASES

    database = open_database(url)
    runs = Runs(database)
    assert [record.id for record in runs.list()] == [ended["id"]]
    assert (ended["status"], ended["results"]) == ("done", CASES)
    results = list(runs.results(ended["id"]))
    assert [result.ordinal for result in results] == list(range(CASES))
    assert all(result.scores["faithfulness"].value == result.scores["exact_match"].value == 1.0 for result in results)
    # What a judge was paid for a case in flight when the kill came is nowhere but in the cache: at most 8 each time.
    assert calls - after_paid - 8 * KILLS <= ended["paid_calls"] <= calls
    database.close()
    assert not (tmp_path / "assay.db.pending").exists()
