"""300 retrieval designs on SciFact: scored in one pass, beside separate runs of `bench retrieval`.

    python benchmarks/race/retrieval.py [--home FOLDER] [--sample 5] [--checked 20]

All but two are fused, of many dense weights, candidates, both ways of fusion and constants. The separate runs are a
sample, in this process and on a store that is ingested already, so that neither the start of Python nor the loading of
the embedder counts against them; 300 are extrapolated from their mean. Beside them, the least a run could do: one mode
searched and scored, nothing timed. Ingestion is timed on the first documents, and counted once for the batch and 300
times for the runs. Times of CPUs are given because they tell more than wall time on a machine with other work.
`--home` keeps the store for the next time.

Exits 1 where a figure of a checked design differs by 1e-9 or more.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Mapping
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from assay.documents.settings import DocumentSettings
from assay.index.beir import DEPTH, METRICS, Beir, bench_retrieval, load_beir, score
from assay.index.bench_designs import Design, DesignResult, bench_designs
from assay.index.ingest import ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models import catalogue
from assay.models.embedder import Embedder
from assay.models.settings import ModelSettings
from assay.stats.interval import Interval

_DATA = Path(os.environ.get("ASSAY_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
_DOCUMENTS = DocumentSettings()
_INGESTED = 500
Floats = NDArray[np.float64]
T = TypeVar("T")


def designs() -> list[IndexSettings]:
    """300 different ones."""
    found = [IndexSettings(mode="lexical"), IndexSettings(mode="dense")]
    for twentieth in range(1, 20):
        for candidates in (100, 400, 700, 1_000):
            found.append(IndexSettings(dense_weight=twentieth / 20, candidates=candidates))
    for fortieth in range(2, 39):
        for rrf_k in (10, 60):
            for candidates in (100, 400, 1_000):
                found.append(
                    IndexSettings(fusion="rrf", rrf_k=rrf_k, dense_weight=fortieth / 40, candidates=candidates)
                )
    assert len(set(found)) == len(found) == 300
    return found


async def separate(collection: Beir, settings: IndexSettings, home: Path, embedder: Embedder) -> dict[str, float]:
    """The figures of one run of `bench retrieval`, in the design's mode, intervals too."""
    bench = await bench_retrieval(collection, home=home, embedder=embedder, documents=_DOCUMENTS, settings=settings)
    return figures(bench.modes[settings.mode].metrics)


async def least(
    collection: Beir, settings: IndexSettings, home: Path, embedder: Embedder, depth: int
) -> dict[str, float]:
    """The same by the retriever and `score` alone, as `bench_retrieval` calls them: one mode, nothing else."""
    database = open_database(sqlite_url(home / "assay.db"))
    digest, dimensions = embedder.digest, embedder.dimensions
    index = SearchIndex(Store(database), home / "index", digest=digest, dimensions=dimensions).open()
    deep = settings.model_copy(update={"candidates": max(settings.candidates, depth)})
    retriever = HybridRetriever(index, embedder, settings=deep)
    run = {}
    for query, text in collection.queries.items():
        hits = await retriever.search(text, k=depth)
        run[query] = list(dict.fromkeys(hit.source for hit in hits))[:DEPTH]
    found = score(collection.qrels, run)
    database.close()
    return figures(found)


def figures(metrics: Mapping[str, Interval]) -> dict[str, float]:
    """Every metric and its limits."""
    return {f"{name} {end}": getattr(metrics[name], end) for name in METRICS for end in ("value", "low", "high")}


async def ingested(collection: Beir, embedder: Embedder) -> int:
    """Ingest the first documents into a store of their own; how many documents there are."""
    with tempfile.TemporaryDirectory() as scratch:
        database = open_database(sqlite_url(Path(scratch) / "assay.db"))
        some = islice(collection.documents(), _INGESTED)
        await ingest_documents(some, store=Store(database), embedder=embedder, settings=_DOCUMENTS)
        database.close()
    return sum(1 for _ in collection.documents())


