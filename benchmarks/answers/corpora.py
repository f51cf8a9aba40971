"""Question sets with the documents they are asked of, and an index over them.

Public data is found through `ASSAY_DATA` (default: `shared/data` beside the project) and never copied.
Halves: XQuAD's articles sorted by title, even places for tuning, odd for reporting; CLAPNQ by the parity
of the SHA-256 of the document's title; the handbook by the number of the case (odd: tuning).
"""

import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from assay.answers.candidates import Signals
from assay.documents.document import Document
from assay.documents.settings import DocumentSettings
from assay.index.hit import Hit
from assay.index.ingest import ingest, ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.embedder import Embedder

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ASSAY_DATA", ROOT.parent / "shared" / "data"))
HANDBOOK = ROOT / "docs" / "handbook"


@dataclass(frozen=True)
class Asked:
    """A question. `document` is the source of the gold document; `golds` are strings of which a cited sentence
    must hold one (XQuAD), or sentences it must be one of (CLAPNQ), or quotes it must overlap (handbook)."""

    id: str
    question: str
    answerable: bool
    document: str
    golds: tuple[str, ...]
    cluster: str
    tune: bool


@dataclass(frozen=True)
class Corpus:
    name: str
    documents: tuple[Document, ...]
    asked: tuple[Asked, ...]
    folder: Path | None = None


def xquad(language: str = "en") -> Corpus:
    """XQuAD: every paragraph a document, without a title."""
    articles = json.loads(_found(DATA / "qa" / "xquad" / f"xquad.{language}.json").read_text("utf-8"))["data"]
    order = {title: place for place, title in enumerate(sorted(article["title"] for article in articles))}
    documents, asked = [], []
    for article in articles:
        for number, paragraph in enumerate(article["paragraphs"]):
            document = _document(f"{article['title']}/{number:02d}.txt", paragraph["context"])
            documents.append(document)
            asked += [
                Asked(
                    id=row["id"],
                    question=row["question"],
                    answerable=True,
                    document=document.source,
                    golds=tuple(dict.fromkeys(answer["text"] for answer in row["answers"])),
                    cluster=article["title"],
                    tune=order[article["title"]] % 2 == 0,
                )
                for row in paragraph["qas"]
            ]
    return Corpus(f"xquad-{language}", tuple(documents), tuple(asked))


def clapnq(*, titles: bool = True) -> Corpus:
    """CLAPNQ's dev questions over the passages of all 600."""
    documents: dict[str, Document] = {}
    asked = []
    for kind in ("answerable", "unanswerable"):
        for line in _found(DATA / "qa" / "clapnq" / f"clapnq_dev_{kind}.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            passage = row["passages"][0]
            source = f"{hashlib.sha256(passage['text'].encode()).hexdigest()[:12]}.txt"
            documents[source] = _document(source, passage["text"], title=passage["title"] if titles else "")
            selected = [s for output in row["output"] for s in output.get("selected_sentences") or []]
            parity = int(hashlib.sha256(passage["title"].encode()).hexdigest(), 16) % 2
            asked.append(
                Asked(
                    id=row["id"],
                    question=row["input"],
                    answerable=kind == "answerable",
                    document=source,
                    golds=tuple(selected),
                    cluster=passage["title"],
                    tune=parity == 0,
                )
            )
    return Corpus("clapnq" if titles else "clapnq-untitled", tuple(documents.values()), tuple(asked))


def handbook() -> Corpus:
    """The handbook that ships with Assay and its questions."""
    asked = []
    for number, line in enumerate((HANDBOOK / "questions.jsonl").read_text("utf-8").splitlines(), start=1):
        row = json.loads(line)
        evidence = row.get("evidence", [])
        golds = tuple(piece["quote"] for piece in evidence)
        document = evidence[0]["document"] if evidence else ""
        asked.append(
            Asked(
                row["id"],
                row["question"],
                row["answerable"],
                document,
                golds,
                row.get("cluster", ""),
                number % 2 == 1,
            )
        )
    return Corpus("handbook", (), tuple(asked), folder=HANDBOOK)


@dataclass
class Row:
    """One question, its hits and signals. `without_gold`: the gold document was out of sight."""

    asked: Asked
    hits: tuple[Hit, ...]
    signals: Signals
    without_gold: bool


@asynccontextmanager
async def indexed(
    corpus: Corpus, embedder: Embedder, *, settings: IndexSettings | None = None
) -> AsyncIterator[HybridRetriever]:
    """A retriever over the corpus, ingested with the default settings into a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        database = open_database(sqlite_url(home / "assay.db"))
        try:
            store = Store(database)
            index = SearchIndex(store, home / "index", digest=embedder.digest, dimensions=embedder.dimensions)
            if corpus.folder is None:
                await ingest_documents(
                    corpus.documents, store=store, embedder=embedder, settings=DocumentSettings(), index=index
                )
            else:
                paths = sorted(corpus.folder.glob("*.md"))
                await ingest(
                    paths, store=store, embedder=embedder, settings=DocumentSettings(), base=corpus.folder, index=index
                )
            yield HybridRetriever(index.open(), embedder, settings=settings)
        finally:
            database.close()


def normalised(text: str) -> str:
    """Lower case, without punctuation and articles: SQuAD's way of comparing answers."""
    return " ".join(re.sub(r"\b(?:a|an|the)\b", " ", re.sub(r"[^\w\s]", " ", text.lower())).split())


def holds(sentence: str, golds: tuple[str, ...]) -> bool:
    """Whether the sentence holds one of the gold answers, both normalised, at word boundaries."""
    text = f" {normalised(sentence)} "
    return any(f" {normalised(gold)} " in text if normalised(gold) else gold in sentence for gold in golds)


def among(sentence: str, golds: tuple[str, ...]) -> bool:
    """Whether the sentence is one of the gold sentences, or holds one, or lies within one."""
    text = normalised(sentence)
    return bool(text) and any(text in normalised(gold) or normalised(gold) in text for gold in golds)


def _document(source: str, text: str, *, title: str = "") -> Document:
    return Document(source, f"sha256:{hashlib.sha256(text.encode()).hexdigest()}", text, title=title)


def _found(path: Path) -> Path:
    if not path.is_file():
        sys.exit(f"{path} is not there: set ASSAY_DATA to the folder of public data sets. Nothing was measured.")
    return path
