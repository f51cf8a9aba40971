"""Spans of passages and sentences: exact, in order, complete, within their size, and found in linear time."""

import re
from bisect import bisect_right
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from assay.documents.cut import cut
from assay.documents.document import Document, Passage
from assay.documents.headings import markdown_headings
from assay.documents.sentences import sentence_spans, sentences
from assay.documents.settings import CutName, DocumentSettings
from assay.documents.text import tidy

CUTS: tuple[CutName, ...] = ("tokens", "recursive", "sentences", "headings", "semantic")
WITH_OVERLAP: tuple[CutName, ...] = ("tokens", "sentences")

_WORDS = re.compile(r"[^\W_]{1,5}|[^\w\s]|_")


def word_tokens(text: str) -> list[tuple[int, int]]:
    """Like WordPiece: parts of words and single punctuation marks."""
    return [match.span() for match in _WORDS.finditer(text)]


def byte_tokens(text: str) -> list[tuple[int, int]]:
    """Like a byte-level tokenizer: several tokens for one character outside ASCII, all with its span."""
    return [(i, i + 1) for i, letter in enumerate(text) for _ in letter.encode()]


def greedy_tokens(text: str) -> list[tuple[int, int]]:
    """Counts that do not add up: the first word of a text is two tokens, every later one is one."""
    words = [match.span() for match in re.finditer(r"\S+", text)]
    return words[:1] + words


TOKENIZERS = [word_tokens, byte_tokens, greedy_tokens]


def letter_vectors(texts: list[str]) -> NDArray[np.float32]:
    """A crude embedder: how often each of 16 classes of letters occurs."""
    vectors = np.zeros((len(texts), 16), dtype=np.float32)
    for row, text in enumerate(texts):
        for letter in text:
            vectors[row, ord(letter) % 16] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1)


_FRAGMENTS = st.sampled_from(
    [
        "# Heading\n",
        "## Deeper one\n\n",
        "Title\n=====\n",
        "- item\n",
        "1. first\n",
        "> quoted text\n",
        "| a | b |\n",
        "\n\n",
        "\r\n",
        "\r",
        " ",
        "\t",
        "\u2028",
        "\x0c",
        "\x85",
        "\x00",
        "\ud800",
        "\u200b\u200d\ufeff",
        "```py\nx = 1\n\ny = 2\n```\n",
        "```\n",
        "~~~\n",
        "---\ntitle: x\n---\n",
        "a" * 130,
        "word " * 30,
        "Dr. Smith paid 3.50, e.g. for tea. ",
        "Is it? Yes! ",
        "z. B. am 3. Mai. ",
        "...",
        "。",
        "”",
        "[1]",
        "👩‍👩‍👧‍👦",
        "e\u0301\u0323",
        "日本語。元気！",
        "\u05d0\u05d1",
        "١٢٣",
    ]
)
texts = st.one_of(
    st.text(max_size=300),
    st.lists(st.one_of(_FRAGMENTS, st.text(max_size=12)), max_size=40).map("".join),
).map(tidy)


def passages_of(text: str, name: CutName, size: int, overlap: int, tokens: object) -> list[Passage]:
    document = Document("d", "sha256:0", text, headings=markdown_headings(text))
    chosen = DocumentSettings(cut=name, size=size, overlap=overlap)
    return cut(document, settings=chosen, tokens=tokens, embed=letter_vectors)  # type: ignore[arg-type]


@pytest.mark.parametrize("tokens", TOKENIZERS)
@pytest.mark.parametrize("name", CUTS)
@given(text=texts, size=st.integers(16, 60))
@settings(max_examples=40, deadline=None)
def test_passages_cover_every_visible_character_exactly_once(name: CutName, tokens: object, text: str, size: int):
    passages = passages_of(text, name, size, 0, tokens)
    position = 0
    for number, passage in enumerate(passages):
        assert passage.ordinal == number
        assert passage.start >= position
        assert not text[position : passage.start].strip()
        position = passage.end
    assert not text[position:].strip()


