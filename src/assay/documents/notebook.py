"""Jupyter notebooks: Markdown cells with their headings, code cells and their text output between fences.

Proved by `tests/unit/documents/test_formats.py`.
"""

import json
import re
from typing import Any

from assay.documents.archive import damaged
from assay.documents.extract import Extract, Writing
from assay.documents.text import decode

_TYPE = "application/x-ipynb+json"
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_OUTPUT = 4000  # characters; logs and tables beyond this say little about the notebook


def read_notebook(content: bytes, *, name: str) -> Extract:
    """The text of a notebook. Raises Unreadable: `damaged`."""
    text, _ = decode(content, name=name)
    try:
        notebook = json.loads(text)
        cells = notebook["cells"] if "cells" in notebook else notebook["worksheets"][0]["cells"]
        language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language") or "python")
        writing = Writing()
        for cell in cells:
            _write(writing, cell, language)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(name) from error
    return writing.extract(_TYPE, title=next((h.title for h in writing.headings if h.level == 1), ""))


def _write(writing: Writing, cell: dict[str, Any], language: str) -> None:
    source = _joined(cell.get("source", cell.get("input", "")))
    if cell["cell_type"] == "code":
        writing.code(source, language)
        for output in cell.get("outputs", ()):
            text = output.get("text") or output.get("data", {}).get("text/plain") or ""
            writing.code(_COLOUR.sub("", _joined(text))[:_LONGEST_OUTPUT])
    elif cell["cell_type"] == "heading":
        writing.heading(int(cell.get("level", 1)), source)
    elif cell["cell_type"] == "markdown":
        writing.markdown(source)
    else:
        writing.block(source)


def _joined(lines: str | list[str]) -> str:
    return lines if isinstance(lines, str) else "".join(lines)
