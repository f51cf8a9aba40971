import asyncio
from collections.abc import AsyncGenerator

import pytest

from answer_hits import BERLIN, PARIS, Finds, hit
from assay.answers.ask import LONGEST_QUESTION, ask, needs_model, stream
from assay.answers.outcome import AnswerEvent, Finished, Outcome, Progress, TextPiece, flag_kind
from assay.answers.settings import AnswerSettings
from assay.errors import AssayError, BadInput, LimitReached, Refused, TimedOut
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
    rival = "The founders of the city were Celts of the Parisii."
    outcome = await asked(retriever=Finds(hit(PARIS, start=50), hit(rival, source="b.md")))
    assert outcome.kind == "answer"
    assert outcome.citations[0].quote == "The city was founded by the Parisii before 52 BC."
    assert outcome.citations[0].start == 50 + PARIS.index("The city")
    assert outcome.text == " ".join(f"{c.quote} [{c.marker}]" for c in outcome.citations)
    assert [citation.document for citation in outcome.citations] == ["a.md", "b.md"]
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
    assert flag_kind(outcome.flags[-1]) == "cut short"


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


async def test_a_failing_writer_raises_through_both_and_says_how_to_do_without() -> None:
    with pytest.raises(TimedOut) as caught:
        await asked(model=writer(TimedOut("slow", hint="Wait.")))
    assert caught.value.hint == "Wait. To answer by quotes alone, set answers.style to quote."
    with pytest.raises(TimedOut):
        await events(writer(TimedOut("slow")))


@pytest.mark.parametrize("failure", [Refused("m cannot be reached."), BadInput("The prompt is too long.")])
async def test_a_failing_model_costs_a_quote_only_its_phrase(failure: AssayError) -> None:
    settings = AnswerSettings(style="quote", phrase=True, decline_below=0)
    model = writer(failure)
    outcome = await asked(model=model, settings=settings)
    assert len(model.requests) == 1
    assert outcome.kind == "answer"
    assert outcome.text.startswith("The city was founded")
    assert outcome.flags == (f"scripted put no phrase before the quote: {failure.message}",)
    assert flag_kind(outcome.flags[0]) == "unphrased"
    assert (outcome.usage.total, outcome.cost_usd) == (0, 0.0)


@pytest.mark.parametrize(
    ("given", "provider", "needed"),
    [
        ({}, "embedded", False),
        ({}, "openai", True),
        ({"style": "quote"}, "openai", False),
        ({"style": "write"}, "embedded", True),
        ({"style": "quote", "phrase": True}, "embedded", True),
    ],
)
async def test_a_model_is_called_exactly_where_it_is_needed(
    given: dict[str, object], provider: str, needed: bool
) -> None:
    settings = AnswerSettings.model_validate({"decline_below": 0, **given})
    model = ScriptedChat(["The Parisii founded the city [1]."], provider=provider)
    await asked(model=model, settings=settings)
    assert bool(model.requests) == needs_model(settings, provider=provider) == needed


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
