import pytest

from assay.answers.outcome import Answer, AnswerEvent, Declined, Finished, Progress, TextPiece
from assay.app.scripted import Reply, ScriptedService, sample_documents, view_of
from assay.app.service import Service
from assay.errors import NotFound, Refused


def service_of(service: Service) -> Service:
    """Holds the fake to the protocol, for the type checker."""
    return service


async def test_every_citation_is_a_true_span_of_its_document() -> None:
    service = ScriptedService()
    outcome = await service_of(service).ask("How many days after delivery are refund requests accepted?")
    assert isinstance(outcome, Answer)
    assert "thirty days" in outcome.text
    for citation in outcome.citations:
        assert service.held[citation.document_id].text[citation.start : citation.end] == citation.quote
    for hit in outcome.hits:
        passage = hit.passage
        assert service.held[passage.document_id].text[passage.start : passage.end] == passage.text


async def test_what_no_sentence_shares_words_with_is_declined() -> None:
    assert isinstance(await ScriptedService().ask("Who composed the Goldberg variations?"), Declined)


async def test_a_script_is_played_in_order_and_ends_with_its_outcome() -> None:
    outcome = Answer("Two words", (), ())
    service = ScriptedService(replies={"q": Reply(outcome, steps=(("retrieve", ""),))})
    events: list[AnswerEvent] = [event async for event in service.stream("q")]
    assert events[:-1] == [Progress("retrieve"), TextPiece("Two "), TextPiece("words")]
    assert isinstance(events[-1], Finished)
    assert service.closed_early == 0


async def test_a_scripted_error_is_raised_and_an_early_close_is_counted() -> None:
    service = ScriptedService(replies={"no": Reply(error=Refused("No.")), "long": Reply(hangs=True)})
    with pytest.raises(Refused):
        await service.ask("no")
    events = service.stream("long")
    await anext(events)
    await events.aclose()  # type: ignore[attr-defined]
    assert service.closed_early == 1


async def test_documents_are_listed_by_source_and_found_by_name() -> None:
    service = ScriptedService()
    rows = await service.documents()
    assert [row.source for row in rows] == sorted(view.source for view in sample_documents())
    assert [row.id for row in await service.documents(matching="RETURNS")] == ["policy"]
    assert len(await service.documents(limit=1, offset=1)) == 1
    extent = await service.extent()
    assert (extent.documents, extent.passages) == (4, sum(row.passages for row in rows))
    with pytest.raises(NotFound):
        await service.document("gone")
    with pytest.raises(NotFound):
        await service.trace("gone")


def test_pages_cover_the_text() -> None:
    view = view_of("d", "d", "one\n\ntwo\n\nthree\n\nfour", page_chars=5)
    assert len(view.pages) > 1
    assert "".join(view.text[start:end] for start, end in view.pages) == view.text
