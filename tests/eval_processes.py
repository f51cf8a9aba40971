"""An evaluation in a process of its own, that says what it pays: `python eval_processes.py URL LOG CASES DELAY_MS`.

Each line of LOG is written by one append: `paid KEY` when a call has been answered, by the system or by the judge, and
`kept KEY` when `Values.put` has returned. Prints `ready`, then `first` before the first call of all, then how the run
ended as JSON.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from assay.evals.case import Case, set_digest
from assay.evals.engine import evaluate
from assay.evals.output import Output
from assay.evals.outputs import output_key
from assay.evals.runs import Runs
from assay.gateway.cache import CachedChat
from assay.gateway.meter import MeteredChat
from assay.gateway.replica import replica
from assay.gateway.stored import chat_key
from assay.ledger.database import open_database
from assay.ledger.values import Values
from assay.models.chat import ChatRequest, Completion, Usage
from assay.models.scripted import ScriptedChat
from eval_parts import ChatJudge, Contains, FunctionSystem

Log = Callable[[str], None]


def log_to(path: str) -> Log:
    """A function that appends a line in one write."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    return lambda line: void(os.write(file, f"{line}\n".encode()))


def void(_: object) -> None:
    return


class LoggingValues(Values):
    """Says when a value is kept."""

    log: Log

    def put(self, key: str, kind: str, value: Any) -> None:
        super().put(key, kind, value)
        self.log(f"kept {key}")


class PaidSystem(FunctionSystem):
    """A system whose every answer is paid for."""

    def __init__(self, log: Log, delay_seconds: float) -> None:
        super().__init__()
        self._log, self._delay = log, delay_seconds
        self._first = True

    async def __call__(self, question: str) -> Output:
        if self._first:
            print("first", time.time(), flush=True)
            self._first = False
        await asyncio.sleep(random.uniform(0, 2 * self._delay))
        self._log(f"paid {output_key(self, question, replica.get())}")
        return Output(text=question, calls=1, cost_usd=0.001)


class PaidChat(ScriptedChat):
    """A judge whose every completion is paid for."""

    def __init__(self, log: Log, delay_seconds: float) -> None:
        super().__init__(lambda _: "1")
        self._log, self._delay = log, delay_seconds

    async def complete(self, request: ChatRequest) -> Completion:
        await asyncio.sleep(random.uniform(0, 2 * self._delay))
        self._log(f"paid {chat_key(self, request)}")
        return Completion("1", "stop", Usage(uncached=10, output=1), self.name)


async def main(url: str, log_path: str, cases: int, delay_ms: float) -> Mapping[str, Any]:
    """One attempt at the evaluation."""
    log = log_to(log_path)
    database = open_database(url)
    values = LoggingValues(database)
    values.log = log
    questions = [Case(f"c{i}", f"What is {i}?", answers=(f"{i}?",)) for i in range(cases)]
    judge = ChatJudge(CachedChat(MeteredChat(PaidChat(log, delay_ms / 1000)), values))
    record = await evaluate(
        PaidSystem(log, delay_ms / 1000),
        questions,
        scorers=[Contains(), judge],
        runs=Runs(database),
        values=values,
        set_digest=set_digest(questions),
    )
    values.close()
    database.close()
    return {"id": record.id, "status": record.status, "results": record.results, "paid_calls": record.paid_calls}


def start(url: str, log: Path, *, cases: int, delay_ms: float) -> subprocess.Popen[str]:
    """Start an attempt; returns when its imports are done."""
    command = [sys.executable, __file__, url, str(log), str(cases), str(delay_ms)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def paid_again(log: Path) -> tuple[int, int, int]:
    """Calls paid, paid after they were kept, and paid after they were paid."""
    paid: set[str] = set()
    kept: set[str] = set()
    calls = after_kept = after_paid = 0
    for line in log.read_text().splitlines():
        what, key = line.split()
        if what == "kept":
            kept.add(key)
            continue
        calls += 1
        after_kept += key in kept
        after_paid += key in paid
        paid.add(key)
    return calls, after_kept, after_paid


if __name__ == "__main__":
    print("ready", flush=True)
    print(json.dumps(asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))), flush=True)
