"""Which reader takes which format.

Readers are imported when one is needed: together they take longer to import than a page to read.
"""

from assay.documents.extract import Extract
from assay.documents.formats import DOCX, PPTX, XLSX

EXTRACTED = frozenset({"application/pdf", DOCX, PPTX, XLSX, "text/html", "application/x-ipynb+json", "message/rfc822"})


def extract(content: bytes, media_type: str, *, name: str) -> Extract:
    """The text of a file's bytes by the reader of its format. Raises Unreadable."""
    match media_type:
        case "application/pdf":
            from assay.documents.pdf import read_pdf as read
        case "text/html":
            from assay.documents.webpage import read_page as read
        case "application/x-ipynb+json":
            from assay.documents.notebook import read_notebook as read
        case "message/rfc822":
            from assay.documents.mail import read_mail as read
        case _ if media_type == DOCX:
            from assay.documents.word import read_word as read
        case _ if media_type == PPTX:
            from assay.documents.slides import read_slides as read
        case _ if media_type == XLSX:
            from assay.documents.sheets import read_sheets as read
        case _:
            raise ValueError(f"no reader for {media_type}")
    return read(content, name=name)
