"""Processes the tests start beside themselves: `python index_processes.py VERB ARGUMENT...`."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

from assay.documents.settings import DocumentSettings
from assay.index.ingest import IngestReport, ingest
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.scripted import ScriptedEmbedder
from index_corpus import document, put

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


def write_many(url: str, worker: str) -> None:
    """Replace documents of one's own, again and again."""
    store = Store(open_database(url))
    for i in range(15):
        put(store, document(f"{worker}-{i % 3}", f"{worker} {i}\nsame\n"))


def start(verb: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
    """Start a process; returns when its imports are done, so what follows hits the work itself."""
    command = [sys.executable, __file__, verb, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def _main(verb: str, first: str, *rest: str) -> None:
    print("ready", flush=True)
    match verb:
        case "ingest":
            asyncio.run(run_ingest(Path(first)))
        case "search":
            asyncio.run(run_searches(Path(first)))
        case "open":
            open_database(first).close()
        case "write":
            write_many(first, *rest)


if __name__ == "__main__":
    _main(*sys.argv[1:])
