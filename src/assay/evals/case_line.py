"""A JSON object as a case: every field checked, every fault said in words.

Nothing is guessed: a text where a list belongs is refused, not wrapped, because `"answers": "a, b"` could mean two.
"""

import difflib
import json
from collections.abc import Callable, Mapping
from typing import Any

from assay.evals.case import Case, Evidence
from assay.evals.faults import shortened

FIELDS = ("id", "question", "answers", "evidence", "answerable", "tags", "cluster")
_EVIDENCE_FIELDS = ("document", "quote", "start", "end", "grade")
_SYNONYMS = {
    "case": "id", "_id": "id", "query": "question", "input": "question", "answer": "answers", "reference": "answers",
    "ground_truth": "answers", "expected_output": "answers", "gold": "evidence", "contexts": "evidence",
}  # fmt: skip

Report = Callable[[str, str], None]
"""Called with what is wrong and what to do."""


def case_from(row: Mapping[str, Any], report: Report) -> Case | None:
    """The case of a line's object, or None after each fault was reported."""
    faults = 0

    def note(what: str, hint: str) -> None:
        nonlocal faults
        faults += 1
        report(what, hint)

    _check_fields(row, FIELDS, note)
    case = Case(
        id=_id(row, note),
        question=_question(row, note),
        answers=_texts(row, "answers", note),
        evidence=_evidence(row, note),
        answerable=_answerable(row, note),
        tags=_texts(row, "tags", note),
        cluster=_label(row, "cluster", note),
    )
    if not faults and not case.answerable and (case.answers or case.evidence):
        has = "answers" if case.answers else "evidence"
        note(f'is not answerable, yet has "{has}"', f'Leave "{has}" out, or "answerable".')
    return None if faults else case


def shown(value: Any) -> str:
    """A JSON value, fit to be shown."""
    return shortened(json.dumps(value, ensure_ascii=False, default=str))


def _check_fields(row: Mapping[str, Any], known: tuple[str, ...], note: Report, *, where: str = "") -> None:
    for name in row:
        if name not in known:
            near = [_SYNONYMS[name]] if _SYNONYMS.get(name) in known else difflib.get_close_matches(name, known, n=1)
            hint = f'Did you mean "{near[0]}"?' if near else f"Use only {', '.join(known)}."
            note(f'has an unknown field "{shortened(name)}"{where}', hint)


def _id(row: Mapping[str, Any], note: Report) -> str:
    if "id" not in row:
        note('has no "id"', 'Give each case an "id" of its own.')
        return ""
    text = _label(row, "id", note)
    if not text.strip():
        if text or row["id"] == "":
            note('has an empty "id"', 'Give each case an "id" of its own.')
    elif not text.isprintable():
        note(f'has control characters in its "id": {shortened(text)}', "Take them out.")
    return text


def _question(row: Mapping[str, Any], note: Report) -> str:
    if "question" not in row:
        note('has no "question"', 'Add a "question".')
        return ""
    value = row["question"]
    if not isinstance(value, str):
        note(f'has a "question" that is no text: {shown(value)}', "Write it as text.")
        return ""
    if not value.strip():
        note('has an empty "question"', "Write the question, or take the line out.")
    return value


def _label(row: Mapping[str, Any], name: str, note: Report) -> str:
    """A name as text: whole numbers are taken as written, so 7 is "7", as in result files."""
    value = row.get(name, "")
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    note(f'has "{name}": {shown(value)}', f'Write "{name}" as text.')
    return ""


def _texts(row: Mapping[str, Any], name: str, note: Report) -> tuple[str, ...]:
    value = row.get(name, [])
    if not isinstance(value, list):
        note(f'has "{name}": {shown(value)}', f'Write a list of texts: "{name}": [...].')
        return ()
    for item in value:
        if not isinstance(item, str) or not item.strip():
            note(f'has {shown(item)} among its "{name}"', "Write each as text that is not empty.")
            return ()
    return tuple(dict.fromkeys(value))


def _answerable(row: Mapping[str, Any], note: Report) -> bool:
    value = row.get("answerable", True)
    if not isinstance(value, bool):
        note(f'has "answerable": {shown(value)}', "Write true or false, without quotation marks.")
    return value is not False


def _evidence(row: Mapping[str, Any], note: Report) -> tuple[Evidence, ...]:
    value = row.get("evidence", [])
    if not isinstance(value, list):
        note(f'has "evidence": {shown(value)}', 'Write a list: "evidence": [{"document": ..., "quote": ...}].')
        return ()
    pieces = [_piece(item, note) for item in value]
    return tuple(dict.fromkeys(piece for piece in pieces if piece is not None))


def _piece(item: Any, note: Report) -> Evidence | None:
    if not isinstance(item, dict):
        note(f'has {shown(item)} among its "evidence"', 'Write {"document": ..., "quote": ...}.')
        return None
    _check_fields(item, _EVIDENCE_FIELDS, note, where=" in its evidence")
    document, quote = item.get("document"), item.get("quote", "")
    start, end, grade = item.get("start"), item.get("end"), item.get("grade", 1)
    if not isinstance(document, str) or not document.strip():
        note(f'has evidence without a "document": {shown(item)}', "Name the source document, or the end of its path.")
        return None
    if not isinstance(quote, str) or ("quote" in item and not quote.strip()):
        note(f'has evidence with "quote": {shown(quote)}', "Quote the document, or leave the quote out.")
        return None
    if not _is_range(start, end):
        note(
            f'has evidence from "start" {shown(start)} to "end" {shown(end)}',
            "Give both as characters counted from 0, the end after the start.",
        )
        return None
    if not _is_whole(grade) or not 1 <= grade <= 1_000:
        note(f'has evidence with "grade": {shown(grade)}', "Grade relevant documents 1 or more; leave others out.")
        return None
    return Evidence(document, quote, start, end, grade)


def _is_range(start: Any, end: Any) -> bool:
    if start is None and end is None:
        return True
    return bool(_is_whole(start) and _is_whole(end) and 0 <= start < end)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
