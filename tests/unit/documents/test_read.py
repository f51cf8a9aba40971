"""Reading files into documents: plain text untouched, the rest extracted, names and hashes kept."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import document_files as files
from assay.documents.isolated import Isolated
from assay.documents.read import read
from assay.documents.settings import DocumentSettings
from assay.documents.text import tidy
from assay.errors import NotFound, Unreadable

SETTINGS = DocumentSettings()


@pytest.fixture(scope="module")
def isolated() -> Iterator[Isolated]:
    with Isolated(max_seconds=60) as reader:
        yield reader


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.txt", "text/plain"),
        ("a.md", "text/markdown"),
        ("a.csv", "text/csv"),
        ("a.py", "text/x-py"),
        ("a.JSON", "application/json"),
        ("LICENSE", "text/plain"),
        ("a.strange", "text/plain"),
    ],
)
def test_plain_files_keep_their_text(tmp_path: Path, name: str, media_type: str):
    text = f"# One\r\n\r\n{files.AWKWARD}\r\nname,value\r\n\tindented\r\n<script>alert(1)</script>\r\n"
    path = tmp_path / name
    path.write_bytes(text.encode())
    document = read(path, source=f"docs/{name}", settings=SETTINGS, groups=["staff"], metadata={"team": "a"})
    assert document.text == tidy(text) == text.replace("\r\n", "\n")
    assert document.media_type == media_type
    assert document.source == f"docs/{name}"
    assert document.content_hash == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert document.groups == ("staff",)
    assert document.metadata == {"team": "a"}
    assert document.pages == ()


def test_markdown_has_headings_and_a_title(tmp_path: Path):
    path = tmp_path / "guide.md"
    path.write_text("## Before\n\n# The title\n\ntext\n")
    document = read(path, source="guide.md", settings=SETTINGS)
    assert document.title == "The title"
    assert [(h.level, h.start, h.title) for h in document.headings] == [(2, 0, "Before"), (1, 11, "The title")]


def test_the_encoding_is_said_where_it_is_not_utf8(tmp_path: Path):
    path = tmp_path / "old.txt"
    path.write_bytes("Größe und Straße".encode("cp1252"))
    document = read(path, source="old.txt", settings=SETTINGS)
    assert (document.text, document.metadata) == ("Größe und Straße", {"encoding": "cp1252"})


@pytest.mark.parametrize(
    ("name", "content", "title", "inside"),
    [
        ("a.pdf", files.pdf([["On the first page."], ["On the second page."]]), "a", "On the second page."),
        ("a.docx", files.word(), "The title & more", files.AWKWARD),
        ("a.pptx", files.slides(), "The deck", files.AWKWARD),
        ("a.xlsx", files.sheets(), "a", files.AWKWARD),
        ("a.html", files.PAGE.encode(), "The & title", files.AWKWARD),
        ("a.ipynb", files.NOTEBOOK.encode(), "The notebook", "x = 1 < 2"),
        ("a.eml", files.mail(), "Prices für tea", "3 < 4."),
    ],
)
def test_formats_are_extracted_in_a_child(
    tmp_path: Path, isolated: Isolated, name: str, content: bytes, title: str, inside: str
):
    path = tmp_path / name
    path.write_bytes(content)
    document = read(path, source=name, settings=SETTINGS, isolated=isolated)
    assert document.title == title
    assert inside in document.text
    for start, end in document.pages:
        assert document.text[start:end].strip()


def test_a_pdf_without_ending_is_still_a_pdf(tmp_path: Path):
    path = tmp_path / "report"
    path.write_bytes(files.pdf([["The text."]]))
    assert read(path, source="report", settings=SETTINGS).text == "The text."


def test_pages_of_a_pdf_are_found_again(tmp_path: Path, isolated: Isolated):
    path = tmp_path / "a.pdf"
    path.write_bytes(files.pdf([[f"Page {number} says so."] for number in range(1, 6)]))
    document = read(path, source="a.pdf", settings=SETTINGS, isolated=isolated)
    for number in range(1, 6):
        assert document.page_at(document.text.index(f"Page {number}")) == number


def test_a_missing_file_is_not_found(tmp_path: Path):
    with pytest.raises(NotFound):
        read(tmp_path / "none.txt", source="none.txt", settings=SETTINGS)


def test_too_much_text_is_refused(tmp_path: Path):
    path = tmp_path / "long.txt"
    path.write_text("word " * 300_000)
    with pytest.raises(Unreadable) as caught:
        read(path, source="long.txt", settings=DocumentSettings(max_text_mb=1))
    assert caught.value.slug == "too_large"
