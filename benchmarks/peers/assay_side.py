"""Assay on the same texts, through its own ingest and retriever."""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

from beir import load, ndcg, peak_mb

from assay.documents.document import Document
from assay.documents.settings import DocumentSettings
from assay.index.ingest import ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.minilm import MiniLMEmbedder


async def main(folder: Path, limit: int) -> None:
    texts, queries, qrels = load(folder, limit)
    embedder = MiniLMEmbedder.load()
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(open_database(sqlite_url(Path(scratch) / "assay.db")))
        index = SearchIndex(
            store, Path(scratch) / "index", digest=embedder.digest, dimensions=embedder.dimensions
        ).open()
        documents = [Document(source=key, content_hash=key, text=text) for key, text in texts.items()]
        started = time.perf_counter()
        report = await ingest_documents(
            documents, store=store, embedder=embedder, settings=DocumentSettings(), index=index
        )
        ingest_s = time.perf_counter() - started
        retriever = HybridRetriever(index, embedder, settings=IndexSettings())
        await retriever.search("warm up", k=100)
        run, started = {}, time.perf_counter()
        for key, text in queries.items():
            best: dict[str, float] = {}
            for hit in await retriever.search(text, k=100):
                best.setdefault(hit.source, hit.score)
            run[key] = best
        query_ms = (time.perf_counter() - started) * 1000 / len(queries)
        sample = list(texts.values())[:1000]
        started = time.perf_counter()
        await embedder.embed(sample)
        embed_s = time.perf_counter() - started
        store.database.close()
    figures = {
        "passages_per_s": report.passages / ingest_s,
        "passages": report.passages,
        "documents_per_s": len(texts) / ingest_s,
        "embed_texts_per_s": len(sample) / embed_s,
        "ms_per_query": query_ms,
        "peak_mb": peak_mb(),
        "ndcg@10": ndcg(qrels, run),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
