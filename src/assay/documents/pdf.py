"""PDF: the text of each page as pdfium lays it down, with the headings its type sizes give away."""

from assay.documents.extract import Extract, Writing
from assay.errors import Unreadable


def read_pdf(content: bytes, *, name: str) -> Extract:
    """Pages, text and title of a PDF. Raises Unreadable: `encrypted`, `damaged`, `no_text`."""
    import kreuzberg

    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="markdown",
        pages=kreuzberg.PageConfig(extract_pages=True),
    )
    try:
        result = kreuzberg.extract_bytes_sync(content, "application/pdf", config)
    except kreuzberg.KreuzbergError as error:
        if "password" in str(error).lower():
            raise Unreadable(
                f"{name} is encrypted", hint="Save a copy without a password.", code="encrypted"
            ) from error
        raise Unreadable(
            f"{name} is damaged", hint="Open and save it again, or get a whole copy.", code="damaged"
        ) from error
    writing = Writing()
    for page in result.pages or []:
        writing.page()
        writing.block(page["content"].replace("\x02", ""))
    if not writing.text():
        raise Unreadable(f"{name} has no text", hint="Run OCR on it first.", code="no_text")
    return Extract(writing.text(), "application/pdf", str(result.metadata.get("title") or ""), pages=writing.pages())
