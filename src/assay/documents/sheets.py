"""XLSX: a section per sheet, a line per row, read by kreuzberg (calamine). Formulas give their stored values.

Proved by `tests/unit/documents/test_formats.py`.
"""

from assay.documents.archive import checked_archive, damaged
from assay.documents.extract import Extract, Writing
from assay.documents.formats import XLSX


def read_sheets(content: bytes, *, name: str) -> Extract:
    """The text of an XLSX file, a heading per sheet. Raises Unreadable: `damaged`, `encrypted`, `zip_bomb`."""
    import kreuzberg

    checked_archive(content, name=name).close()
    config = kreuzberg.ExtractionConfig(use_cache=False, enable_quality_processing=False, output_format="markdown")
    try:
        result = kreuzberg.extract_bytes_sync(content, XLSX, config)
    except kreuzberg.KreuzbergError as error:
        raise damaged(name) from error
    sheet_names = result.metadata.get("sheet_names") or []
    writing = Writing()
    for table in result.tables:
        number = table.page_number
        writing.heading(2, sheet_names[number - 1] if 0 < number <= len(sheet_names) else f"Sheet {number}")
        for row_number, row in enumerate(table.cells):
            writing.row(row, first=row_number == 0)
    return writing.extract(XLSX, title=str(result.metadata.get("title") or ""))
