"""A provider that keeps the truth about what it billed, and processes that spend a shared budget on it.

`python gateway_processes.py DATABASE RUN LIMIT_USD TRUTH SEED` spends until the budget says no.
"""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from assay.errors import Garbled, LimitReached, RateLimited, Refused, TimedOut, Upstream
from assay.gateway.bill import cost
from assay.gateway.budget import Budget, BudgetedChat
from assay.ledger.database import open_database
from assay.models.chat import ChatRequest, Completion, Delta, Message, Usage
from assay.models.scripted import ScriptedChat

CLAUDE = ("anthropic", "claude-sonnet-4-5")  # it asks more for writing its cache than for new tokens


class BillingChat(ScriptedChat):
    """Bills what it really did, whatever its caller learns of it: reasoning, tokens after a cancellation, lost answers.

    `bill` is called with nano-dollars as they fall due. It never does more than its caller allowed.
    """

    def __init__(self, bill: Callable[[int], None], *, seed: int, pause_seconds: float = 0.001) -> None:
        super().__init__([], name=CLAUDE[1], provider=CLAUDE[0])
        self._bill, self._random, self._pause_seconds = bill, random.Random(seed), pause_seconds

    async def complete(self, request: ChatRequest) -> Completion:
        completion = None
        async for delta in self.stream(request):
            completion = delta.completion
        assert completion is not None
        return completion

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        pick = self._random
        if pick.random() < 0.1:
            await asyncio.sleep(self._pause())
            raise pick.choice([RateLimited("wait"), Refused("busy", status=503), Refused("key", status=401)])
        usage = self._usage(request, await self.count(request.messages))
        shown = pick.randint(0, 3)
        try:
            for _ in range(shown):
                await asyncio.sleep(self._pause())
                yield Delta("word ")
            await asyncio.sleep(self._pause())
            if pick.random() < 0.15:
                raise pick.choice([TimedOut("slow"), Garbled("prose"), Refused("broke", status=500)])
        finally:
            self._bill(cost(*CLAUDE, usage) or 0)  # all of it: it notices too late that nobody listens
        reported = Usage() if pick.random() < 0.05 else usage
        yield Delta("", Completion("word " * shown, "stop", reported, self.name))

    def _pause(self) -> float:
        return self._random.random() * self._pause_seconds

    def _usage(self, request: ChatRequest, prompt: int) -> Usage:
        read = self._random.randint(0, prompt)
        write = self._random.randint(0, prompt - read)
        # Most answers are far below the cap, as real ones are.
        output = int(request.max_tokens * self._random.random() ** 3)
        reasoning = self._random.randint(0, output)
        return Usage(prompt - read - write, read, write, output - reasoning, reasoning)


def a_request(pick: random.Random) -> ChatRequest:
    """Something between cheap and dear."""
    return ChatRequest((Message("user", "word " * pick.randint(1, 200)),), max_tokens=pick.randint(1, 400))


async def spend(model: BudgetedChat, seed: int, calls: int) -> int:
    """Make calls of every kind: whole, streamed, left early, cancelled. How many were refused by the budget."""
    pick = random.Random(seed)
    refused = 0
    for _ in range(calls):
        request, kind = a_request(pick), pick.choice(["whole", "streamed", "left", "cancelled"])
        try:
            with contextlib.suppress(Upstream):
                await _call(model, request, kind, pick)
        except LimitReached:
            refused += 1
    return refused


async def _call(model: BudgetedChat, request: ChatRequest, kind: str, pick: random.Random) -> None:
    if kind == "whole":
        await model.complete(request)
    elif kind == "cancelled":
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pick.random() * 0.004):
                await model.complete(request)
    else:
        async with contextlib.aclosing(model.stream(request)) as deltas:
            async for _ in deltas:
                if kind == "left":
                    break


async def _run(url: str, run_id: str, limit_usd: float, truth: Path, seed: int) -> None:
    descriptor = os.open(truth, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    budget = Budget(limit_usd, database=open_database(url), run_id=run_id)
    model = BudgetedChat(BillingChat(lambda nano: _note(descriptor, nano), seed=seed, pause_seconds=0.01), budget)

    async def until_refused(number: int) -> None:
        while not await spend(model, seed * 1000 + number, 1):
            number += 100

    print("ready", flush=True)
    await asyncio.gather(*(until_refused(number) for number in range(50)))
    budget.close()


def _note(descriptor: int, nano: int) -> None:
    os.write(descriptor, f"{nano}\n".encode())  # one write: no kill can lose it


def start(url: str, run_id: str, limit_usd: float, truth: Path, seed: int) -> subprocess.Popen[bytes]:
    """Start a spending process; returns when its budget is open."""
    command = [sys.executable, __file__, url, run_id, str(limit_usd), str(truth), str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], float(sys.argv[3]), Path(sys.argv[4]), int(sys.argv[5])))
