"""Cases of a file in somebody else's shape, JSONL or CSV, by the names its fields have there.

Fields are found by their usual names (`query` for `question`, `ground_truth` for `answers` ...) unless the caller names
them. What is not mapped is left out, and said to be (`unused`); a field the caller names and no row has is refused. A
row without an id gets one made from its question, so it stays the same when
rows move. Everything else is checked as strictly as our own files are.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import BadInput
from assay.evals.case import Case
from assay.evals.cases import collect
from assay.evals.faults import Faults, TooMany, shortened
from assay.evals.gold import Corpus
from assay.evals.lines import json_objects, open_regular, text_lines

USUAL: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "_id", "case", "case_id", "qid", "question_id", "query_id"),
    "question": ("question", "query", "input", "user_input", "prompt"),
    "answers": (
        "answers", "answer", "reference", "references", "reference_answer", "ground_truth", "ground_truths", "expected",
        "expected_output", "gold_answer", "target", "ideal",
    ),
    "document": ("document", "source", "file", "doc_id", "document_id"),
    "quote": ("quote", "evidence", "context", "gold_context", "supporting_text"),
    "answerable": ("answerable", "is_answerable"),
    "tags": ("tags", "tag", "category", "categories", "topic"),
    "cluster": ("cluster", "group", "conversation", "conversation_id", "user", "user_id"),
}  # fmt: skip
"""What each of our fields is usually called elsewhere, likeliest first. `document` and `quote` make one piece of
evidence together."""

SEPARATOR = "|"
"""Between the answers, and between the tags, of one CSV cell."""

_TRUE, _FALSE = frozenset({"true", "yes", "1", "y"}), frozenset({"false", "no", "0", "n"})
_DELIMITERS = (",", ";", "\t")


@dataclass(slots=True)
class _Fields:
    """The fields the caller named, those of them that no row had yet, and what was in the rows and left out."""

    wanted: Mapping[str, str]
    unseen: set[str]
    unused: dict[str, None]

    @classmethod
    def of(cls, fields: Mapping[str, str] | None) -> "_Fields":
        unknown = [name for name in fields or {} if name not in USUAL]
        if unknown:
            raise BadInput(f"Cases have no field {unknown[0]}.", hint=f"Use one of {', '.join(USUAL)}.")
        return cls(fields or {}, set(fields or {}), {})

    def note(self, row: Mapping[str, Any], names: Mapping[str, str | None]) -> None:
        """Take in which of a row's fields are used."""
        self.unseen -= {ours for ours, name in names.items() if name is not None}
        used = {name if name in row else name.split(".")[0] for name in names.values() if name is not None}
        if names["document"] is None and names["quote"] is not None:
            used.discard(names["quote"])  # a quote of nobody knows which document is no evidence
        self.unused |= dict.fromkeys(str(name) for name in row if name not in used)

    def check(self, path: Path) -> None:
        """Raise BadInput where the caller named a field that no row has."""
        for ours in sorted(self.unseen):
            raise BadInput(f"{path} has no field {self.wanted[ours]!r}, named for {ours}.", hint="Correct its name.")


def read_mapped(
    path: Path,
    fields: Mapping[str, str] | None = None,
    *,
    unused: list[str] | None = None,
    corpus: Corpus | None = None,
) -> list[Case]:
    """The cases of a JSONL file; `fields` names theirs for ours, with dots to reach into objects: `{"id": "meta.id"}`.

    Fields that are in the rows and are not used are added to `unused`. With a corpus, evidence that does not stand in a
    document it has is a fault of its line.
    Raises NotFound, Unreadable, or BadInput naming each faulty line.
    """
    faults = Faults(str(path))
    wanted = _Fields.of(fields)
    with open_regular(path, what="a file of cases") as file:
        rows = ((number, _row(row, wanted, number, faults)) for number, row in json_objects(file, faults))
        return _some(collect(rows, faults, corpus=corpus), path, wanted, unused)