async def timed(work: Awaitable[T]) -> tuple[Floats, T]:
    """Seconds of wall time and of this process's CPUs, and what came of it."""
    before = np.array([time.perf_counter(), time.process_time()])
    found = await work
    return np.array([time.perf_counter(), time.process_time()]) - before, found


async def measure(folder: Path, home: Path, *, sample: int, checked: int) -> bool:
    """Print the tables; whether all figures agree."""
    collection, embedder, every = load_beir(folder), catalogue.embedder(ModelSettings()), designs()
    wanted = [Design(_DOCUMENTS, each) for each in every]
    cut = home / wanted[0].cut
    ingest, total = await timed(ingested(collection, embedder))
    ingest *= total / _INGESTED
    await bench_designs(collection, wanted[:1], home=home, embedder=embedder)  # makes the store, where it is not there
    first, bench = await timed(bench_designs(collection, wanted, home=home, embedder=embedder))
    print(f"batch of {len(every)}: {first[0]:,.1f} s", flush=True)

    picked = [0, 1, *random.Random(0).sample(range(2, len(every)), checked - 2)]
    random.Random(1).shuffle(picked)
    runs, leasts, worst = [], [], 0.0
    depth = DEPTH * max(1, -(-bench.results[0].passages // bench.documents))
    for number, place in enumerate(picked):
        seconds, alone = await timed(least(collection, every[place], cut, embedder, depth))
        leasts.append(seconds)
        worst = max(worst, difference(bench.results[place], alone))
        if number < sample:
            seconds, alone = await timed(separate(collection, every[place], cut, embedder))
            runs.append(seconds)
            worst = max(worst, difference(bench.results[place], alone))
        print(f"  {number + 1} of {len(picked)}: largest difference so far {worst:.1e}", flush=True)
    second, _ = await timed(bench_designs(collection, wanted, home=home, embedder=embedder))
    await embedder.aclose()

    batch, run, leanest = (first + second) / 2, np.mean(runs, axis=0), np.mean(leasts, axis=0)
    many = len(every)
    print(
        f"\n{collection.name}: {bench.documents:,} documents, {bench.results[0].passages:,} passages, "
        f"{len(bench.queries):,} queries; {many} designs; seconds of wall time (of CPUs)\n"
    )
    print("| what | each | 300 | batch | batch is 1 in |\n|---|---|---|---|---|")
    for what, each, once in (
        (f"runs of `bench retrieval`, store ingested ({len(runs)} were run)", run, batch),
        (f"only search and score, one mode ({len(leasts)} were run)", leanest, batch),
        (f"runs with ingestion (by {_INGESTED} documents of {total:,})", ingest + run, ingest + batch),
    ):
        print(f"| {what} | {both(each)} | {both(many * each)} | {both(once)} | {both(many * each / once)} |")
    print(
        f"\nbatch: {both(first)} before the runs, {both(second)} after. Largest difference of a metric or a limit of "
        f"its interval: {worst:.1e}, over {len(runs)} runs and {len(leasts)} designs searched one by one"
    )
    return worst < 1e-9


def difference(result: DesignResult, alone: Mapping[str, float]) -> float:
    """The largest of any figure."""
    together = figures(result.metrics)
    return max(abs(together[name] - alone[name]) for name in alone)


def both(seconds: Floats) -> str:
    """Wall time (CPU time)."""
    wall, cpu = (f"{value:,.1f}" if value < 100 else f"{value:,.0f}" for value in seconds)
    return f"{wall} ({cpu})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--sample", type=int, default=5)
    parser.add_argument("--checked", type=int, default=20)
    asked = parser.parse_args()
    folder = _DATA / "retrieval" / "scifact"
    if not folder.is_dir():
        sys.exit(f"No data at {folder}: set ASSAY_DATA. Nothing was measured.")
    with tempfile.TemporaryDirectory() as scratch:
        same = asyncio.run(measure(folder, asked.home or Path(scratch), sample=asked.sample, checked=asked.checked))
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
