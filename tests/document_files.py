"""Real files for the reader tests, made by the libraries that users' programs use."""

import json
from email.message import EmailMessage
from io import BytesIO

import docx
import openpyxl
import pikepdf
import pptx
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from pptx.util import Inches
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

# Every character that markup escapes, and what must not be lost around them.
AWKWARD = 'p < 0.05 & q > 3, "quoted" it\'s a<b && c>d; AT&T; snake_case; <tag> &amp; 5 € – 日本 😀'


def pdf(pages: list[list[str]], *, title: str = "", heading: str = "") -> bytes:
    """A PDF with the lines of each page; `heading` is set in large type at the top of the first."""
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    if title:
        canvas.setTitle(title)
    for number, lines in enumerate(pages):
        height = 780
        if heading and number == 0:
            canvas.setFont("Helvetica-Bold", 24)
            canvas.drawString(60, height, heading)
            height -= 40
        canvas.setFont("Helvetica", 11)
        for line in lines:
            canvas.drawString(60, height, line)
            height -= 14
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def scanned_pdf() -> bytes:
    """A PDF of one page without a letter on it."""
    buffer = BytesIO()
    canvas = Canvas(buffer)
    canvas.rect(50, 50, 300, 300, fill=1)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def encrypted_pdf() -> bytes:
    """A PDF that needs a password to open."""
    buffer = BytesIO()
    with pikepdf.open(BytesIO(pdf([["Secret text."]]))) as file:
        file.save(buffer, encryption=pikepdf.Encryption(owner="owner", user="user"))
    return buffer.getvalue()


def word() -> bytes:
    """A DOCX with headings, tracked changes, a tab, a link, a table and a header."""
    document = docx.Document()
    document.core_properties.title = "The title & more"
    document.add_heading("First part", 1)
    document.add_paragraph(AWKWARD)
    paragraph = document.add_paragraph("Tracked: ")
    namespace = nsdecls("w")
    paragraph._p.append(parse_xml(f"<w:ins {namespace}><w:r><w:t>inserted</w:t></w:r></w:ins>"))
    paragraph._p.append(parse_xml(f"<w:del {namespace}><w:r><w:delText>deleted</w:delText></w:r></w:del>"))
    paragraph._p.append(parse_xml(f'<w:moveFrom {namespace} w:id="9"><w:r><w:t>moved</w:t></w:r></w:moveFrom>'))
    document.add_paragraph("left\tright")
    document.add_heading("Second part", 2)
    document.add_paragraph("item one", style="List Bullet")
    table = document.add_table(2, 2)
    for row, column, text in ((0, 0, "name"), (0, 1, "a < b"), (1, 0, "x"), (1, 1, "two\nlines")):
        table.cell(row, column).text = text
    document.sections[0].header.paragraphs[0].text = "Running header"
    return _saved(document)


def slides() -> bytes:
    """A PPTX of three slides: the second has a table and notes, the third no title."""
    deck = pptx.Presentation()
    deck.core_properties.title = "The deck"
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Opening"
    first.placeholders[1].text = AWKWARD
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Numbers"
    table = second.shapes.add_table(1, 2, Inches(1), Inches(2), Inches(4), Inches(1)).table
    table.cell(0, 0).text = "cell a"
    table.cell(0, 1).text = "cell b"
    grouped = second.shapes.add_group_shape().shapes.add_textbox(Inches(1), Inches(1), Inches(1), Inches(1))
    grouped.text_frame.text = "In a group"
    second.notes_slide.notes_text_frame.text = "Say this."
    third = deck.slides.add_slide(deck.slide_layouts[6])
    third.shapes.add_textbox(Inches(1), Inches(1), Inches(3), Inches(1)).text_frame.text = "Just a box"
    return _saved(deck)


def sheets() -> bytes:
    """An XLSX of three sheets, the second empty."""
    book = openpyxl.Workbook()
    book.active.title = "Prices"
    book.active.append(["item", "price", "note"])
    book.active.append(["tea", 3.5, AWKWARD])
    book.create_sheet("Empty")
    book.create_sheet("Far")["C7"] = "far away"
    return _saved(book)


PAGE = f"""<!doctype html><html><head><title>The &amp; title</title><script>alert("x")</script>
<style>p {{ color: red }}</style></head><body><nav><a href="/">Menu</a></nav>
<h1>First <em>part</em></h1>
<p>{AWKWARD.replace("&", "&amp;").replace("<", "&lt;")}
wrapped   text<br>after a break</p>
<ul><li>one<li><p>two</p></ul><ol><li>first</li><li>second</li></ol>
<table><tr><th>a<th>b<tr><td>1<td><p>2</p></table><p>after the table</p>
<h2>Second</h2><pre><code>x = 1
  y = 2</code></pre>
<table><tr><td><h2>Laid out</h2><p>by a table</p></td></tr></table></body></html>"""

NOTEBOOK = json.dumps(
    {
        "cells": [
            {
                "cell_type": "markdown",
                "metadata": {},
                "source": ["# The notebook\n", "\n", "Some *text*.\n", "## Part"],
            },
            {
                "cell_type": "code",
                "metadata": {},
                "execution_count": 1,
                "source": "x = 1 < 2\nprint(x)",
                "outputs": [
                    {"output_type": "stream", "name": "stdout", "text": ["True\n"]},
                    {"output_type": "display_data", "data": {"image/png": "aGVsbG8="}, "metadata": {}},
                ],
            },
        ],
        "metadata": {"kernelspec": {"language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
)


def mail(*, html: bool = False) -> bytes:
    """An e-mail with an attachment."""
    message = EmailMessage()
    message["Subject"] = "Prices für tea"
    message["From"] = "Ann <ann@example.com>"
    message["To"] = "bob@example.com"
    message["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
    message.set_content(
        "<p>Dear Bob,</p><p>3 &lt; 4.</p>" if html else "Dear Bob,\n\n3 < 4.\n", subtype="html" if html else "plain"
    )
    message.add_attachment(b"attached", maintype="text", subtype="plain", filename="list.txt")
    return bytes(message)


def _saved(file) -> bytes:
    buffer = BytesIO()
    file.save(buffer)
    return buffer.getvalue()
