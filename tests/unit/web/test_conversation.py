import asyncio
from collections.abc import AsyncIterator

from assay.answers.outcome import Answer, AnswerEvent, Declined, Progress
from assay.app.scripted import Reply, ScriptedService
from assay.app.web import conversation as conversations_module
from assay.app.web.conversation import Conversation, Conversations, Turn
from assay.errors import Refused
from assay.index.hit import Filter


async def finished(turn: Turn | None) -> Turn:
    assert turn is not None
    async with asyncio.timeout(5):
        while turn.is_running:
            await asyncio.sleep(0.005)
    await asyncio.sleep(0)
    return turn


async def test_a_turn_gathers_the_pieces_and_ends_with_the_outcome() -> None:
    answer = Answer("One two three.", (), ())
    service = ScriptedService(replies={"q": Reply(answer)})
    conversation = Conversation()
    seen: list[tuple[str, str]] = []
    conversation.watch(lambda turn: seen.append((turn.step, turn.text)))
    turn = await finished(conversation.ask(service, "q"))
    assert isinstance(turn.outcome, Answer)
    assert turn.text == turn.outcome.text == "One two three."
    assert ("pack", "") in seen
    assert ("verify", "One two ") in seen
    assert conversation.running is None


async def test_one_question_at_a_time() -> None:
    conversation, service = Conversation(), ScriptedService(replies={"q": Reply(hangs=True)})
    first = conversation.ask(service, "q")
    assert conversation.ask(service, "another") is None
    conversation.stop()
    await finished(first)
    assert isinstance((await finished(conversation.ask(service, "unheard of"))).outcome, Declined)
    assert len(conversation.turns) == 2


async def test_stopping_closes_the_stream_of_the_service() -> None:
    conversation, service = Conversation(), ScriptedService(replies={"q": Reply(Answer("So far", (), ()), hangs=True)})
    turn = conversation.ask(service, "q")
    await asyncio.sleep(0.02)
    conversation.stop()
    await finished(turn)
    assert turn is not None
    assert turn.is_stopped
    assert turn.text == "So far"
    assert service.closed_early == 1


async def test_a_turn_nobody_reads_is_stopped_but_not_while_one_does() -> None:
    conversation, service = Conversation(), ScriptedService(replies={"q": Reply(hangs=True)})

    def first(_: Turn) -> None: ...
    def second(_: Turn) -> None: ...

    conversation.watch(first)
    conversation.watch(second)
    turn = conversation.ask(service, "q")
    conversation.unwatch(first)
    await asyncio.sleep(0.02)
    assert turn is not None
    assert turn.is_running
    conversation.unwatch(second)
    assert (await finished(turn)).is_stopped


async def test_failures_are_told_with_their_hint_and_bugs_without_their_insides() -> None:
    service = ScriptedService(
        replies={"a": Reply(error=Refused("No.", hint="Do this.")), "b": Reply(error=KeyError("k"))}
    )
    conversation = Conversation()
    failure = (await finished(conversation.ask(service, "a"))).failure
    assert failure is not None
    assert (failure.message, failure.hint, failure.code) == ("No.", "Do this.", "refused")
    failure = (await finished(conversation.ask(service, "b"))).failure
    assert failure is not None
    assert failure.code == "internal"
    assert "k" not in failure.message.split()


async def test_a_stream_that_ends_without_an_outcome_is_a_failure() -> None:
    class Broken(ScriptedService):
        async def stream(self, question: str, *, where: Filter | None = None) -> AsyncIterator[AnswerEvent]:
            yield Progress("retrieve")

    turn = await finished(Conversation().ask(Broken(), "q"))
    assert turn.failure is not None
    assert turn.failure.code == "garbled"


async def test_old_turns_and_old_tabs_are_forgotten() -> None:
    conversation, service = Conversation(), ScriptedService([])
    for number in range(conversations_module.MAX_TURNS + 3):
        await finished(conversation.ask(service, f"{number}"))
    assert len(conversation.turns) == conversations_module.MAX_TURNS
    assert conversation.turns[0].question == "3"
    tabs = Conversations()
    first = tabs.of("first")
    assert tabs.of("first") is first
    for number in range(conversations_module.MAX_CONVERSATIONS):
        tabs.of(str(number))
    assert tabs.of("first") is not first
