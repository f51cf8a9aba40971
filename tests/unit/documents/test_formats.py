"""What each format yields: its text whole, headings and pages where the format has them."""

import pytest

import document_files as files
from assay.documents.extract import Extract
from assay.documents.extractors import extract
from assay.documents.formats import DOCX, PPTX, XLSX
from assay.documents.webpage import read_page
from assay.errors import Unreadable


def headings(found: Extract) -> list[tuple[int, str]]:
    for heading in found.headings:
        assert found.text[heading.start :].lstrip("# ").startswith(heading.title)
    return [(heading.level, heading.title) for heading in found.headings]


def test_pdf_pages_lines_and_headings():
    lines = ["This is the first page, p < 0.05 & more; snake_case.", "It was hyphen-", "ated here."]
    found = extract(
        files.pdf([lines, ["Second page."]], title="The title", heading="Chapter one"), "application/pdf", name="f"
    )
    assert found.title == "The title"
    pages = [found.text[start:end] for start, end in found.pages]
    assert pages == [
        "Chapter one\nThis is the first page, p < 0.05 & more; snake_case.\nIt was hyphenated here.\n\n".removesuffix(
            "\n\n"
        ),
        "\n\nSecond page.",
    ]
    assert headings(found) == [(1, "Chapter one")]


def test_a_sentence_that_goes_on_over_the_page_is_not_parted_by_a_blank_line():
    found = extract(files.pdf([["It goes on"], ["over the page."], ["Next."]]), "application/pdf", name="f")
    assert found.text == "It goes on\nover the page.\n\nNext."
    assert [found.text[start:end].strip() for start, end in found.pages] == ["It goes on", "over the page.", "Next."]


def test_pdf_titles_that_programs_wrote_are_no_titles():
    found = extract(files.pdf([["Text."]], title="Microsoft Word - draft.docx"), "application/pdf", name="f")
    assert found.title == ""


def test_word_keeps_every_character_and_the_order_of_things():
    found = extract(files.word(), DOCX, name="f")
    assert found.title == "The title & more"
    assert headings(found) == [(1, "First part"), (2, "Second part")]
    assert found.text == (
        f"First part\n\n{files.AWKWARD}\n\nTracked: inserted\n\nleft\tright\n\nSecond part\n\nitem one\n\n"
        "| name | a < b |\n| x | two lines |"
    )


def test_slides_are_pages_and_keep_their_notes():
    found = extract(files.slides(), PPTX, name="f")
    assert found.title == "The deck"
    assert headings(found) == [(1, "Opening"), (1, "Numbers")]
    assert [found.text[start:end].strip() for start, end in found.pages] == [
        f"Opening\n\n{files.AWKWARD}",
        "Numbers\n\n| cell a | cell b |\n\nIn a group\n\nNotes: Say this.",
        "Just a box",
    ]


def test_sheets_are_headings_with_a_line_per_row():
    found = extract(files.sheets(), XLSX, name="f")
    assert headings(found) == [(2, "Prices"), (2, "Far")]
    assert found.text == (f"Prices\n\n| item | price | note |\n| tea | 3.5 | {files.AWKWARD} |\n\nFar\n\n| far away |")


def test_page_gives_what_a_reader_sees():
    found = extract(files.PAGE.encode(), "text/html", name="f")
    assert found.title == "The & title"
    assert headings(found) == [(1, "First part"), (2, "Second"), (2, "Laid out")]
    assert found.text == (
        f"First part\n\n{files.AWKWARD} wrapped text\nafter a break\n\n- one\n- two\n\n1. first\n2. second\n\n"
        "| a | b |\n| 1 | 2 |\n\nafter the table\n\nSecond\n\n```\nx = 1\n  y = 2\n```\n\nLaid out\n\nby a table"
    )


def test_page_charset_is_believed_only_if_it_holds():
    page = "<meta charset='{}'><p>größer</p>"
    assert read_page(page.format("cp1252").encode("cp1252"), name="f").text == "größer"
    assert read_page(page.format("ascii").encode("utf-8"), name="f").text == "größer"
    assert read_page(page.format("nonsense").encode("utf-8"), name="f").text == "größer"


def test_a_menu_that_is_never_closed_hides_nothing():
    assert read_page(b"<nav><p>Menu<p>The text", name="f").text == "Menu\n\nThe text"


@pytest.mark.parametrize(
    "text", ["<b>x", "<p", "<!--", "a < b", "<![CDATA[x]]>y", "&#0;&#xD800;x", "<td>cell</td>", "</p></p>x"]
)
def test_broken_pages_yield_what_they_hold(text: str):
    found = read_page(f"{text} tail".encode(), name="f").text
    assert "\x00" not in found
    assert not any("\ud800" <= letter <= "\udfff" for letter in found)


def test_notebook_cells_keep_their_order_and_their_code():
    found = extract(files.NOTEBOOK.encode(), "application/x-ipynb+json", name="f")
    assert found.title == "The notebook"
    assert headings(found) == [(1, "The notebook"), (2, "Part")]
    assert found.text == (
        "# The notebook\n\nSome *text*.\n## Part\n\n```python\nx = 1 < 2\nprint(x)\n```\n\n```\nTrue\n```"
    )


@pytest.mark.parametrize("html", [False, True])
def test_mail_gives_headers_body_and_names_of_attachments(html: bool):
    found = extract(files.mail(html=html), "message/rfc822", name="f")
    assert found.title == "Prices für tea"
    assert found.text == (
        "Prices für tea\n\nFrom: Ann <ann@example.com>\nTo: bob@example.com\n"
        "Date: Mon, 01 Jan 2024 10:00:00 +0000\n\nDear Bob,\n\n3 < 4."
    )
    assert found.metadata["attachments"] == "list.txt"


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"cells": [1]}', b'{"cells": [{"cell_type": "code", "source": 5}]}', b"[" * 100_000]
)
def test_broken_notebooks_are_damaged(content: bytes):
    with pytest.raises(Unreadable) as caught:
        extract(content, "application/x-ipynb+json", name="f")
    assert caught.value.slug == "damaged"
