"""Where each cut breaks, and what passages know of their place."""

import re
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.documents.cut import cut
from assay.documents.document import Document, Passage
from assay.documents.headings import markdown_headings
from assay.documents.settings import CutName, DocumentSettings
from assay.errors import BadSetting


def words(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"\w+|[^\w\s]", text)]


def passages(text: str, name: CutName, *, size: int = 40, overlap: int = 0) -> list[Passage]:
    document = Document("d", "sha256:0", text, headings=markdown_headings(text))
    return cut(document, settings=DocumentSettings(cut=name, size=size, overlap=overlap), tokens=words, embed=by_topic)


def by_topic(texts: list[str]) -> NDArray[np.float32]:
    """One direction for tea, one for trains."""
    return np.array([[text.count("tea") + 0.1, text.count("train") + 0.1] for text in texts], dtype=np.float32)


SENTENCE = "This is one sentence of thirteen tokens here, with its stop."
PARAGRAPH = " ".join([SENTENCE] * 2)


def test_a_short_text_is_one_passage_in_every_cut():
    for name in ("tokens", "recursive", "sentences", "headings", "semantic"):
        assert [p.text for p in passages(" Short text. \n", name)] == ["Short text."]
        assert passages(" \n\t", name) == []


def test_headings_are_never_crossed_by_big_sections():
    text = f"# A\n\n{PARAGRAPH}\n\n## B\n\n{PARAGRAPH}\n\n# C\n\n{PARAGRAPH}\n"
    found = passages(text, "headings")
    assert [p.text.split("\n")[0] for p in found] == ["# A", "## B", "# C"]
    assert [p.heading for p in found] == ["A", "A > B", "C"]


def test_a_bare_heading_goes_with_the_text_below_it():
    text = f"# A\n\n## B\n\n### C\n\n{PARAGRAPH}\n"
    found = passages(text, "headings")
    assert [(p.text, p.heading) for p in found] == [(text.strip(), "A > B > C")]


def test_tiny_sections_are_joined_with_their_siblings():
    text = "# A\n\n" + "".join(f"## Q{number}\n\nYes.\n\n" for number in range(6))
    assert len(passages(text, "headings", size=80)) < 4


def test_a_long_section_breaks_at_paragraphs_then_at_sentences():
    text = f"# A\n\n{PARAGRAPH}\n\n{PARAGRAPH}\n\n{' '.join([SENTENCE] * 6)}\n"
    found = passages(text, "headings")
    assert found[0].text == f"# A\n\n{PARAGRAPH}"
    assert found[1].text == PARAGRAPH
    assert [p.text for p in found[2:]] == [" ".join([SENTENCE] * 3)] * 2
    assert {p.heading for p in found} == {"A"}


@pytest.mark.parametrize("name", ["recursive", "headings"])
def test_code_and_tables_that_fit_stay_whole(name: CutName):
    code = "```python\nfirst = 1\n\nsecond = 2\n\nthird = 3\n```"
    table = "\n".join(["| a | b |", "|---|---|", *(f"| {row} | x |" for row in range(4))])
    text = f"{PARAGRAPH}\n\n{code}\n\n{PARAGRAPH}\n\n{table}\n"
    found = passages(text, name)
    assert any(code in p.text for p in found)
    assert any(table in p.text for p in found)


def test_no_passage_ends_with_a_heading():
    text = "".join(f"## Part {number}\n\n{PARAGRAPH}\n\n" for number in range(8))
    for name in ("recursive", "headings", "sentences", "semantic"):
        assert not any(p.text.split("\n")[-1].startswith("#") for p in passages(text, name, size=32))


def test_no_passage_ends_with_a_heading_that_has_little_before_it():
    text = f"Short.\n\n## Heading\n\n{' '.join(['word'] * 37)}\n"
    assert [p.text.split("\n")[0] for p in passages(text, "recursive")] == ["Short.", "## Heading"]


def test_a_good_break_that_leaves_little_is_passed_over():
    found = passages(f"Tiny.\n\n{' '.join([SENTENCE] * 5)}", "recursive")
    assert found[0].text == f"Tiny.\n\n{' '.join([SENTENCE] * 2)}"


def test_a_tiny_section_is_not_joined_with_the_next_chapter():
    found = passages("## End of one\n\nYes.\n\n# Two\n\nNo.\n", "headings")
    assert [p.text for p in found] == ["## End of one\n\nYes.", "# Two\n\nNo."]


def test_a_tiny_last_section_joins_the_one_before():
    text = f"# A\n\n{PARAGRAPH}\n\n## Z\n\nYes."
    assert [p.text for p in passages(text, "headings")] == [text]


def test_overlap_is_as_many_sentences_as_fit():
    sentences = [f"Number {number} is here." for number in range(8)]
    found = passages(" ".join(sentences), "sentences", size=20, overlap=10)
    assert [p.text for p in found] == [" ".join(sentences[start : start + 4]) for start in (0, 2, 4)]


def test_sentences_are_whole_and_overlap_in_whole_sentences():
    numbered = " ".join(f"Sentence number {number} is here." for number in range(20))
    found = passages(numbered, "sentences", size=20, overlap=7)
    for before, after in pairwise(found):
        assert after.text.startswith("Sentence number")
        assert after.text.endswith("here.")
        assert before.text[-len("Sentence number 1 is here.") :].strip() in after.text


def test_tokens_are_cut_by_size_at_words_and_overlap():
    text = " ".join(f"w{number}" for number in range(100))
    found = passages(text, "tokens", size=20, overlap=5)
    assert found[0].text.split() == [f"w{number}" for number in range(20)]
    assert found[1].text.split() == [f"w{number}" for number in range(15, 35)]


def test_semantic_breaks_where_the_subject_changes():
    tea = " ".join(f"The tea number {number} is a fine tea." for number in range(6))
    train = " ".join(f"The train number {number} is a fast train." for number in range(6))
    assert [p.text for p in passages(f"{tea} {train}", "semantic", size=100)] == [tea, train]


def test_a_long_run_without_white_space_is_cut_anyway():
    found = passages("é" * 5000, "headings", size=16)
    assert "".join(p.text for p in found) == "é" * 5000
    assert max(len(p.text) for p in found) <= 16 * 24


@pytest.mark.parametrize("name", ["tokens", "headings"])
def test_a_cut_inside_a_word_does_not_part_a_letter_from_its_accent(name: CutName):
    document = Document("d", "sha256:0", "e\u0301" * 500)

    def letters(text: str) -> list[tuple[int, int]]:
        return [(place, place + 1) for place in range(len(text))]

    found = cut(document, settings=DocumentSettings(cut=name, size=17), tokens=letters)
    assert all(passage.text[0] == "e" for passage in found)


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(BadSetting):
        passages("x", "tokens", size=20, overlap=11)
    with pytest.raises(BadSetting):
        cut(Document("d", "h", "x"), settings=DocumentSettings(cut="semantic"), tokens=words)
