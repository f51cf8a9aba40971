"""An evaluation's parts timed a moment before it starts, where no earlier run tells how long they take.

Only what runs in this process and costs nothing: a few of our own answers, asked apart from meter and cache so that
the run still makes and counts every call, and one small call of the embedded chat model. An endpoint is never asked:
that would be paid for. Proved by `tests/unit/app/test_rehearsing.py`.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import fmean
from typing import Any

from assay.errors import AssayError
from assay.evals.system import System
from assay.evals.timing import Range, Rehearsal, speed_of
from assay.models.chat import ChatModel

REHEARSED = 3
"""Questions that are timed, after one that only warms up."""


async def rehearsal(
    system: System, questions: Sequence[str], *, judge: ChatModel | None, untimed: Sequence[str]
) -> Rehearsal:
    """What can be timed of the parts `untimed` ("answers", "judging"). Takes a few seconds at most."""
    rehearse: Callable[[str], Awaitable[Any]] | None = getattr(system, "rehearse", None)
    writer: ChatModel | None = getattr(system, "writer", None)
    answer = None
    if "answers" in untimed and rehearse is not None:
        answer = await _timed(rehearse, questions)
    slow = [writer] * ("answers" in untimed) + [judge] * ("judging" in untimed)
    embedded = next((model for model in slow if model is not None and model.provider == "embedded"), None)
    return Rehearsal(answer, None if embedded is None else await speed_of(embedded))


async def _timed(rehearse: Callable[[str], Awaitable[Any]], questions: Sequence[str]) -> Range | None:
    seconds = []
    try:
        for question in (questions[0], *questions[:REHEARSED]):
            started = time.perf_counter()
            await rehearse(question)
            seconds.append(time.perf_counter() - started)
    except AssayError:  # the run will say what is wrong, question by question
        return None
    seconds = seconds[1:]
    return Range(min(seconds), fmean(seconds), max(seconds))
