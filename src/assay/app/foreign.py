"""A system that is not Assay's own, made fit to be measured here: its passages located, its kind settled."""

import asyncio
from collections.abc import Sequence
from typing import Any, Literal

from assay.app.measuring import Measuring
from assay.evals.gold import Corpus, locate
from assay.evals.output import Output
from assay.evals.system import System
from assay.evals.systems.probe import settled as settled_by_asking
from assay.evals.systems.subject import subject_of
from assay.ledger.values import key_of


class Located:
    """A foreign system whose passages and citations are found in the workspace's documents, where they are there."""

    def __init__(self, system: System, corpus: Corpus, *, state: str) -> None:
        self.name = system.name
        self.kind: Literal["answerer", "retriever"] = system.kind
        self.subject = None if system.subject is None else subject_of({"system": system.subject, "corpus": state})
        self._system, self._corpus = system, corpus

    def __getattr__(self, name: str) -> Any:
        # What systems may have beyond the protocol: `spec`, `identity`, `expected_cost_usd`.
        return getattr(self._system, name)

    async def __call__(self, question: str) -> Output:
        """The system's output with the characters of its sources."""
        return locate(await self._system(question), self._corpus)

    async def aclose(self) -> None:
        """Close the system."""
        await self._system.aclose()


class _OfKind:
    """A system whose kind was learned from a reply in an earlier run."""

    def __init__(self, system: System, kind: Literal["answerer", "retriever"]) -> None:
        self.name, self.subject, self.kind = system.name, system.subject, kind
        self._system = system

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    async def __call__(self, question: str) -> Output:
        return await self._system(question)

    async def aclose(self) -> None:
        await self._system.aclose()


async def settled(measuring: Measuring, system: System, questions: Sequence[str], *, may_ask: bool) -> System:
    """The system with a kind that is certain. It is asked for that, and never again while it is what it is.

    Raises its first failure where it fails on all of the first few questions.
    """
    if not getattr(system, "undecided", False):
        return system
    key = key_of("kind", {"identity": getattr(system, "identity", system.name)})
    known = measuring.values.get(key)
    if known is not None:
        return _OfKind(system, known)
    if not may_ask:  # asking once to see what it gives would be outside the budget
        return system
    asked = await settled_by_asking(system, questions)
    measuring.values.put(key, "kind", asked.kind)
    await asyncio.to_thread(measuring.values.flush)
    return asked
