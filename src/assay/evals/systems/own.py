"""Assay's own answers as a system: an ask function and what names everything that can change its answers."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from assay.answers.outcome import Outcome
from assay.evals.output import Output
from assay.evals.systems.replies import from_outcome
from assay.evals.timing import Passages, Work
from assay.gateway.tally import tallying
from assay.models.chat import ChatModel

Ask = Callable[[str], Awaitable[Outcome]]


async def _nothing() -> None:
    return None


class OwnSystem:
    """`ask` as a system. `subject` comes from `subject_of`; `spec` is what the run records for people.

    Calls are counted by the metered models inside `ask`; `Output.calls` is how many of them were executed.

    For a plan before the first run: `rehearse` is `ask` without meter and cache, given where it costs nothing; `writer`
    is the bare model that writes answers, and `expected_work` what it reads and writes for one.
    """

    kind: Literal["answerer", "retriever"] = "answerer"

    def __init__(
        self,
        ask: Ask,
        *,
        name: str,
        subject: str | None,
        spec: Mapping[str, Any] | None = None,
        expected_cost_usd: tuple[float, float] | None = None,
        expected_calls: tuple[float, float] | None = None,
        expected_work: Work | None = None,
        expected_passages: Passages | None = None,
        rehearse: Ask | None = None,
        writer: ChatModel | None = None,
        close: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self.name, self.subject = name, subject
        self.spec = {"kind": "own", **(spec or {})}
        self.expected_cost_usd = expected_cost_usd
        self.expected_calls = expected_calls
        self.expected_work = expected_work
        self.expected_passages = expected_passages or Passages()
        self.rehearse, self.writer = rehearse, writer
        self._ask = ask
        self._close = close

    async def __call__(self, question: str) -> Output:
        """One output; a refusal is an output with `declined`."""
        started = time.perf_counter()
        with tallying() as counts:
            outcome = await self._ask(question)
        elapsed_ms = (time.perf_counter() - started) * 1000
        output = from_outcome(outcome)
        return replace(output, calls=counts.paid_calls, latency_ms=output.latency_ms or elapsed_ms)

    async def aclose(self) -> None:
        """Free what the system holds. Safe to call twice."""
        close, self._close = self._close, _nothing
        await close()
