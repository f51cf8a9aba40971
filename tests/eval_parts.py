"""A system, a scorer and a judge for tests of the evaluation engine."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal

from assay.evals.case import Case
from assay.evals.output import Output
from assay.evals.scorer import Gold, Instrument, Score
from assay.models.chat import ChatModel, ChatRequest, Message

Answer = str | BaseException | Output


class FunctionSystem:
    """Answers by a function of the question, which may give an exception to raise; `asked` keeps the questions."""

    kind: Literal["answerer", "retriever"] = "answerer"
    expected_cost_usd: tuple[float, float] | None = None

    def __init__(
        self,
        answer: Callable[[str], Answer] = lambda question: f"answer to {question}",
        *,
        subject: str | None = "subject",
        cost_usd: float | None = 0.001,
        calls: int = 1,
        delay_seconds: float = 0.0,
    ) -> None:
        self.name, self.subject = "function", subject
        self.asked: list[str] = []
        self.closed = False
        self._answer, self._cost_usd, self._calls, self._delay_seconds = answer, cost_usd, calls, delay_seconds

    async def __call__(self, question: str) -> Output:
        self.asked.append(question)
        if self._delay_seconds:
            await asyncio.sleep(self._delay_seconds)
        answer = self._answer(question)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Output):
            return answer
        return Output(text=answer, calls=self._calls, cost_usd=self._cost_usd)

    async def aclose(self) -> None:
        self.closed = True


class Contains:
    """exact_match: 1 where a reference answer is in the text; absent without reference answers."""

    metrics = ("exact_match",)
    digest = "contains"
    judge: Instrument | None = None

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        if not case.answers:
            return {}
        return {"exact_match": Score(float(any(answer in output.text for answer in case.answers)))}


class ChatJudge:
    """faithfulness: what a chat model says, as a number."""

    metrics = ("faithfulness",)
    digest = "chat-judge"

    def __init__(self, model: ChatModel) -> None:
        self.judge = Instrument(name="chat-judge", model=model.name, prompts={"judge": "0" * 16})
        self._model = model

    async def score(self, case: Case, output: Output, gold: tuple[Gold, ...]) -> Mapping[str, Score]:
        request = ChatRequest((Message("user", f"{case.question} {output.text}"),))
        completion = await self._model.complete(request)
        return {"faithfulness": Score(float(completion.text), reasoning="because", details={"text": completion.text})}


def cases_of(n: int) -> list[Case]:
    """`n` cases with reference answers."""
    return [Case(f"c{i}", f"What is {i}?", answers=(f"{i}?",)) for i in range(n)]
