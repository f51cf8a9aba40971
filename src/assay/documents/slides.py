"""PPTX: slides as pages, their titles as headings, tables, and the speaker's notes with the slide they belong to.

Read from the presentation's XML in slide order. kreuzberg 4.10 gives notes to the wrong slide when not every
slide has some, and a citation names its slide. Proved by `tests/unit/documents/test_formats.py`.
"""

import posixpath
import zipfile
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from assay.documents.archive import checked_archive, damaged
from assay.documents.extract import Extract, Writing
from assay.documents.formats import PPTX

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MAIN = "ppt/presentation.xml"
_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})
_PROGRAM_TITLES = frozenset({"powerpoint presentation", "presentation", "powerpoint-präsentation", "untitled"})


def read_slides(content: bytes, *, name: str) -> Extract:
    """The text of a PPTX file, a page per slide. Raises Unreadable: `damaged`, `encrypted`, `zip_bomb`."""
    archive = checked_archive(content, name=name)
    writing = Writing()
    try:
        for path in _slide_paths(archive):
            writing.page()
            _write_slide(writing, archive, path)
        title = _title(archive)
    except (ElementTree.ParseError, KeyError, zipfile.BadZipFile) as error:
        raise damaged(name) from error
    return writing.extract(PPTX, title=title)


def _xml(content: bytes) -> Element:
    return ElementTree.fromstring(content)  # noqa: S314 - expat bounds entities, and the child's memory is bounded


def _slide_paths(archive: zipfile.ZipFile) -> list[str]:
    targets = dict(_relations(archive, _MAIN))
    slides = _xml(archive.read(_MAIN)).iter(f"{_P}sldId")
    return [targets[slide.attrib[f"{_R}id"]] for slide in slides if slide.attrib.get(f"{_R}id") in targets]


def _relations(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, str]]:
    """(relation id, path in the archive) of every part that `part` points to."""
    folder, file = posixpath.split(part)
    path = f"{folder}/_rels/{file}.rels"
    if path not in archive.NameToInfo:
        return
    for relation in _xml(archive.read(path)):
        if relation.attrib.get("TargetMode") != "External":
            target = relation.attrib["Target"]
            yield relation.attrib["Id"], posixpath.normpath(posixpath.join("/", folder, target))[1:]


def _write_slide(writing: Writing, archive: zipfile.ZipFile, path: str) -> None:
    root = _xml(archive.read(path))
    shapes = list(_shapes(root))
    for shape in shapes:
        if _placeholder(shape) in _TITLES:
            writing.heading(1, " ".join(_paragraphs(shape)))
    for shape in shapes:
        kind = _placeholder(shape)
        if kind in _TITLES or kind in _FURNITURE:
            continue
        if shape.tag == f"{_P}graphicFrame":
            for number, row in enumerate(shape.iter(f"{_A}tr")):
                writing.row([" ".join(_paragraphs(cell)) for cell in row.iter(f"{_A}tc")], first=number == 0)
        else:
            writing.block("\n".join(_paragraphs(shape)))
    for _, target in _relations(archive, path):
        if "/notesSlides/" in target:
            notes = list(_shapes(_xml(archive.read(target))))
            bodies = (line for shape in notes if _placeholder(shape) == "body" for line in _paragraphs(shape))
            text = "\n".join(bodies)
            writing.block(f"Notes: {text}" if text.strip() else "")


def _shapes(root: Element) -> Iterator[Element]:
    """Shapes and tables in the order of the file, also those inside groups."""
    for element in root.iter():
        if element.tag in (f"{_P}sp", f"{_P}graphicFrame"):
            yield element


def _placeholder(shape: Element) -> str:
    found = shape.find(f"./{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return "" if found is None else found.attrib.get("type", "body")


def _paragraphs(shape: Element) -> list[str]:
    lines = ("".join(_letters(paragraph)) for paragraph in shape.iter(f"{_A}p"))
    return [line for line in lines if line.strip()]


def _letters(paragraph: Element) -> Iterator[str]:
    for element in paragraph.iter():
        if element.tag == f"{_A}t":
            yield element.text or ""
        elif element.tag == f"{_A}br":
            yield "\n"


def _title(archive: zipfile.ZipFile) -> str:
    if "docProps/core.xml" not in archive.NameToInfo:
        return ""
    core = _xml(archive.read("docProps/core.xml"))
    title = core.findtext("{http://purl.org/dc/elements/1.1/}title") or ""
    return "" if title.strip().lower() in _PROGRAM_TITLES else title
