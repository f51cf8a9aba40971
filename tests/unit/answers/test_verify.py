from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answer_hits import BERLIN, PARIS, hit
from assay.answers.candidates import sentences_of
from assay.answers.verify import check_verbatim, covered, supports
from assay.answers.write import citation
from assay.errors import Corrupt


@given(st.text(max_size=400), st.integers(0, 10_000))
def test_every_sentence_of_any_document_makes_a_verbatim_citation(text: str, start: int) -> None:
    """Citations are spans of the document: the passage's own place in it is added."""
    document = "x" * start + text
    found = hit(text, start=start)
    citations = [citation(sentence, marker) for marker, sentence in enumerate(sentences_of(found), start=1)]
    check_verbatim(citations, [found])
    assert all(document[made.start : made.end] == made.quote for made in citations)


@pytest.mark.parametrize(
    "change", [{"start": 1}, {"end": 5}, {"quote": "Paris is the capitol of France."}, {"document_id": "z"}]
)
def test_a_citation_that_is_not_verbatim_is_a_broken_invariant(change: dict[str, object]) -> None:
    found = hit(PARIS)
    good = citation(sentences_of(found)[0], 1)
    check_verbatim([good], [hit(BERLIN, source="b.md"), found])
    with pytest.raises(Corrupt, match="not verbatim"):
        check_verbatim([replace(good, **change)], [found])


def test_support_is_lexical_or_by_meaning_and_never_with_another_number() -> None:
    quote = "Berlin has 3.7 million inhabitants."
    assert supports("Berlin has 3.7 million people living there.", quote, cosine=0.9)
    assert supports("Berlin has inhabitants.", quote, cosine=0.0)
    assert supports("Many dwell in that town.", quote, cosine=0.7)
    assert not supports("Many dwell in that town.", quote, cosine=0.5)
    assert not supports("Berlin has 4.7 million inhabitants.", quote, cosine=0.99)
    assert supports("About 3,700 rooms.", "It has 3700 rooms.", cosine=0.0)
    assert covered("", "anything") == 1.0
