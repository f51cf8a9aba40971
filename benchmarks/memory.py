"""Peak memory of ingesting 200,000 passages (documents are made on the fly, vectors cost nothing)."""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from pathlib import Path

from assay.documents.settings import DocumentSettings
from assay.index.ingest import ingest_documents
from assay.index.retriever import SearchIndex
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.minilm import MiniLMEmbedder
from synthetic import FreePassages, documents


def peak_mb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


async def main(passages: int) -> None:
    embedder = FreePassages(MiniLMEmbedder.load())
    before = peak_mb()
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(open_database(sqlite_url(Path(scratch) / "assay.db")))
        index = SearchIndex(
            store, Path(scratch) / "index", digest=embedder.digest, dimensions=embedder.dimensions
        ).open()
        started = time.perf_counter()
        report = await ingest_documents(
            documents(passages), store=store, embedder=embedder, settings=DocumentSettings(), index=index
        )
        seconds = time.perf_counter() - started
        store.database.close()
    figures = {
        "passages": report.passages,
        "seconds": round(seconds, 1),
        "peak_mb_before": before,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=200_000)
    asyncio.run(main(parser.parse_args().passages))
