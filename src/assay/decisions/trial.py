"""A trial under way: two evaluations of the same questions side by side, stopped as soon as the answer is known.

Both run in the fixed order a few questions ahead of what is folded, so that hardly anything is paid for that the
verdict did not need. A result is in the ledger before it is folded; a trial that was killed folds again what is
there and goes on. Invariant: the evidence after a kill and a resume is what it would have been without.
Proved by `tests/story/test_try.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from assay.decisions.fold import CANDIDATE, INCUMBENT, Fold, Side
from assay.evals.follow import Follower
from assay.evals.result import Result
from assay.evals.runs import RunRecord

Runner = Callable[[Follower], Awaitable[RunRecord]]
"""Evaluates one system on the ordered cases, led by a follower."""

Ended = Literal["done", "budget"]


class Trial:
    """Two evaluations and the fold they feed. `changed` is called whenever a question was folded."""

    def __init__(self, fold: Fold, *, metric: str, changed: Callable[[], None] = lambda: None) -> None:
        self.fold, self.metric = fold, metric
        self.records: dict[Side, RunRecord] = {}
        self._changed = changed
        self._woken = asyncio.Event()

    async def run(self, incumbent: Runner, candidate: Runner) -> Ended:
        """Ask until it is decided, nothing is left, or a budget stops one side. Cancelling leaves it resumable."""
        ended: list[Ended] = []

        async def one(side: Side, runner: Runner) -> None:
            record = await runner(_Led(self, side))
            self.records[side] = record
            if record.status == "budget":
                ended.append("budget")
                self.fold.is_ended = True
            self._wake()

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(one(INCUMBENT, incumbent))
                group.create_task(one(CANDIDATE, candidate))
        except BaseExceptionGroup as failures:
            raise first_failure(failures) from None
        if ended:
            return "budget"
        self.fold.finish()
        return "done"

    async def may(self, ordinal: int) -> bool:
        """Wait until a question may be asked; False where none is wanted any more."""
        while not self.fold.is_over:
            if ordinal < self.fold.wanted:
                return True
            await self._woken.wait()
        return False

    def seen(self, side: Side, result: Result) -> None:
        """Fold a result of one side in."""
        before = len(self.fold.folded)
        score, failed = score_of(result, self.metric)
        self.fold.add(side, result.ordinal, score, failed=failed)
        if len(self.fold.folded) != before:
            self._changed()
            self._wake()

    def _wake(self) -> None:
        self._woken.set()
        self._woken = asyncio.Event()


def score_of(result: Result, metric: str) -> tuple[float | None, bool]:
    """(score, whether it failed) of a result: a system's or judge's failure scores 0; None where nothing applies."""
    score = result.scores.get(metric)
    if score is None:
        return None, bool(result.error)
    if result.error or score.value is None:
        return 0.0, True
    return score.value, False


class _Led:
    """The trial as one of its two evaluations sees it. What failed stays as it was folded."""

    again = False

    def __init__(self, trial: Trial, side: Side) -> None:
        self._trial, self._side = trial, side

    async def may(self, ordinal: int) -> bool:
        return await self._trial.may(ordinal)

    def seen(self, result: Result) -> None:
        self._trial.seen(self._side, result)


def first_failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first failure inside: what a caller can act on."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
