from itertools import combinations

import pytest

from assay.answers import question as asking
from assay.answers.question import Question
from assay.answers.words import content_stems, stem


@pytest.mark.parametrize(
    "family",
    [
        ("invade", "invades", "invaded", "invading"),
        ("city", "cities"),
        ("found", "founded"),
        ("govern", "governs", "government"),
        ("Tesla", "Tesla's", "Tesla’s"),
        ("classes", "class"),
    ],
)
def test_forms_of_a_word_share_a_stem(family: tuple[str, ...]) -> None:
    for one, other in combinations(family, 2):
        assert stem(one) == stem(other)


@pytest.mark.parametrize("different", [("bus", "bust"), ("king", "kind"), ("analysis", "analyse")])
def test_different_words_keep_different_stems(different: tuple[str, str]) -> None:
    assert stem(different[0]) != stem(different[1])


def test_content_stems_leave_out_stop_words_unless_there_is_nothing_else() -> None:
    assert content_stems("Who is the king of France?") == ["king", "franc"]
    assert content_stems("Who are you?") == ["who", "are", "you"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("How many people live there?", "number"),
        ("When did it open?", "date"),
        ("In what years was Doctor Who off the air?", "date"),
        ("What happened when the bridge broke?", "thing"),
        ("Who built it?", "person"),
        ("In which cities is it found?", "place"),
        ("Why does it rain?", "reason"),
        ("How does it work?", "manner"),
        ("What is a monad?", "definition"),
        ("Which model is best?", "thing"),
        ("Wie viele Einwohner hat Berlin?", "number"),
        ("Wann wurde es eröffnet?", "date"),
        ("bridge opening times", "other"),
    ],
)
def test_kind_of_answer_asked_for(text: str, kind: str) -> None:
    assert Question.of(text).kind == kind


def test_names_are_capitals_that_open_no_sentence() -> None:
    assert asking.names("Where did Marie Curie work? In Paris.") == {"mari", "curi", "pari"} - {"pari"} | {
        stem("Paris")
    }
    assert asking.names("Where is it?") == frozenset()


def test_numbers_lose_their_separators_and_a_number_of_the_question_is_no_answer() -> None:
    assert asking.numbers("It cost 1,200,000.50 in 1999.") == {"1200000.50", "1999"}
    assert not asking.holds_number("the games of 2015", beside=frozenset({"2015"}))
    assert asking.holds_number("there were 24 in 2015", beside=frozenset({"2015"}))
    assert not asking.holds_date("in 2015", question="What happened in 2015?")
    assert asking.holds_date("in March", question="What happened in 2015?")
