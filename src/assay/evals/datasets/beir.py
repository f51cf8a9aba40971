"""A collection in the BEIR layout: queries are cases, every judged document is evidence as a whole, with its grade."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from assay.documents.document import Document
from assay.evals.case import Case, Evidence
from assay.evals.datasets.dataset import Dataset
from assay.evals.faults import Faults, TooMany
from assay.index.beir import Beir, load_beir


def read_beir(folder: Path, *, split: str | None = None) -> Dataset:
    """The cases and documents of a folder; without `split`, of the first of test, dev and train there is.

    A document judged below 1 is no evidence; a query without any is kept, and retrieval metrics do not apply to it.
    Raises NotFound, or BadInput naming the file, the line and what to do.
    """
    collection = load_beir(folder, split=split)
    _check(collection, folder)
    cases = [
        Case(
            id=query,
            question=text,
            evidence=tuple(
                Evidence(f"{collection.name}/{document}", grade=grade)
                for document, grade in collection.qrels[query].items()
                if grade >= 1
            ),
        )
        for query, text in collection.queries.items()
    ]
    return Dataset(collection.name, cases, lambda: _documents(collection))


def _documents(collection: Beir) -> Iterator[Document]:
    return (replace(document, source=f"{collection.name}/{document.source}") for document in collection.documents())


def _check(collection: Beir, folder: Path) -> None:
    """Every query asks something, and every document judged relevant is in the corpus, if only without text."""
    queries, judgements = Faults(str(folder / "queries.jsonl")), Faults(str(folder / "qrels"))
    missing = {
        document: query
        for query, grades in collection.qrels.items()
        for document, grade in grades.items()
        if grade >= 1
    }
    for name in _ids(collection.corpus):
        missing.pop(name, None)
    try:
        for query, text in collection.queries.items():
            if not text.strip():
                queries.add(_query_line(folder, query), f"has query {query} without text", "Write its text.")
        for document, query in missing.items():
            file, number = _judgement_line(folder, query, document)
            what = f"of {file} judges document {document} for query {query}, which corpus.jsonl lacks"
            judgements.add(number, what, "Take the line out, or add the document.")
    except TooMany:
        pass
    queries.check("file of queries")
    judgements.check("set of judgements")


def _ids(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                try:
                    found = json.loads(line)
                except ValueError:
                    continue  # reading the documents says what is wrong with it
                if isinstance(found, dict):
                    yield str(found.get("_id"))


def _query_line(folder: Path, query: str) -> int:
    names = enumerate(_ids(folder / "queries.jsonl"), start=1)
    return next((number for number, name in names if name == query), 1)


def _judgement_line(folder: Path, query: str, document: str) -> tuple[str, int]:
    for path in sorted((folder / "qrels").glob("*.tsv")):
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.split("\t")[:2] == [query, document]:
                    return path.name, number
    return "qrels", 1
