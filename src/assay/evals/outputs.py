"""The outputs of a system, question by question: found in the cache, or made and kept before anything else happens.

Invariant: between the moment a system returns and the moment its output is in the journal nothing is awaited, so at
most one output that was paid for can be lost to kill -9. Questions are handed out in order; what the cache has of the
next few hundred is read in one query.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from assay.errors import Corrupt, Garbled, LimitReached, TimedOut
from assay.evals.case import Case
from assay.evals.live_run import FAILED, FINISHED, LiveRun
from assay.evals.output import Output, output_from
from assay.evals.system import System
from assay.gateway.bill import nanodollars, surely_free
from assay.gateway.budget import Reservation
from assay.gateway.tally import Tally, in_force
from assay.ledger.values import Values, key_of

_CHUNK_QUESTIONS = 256


@dataclass(slots=True)
class Question:
    """One case and replica to be asked; `found` is what the cache had for `key`."""

    ordinal: int
    replica: int
    case: Case
    key: str
    found: Any | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """An output that is kept, or how the system failed (`output` is None then, and nothing is kept).

    `recovered` is what a killed attempt of this run paid for the output and could not write down.
    """

    output: Output | None
    failure: Exception | None = None
    recovered: Tally = field(default_factory=Tally)


def output_key(system: System, question: str, replica: int) -> str:
    """Where the output of a system with a subject is kept, whatever run asked for it first."""
    return key_of("output", {"subject": system.subject, "question": question, "replica": replica})


class Outputs:
    """Hands out the questions a run has left and gives their outputs. For one event loop.

    Those that failed are among them `again` unless it is False.
    """

    def __init__(
        self,
        system: System,
        cases: Sequence[Case],
        *,
        live: LiveRun,
        values: Values,
        timeout_seconds: float,
        reserve: Callable[[], Awaitable[Reservation]] | None = None,
        again: bool = True,
    ) -> None:
        self._system, self._live, self._values = system, live, values
        self._timeout_seconds, self._reserve = timeout_seconds, reserve
        self._settled = (FINISHED,) if again else (FINISHED, FAILED)
        self._left = self._questions(cases)
        self._ready: deque[Question] = deque()
        self._fetching = asyncio.Lock()
        # Two cases that ask the same share one output: the second waits for the first.
        asked = Counter(case.question for case in cases) if system.subject is not None else {}
        self._shared = {question: asyncio.Lock() for question, times in asked.items() if times > 1}

    async def next(self) -> Question | None:
        """The next question that has no result, or one that failed; None when there are no more."""
        while not self._ready:
            async with self._fetching:
                if not self._ready and not await self._fetch():
                    return None
        return self._ready.popleft()

    async def of(self, question: Question) -> Kept:
        """The output, or how the system failed: TimedOut where it hangs, Garbled where the output is not JSON.

        Raises LimitReached and Corrupt, which are no failures of one case, and what the ledger raises.
        """
        lock = self._shared.get(question.case.question)
        if lock is None:
            return await self._of(question)
        async with lock:
            question.found = question.found or self._values.get(question.key)
            return await self._of(question)

    async def _of(self, question: Question) -> Kept:
        return self._read(question) if question.found is not None else await self._make(question)

    async def _fetch(self) -> bool:
        some = list(islice(self._left, _CHUNK_QUESTIONS))
        if some:
            found = await asyncio.to_thread(self._values.get_many, [question.key for question in some])
            for question in some:
                question.found = found.get(question.key)
            self._ready.extend(some)
        return bool(some)

    def _questions(self, cases: Sequence[Case]) -> Iterator[Question]:
        live, replicas = self._live, self._live.spec.replicas
        for ordinal, case in enumerate(cases):
            for replica in range(replicas):
                if live.state[ordinal * replicas + replica] not in self._settled:
                    yield Question(ordinal, replica, case, self._key(ordinal, replica, case))

    def _key(self, ordinal: int, replica: int, case: Case) -> str:
        if self._system.subject is not None:
            return output_key(self._system, case.question, replica)
        # Nobody can know what changes its outputs, so they are shared with nothing but the same place of this run.
        return key_of("output", {"run": self._live.id, "ordinal": ordinal, "replica": replica})

    def _read(self, question: Question) -> Kept:
        found = question.found
        assert found is not None
        output = output_from(found["output"])
        place = question.ordinal * self._live.spec.replicas + question.replica
        if self._live.paid_before(found["attempt"], place):
            return Kept(output, recovered=Tally(*found["spent"]))
        paid, cached, *_ = found["spent"]
        in_force().cached_calls += paid + cached
        return Kept(output)

    async def _make(self, question: Question) -> Kept:
        if self._reserve is None:
            return await self._made(question)
        with await self._reserve() as reserved:
            before = replace(in_force())
            kept = await self._made(question)
            spent = in_force()
            if spent.unpriced_calls == before.unpriced_calls and spent.paid_calls > before.paid_calls:
                reserved.cost(nanodollars(max(0.0, spent.cost_usd - before.cost_usd)))
            elif kept.failure is None or surely_free(kept.failure):
                reserved.cost(0 if spent.paid_calls == before.paid_calls else None)
            return kept

    async def _made(self, question: Question) -> Kept:
        spent = in_force()
        before, started = replace(spent), time.perf_counter()
        try:
            output = await self._asked(question.case.question)
        except (LimitReached, Corrupt):
            raise
        except Exception as error:  # noqa: BLE001 the edge to a foreign system: its failure is this case's result
            return Kept(None, error)
        if not output.latency_ms:
            output = replace(output, latency_ms=(time.perf_counter() - started) * 1000)
        if spent.paid_calls == before.paid_calls and spent.cached_calls == before.cached_calls:
            _count_reported(output, spent)
        bill = [
            *(spent.paid_calls - before.paid_calls, spent.cached_calls - before.cached_calls),
            *(spent.cost_usd - before.cost_usd, spent.unpriced_calls - before.unpriced_calls),
        ]
        try:
            kept = {"attempt": self._live.attempt, "spent": bill, "output": output.as_json()}
            self._values.put(question.key, "output", kept)
        except (TypeError, ValueError) as error:
            return Kept(None, Garbled(f"The system's output cannot be kept as JSON: {error}."))
        return Kept(output)

    async def _asked(self, question: str) -> Output:
        try:
            async with asyncio.timeout(self._timeout_seconds) as limit:
                return await self._system(question)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise TimedOut(f"The system gave no answer within {self._timeout_seconds:g} s.") from error


def _count_reported(output: Output, spent: Tally) -> None:
    """A system that calls no model through our wrappers is believed in what it reports."""
    spent.paid_calls += output.calls
    if output.cost_usd is None:
        spent.unpriced_calls += max(output.calls, 1)
    else:
        spent.cost_usd += output.cost_usd
