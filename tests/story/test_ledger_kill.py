"""Kill -9 at any moment: what was committed stays, the database is whole, the next process goes on."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

from assay.ledger.database import open_database, sqlite_url
from assay.ledger.recorder import Recorder
from assay.ledger.settings import LedgerSettings
from assay.ledger.traces import load, recent

KILLS = 5
MOST_LOST_SECONDS = 0.7  # the gap, a batch under way, and patience with a busy machine

# Serves requests, 3 spans each, and tells in each how many spans were recorded and committed, and when.
_SERVER = """
import sys, time
from assay.ledger.database import open_database
from assay.ledger.recorder import Recorder
from assay.ledger.settings import LedgerSettings
from assay.ledger.spans import span
recorder = Recorder(open_database(sys.argv[1]), LedgerSettings())
while True:
    with recorder.span("assay.ask", {"question": "why? " * 20}):
        with span("retrieve", {"k": 8}):
            pass
        with span("generate"):
            state = recorder.state()
            print(state.recorded, state.written, time.monotonic(), flush=True)
    time.sleep(0.001)
"""


def test_kill_at_any_moment_loses_only_the_last_window(tmp_path: Path) -> None:
    file = tmp_path / "assay.db"
    open_database(sqlite_url(file)).close()
    chance = random.Random(7)
    kept_before = 0
    for _ in range(KILLS):
        server = subprocess.Popen([sys.executable, "-c", _SERVER, sqlite_url(file)], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        told = [server.stdout.readline()]
        wait_until = time.monotonic() + chance.uniform(0.1, 1.2)
        while time.monotonic() < wait_until:
            told.append(server.stdout.readline())
        server.kill()
        told += server.stdout.read().splitlines()
        server.wait()
        server.stdout.close()
        # A line cut by the kill is not a report.
        reports = [line.split() for line in told if line.count(" ") == 2]
        acknowledged = int(reports[-2][1])

        # A reader that never saw the crashed process, before anything of ours repairs anything.
        with sqlite3.connect(file) as connection:
            assert connection.execute("pragma quick_check").fetchone() == ("ok",)
            kept = connection.execute("select count(*) from span").fetchone()[0] - kept_before
            doubled = connection.execute("select count(*) - count(distinct span_id) from span").fetchone()[0]
        connection.close()
        assert kept >= acknowledged
        assert doubled == 0
        lost = [float(when) for recorded, _, when in reports[:-1] if int(recorded) > kept]
        assert not lost or lost[-1] - lost[0] < MOST_LOST_SECONDS
        kept_before += kept

    database = open_database(sqlite_url(file))
    with Recorder(database, LedgerSettings()) as recorder:
        with recorder.span("assay.ask") as root:
            pass
        assert recorder.flush()
    assert load(database, root.trace_id).finished
    # Requests the kill cut short are listed as such, not hidden and not broken.
    for trace in recent(database, kept_before):
        assert trace.finished or {recorded.name for recorded in trace.walk()} <= {"retrieve", "generate"}
    database.close()
