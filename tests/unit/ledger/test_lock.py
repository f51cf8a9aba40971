"""The file lock: one holder among processes and threads, whose death frees it."""

import math
import os
import subprocess
import sys
import threading
from pathlib import Path

from assay.ledger.lock import held, holder

HOLD = """
import sys, time
from pathlib import Path
from assay.ledger.lock import held
with held(Path(sys.argv[1])) as won:
    print(won, flush=True)
    time.sleep(60)
"""


def test_one_process_holds_it_and_its_death_frees_it(tmp_path: Path) -> None:
    path = tmp_path / "made" / "x.lock"
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        assert holder(path) == str(other.pid)
        with held(path) as won:
            assert not won
        with held(path, wait_seconds=0.2) as won:
            assert not won
    finally:
        other.kill()
        other.communicate()
    with held(path) as won:
        assert won
        assert holder(path) == str(os.getpid())
    assert path.exists()


def test_two_descriptors_of_one_process_exclude_each_other_and_the_second_waits(tmp_path: Path) -> None:
    path, order = tmp_path / "x.lock", []

    def second() -> None:
        with held(path, wait_seconds=math.inf) as won:
            order.append(f"second {won}")

    with held(path) as won:
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append(f"first {won}")
    thread.join(10)
    assert order == ["first True", "second True"]


def test_who_holds_a_lock_that_was_never_made_is_unknown(tmp_path: Path) -> None:
    assert holder(tmp_path / "none.lock") == ""
