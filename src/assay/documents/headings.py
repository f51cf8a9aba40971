"""The headings of a text: Markdown's `#` lines and underlined titles, outside code fences and front matter.

One pass over the lines. Proved by `tests/unit/documents/test_headings.py`.
"""

import re

from assay.documents.document import Heading

_LINE = re.compile(r"[^\n]+")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+|$)")
_CLOSING = re.compile(r"[ \t]+#+[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}[ \t]*$")
_MARKUP = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)|[*_`]{1,3}(?=\S)|(?<=\S)[*_`]{1,3}")
_FRONT_TITLE = re.compile(r"^title\s*:\s*(['\"]?)(.+?)\1\s*$", re.MULTILINE | re.IGNORECASE)
_NOT_A_TITLE = re.compile(r"\s*(?:$|[-*+>|#]|\d+[.)]\s| {4}|\t)")
_LONGEST_TITLE = 300


def markdown_headings(text: str) -> tuple[Heading, ...]:
    """The headings of a Markdown text, with the character their line starts at."""
    found: list[Heading] = []
    fence = ""
    previous = (0, "")
    end = 0
    for match in _LINE.finditer(text, front_matter_end(text)):
        start, line = match.start(), match.group()
        if start - end > 1:
            previous = (start, "")
        end = match.end()
        mark = _FENCE.match(line)
        heading = None
        if mark:
            fence = _toggle(fence, mark.group(1), line)
        elif not fence:
            heading = _heading(start, line, previous)
        if heading is not None:
            found.append(heading)
        previous = (start, "" if heading or mark or fence else line)
    return tuple(found)


def _toggle(fence: str, mark: str, line: str) -> str:
    if not fence:
        return mark
    closes = mark[0] == fence[0] and len(mark) >= len(fence) and not line.strip(" " + mark[0])
    return "" if closes else fence


def _heading(start: int, line: str, previous: tuple[int, str]) -> Heading | None:
    atx = _ATX.match(line)
    if atx:
        title = plain_title(_CLOSING.sub("", line[atx.end() :]))
        return Heading(len(atx.group(1)), start, title) if title else None
    underline = _UNDERLINE.match(line)
    if underline and not _NOT_A_TITLE.match(previous[1]):
        title = plain_title(previous[1])
        return Heading(1 if underline.group(1)[0] == "=" else 2, previous[0], title) if title else None
    return None


def underlined_headings(text: str) -> tuple[Heading, ...]:
    """The headings of a reStructuredText text: underlined lines, levels in order of appearance."""
    found: list[Heading] = []
    levels: dict[str, int] = {}
    previous = (0, "")
    start = 0
    for line in text.split("\n"):
        mark = _ADORNMENT.match(line)
        title = previous[1].strip()
        if mark and title and not _ADORNMENT.match(title) and len(line.rstrip()) >= len(title):
            level = levels.setdefault(mark.group(1), min(len(levels) + 1, 6))
            found.append(Heading(level, previous[0], plain_title(title)))
        previous = (start, line)
        start += len(line) + 1
    return tuple(found)


def plain_title(text: str) -> str:
    """A heading's text without links, emphasis and code marks, on one line of at most 300 characters."""
    return " ".join(_MARKUP.sub(r"\1", text[:_LONGEST_TITLE]).split())


def front_matter_end(text: str) -> int:
    """Where the YAML block at the very start of a Markdown text ends; 0 where there is none."""
    if not text.startswith("---\n"):
        return 0
    end = text.find("\n---\n", 3, 20_000)
    return end + 5 if end >= 0 else 0


def front_matter_title(text: str) -> str:
    """The `title` of the YAML block at the start, or nothing."""
    match = _FRONT_TITLE.search(text, 0, front_matter_end(text))
    return match.group(2).strip() if match else ""
