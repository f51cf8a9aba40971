"""Sentences by example: where they end, where they do not, and what is left out."""

import pytest

from assay.documents.sentences import sentence_spans


def quoted(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


@pytest.mark.parametrize(
    "sentence",
    [
        "Dr. Smith met Mrs. Jones at 5 p.m. sharp.",
        "It costs $3.50, e.g. for tea, i.e. not much.",
        "See Fig. 3 and pp. 4-7 in vol. 2.",
        "No. 5 is alive.",
        "J. R. R. Tolkien wrote it with C. S. Lewis et al. in mind.",
        "The U.S. Senate met the U.K. Government.",
        "He waited... and waited.",
        '"Really?" he asked.',
        "Visit example.com or read assay.toml first.",
        "Version 3.11.7 is out.",
        "Am 3. Oktober begann z. B. das 19. Jahrhundert, d. h. es war Nr. 7.",
        "Vgl. Abb. 4, bzw. Kap. 2 ff. im Anhang.",
        "E. I. du Pont paid 30 Mio. EUR for it.",
        "Acme Inc. Chairman Bob Ray left.",
    ],
)
def test_stops_inside_a_sentence_do_not_end_it(sentence: str):
    assert quoted(f"{sentence} Next one.") == [sentence, "Next one."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("It ended in 1990. Then came peace.", ["It ended in 1990.", "Then came peace."]),
        ("He moved to the U.S. He stayed.", ["He moved to the U.S.", "He stayed."]),
        ("It was plan B. It failed.", ["It was plan B.", "It failed."]),
        ("Is it? No. Yes.", ["Is it?", "No.", "Yes."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("(It was late.) He slept.", ["(It was late.)", "He slept."]),
        ("Cited.[1][2] Also this.[3, 4]", ["Cited.[1][2]", "Also this.[3, 4]"]),
        ("It was **bold.** Then not.", ["It was **bold.**", "Then not."]),
        ("今日は。元気！はい", ["今日は。", "元気！", "はい"]),
        ("Er kam. Sie ging. Es blieb.", ["Er kam.", "Sie ging.", "Es blieb."]),
        ("Wait... Then go.", ["Wait...", "Then go."]),
        ("", []),
        (" \n\t ", []),
        ("--- *** ---", []),
    ],
)
def test_sentences_end_at_stops(text: str, expected: list[str]):
    assert quoted(text) == expected


def test_wrapped_lines_are_one_sentence():
    text = (
        "A paragraph that was wrapped by an editor at some width goes on over\n"
        "the ends of its lines, and only its stops end its sentences. Here is\n"
        "a second one."
    )
    assert quoted(text) == [text[: text.index(" Here")], text[text.index("Here") :]]


def test_wrapped_lines_may_start_with_a_capital():
    text = (
        "The committee met in the old hall of the city of West\nBerlin in 1990, and its members came to see\nMayor Ann."
    )
    assert quoted(text) == [text]


def test_blank_lines_and_short_lines_end_sentences():
    assert quoted("Apples\nOranges\n\nPears and plums") == ["Apples", "Oranges", "Pears and plums"]


def test_windows_newlines_end_lines_like_others():
    assert quoted("First item\r\nSecond item\r\n\r\nThird") == ["First item", "Second item", "Third"]


def test_markdown_markers_are_not_quoted():
    text = "## A heading\n\n- first item. With more.\n* second\n1. third\n2) fourth\n> quoted line\n- [x] done\n"
    expected = ["A heading", "first item.", "With more.", "second", "third", "fourth", "quoted line", "done"]
    assert quoted(text) == expected


def test_table_rows_and_fenced_lines_stand_alone():
    text = "| name | value |\n|------|-------|\n| a. B | c |\n\n```python\nx = 1. + y\n\nprint(x)\n```\nAfter it.\n"
    assert quoted(text) == ["| name | value |", "| a. B | c |", "x = 1. + y", "print(x)", "After it."]


def test_records_and_code_lines_stand_alone():
    text = "date,name,amount,currency,comment\n2024-01-01,Alpha,100,EUR,first one\n2024-01-02,Beta,200,EUR,second one\n"
    assert quoted(text) == text.splitlines()
    code = "def double(value):\n    return value * 2\n\nprint(double(21))"
    assert quoted(code) == ["def double(value):", "return value * 2", "print(double(21))"]


def test_underlined_titles_stand_alone():
    assert quoted("A title\n=======\n\nText here.") == ["A title", "Text here."]
