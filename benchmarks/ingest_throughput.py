"""Embedding inside `ingest` against a bare onnxruntime loop over the very same texts, alternating in one run.

The bare loop is the fastest plain one: the same int8 graph, one single-threaded session per core, texts
tokenised beforehand, nothing stored.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from assay.documents.document import Document
from assay.documents.settings import DocumentSettings
from assay.index.ingest import ingest_documents
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.minilm import MiniLMEmbedder
from assay.models.minilm_graph import FUSIONS_TO_SKIP
from assay.models.onnx_threads import open_session
from assay.models.pinned import MINILM
from assay.models.weights import fetch

ROOT = Path(__file__).resolve().parents[1]


def load(limit: int) -> list[Document]:
    data = Path(os.environ.get("ASSAY_DATA", ROOT.parent / "shared" / "data")) / "retrieval" / "scifact"
    if not data.is_dir():
        raise SystemExit(f"{data} is not there: set ASSAY_DATA. Nothing was measured.")
    documents = []
    for line in (data / "corpus.jsonl").read_text(encoding="utf-8").splitlines()[:limit]:
        row = json.loads(line)
        text = f"{row['title']}\n\n{row['text']}"
        documents.append(Document(source=str(row["_id"]), content_hash=str(row["_id"]), text=text))
    return documents


async def ingest_once(documents: list[Document], embedder: MiniLMEmbedder) -> tuple[float, list[str]]:
    """Seconds, and the texts that were embedded."""
    embedded: list[str] = []

    class Recording:
        name, digest = embedder.name, embedder.digest
        dimensions, max_tokens = embedder.dimensions, embedder.max_tokens
        token_spans, aclose = staticmethod(embedder.token_spans), staticmethod(embedder.aclose)

        @staticmethod
        async def embed(texts, *, kind="passage"):
            embedded.extend(texts)
            return await embedder.embed(texts, kind=kind)

    with tempfile.TemporaryDirectory() as scratch:
        store = Store(open_database(sqlite_url(Path(scratch) / "assay.db")))
        started = time.perf_counter()
        await ingest_documents(documents, store=store, embedder=Recording(), settings=DocumentSettings())
        seconds = time.perf_counter() - started
        store.database.close()
    return seconds, embedded


def bare_once(tokens: list[np.ndarray], sessions: list[object]) -> float:
    waiting, lock = iter(tokens), threading.Lock()

    def work(session) -> None:
        while True:
            with lock:
                ids = next(waiting, None)
            if ids is None:
                return
            session.run(None, {"input_ids": ids})

    threads = [threading.Thread(target=work, args=(session,)) for session in sessions]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


async def main(limit: int, rounds: int) -> None:
    embedder = MiniLMEmbedder.load()
    documents = load(limit)
    graph = fetch(MINILM) / "minilm-int8.onnx"
    sessions = [open_session(graph, hint="", skip=FUSIONS_TO_SKIP) for _ in range(os.cpu_count() or 1)]
    ratios, ours, bare = [], [], []
    for _ in range(rounds):
        seconds, texts = await ingest_once(documents, embedder)
        encoded = [embedder._tokenizer.encode(text, add_special_tokens=False).ids[:254] for text in texts]
        tokens = [np.array([[101, *ids, 102]]) for ids in encoded]
        bare_seconds = bare_once(tokens, sessions)
        ours.append(len(texts) / seconds)
        bare.append(len(texts) / bare_seconds)
        ratios.append(bare_seconds / seconds)
    figures = {
        "texts": len(texts),
        "ingest_texts_per_s": round(statistics.median(ours), 1),
        "bare_texts_per_s": round(statistics.median(bare), 1),
        "ratio_median": round(statistics.median(ratios), 3),
        "ratios": [round(ratio, 3) for ratio in ratios],
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.documents, arguments.rounds))
