import asyncio
from collections.abc import AsyncGenerator

import pytest

from answer_hits import BERLIN, PARIS, Finds, hit
from assay.answers.ask import LONGEST_QUESTION, ask, stream
from assay.answers.outcome import AnswerEvent, Finished, Outcome, Progress, TextPiece
from assay.answers.settings import AnswerSettings
from assay.errors import BadInput, LimitReached, TimedOut
from assay.index.hit import Filter, Retriever
from assay.models.chat import ChatModel, ChatRequest, Delta
from assay.models.scripted import ScriptedChat, ScriptedEmbedder

FINDS = Finds(hit(PARIS, start=50), hit(BERLIN, source="b.md"))
ANYTHING = AnswerSettings(decline_below=0)


async def asked(
    question: str = "Who founded the city?",
    *,
    retriever: Retriever = FINDS,
    model: ChatModel | None = None,
    settings: AnswerSettings = ANYTHING,
) -> Outcome:
    return await ask(question, retriever=retriever, embedder=ScriptedEmbedder(), model=model, settings=settings)


async def events(model: ChatModel | None, settings: AnswerSettings = ANYTHING) -> list[AnswerEvent]:
    streamed = stream(
        "Who founded the city?", retriever=FINDS, embedder=ScriptedEmbedder(), model=model, settings=settings
    )
    return [event async for event in streamed]


def writer(*replies: str | BaseException, window: int = 8192) -> ScriptedChat:
    return ScriptedChat(list(replies), provider="scripted", window=window)


async def test_quoting_cites_sentences_verbatim_best_first() -> None:
    outcome = await asked()
    assert outcome.kind == "answer"
    assert outcome.citations[0].quote == "The city was founded by the Parisii before 52 BC."
    assert outcome.citations[0].start == 50 + PARIS.index("The city")
    assert outcome.text == " ".join(f"{c.quote} [{c.marker}]" for c in outcome.citations)
    assert len(outcome.citations) == 2
    assert outcome.cost_usd == 0
    assert outcome.latency_ms > 0


async def test_the_style_follows_the_model_unless_set() -> None:
    embedded = ScriptedChat(["The Parisii founded the city [1]."], provider="embedded")
    assert (await asked(model=embedded)).text.startswith("The city was founded")
    assert embedded.requests == []
    forced = AnswerSettings(style="write", decline_below=0)
    assert (await asked(model=embedded, settings=forced)).text == "The Parisii founded the city. [1]"
    quoting = AnswerSettings(style="quote", decline_below=0)
    assert (await asked(model=writer("unused"), settings=quoting)).text.startswith("The city was founded")


async def test_a_written_answer_carries_usage_and_an_unknown_price_is_none() -> None:
    outcome = await asked(model=writer("The Parisii founded the city [1]."))
    assert outcome.kind == "answer"
    assert outcome.usage.output == 6
    assert outcome.cost_usd is None


async def test_low_confidence_declines_with_the_nearest_passages() -> None:
    outcome = await asked("What is the boiling point of tungsten?", settings=AnswerSettings(decline_below=0.5))
    assert outcome.kind == "declined"
    assert "tungsten" in outcome.reason
    assert outcome.hits == tuple(FINDS.hits)
    assert outcome.confidence < 0.5


async def test_no_documents_declines_and_says_to_ingest() -> None:
    for model in (None, writer("unused")):
        outcome = await asked(retriever=Finds(), model=model)
        assert outcome.kind == "declined"
        assert "Ingest" in outcome.reason


@pytest.mark.parametrize("question", ["", " \n\t", "x" * (LONGEST_QUESTION + 1)])
async def test_a_question_that_is_none_or_too_long_is_bad_input(question: str) -> None:
    with pytest.raises(BadInput, match="question"):
        await asked(question)


async def test_the_filter_reaches_the_retriever() -> None:
    finds, where = Finds(hit(PARIS)), Filter(groups=frozenset({"staff"}))
    await ask("Who?", retriever=finds, embedder=ScriptedEmbedder(), model=None, settings=ANYTHING, where=where)
    assert finds.asked == [("Who?", where)]


async def test_a_refusal_of_the_model_is_an_outcome_and_is_never_streamed() -> None:
    seen = await events(writer("NO ANSWER: the founder is not named."))
    assert not [event for event in seen if isinstance(event, TextPiece)]
    assert isinstance(seen[-1], Finished)
    assert seen[-1].outcome.kind == "declined"
    assert seen[-1].outcome.text == "the founder is not named."


async def test_an_answer_nothing_supports_is_declined() -> None:
    outcome = await asked(model=writer("Green cheese makes up most of the moon."))
    assert outcome.kind == "declined"
    assert "supported by none" in outcome.reason


async def test_an_answer_cut_off_says_so() -> None:
    settings = AnswerSettings(max_tokens=6)
    outcome = await asked(model=writer("The Parisii founded the city [1]. And then they did more."), settings=settings)
    assert outcome.kind == "answer"
    assert "cut off at 6 tokens" in outcome.flags[-1]


async def test_streaming_is_the_same_path_and_ends_with_the_outcome() -> None:
    seen = await events(writer("The Parisii founded the city [1]."))
    steps = [event.step for event in seen if isinstance(event, Progress)]
    assert steps == ["retrieve", "pack", "generate", "verify"]
    pieces = "".join(event.text for event in seen if isinstance(event, TextPiece))
    assert pieces == "The Parisii founded the city [1]."
    whole = await asked(model=writer("The Parisii founded the city [1]."))
    assert isinstance(seen[-1], Finished)
    assert seen[-1].outcome.text == whole.text
    assert seen[-1].outcome.citations == whole.citations
    quoted = await events(None)
    assert [event.step for event in quoted if isinstance(event, Progress)] == ["retrieve", "pack", "verify"]


async def test_a_failing_model_raises_through_both() -> None:
    with pytest.raises(TimedOut):
        await asked(model=writer(TimedOut("slow")))
    with pytest.raises(TimedOut):
        await events(writer(TimedOut("slow")))


async def test_a_window_too_small_is_a_clear_error() -> None:
    with pytest.raises(BadInput, match="do not fit"):
        await asked(model=writer("unused", window=20))
    with pytest.raises(LimitReached, match="No passage fits"):
        await asked(retriever=Finds(hit("word " * 3000 + "end.")), model=writer("unused", window=2000))


async def test_closing_the_stream_stops_the_model() -> None:
    stopped = asyncio.Event()

    class Endless(ScriptedChat):
        async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
            try:
                while True:
                    await asyncio.sleep(0)
                    yield Delta("more ")
            finally:
                stopped.set()

    streamed = stream(
        "Who?",
        retriever=FINDS,
        embedder=ScriptedEmbedder(),
        model=Endless([], provider="scripted"),
        settings=ANYTHING,
    )
    async for event in streamed:
        if isinstance(event, TextPiece):
            break
    await streamed.aclose()  # type: ignore[attr-defined]
    assert stopped.is_set()


async def test_a_phrase_is_put_first_only_where_the_check_supports_it() -> None:
    settings = AnswerSettings(phrase=True, decline_below=0)
    good = await asked(model=ScriptedChat(["the Parisii"]), settings=settings)
    assert good.text.startswith("the Parisii: The city was founded")
    assert good.usage.output == 2
    assert good.cost_usd == 0
    bad = await asked(model=ScriptedChat(["the Romans"]), settings=settings)
    assert bad.text.startswith("The city was founded")
