"""Fused search at 100,000 passages: p50 and p95 with the query's embedding, index open, exactness of the dense side.

Passage vectors are random (they cost nothing to make and are the worst case for no method of exact search); queries are
embedded by the real embedder inside the time measured.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from assay.documents.settings import DocumentSettings
from assay.index.ingest import ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.store import Store
from assay.index.tables import vector
from assay.ledger.database import open_database, sqlite_url
from assay.models.minilm import MiniLMEmbedder
from synthetic import FreePassages, documents


async def main(passages: int, queries: int) -> None:
    embedder = FreePassages(MiniLMEmbedder.load())
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        store = Store(open_database(sqlite_url(folder / "assay.db")))

        def index() -> SearchIndex:
            return SearchIndex(store, folder / "index", digest=embedder.digest, dimensions=embedder.dimensions)

        first = index().open()
        report = await ingest_documents(
            documents(passages), store=store, embedder=embedder, settings=DocumentSettings(), index=first
        )
        started = time.perf_counter()
        opened = index().open()
        open_s = time.perf_counter() - started
        retriever = HybridRetriever(opened, embedder)
        texts = [question(document.text) for document in documents(queries * 20, seed=11)]
        pieces = [len(embedder.token_spans(text)) for text in texts]
        for text in texts[:20]:
            await retriever.search(text)
        times = []
        for text in texts:
            started = time.perf_counter()
            await retriever.search(text)
            times.append((time.perf_counter() - started) * 1000)
        recall = await exactness(store, retriever, embedder, texts[:50])
        store.database.close()
    print(
        json.dumps(
            {
                "passages": report.passages,
                "open_s": round(open_s, 3),
                "fused_p50_ms": round(statistics.median(times), 2),
                "fused_p95_ms": round(statistics.quantiles(times, n=20)[-1], 2),
                "word_pieces_per_question": statistics.median(pieces),
                "dense_recall@10": recall,
            },
            indent=2,
        )
    )


def question(text: str) -> str:
    """Twelve words of a text: XQuAD's questions have a median of 12 word pieces."""
    return " ".join(text.split("\n\n")[1].split()[:12])


async def exactness(store: Store, retriever: HybridRetriever, embedder: FreePassages, texts: list[str]) -> float:
    """Share of the true ten nearest that dense search returns, against brute force over the database in float64."""
    with store.database.read() as connection:
        stored = connection.execute(sa.select(vector.c.data)).all()
    matrix = np.stack([np.frombuffer(row.data, dtype=np.float32) for row in stored]).astype(np.float64)
    found, wanted = 0, 0
    for text in texts:
        query = (await embedder.embed([text], kind="query"))[0].astype(np.float64)
        least = np.sort(matrix @ query)[-10]
        hits = await retriever.search(text, k=10, mode="dense")
        found += sum(hit.signals["dense"] >= least - 1e-6 for hit in hits)
        wanted += 10
    return found / wanted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=200)
    arguments = parser.parse_args()
    asyncio.run(main(arguments.passages, arguments.queries))
