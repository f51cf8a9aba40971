"""Ask a system one question before a run: a wrong URL, a missing key or a crash shows at once, and nothing is lost.

What came of it is kept and given for the same question once, so it is neither asked nor paid twice. Invariant: a
question the system fails on decides nothing but its own case, whichever comes first; only one that fails on all of the
first few is taken for broken.
"""

from collections.abc import Sequence
from typing import Any

from assay.errors import Corrupt, Garbled, LimitReached, TimedOut, Upstream
from assay.evals.output import Output
from assay.evals.system import System
from assay.gateway.replica import replica
from assay.gateway.tally import Tally, in_force, tally

FEWEST_ASKED = 3
"""So many questions may fail before the system is taken for broken."""

Kept = tuple[Output | Exception, Tally]


class Probed:
    """`system`, with what it gave for some questions and at what cost. A `System` itself, of a certain kind."""

    def __init__(self, system: System, kept: dict[str, Kept]) -> None:
        self.name, self.subject, self.kind = system.name, system.subject, system.kind
        self._system, self._kept = system, kept

    def __getattr__(self, name: str) -> Any:
        # What systems may have beyond the protocol: `spec`, `identity`, `expected_cost_usd`.
        return getattr(self._system, name)

    async def __call__(self, question: str) -> Output:
        """What is kept of this question, output or failure, the first time; else the system's output."""
        if replica.get() == 0 and question in self._kept:
            output, spent = self._kept.pop(question)
            in_force().add(spent)
            if isinstance(output, Exception):
                raise output
            return output
        return await self._system(question)

    async def aclose(self) -> None:
        """Close the system."""
        await self._system.aclose()


async def probe(system: System, *questions: str) -> Probed:
    """`system` after the first of `questions` that it answers. Raises its first failure where it answers none."""
    kept: dict[str, Kept] = {}
    for question in questions:
        spent = Tally()
        token = tally.set(spent)
        try:
            kept[question] = await system(question), spent
            return Probed(system, kept)
        except (LimitReached, Corrupt):
            raise
        except (Upstream, TimedOut, Garbled) as error:  # of this question; anything else is of the system
            kept[question] = error, spent
        finally:
            tally.reset(token)
    failure = next(iter(kept.values()))[0]
    assert isinstance(failure, Exception)
    raise failure


async def settled(system: System, questions: Sequence[str]) -> System:
    """`system` with a kind that is certain: asked first where nothing but a reply can show it.

    Where it fails on a question the next is asked, of FEWEST_ASKED at most.
    """
    if not getattr(system, "undecided", False):
        return system
    return await probe(system, *dict.fromkeys(questions[:FEWEST_ASKED]))
