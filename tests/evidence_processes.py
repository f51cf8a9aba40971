"""Processes that share an evidence budget: `python evidence_processes.py URL SET PREFIX COUNT` takes alphas."""

import subprocess
import sys

from assay.decisions.evidence_budget import EvidenceBudget
from assay.ledger.database import open_database


def start(url: str, set_name: str, prefix: str, count: int) -> subprocess.Popen[bytes]:
    """A process that takes `count` alphas; it has imported everything when this returns, and waits for a line."""
    command = [sys.executable, __file__, url, set_name, prefix, str(count)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


if __name__ == "__main__":
    url, set_name, prefix, count = sys.argv[1:]
    budget = EvidenceBudget(open_database(url))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for number in range(int(count)):
        budget.take(set_name, 1, f"{prefix}{number}")
