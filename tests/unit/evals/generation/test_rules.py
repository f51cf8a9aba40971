"""Statements become questions, and what is not understood stays alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.evals.generation.clause import clause_of
from assay.evals.generation.rules import asked_of
from assay.evals.generation.verbs import IRREGULAR, PRESENT, base_of

VOCABULARY = frozenset({"lavender", "copper", "members"})


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        ("The bridge was opened in 1932 by the mayor.", "When was the bridge opened?", "1932"),
        ("In 1888, the poet moved to Bergen.", "When did the poet move to Bergen?", "1888"),
        ("Ida Holm published her first poem on 4 May 1901.", "When did Ida Holm publish her first poem?", "4 May 1901"),
        ("The poet moved to Bergen after the war.", "Where did the poet move?", "Bergen"),
        ("The old bridge was designed by Anna Berg.", "Who designed the old bridge?", "Anna Berg"),
        ("The novel was written by Ida Holm in Oslo.", "By whom was the novel written?", "Ida Holm"),
        (
            "The harbour employed about 4,300 workers in Lund.",
            "How many workers did the harbour employ in Lund?",
            "4,300",
        ),
        ("Lavender is planted on slopes because its roots rot.", "Why is lavender planted on slopes?", "its roots rot"),
        ("Ida Holm wrote the anthem of Zambria.", "Who wrote the anthem of Zambria?", "Ida Holm"),
        ("DECnet is a suite of protocols, first released in 1975.", "What is DECnet?", "a suite of protocols"),
        ("The fort is known as San Mateo.", "What is the fort known as?", "San Mateo"),
        ("The company installed arc lamps.", "", ""),
        ("The company installed the arc lamps for Lund.", "What did the company install for Lund?", "the arc lamps"),
        ("The pool allows 20 connections.", "How many connections does the pool allow?", "20"),
    ],
)
def test_statements_become_questions(sentence: str, question: str, answer: str) -> None:
    found = {asked.question: sentence[asked.start : asked.end] for asked in asked_of(sentence, vocabulary=VOCABULARY)}
    assert found.get(question, "") == answer, found


@pytest.mark.parametrize(
    "sentence",
    [
        "He was born in Lund in 1932.",
        "This was opened in 1932.",
        "And then nothing happened in Lund.",
        "Running in circles",
        "In 1932",
        "",
        "Rome is the largest city in Italy.",  # no "Where is Rome the largest city?"
        "The forest lost in the fire is now a park in Lund.",
    ],
)
def test_what_is_not_understood_gives_no_question_of_place_or_time(sentence: str) -> None:
    assert not [asked for asked in asked_of(sentence) if asked.question.startswith(("Where", "When"))]


@given(st.text(max_size=200))
def test_any_text_is_survived_and_parts_lie_in_it(text: str) -> None:
    clause = clause_of(text)
    if clause is not None:
        for start, end in (clause.subject, clause.verb, clause.rest):
            assert 0 <= start <= end <= len(text)
    for asked in asked_of(text):
        answer = text[asked.start : asked.end]
        assert answer
        assert answer.lower() not in asked.question.lower()


_WORDS = "The Anna Berg bridge was opened in 1932 by , a of which made 40 ships Lund because and"
_SENTENCES = st.lists(
    st.sampled_from(_WORDS.split()),
    min_size=3,
    max_size=14,
).map(lambda words: " ".join(words) + ".")


@given(_SENTENCES)
def test_answers_are_never_in_their_question(sentence: str) -> None:
    for asked in asked_of(sentence):
        answer = sentence[asked.start : asked.end]
        assert answer.strip()
        assert answer.lower() not in asked.question.lower()
        assert asked.question.endswith("?")


@pytest.mark.parametrize(
    ("past", "base"),
    [
        ("opened", "open"), ("named", "name"), ("planned", "plan"), ("studied", "study"), ("treated", "treat"),
        ("located", "locate"), ("published", "publish"), ("changed", "change"), ("required", "require"),
        ("wrote", "write"), ("discussed", "discuss"), ("handled", "handle"), ("argued", "argue"),
    ],
)  # fmt: skip
def test_base_forms(past: str, base: str) -> None:
    assert base_of(past) == base


def test_a_base_form_that_spelling_does_not_tell_comes_from_the_texts_or_not_at_all() -> None:
    assert base_of("edited") is None
    assert base_of("edited", vocabulary={"edit"}) == "edit"
    assert base_of("kite") is None
    assert not any(base.endswith("ed") for base in IRREGULAR.values())
    assert all(form.endswith("s") for form in PRESENT)
