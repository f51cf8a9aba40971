import numpy as np
import pytest

from answer_hits import BERLIN, PARIS, hit
from assay.answers.candidates import READ, sentences_of, signals
from assay.answers.decline import confidence, reason
from assay.answers.question import Question
from assay.answers.quote import best_sentences, quoted_text, sentence_scores
from assay.models.scripted import ScriptedEmbedder


def test_headings_are_no_sentences() -> None:
    text = "# Rules\n\nThe rules are strict.\n\nPenalties\n\nA penalty is paid at once."
    found = sentences_of(hit(text, title="Rules", heading="Rules > Penalties"))
    assert [sentence.text for sentence in found] == ["The rules are strict.", "A penalty is paid at once."]


async def test_only_the_first_passages_are_read() -> None:
    hits = [hit(PARIS, source=f"{i}.md") for i in range(READ + 3)]
    found = await signals(Question.of("Who founded Paris?"), hits, embedder=ScriptedEmbedder())
    assert {candidate.rank for candidate in found.candidates} == set(range(READ))
    assert len(found.hits) == READ


async def test_signals_say_what_they_say() -> None:
    question = Question.of("Who founded the city of Paris in France?")
    found = await signals(question, [hit(PARIS), hit(BERLIN, source="b.md")], embedder=ScriptedEmbedder())
    assert found.values.shape == (len(found.candidates), len(found.names))
    assert np.isfinite(found.values).all()
    texts = [candidate.text for candidate in found.candidates]
    founded = texts.index("The city was founded by the Parisii before 52 BC.")
    assert found.column("covers")[founded] == max(found.column("covers"))
    assert found.column("person")[founded] > 0
    assert found.column("passage_covers")[founded] == 1
    assert list(found.column("opens")) == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("text", ["", " \n ", "---", "### \n"])
async def test_passages_without_a_sentence_give_no_candidates_and_no_confidence(text: str) -> None:
    found = await signals(Question.of("Why?"), [hit(text)], embedder=ScriptedEmbedder())
    assert len(found.candidates) == 0
    assert confidence(found, sentence_scores(found)) == 0.0
    assert best_sentences(found, sentence_scores(found), most=2) == []


async def test_a_sentence_that_repeats_a_better_one_is_left_out() -> None:
    twin = PARIS.replace("before 52 BC", "before 52 BC then")
    question = Question.of("Who founded the city?")
    found = await signals(question, [hit(PARIS), hit(twin, source="b.md")], embedder=ScriptedEmbedder())
    chosen = best_sentences(found, sentence_scores(found), most=3)
    assert sum("founded" in sentence.text for sentence in chosen) == 1
    assert quoted_text(chosen[:1], phrase="the Parisii") == f"the Parisii: {chosen[0].text} [1]"


async def test_a_sentence_far_less_likely_than_the_best_one_is_not_quoted() -> None:
    found = await signals(Question.of("Who founded the city?"), [hit(PARIS)], embedder=ScriptedEmbedder())
    close, far = np.log([1, 0.03, 0.01]), np.log([1, 0.01, 0.01])
    assert [c.text for c in best_sentences(found, close, most=3)] == [c.text for c in found.candidates[:2]]
    assert [c.text for c in best_sentences(found, far + 5, most=3)] == [found.candidates[0].text]


async def test_a_question_in_the_text_is_not_quoted_as_its_answer() -> None:
    text = "Who founded Paris? The Parisii founded Paris."
    found = await signals(Question.of("Who founded Paris?"), [hit(text)], embedder=ScriptedEmbedder())
    assert best_sentences(found, sentence_scores(found), most=1)[0].text == "The Parisii founded Paris."


def test_the_reason_names_what_is_missing() -> None:
    question = Question.of("Who painted the ceiling of the Sistine chapel in Paris?")
    assert "“painted”, “ceiling”, “Sistine”" in reason(question, [hit(PARIS)])
    assert "no sentence in them" in reason(Question.of("Who founded the city?"), [hit(PARIS)])
    assert "Ingest" in reason(question, [])
