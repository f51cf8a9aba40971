"""SQuAD 1.1, SQuAD 2.0 and sets of that shape, such as XQuAD: a paragraph is a document, an answer a span of it.

The file is one JSON value, so faults name the question's id and the line its id stands on.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from assay.documents.document import Document
from assay.errors import BadInput
from assay.evals.case import Case, Evidence
from assay.evals.datasets.dataset import Dataset
from assay.evals.faults import Faults, TooMany, shortened
from assay.evals.gold import find_quote
from assay.evals.lines import open_regular

LARGEST = 256 * 1024 * 1024
"""Bytes of a file: it must be read whole, and SQuAD's own has 42 MB."""

_SHAPE = 'Check that it is {"data": [{"title": ..., "paragraphs": [{"context": ..., "qas": [...]}]}]}.'


def read_squad(path: Path) -> Dataset:
    """The cases and documents of a file. Clusters are articles; questions marked impossible are not answerable.

    Where people marked several spans, the evidence is the one most of them did, and every answer counts as a
    reference. Raises NotFound, Unreadable, or BadInput naming what is wrong.
    """
    text = _text(path)
    name = path.name.removesuffix(".json")
    faults = Faults(str(path))
    cases: dict[str, Case] = {}
    documents: list[Document] = []
    try:
        for document, cluster, questions in _paragraphs(_articles(path, text), name, faults):
            documents.append(document)
            for question in questions:
                case = _case(question, document, cluster, text, faults)
                if case is not None and case.id in cases:
                    faults.add(_line(text, case.id), f'repeats the id "{case.id}"', "Give it another id.")
                elif case is not None:
                    cases[case.id] = case
    except TooMany:
        pass
    faults.check("SQuAD file")
    if not cases:
        raise BadInput(f"{path} holds no questions.", hint=_SHAPE)
    return Dataset(name, list(cases.values()), lambda: iter(documents))


def _text(path: Path) -> str:
    with open_regular(path, what="a SQuAD file") as file:
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise BadInput(f"{path} is larger than {LARGEST // 1024 // 1024} MiB.", hint="Split it by articles.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{path}:{line} is not UTF-8 text at byte {error.start:,} of the file.", hint="Save the file as UTF-8."
        ) from None


def _articles(path: Path, text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}:{error.lineno} is not JSON ({error.msg}, column {error.colno}).", hint=_SHAPE) from None
    except (ValueError, RecursionError):
        raise BadInput(f"{path} is not JSON we can read.", hint=_SHAPE) from None
    articles = found.get("data") if isinstance(found, dict) else None
    if not isinstance(articles, list):
        raise BadInput(f'{path} has no list of articles "data".', hint=_SHAPE)
    return articles


def _paragraphs(articles: list[Any], name: str, faults: Faults) -> Iterator[tuple[Document, str, list[Any]]]:
    """Each paragraph's document, its article and its questions."""
    folders: Counter[str] = Counter()
    for number, article in enumerate(articles, start=1):
        paragraphs = article.get("paragraphs") if isinstance(article, dict) else None
        if not isinstance(paragraphs, list):
            faults.add(1, f'is a file whose article {number} has no list "paragraphs"', _SHAPE)
            continue
        title = str(article.get("title") or f"article {number}")
        folder = shortened(title).replace("/", "_")
        folders[folder] += 1
        if folders[folder] > 1:
            folder = f"{folder} ({folders[folder]})"
        for place, paragraph in enumerate(paragraphs):
            context = paragraph.get("context") if isinstance(paragraph, dict) else None
            questions = paragraph.get("qas") if isinstance(paragraph, dict) else None
            if not isinstance(context, str) or not context.strip() or not isinstance(questions, list):
                faults.add(1, f'is a file where paragraph {place} of "{folder}" has no "context" or "qas"', _SHAPE)
                continue
            digest = hashlib.sha256(context.encode(errors="surrogatepass")).hexdigest()
            source = f"{name}/{folder}/{place:02d}.txt"
            yield Document(source, f"sha256:{digest}", context, title=title.replace("_", " ")), title, questions


def _case(question: Any, document: Document, cluster: str, text: str, faults: Faults) -> Case | None:
    if not isinstance(question, dict) or not isinstance(question.get("id"), str | int):
        faults.add(1, f'is a file where {document.source} has a question without an "id"', _SHAPE)
        return None
    name = str(question["id"])

    def note(what: str, hint: str) -> None:
        faults.add(_line(text, name), f"has question {name}, {what}", hint)

    asked, answers = question.get("question"), question.get("answers", [])
    impossible = question.get("is_impossible", not answers)
    if not isinstance(asked, str) or not asked.strip():
        note("which asks nothing", 'Write its "question", or take it out.')
        return None
    if not isinstance(impossible, bool) or not isinstance(answers, list):
        note('whose "is_impossible" is no true or false, or whose "answers" are no list', _SHAPE)
        return None
    if impossible:
        return Case(name, asked, answerable=False, cluster=cluster)
    spans = [_span(answer, document.text) for answer in answers]
    if not spans or None in spans:
        note(
            "which has no answers"
            if not spans
            else f"whose answer is not in its paragraph: {_missing(answers, spans)}",
            "Correct the answer, or mark the question is_impossible.",
        )
        return None
    (start, end), _ = Counter(span for span in spans if span).most_common(1)[0]
    evidence = Evidence(document.source, document.text[start:end], start, end)
    texts = dict.fromkeys(answer["text"] for answer in answers)
    return Case(name, asked, answers=tuple(texts), evidence=(evidence,), cluster=cluster)


def _span(answer: Any, context: str) -> tuple[int, int] | None:
    """Where an answer stands: at its offset, or at the nearest place where its text does."""
    if not isinstance(answer, dict) or not isinstance(answer.get("text"), str) or not answer["text"].strip():
        return None
    start = answer.get("answer_start")
    return find_quote(context, answer["text"], near=start if isinstance(start, int) and start >= 0 else None)


def _missing(answers: list[Any], spans: list[tuple[int, int] | None]) -> str:
    answer = answers[spans.index(None)]
    return shortened(str(answer.get("text")) if isinstance(answer, Mapping) else str(answer))


def _line(text: str, name: str) -> int:
    """The line on which the id of a question stands; files are often one line altogether."""
    return text.count("\n", 0, max(0, text.find(json.dumps(name, ensure_ascii=False)))) + 1
