"""Read a file into a Document.

Plain text, Markdown, CSV and source code keep the file's own text; other formats are extracted. A file
that cannot be read is an `Unreadable` whose slug says why and whose hint says what to do; nothing a
file holds can block, run or fill the memory. Proved by `tests/unit/documents/test_read.py` and
`tests/story/test_bad_documents.py`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from assay.documents.document import Document
from assay.documents.extract import Extract
from assay.documents.extractors import EXTRACTED
from assay.documents.file import contents
from assay.documents.formats import media_type_by_content, media_type_by_name
from assay.documents.headings import front_matter_title, markdown_headings, underlined_headings
from assay.documents.isolated import Isolated
from assay.documents.settings import DocumentSettings
from assay.documents.text import decode
from assay.errors import Unreadable

_MEGABYTE = 1_048_576


def read(
    path: Path,
    *,
    source: str,
    settings: DocumentSettings,
    groups: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
    isolated: Isolated | None = None,
) -> Document:
    """The document in the file at `path`; `source` names it from now on.

    Pass one `isolated` when reading many files: without it every PDF, Office file, page, notebook and e-mail
    starts a process of its own.

    Raises NotFound, or Unreadable with one of the slugs `binary`, `changed`, `damaged`, `empty`, `encoding`,
    `encrypted`, `no_text`, `not_a_file`, `permission`, `timeout`, `too_large`, `unreadable`, `unsupported`,
    `zip_bomb`.
    """
    media_type = media_type_by_name(path, name=source)
    content = contents(path, name=source, max_mb=settings.max_file_mb)
    media_type = media_type or media_type_by_content(content[:65_536], name=source)
    if media_type not in EXTRACTED:
        extract = _plain(content, media_type, path, source)
    elif isolated is not None:
        extract = isolated.extract(content, media_type, name=source)
    else:
        with Isolated(max_seconds=settings.max_seconds) as own:
            extract = own.extract(content, media_type, name=source)
    if len(extract.text) > settings.max_text_mb * _MEGABYTE:
        raise Unreadable(
            f"{source} holds {len(extract.text) / _MEGABYTE:,.0f} MiB of text, more than {settings.max_text_mb}",
            hint="Split the file, or raise documents.max_text_mb.",
            code="too_large",
        )
    if not extract.text.strip():
        raise Unreadable(f"{source} holds no text", hint="Fill the file or leave it out.", code="no_text")
    return Document(
        source=source,
        content_hash="sha256:" + hashlib.sha256(content).hexdigest(),
        text=extract.text,
        title=extract.title or next((h.title for h in extract.headings if h.level == 1), path.stem),
        media_type=extract.media_type,
        pages=extract.pages,
        headings=extract.headings,
        groups=tuple(groups),
        metadata={**extract.metadata, **(metadata or {})},
    )


def _plain(content: bytes, media_type: str, path: Path, source: str) -> Extract:
    """The file's own text."""
    text, encoding = decode(content, name=source)
    kept = {} if encoding == "utf-8" else {"encoding": encoding}
    match media_type:
        case "text/markdown":
            headings = markdown_headings(text)
            title = front_matter_title(text) or next((h.title for h in headings if h.level == 1), "")
            return Extract(text, media_type, title, headings=headings, metadata=kept)
        case "text/x-rst":
            return Extract(text, media_type, headings=underlined_headings(text), metadata=kept)
        case _:
            return Extract(text, media_type, path.name, metadata=kept)
