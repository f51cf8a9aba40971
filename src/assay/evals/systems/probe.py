"""Ask a system one question before a run: a wrong URL, a missing key or a crash shows at once, and nothing is lost.

The output is kept and given for the same question once, so it is neither asked nor paid twice.
"""

from typing import Any

from assay.evals.output import Output
from assay.evals.system import System
from assay.gateway.replica import replica
from assay.gateway.tally import Tally, in_force, tally


class Probed:
    """`system`, which gave `output` for `question` at the cost of `spent`. A `System` itself, of a certain kind."""

    def __init__(self, system: System, question: str, output: Output, spent: Tally) -> None:
        self.name, self.subject, self.kind = system.name, system.subject, system.kind
        self._system, self._question = system, question
        self._first: tuple[Output, Tally] | None = output, spent

    def __getattr__(self, name: str) -> Any:
        # What systems may have beyond the protocol: `spec`, `identity`, `expected_cost_usd`.
        return getattr(self._system, name)

    async def __call__(self, question: str) -> Output:
        """The kept output where this is the question it answers, the first time; else the system's."""
        if self._first is not None and question == self._question and replica.get() == 0:
            (output, spent), self._first = self._first, None
            in_force().add(spent)
            return output
        return await self._system(question)

    async def aclose(self) -> None:
        """Close the system."""
        await self._system.aclose()


async def probe(system: System, question: str) -> Probed:
    """`system` after one question. Raises what the system raises."""
    spent = Tally()
    token = tally.set(spent)
    try:
        output = await system(question)
    finally:
        tally.reset(token)
    return Probed(system, question, output, spent)


async def settled(system: System, question: str) -> System:
    """`system` with a kind that is certain: asked `question` first where nothing but a reply can show it."""
    return await probe(system, question) if getattr(system, "undecided", False) else system
