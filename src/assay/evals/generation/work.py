"""A generation under way: attempts side by side, what was kept, what was dropped and why.

Invariant: attempts are counted and kept in the targets' order, whatever finishes first.
"""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from assay.evals.case import Case
from assay.evals.generation.checks import Checks
from assay.evals.generation.draft import KINDS, Draft, Dropped, Kind, Reason
from assay.evals.generation.duplicates import Kept
from assay.evals.generation.generated import GenerationProgress
from assay.evals.generation.strong import StrongWriter
from assay.evals.generation.targets import Target, Targets
from assay.evals.generation.weak import WeakWriter

_EXAMPLES = 50


class Work:
    """One generation under way."""

    def __init__(
        self,
        *,
        writer: WeakWriter | StrongWriter,
        checks: Checks,
        kept: Kept,
        targets: Targets,
        at_once: int,
        progress: Callable[[GenerationProgress], None] | None,
        wanted: Mapping[Kind, int],
    ) -> None:
        self._writer, self._checks, self._kept, self._targets = writer, checks, kept, targets
        self._at_once, self._progress, self._wanted = at_once, progress, wanted
        self._open: dict[Target, AsyncGenerator[Draft | Dropped, None]] = {}
        self.done: dict[Kind, list[Draft]] = {kind: [] for kind in KINDS}
        self.drafts = 0
        self.dropped: Counter[Reason] = Counter()
        self.examples: list[Dropped] = []

    async def fill(self, kind: Kind) -> None:
        """Work through the targets of a kind until there are enough, then through those that have more to give."""
        targets = self._targets.of(kind)
        again: list[Target] = []
        tried = 0
        async with contextlib.AsyncExitStack() as stack:
            while len(self.done[kind]) < self._wanted[kind]:
                some = list(itertools.islice(targets, self._at_once))
                if not some:
                    if not again:
                        break
                    targets, again = iter(again), []
                    continue
                for target in some:
                    if target not in self._open:
                        self._open[target] = await stack.enter_async_context(
                            contextlib.aclosing(self._write(kind, target))
                        )
                for target, attempt in zip(some, await self._together(some), strict=True):
                    if len(self.done[kind]) < self._wanted[kind]:
                        await self._take(kind, *attempt)
                        again += [target] if attempt[0] is not None else []
                        tried += 1
                self._report(kind, tried)
        self._open.clear()

    def cases(self, *, tags: Sequence[str]) -> Iterator[Case]:
        """What was kept, kind by kind; ids are unique."""
        seen: set[str] = set()
        for kind in KINDS:
            for draft in self.done[kind]:
                case = draft.case(tags=tags)
                if case.id not in seen:
                    seen.add(case.id)
                    yield case

    async def _together(self, targets: Sequence[Target]) -> list[tuple[Draft | None, list[Dropped]]]:
        """One attempt a target, side by side, in the targets' order; where one fails the others are stopped."""
        tasks = [asyncio.create_task(self._attempt(self._open[target])) for target in targets]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)  # a generator cannot be closed while a task is still in it

    async def _attempt(self, drafts: AsyncGenerator[Draft | Dropped, None]) -> tuple[Draft | None, list[Dropped]]:
        """The next draft of a target that passes, and those dropped before it."""
        dropped: list[Dropped] = []
        async for draft in drafts:
            fault = draft if isinstance(draft, Dropped) else await self._checks.dropped(draft)
            if not isinstance(draft, Dropped) and fault is None:
                return draft, dropped
            assert fault is not None
            dropped.append(fault)
        return None, dropped

    async def _write(self, kind: Kind, target: Target) -> AsyncGenerator[Draft | Dropped, None]:
        async for draft in self._drafts(kind, target):
            if isinstance(draft, Draft) and target.is_outside:
                yield replace(draft, answer="", evidence=(), kind="unanswerable")
            else:
                yield draft

    def _drafts(self, kind: Kind, target: Target) -> AsyncIterator[Draft | Dropped]:
        writer, excerpt, partner = self._writer, target.excerpt, target.partner
        if kind == "single" or target.is_outside:
            return writer.single(excerpt)
        if kind == "unanswerable":
            return writer.unanswerable(excerpt, self._targets.excerpts)
        assert partner is not None
        return writer.multi(excerpt, partner) if kind == "multi" else writer.adversarial(excerpt, partner)

    async def _take(self, kind: Kind, draft: Draft | None, dropped: Sequence[Dropped]) -> None:
        for one in dropped:
            self._drop(one)
        self.drafts += len(dropped) + (draft is not None)
        if draft is None:
            return
        twin = await self._kept.twin(draft.question)
        if twin is not None:
            self._drop(Dropped(draft.question, "duplicate", twin))
            return
        self.done[kind].append(draft)
        self._targets.take(draft)

    def _drop(self, dropped: Dropped) -> None:
        self.dropped[dropped.reason] += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append(dropped)

    def _report(self, kind: Kind, tried: int) -> None:
        if self._progress is not None:
            kept_in_all = sum(len(drafts) for drafts in self.done.values())
            wanted = self._wanted
            self._progress(
                GenerationProgress(kind, len(self.done[kind]), wanted[kind], tried, kept_in_all, sum(wanted.values()))
            )
