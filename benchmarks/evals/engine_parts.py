"""Systems and an evaluation for `engine.py`, and its child: `python engine_parts.py FOLDER CASES` tells how it goes."""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.evals.case import Case, set_digest
from assay.evals.engine import evaluate
from assay.evals.output import Cited, Output, Retrieved
from assay.evals.progress import Progress
from assay.evals.runs import RunRecord, Runs
from assay.evals.scorer import Gold, Score
from assay.ledger.database import open_database, sqlite_url
from assay.ledger.values import Values
from assay.models.chat import ChatModel, ChatRequest, Message
from assay.models.llama import EmbeddedChat
from assay.models.settings import ModelSettings

PASSAGE = "The committee met in the spring of that year and decided, after some debate, to build the bridge. " * 4


class Counting:
    """Answers at once, with three passages where `rich`; says when it was first asked."""

    name, subject, kind = "counting", "counting", "answerer"

    def __init__(self, *, rich: bool = False) -> None:
        self.first: float | None = None
        self._rich = rich

    async def __call__(self, question: str) -> Output:
        self.first = self.first or time.time()
        if not self._rich:
            return Output(text=f"answer to {question}", calls=1)
        passages = tuple(Retrieved(f"doc{i}.md", PASSAGE, 0, len(PASSAGE), 0.5) for i in range(3))
        cited = (Cited("doc0.md", PASSAGE[:90], 0, 90),)
        return Output(text=f"answer to {question}", passages=passages, citations=cited, calls=1)

    async def aclose(self) -> None: ...


class Embedded:
    """The embedded model, asked for a short answer. `seconds` is the time its calls took."""

    name, subject, kind = "embedded", "embedded", "answerer"

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self.seconds = 0.0

    @classmethod
    def load(cls) -> "Embedded":
        from assay.models import catalogue

        model = catalogue.chat_model(ModelSettings())
        assert isinstance(model, EmbeddedChat)
        return cls(model)

    async def __call__(self, question: str) -> Output:
        request = ChatRequest((Message("user", f"{PASSAGE}\n{question}"),), max_tokens=32)
        started = time.perf_counter()
        completion = await self._model.complete(request)
        self.seconds += time.perf_counter() - started
        return Output(text=completion.text, usage=completion.usage, calls=1)

    async def aclose(self) -> None:
        await self._model.aclose()


class Matches:
    """exact_match by containment."""

    metrics = ("exact_match",)
    digest = "matches"
    judge = None

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        return {"exact_match": Score(float(case.answers[0] in output.text))}


def made_cases(n: int, *, salt: str = "") -> list[Case]:
    return [Case(f"c{i}", f"What was decided about bridge {i}{salt}?", answers=(str(i),)) for i in range(n)]


@contextmanager
def opened(folder: Path) -> Iterator[tuple[Runs, Values]]:
    database = open_database(sqlite_url(folder / "assay.db"))
    values = Values(database)
    yield Runs(database), values
    values.close()
    database.close()


async def run_on(
    runs: Runs,
    values: Values,
    system: Any,
    cases: Sequence[Case],
    *,
    concurrency: int = 8,
    progress: Callable[[Progress], None] | None = None,
) -> RunRecord:
    return await evaluate(
        system,
        cases,
        scorers=[Matches()],
        runs=runs,
        values=values,
        set_digest=set_digest(cases),
        concurrency=concurrency,
        progress=progress,
    )


async def evaluation(
    folder: Path, system: Any, cases: Sequence[Case], *, progress: Callable[[Progress], None] | None = None
) -> RunRecord:
    """Evaluate on the ledger in `folder`, opening and closing included."""
    with opened(folder) as (runs, values):
        return await run_on(runs, values, system, cases, progress=progress)


def first_new_case(lines: Sequence[Mapping[str, Any]]) -> float:
    return float(lines[-1]["first"])


def _child(folder: str, count: int) -> None:
    cases = made_cases(count)
    _say(evaluate=time.time())
    system = Counting(rich=True)
    record = asyncio.run(evaluation(Path(folder), system, cases, progress=lambda now: _say(done=now.done)))
    _say(first=system.first, results=record.results, status=record.status)


def _say(**figures: Any) -> None:
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps({"peak_mb": peak, **figures}), flush=True)


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]))
