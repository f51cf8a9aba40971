"""The processes of the kill story: `python ingest_story.py ingest|search WORKSPACE`."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

from assay.documents.settings import DocumentSettings
from assay.index.ingest import IngestReport, ingest
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.scripted import ScriptedEmbedder

SETTINGS = DocumentSettings.model_validate({"size": 16})


def opened(workspace: Path) -> tuple[ScriptedEmbedder, Store, SearchIndex]:
    """A workspace's parts, the index not yet open."""
    embedder = ScriptedEmbedder(dimensions=16)
    store = Store(open_database(sqlite_url(workspace / ".assay" / "assay.db")))
    folder = workspace / ".assay" / "index"
    return embedder, store, SearchIndex(store, folder, digest=embedder.digest, dimensions=16, threads=1)


async def run_ingest(workspace: Path) -> IngestReport:
    """Ingest the documents and bring the indexes up to date."""
    embedder, store, index = opened(workspace)
    return await ingest(
        [workspace / "docs"], store=store, embedder=embedder, settings=SETTINGS, base=workspace, index=index
    )


async def run_searches(workspace: Path) -> None:
    """Search until killed; a wrong hit ends the process with an error."""
    embedder, _, index = opened(workspace)
    retriever = HybridRetriever(index.open(), embedder)
    while True:
        hits = await retriever.search("common sentence", k=20)
        assert all(hit.passage.text and hit.source.startswith("docs/") for hit in hits)
        places = Counter((hit.source, hit.passage.start) for hit in hits)
        assert not places or max(places.values()) == 1, "a passage was found twice"
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    print("ready", flush=True)  # imports are done: from here on a kill hits the work itself
    asyncio.run({"ingest": run_ingest, "search": run_searches}[sys.argv[1]](Path(sys.argv[2])))
