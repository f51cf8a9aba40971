"""What is timed before a run, and what is never asked."""

import asyncio

from assay.app.rehearsing import REHEARSED, rehearsal
from assay.errors import BadInput
from assay.models.scripted import ScriptedChat
from eval_parts import FunctionSystem

QUESTIONS = [f"Question {i}?" for i in range(10)]


class Rehearsed(FunctionSystem):
    """A system that can be asked aside."""

    def __init__(self, failure: Exception | None = None) -> None:
        super().__init__()
        self.failure, self.aside = failure, []

    async def rehearse(self, question: str) -> None:
        self.aside.append(question)
        if self.failure:
            raise self.failure
        await asyncio.sleep(0.02 if len(self.aside) > 1 else 0.5)


def writing(provider: str) -> ScriptedChat:
    return ScriptedChat(lambda _: "word " * 40, provider=provider, delay_seconds=0.001)


async def test_answers_are_timed_warm() -> None:
    system = Rehearsed()
    found = await rehearsal(system, QUESTIONS, judge=None, untimed=["answers"])
    assert len(system.aside) == 1 + REHEARSED
    assert found.answer is not None
    assert 0.02 <= found.answer.low <= found.answer.expected <= found.answer.high < 0.45
    assert found.speed is None


async def test_only_what_is_not_known_is_timed() -> None:
    system, judge = Rehearsed(), writing("embedded")
    found = await rehearsal(system, QUESTIONS, judge=judge, untimed=["judging"])
    assert (system.aside, found.answer, len(judge.requests)) == ([], None, 1)
    assert found.speed is not None


async def test_an_endpoint_is_never_asked() -> None:
    judge = writing("openai")
    found = await rehearsal(FunctionSystem(), QUESTIONS, judge=judge, untimed=["answers", "judging"])
    assert (found.answer, found.speed, judge.requests) == (None, None, [])


async def test_a_system_that_fails_has_no_time() -> None:
    found = await rehearsal(Rehearsed(BadInput("No.")), QUESTIONS, judge=None, untimed=["answers"])
    assert found.answer is None