@pytest.mark.parametrize("tokens", TOKENIZERS)
@pytest.mark.parametrize("name", CUTS)
@given(text=texts, size=st.integers(16, 60), share=st.floats(0, 0.5))
@example(text="word " * 200, size=16, share=0.0)
@settings(max_examples=40, deadline=None)
def test_passages_are_exact_trimmed_spans_within_the_size(name: CutName, tokens, text: str, size: int, share: float):
    overlap = int(size * share) if name in WITH_OVERLAP else 0
    passages = passages_of(text, name, size, overlap, tokens)
    for passage in passages:
        assert text[passage.start : passage.end] == passage.text
        assert passage.text.strip() == passage.text != ""
        assert len(tokens(passage.text)) <= size or len(passage.text) == 1


@pytest.mark.parametrize("name", WITH_OVERLAP)
@given(text=texts, size=st.integers(16, 60), share=st.floats(0.1, 0.5))
@settings(max_examples=60, deadline=None)
def test_overlapping_passages_still_cover_the_text_in_order(name: CutName, text: str, size: int, share: float):
    passages = passages_of(text, name, size, int(size * share), word_tokens)
    covered = 0
    for before, after in pairwise(passages):
        assert before.start < after.start
        assert before.end < after.end
    for passage in passages:
        assert not text[covered : passage.start].strip()
        covered = passage.end
    assert not text[covered:].strip()


@given(text=texts)
@settings(max_examples=400, deadline=None)
def test_sentences_are_exact_in_order_and_hold_every_letter_outside_markers(text: str):
    found = list(sentences(text))
    end = 0
    for sentence in found:
        assert end <= sentence.lead <= sentence.start < sentence.end
        visible = text[sentence.start : sentence.end]
        assert visible.strip() == visible
        end = sentence.end
    assert [(s.start, s.end) for s in found] == sentence_spans(text)
    if not re.search(r"```|~~~", text):
        covered = [text[s.lead : s.end] for s in found]
        assert sum(map(str.isalnum, "".join(covered))) == sum(map(str.isalnum, text))


@given(text=texts)
@settings(max_examples=200, deadline=None)
def test_headings_start_their_lines(text: str):
    headings = markdown_headings(text)
    assert [heading.start for heading in headings] == sorted({heading.start for heading in headings})
    for heading in headings:
        assert heading.start == 0 or text[heading.start - 1] == "\n"
        assert heading.title
        assert 1 <= heading.level <= 6


@pytest.mark.parametrize("name", CUTS)
def test_the_page_of_a_passage_holds_its_start(name: CutName):
    page = "One sentence here. Another follows it there.\n\n" * 12
    pages = tuple((i * len(page), (i + 1) * len(page)) for i in range(5))
    document = Document("d", "sha256:0", page * 5, pages=pages)
    for passage in cut(
        document, settings=DocumentSettings(cut=name, size=40), tokens=word_tokens, embed=letter_vectors
    ):
        assert passage.page == bisect_right([start for start, _ in pages], passage.start)
        assert passage.page == document.page_at(passage.start)


@pytest.mark.parametrize("name", CUTS)
@pytest.mark.parametrize(
    "unit",
    [
        "# A\n\nText of it. More.\n\n",
        "no stop anywhere ",
        "x",
        "a,b,c\n",
        "Line after line\n",
        "\u0301",
        "日本",
        "\n \n",
        "# A\n",
    ],
)
def test_every_character_is_tokenised_at_most_twice_and_embedded_once(name: CutName, unit: str):
    text = (unit * (60_000 // len(unit)))[:60_000]
    handed_to = {"tokens": 0, "embed": 0}

    def counted(part: str) -> list[tuple[int, int]]:
        handed_to["tokens"] += len(part)
        return word_tokens(part)

    def embed(parts: list[str]) -> NDArray[np.float32]:
        handed_to["embed"] += sum(map(len, parts))
        return letter_vectors(parts)

    document = Document("d", "sha256:0", text, headings=markdown_headings(text))
    cut(document, settings=DocumentSettings(cut=name, size=64), tokens=counted, embed=embed)
    assert handed_to["tokens"] <= 2.1 * len(text)
    assert handed_to["embed"] <= len(text)
