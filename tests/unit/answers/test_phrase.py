import pytest

from assay.answers.phrase import checked_phrase

SENTENCE = "Victoria enacted its constitution in 1975, based on the colonial constitution of 1855."


@pytest.mark.parametrize(
    ("written", "phrase"),
    [
        ("1975", "1975"),
        (' "In 1975." ', "in 1975"),
        ("1976", ""),
        ("97", ""),
        ("victoria", ""),
        ("its constitution", ""),
        (SENTENCE, ""),
        ("", ""),
    ],
)
def test_a_phrase_is_a_short_new_part_of_the_sentence_or_nothing(written: str, phrase: str) -> None:
    assert checked_phrase(written, question="When did Victoria enact its constitution?", sentence=SENTENCE) == phrase