def read_csv(
    path: Path,
    fields: Mapping[str, str] | None = None,
    *,
    delimiter: str | None = None,
    unused: list[str] | None = None,
    corpus: Corpus | None = None,
) -> list[Case]:
    """The cases of a CSV file with a header; `fields` names its columns for ours.

    The delimiter is the one of comma, semicolon and tab that the header has most of, unless given. Several answers or
    tags of one cell stand between bars: `Paris|the city of Paris`. Raises as `read_mapped` does.
    """
    faults = Faults(str(path))
    wanted = _Fields.of(fields)
    with open_regular(path, what="a CSV file") as file:
        records = _records((text for _, text in text_lines(file, faults)), delimiter, faults)
        rows = ((number, _row(row, wanted, number, faults, separator=SEPARATOR)) for number, row in records)
        return _some(collect(rows, faults, corpus=corpus), path, wanted, unused)


def _records(lines: Iterator[str], delimiter: str | None, faults: Faults) -> Iterator[tuple[int, dict[str, str]]]:
    """Each record with the line it begins on; blank ones are left out."""
    first = next(lines, "")
    marks = delimiter or max(_DELIMITERS, key=first.count)
    reader = csv.reader(_again(first, lines), delimiter=marks, strict=True)
    header: list[str] = []
    line = 1
    try:
        for cells in reader:
            begins, line = line, reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = _header(cells, begins, faults)
            elif len(cells) != len(header):
                what = f"has {len(cells)} cells, and the header {len(header)}"
                faults.add(begins, what, "Put cells that hold the delimiter or a line break into quotation marks.")
            else:
                yield begins, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        faults.add(line, f"cannot be read as CSV: {error}", "Check that every quotation mark is closed or doubled.")
        raise TooMany from None  # where the next record begins cannot be known


def _again(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _header(cells: Sequence[str], line: int, faults: Faults) -> list[str]:
    header = [cell.strip() for cell in cells]
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        faults.add(line, f'has the column "{shortened(twice)}" twice', "Rename one of them.")
        raise TooMany
    return header


def _row(
    row: Mapping[str, Any], fields: _Fields, number: int, faults: Faults, *, separator: str = ""
) -> dict[str, Any]:
    """A row in our shape."""
    names = {ours: _name(row, ours, fields.wanted) for ours in USUAL}
    fields.note(row, names)
    if names["question"] is None:
        # Said here, because the reader of cases would say it of our field's name, which is not in the file.
        some = ", ".join(shortened(str(name)) for name in list(row)[:8]) or "none"
        faults.add(number, "has no question", f"Say which field holds it, as in question=NAME. There are: {some}.")
        raise TooMany
    found = {ours: _value(row, name) for ours, name in names.items() if name is not None}
    shape: dict[str, Any] = {"question": found["question"]}
    given = {ours: value for ours, value in found.items() if value not in (None, "")}
    shape["id"] = given["id"] if "id" in given else _id_of(found["question"])
    if "cluster" in given:
        shape["cluster"] = given["cluster"]
    for ours in ("answers", "tags"):
        if ours in given:
            shape[ours] = _listed(given[ours], separator)
    if "answerable" in given:
        shape["answerable"] = _truth(given["answerable"])
    if "document" in given:
        quotes = _listed(given["quote"], "") if "quote" in given else []
        whole = {"document": given["document"]}
        shape["evidence"] = [{**whole, "quote": quote} for quote in quotes] or [whole]
    return shape


def _name(row: Mapping[str, Any], ours: str, wanted: Mapping[str, str]) -> str | None:
    """Their name for our field, None where the row has none."""
    if ours in wanted:
        name = wanted[ours]
        return name if name in row or name.split(".")[0] in row else None
    lower = {str(name).lower().replace(" ", "_"): name for name in row}
    return next((lower[name] for name in USUAL[ours] if name in lower), None)


def _value(row: Mapping[str, Any], name: str) -> Any:
    value: Any = row
    for part in [name] if name in row else name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _listed(value: Any, separator: str) -> Any:
    if not isinstance(value, str):
        return value
    parts = value.split(separator) if separator else [value]
    return [part.strip() for part in parts if part.strip()]


def _truth(value: Any) -> Any:
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _TRUE else False if word in _FALSE else value
    return value


def _id_of(question: Any) -> str:
    return hashlib.sha256(str(question).encode(errors="surrogatepass")).hexdigest()[:12]


def _some(cases: list[Case], path: Path, fields: _Fields, unused: list[str] | None) -> list[Case]:
    fields.check(path)
    if unused is not None:
        unused += fields.unused
    if not cases:
        raise BadInput(f"{path} holds no cases.", hint="Check that it has rows with a question.")
    return cases
