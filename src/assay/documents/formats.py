"""Which format a file is: by its ending, and by its first bytes where the ending says nothing."""

from pathlib import Path

from assay.documents.text import looks_like_text
from assay.errors import Unreadable

_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = _OFFICE + "wordprocessingml.document"
PPTX = _OFFICE + "presentationml.presentation"
XLSX = _OFFICE + "spreadsheetml.sheet"

_ENDINGS = {
    ".pdf": "application/pdf",
    ".docx": DOCX,
    ".docm": DOCX,
    ".pptx": PPTX,
    ".pptm": PPTX,
    ".xlsx": XLSX,
    ".xlsm": XLSX,
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdx": "text/markdown",
    ".qmd": "text/markdown",
    ".rmd": "text/markdown",
    ".rst": "text/x-rst",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".ipynb": "application/x-ipynb+json",
    ".eml": "message/rfc822",
    ".json": "application/json",
    ".xml": "application/xml",
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Read as they are: source code, settings, markup without a reader of its own.
_SOURCE = _words("""
    py js jsx mjs cjs ts tsx java kt kts scala groovy go rs c h cc cpp cxx hpp hh cs fs vb swift m mm rb php
    pl pm lua r jl hs ml mli ex exs erl clj cljs lisp el scm dart zig nim v sol sql sh bash zsh fish ps1 bat
    cmd vue svelte css scss sass less proto graphql tf hcl nix cmake gradle jsonl ndjson yaml yml toml ini cfg
    conf properties env tex bib adoc asciidoc org
""")
# Never sniffed for text.
_NEVER_TEXT = _words("""
    png jpg jpeg gif webp bmp tif tiff ico heic mp3 wav ogg flac m4a mp4 mov avi mkv webm zip tar gz tgz bz2
    xz zst 7z rar jar war whl so dll dylib exe o a class pyc pyd wasm ttf otf woff woff2 bin dat db sqlite
    sqlite3 parquet arrow npy npz pt pth onnx gguf safetensors pickle pkl psd ai
""")


def media_type_by_name(path: Path, *, name: str) -> str | None:
    """The media type a file's ending stands for, None where its bytes must be asked.

    Raises Unreadable with code `unsupported` for endings of pictures, archives and the like.
    """
    ending = path.suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if ending[1:] in _SOURCE:
        return f"text/x-{ending[1:]}"
    if ending[1:] in _NEVER_TEXT:
        raise _unsupported(name, ending)
    return None


def media_type_by_content(head: bytes, *, name: str) -> str:
    """The media type of a file by its first bytes. Raises Unreadable with code `unsupported`."""
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if looks_like_text(head):
        return "text/plain"
    raise _unsupported(name, Path(name).suffix)


def _unsupported(name: str, ending: str) -> Unreadable:
    return Unreadable(
        f"{name} is of a type Assay does not read ({ending or 'no ending'})",
        hint="Convert it to PDF, DOCX, HTML, Markdown or text, or leave it out.",
        code="unsupported",
    )
