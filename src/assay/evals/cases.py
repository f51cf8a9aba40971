"""Cases: a question, whether it can be answered, and where the evidence stands in the sources.

Gold evidence is quoted text of a source document, resolved to character spans, so it survives any
change of reader settings, cut or index.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.errors import BadInput, NotFound


@dataclass(frozen=True, slots=True)
class Gold:
    """Evidence: `quote` stands verbatim in `document` (a file name or the end of a source path)."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class Case:
    """A question with what is known about its answer. `gold` lists alternatives: one suffices."""

    id: str
    question: str
    answerable: bool
    gold: tuple[Gold, ...] = ()
    answers: tuple[str, ...] = ()
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` of the document whose source is `document`."""

    document: str
    start: int
    end: int


def load_cases(path: Path) -> list[Case]:
    """Cases of a JSONL file. Raises NotFound, or BadInput naming the file and line."""
    if not path.is_file():
        raise NotFound(f"There is no cases file {path}.", hint="Check the path.")
    cases = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if line.strip():
            try:
                cases.append(_case(json.loads(line)))
            except (ValueError, KeyError, TypeError) as error:
                raise BadInput(
                    f"{path}:{number} is not a case: {error!r}.",
                    hint='Write {"case": ..., "question": ..., "answerable": true, "gold": [...]} on one line.',
                ) from error
    return cases


def resolve(case: Case, texts: Mapping[str, str]) -> tuple[Span, ...]:
    """The spans of the case's gold in `texts` (source -> text). Raises BadInput where a quote is not there."""
    spans = []
    for gold in case.gold:
        source = source_named(gold.document, list(texts))
        start = texts[source].find(gold.quote)
        if start < 0:
            raise BadInput(
                f"Case {case.id}: its gold quote does not stand in {source}: {gold.quote[:60]!r}.",
                hint="Quote the document's text exactly.",
            )
        spans.append(Span(source, start, start + len(gold.quote)))
    return tuple(spans)


def source_named(name: str, sources: Sequence[str]) -> str:
    """The one source that is `name` or ends in `/name`. Raises NotFound or BadInput (several)."""
    found = [source for source in sources if source == name or source.endswith("/" + name)]
    if not found:
        raise NotFound(f"No document is named {name}.", hint="Ingest it, or correct the case.")
    if len(found) > 1:
        raise BadInput(f"{name} names {len(found)} documents.", hint="Write more of its path.")
    return found[0]


def _case(row: dict[str, Any]) -> Case:
    return Case(
        id=str(row["case"]),
        question=str(row["question"]),
        answerable=bool(row["answerable"]),
        gold=tuple(Gold(str(gold["document"]), str(gold["quote"])) for gold in row.get("gold", [])),
        answers=tuple(str(answer) for answer in row.get("answers", [])),
        cluster=str(row.get("cluster", "")),
    )
