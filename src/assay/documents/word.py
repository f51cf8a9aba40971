"""DOCX: paragraphs, headings and tables, read by kreuzberg after repairing what it would drop.

kreuzberg 4.10 leaves out `<`, `>`, `&`, quotes written as XML entities, tabs and non-breaking hyphens, so
"p < 0.05" would become "p  0.05". They are replaced in the XML by stand-ins, characters Unicode reserves for
such inner use, and put back in the text. Proved by `tests/unit/documents/test_formats.py`.
"""

import re
import zipfile
from io import BytesIO
from typing import Any

from assay.documents.archive import checked_archive, damaged
from assay.documents.extract import Extract, Writing
from assay.documents.formats import DOCX

_STAND_INS = {"<": "\ufdd0", ">": "\ufdd1", "&": "\ufdd2", '"': "\ufdd3", "'": "\ufdd4"}
_PUT_BACK = str.maketrans({stand_in: letter for letter, stand_in in _STAND_INS.items()})
_NAMED = {b"lt": "<", b"gt": ">", b"amp": "&", b"quot": '"', b"apos": "'"}
_ENTITY = re.compile(rb"&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6}));")
_DROPPED = {
    b"<w:tab/>": b'<w:t xml:space="preserve">\t</w:t>',
    b"<w:noBreakHyphen/>": b"<w:t>-</w:t>",
}
_REPAIRED = re.compile(r"word/(document|footnotes|endnotes)\d*\.xml|docProps/core\.xml")
_MOVED_AWAY = re.compile(rb"<w:moveFrom [^>]*>.*?</w:moveFrom>", re.DOTALL)


def read_word(content: bytes, *, name: str) -> Extract:
    """The text of a DOCX file. Raises Unreadable: `damaged`, `encrypted`, `zip_bomb`."""
    import kreuzberg

    archive = checked_archive(content, name=name)
    config = kreuzberg.ExtractionConfig(
        use_cache=False, enable_quality_processing=False, include_document_structure=True
    )
    try:
        result = kreuzberg.extract_bytes_sync(_repaired(archive), DOCX, config)
    except kreuzberg.KreuzbergError as error:
        raise damaged(name) from error
    writing = Writing()
    for node in result.document["nodes"] if result.document else ():
        if node.get("content_layer") not in ("header", "footer"):
            _write(writing, dict(node["content"]))
    return writing.extract(DOCX, title=_restored(str(result.metadata.get("title") or "")))


def _write(writing: Writing, node: dict[str, Any]) -> None:
    text = _restored(str(node.get("text") or ""))
    match node["node_type"]:
        case "heading" | "title":
            writing.heading(int(node.get("level") or 1), text)
        case "list_item":
            writing.block(f"- {text}" if text.strip() else "", gap="\n")
        case "code":
            writing.code(text)
        case "table":
            rows: dict[int, list[str]] = {}
            for cell in node["grid"]["cells"]:
                rows.setdefault(cell["row"], []).append(_restored(cell["content"]))
            for number, row in enumerate(rows.values()):
                writing.row(row, first=number == 0)
        case _:
            writing.block(text)


def _repaired(archive: zipfile.ZipFile) -> bytes:
    """The archive again, uncompressed, with stand-ins for what kreuzberg drops."""
    copy = BytesIO()
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        for member in archive.namelist():
            content = archive.read(member)
            if _REPAIRED.fullmatch(member):
                content = _MOVED_AWAY.sub(b"", content)
                for dropped, kept in _DROPPED.items():
                    content = content.replace(dropped, kept)
                content = _ENTITY.sub(_stand_in, content)
            target.writestr(member, content)
    return copy.getvalue()


def _stand_in(match: re.Match[bytes]) -> bytes:
    named, decimal, hexadecimal = match.groups()
    if named:
        letter = _NAMED[named]
    else:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        if not 0x20 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            return b" "
        letter = chr(code)
    return _STAND_INS.get(letter, letter).encode()


def _restored(text: str) -> str:
    return text.translate(_PUT_BACK)
