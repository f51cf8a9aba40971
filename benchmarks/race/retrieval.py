"""300 retrieval designs on SciFact: scored in one pass, beside separate runs of `bench retrieval`.

    python benchmarks/race/retrieval.py [--home FOLDER] [--sample 5] [--checked 20]

Every design is fused otherwise: the modes, dense weights, candidates and both ways of fusion with their constant. The
separate runs are a sample, in this process and on a store that is ingested already, so that neither the start of Python
nor the loading of the embedder counts against them; 300 runs are extrapolated from the sample's mean. Beside it, the
least a run could do: one mode searched and scored, nothing timed. `--home` keeps the store for the next time; where it
is not there the ingestion is timed, and counted once for the batch and 300 times for the runs.

Exits 1 where a figure of a checked design differs by 1e-9 or more.
"""

import argparse
import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from assay.documents.settings import DocumentSettings
from assay.index.beir import METRICS, Beir, bench_retrieval, load_beir, score
from assay.index.bench_designs import Design, DesignResult, bench_designs
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models import catalogue
from assay.models.embedder import Embedder
from assay.models.settings import ModelSettings

_DATA = Path(os.environ.get("ASSAY_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
_DOCUMENTS = DocumentSettings()


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
    found = bench.modes[settings.mode].metrics
    return {f"{name} {end}": getattr(found[name], end) for name in METRICS for end in ("value", "low", "high")}


async def least(collection: Beir, settings: IndexSettings, home: Path, embedder: Embedder, depth: int) -> None:
    """A search of every query in one mode, and the metrics."""
    database = open_database(sqlite_url(home / "assay.db"))
    digest, dimensions = embedder.digest, embedder.dimensions
    index = SearchIndex(Store(database), home / "index", digest=digest, dimensions=dimensions).open()
    deep = settings.model_copy(update={"candidates": max(settings.candidates, depth)})
    retriever = HybridRetriever(index, embedder, settings=deep)
    run = {}
    for query, text in collection.queries.items():
        hits = await retriever.search(text, k=depth)
        run[query] = list(dict.fromkeys(hit.source for hit in hits))[:100]
    score(collection.qrels, run)
    database.close()


def figures(result: DesignResult) -> dict[str, float]:
    """As `separate` has them."""
    return {f"{name} {end}": getattr(result.metrics[name], end) for name in METRICS for end in ("value", "low", "high")}


async def measure(folder: Path, home: Path, *, sample: int, checked: int) -> bool:
    collection, embedder, every = load_beir(folder), catalogue.embedder(ModelSettings()), designs()
    cut = home / Design(_DOCUMENTS).cut
    ingest_seconds = None
    if not (cut / "assay.db").exists():
        started = time.perf_counter()
        await bench_designs(collection, [Design(_DOCUMENTS, every[0])], home=home, embedder=embedder)
        ingest_seconds = time.perf_counter() - started
        print(f"ingestion (with one lexical pass): {ingest_seconds:,.1f} s", flush=True)
    await bench_designs(collection, [Design(_DOCUMENTS, every[0])], home=home, embedder=embedder)  # warm
    started = time.perf_counter()
    bench = await bench_designs(collection, [Design(_DOCUMENTS, each) for each in every], home=home, embedder=embedder)
    batch = time.perf_counter() - started
    print(f"batch of {len(every)}: {batch:,.1f} s", flush=True)

    picked = random.Random(0).sample(range(2, len(every)), max(sample, checked) - 2)
    times, leasts, worst = [], [], 0.0
    depth = 100 * max(1, -(-bench.results[0].passages // bench.documents))
    for number, place in enumerate([0, 1, *picked]):
        started = time.perf_counter()
        alone = await separate(collection, every[place], cut, embedder)
        times.append(time.perf_counter() - started)
        together = figures(bench.results[place])
        worst = max(worst, *(abs(together[name] - alone[name]) for name in alone))
        if number < sample:
            started = time.perf_counter()
            await least(collection, every[place], cut, embedder, depth)
            leasts.append(time.perf_counter() - started)
        print(f"  {number + 1}: run {times[-1]:,.1f} s, largest difference so far {worst:.1e}", flush=True)
    again = time.perf_counter()
    await bench_designs(collection, [Design(_DOCUMENTS, each) for each in every], home=home, embedder=embedder)
    again = time.perf_counter() - again

    run, leanest, both = statistics.mean(times), statistics.mean(leasts), (batch + again) / 2
    print(
        f"\n{collection.name}: {bench.documents:,} documents, {bench.results[0].passages:,} passages, "
        f"{len(bench.queries):,} queries, {len(every)} designs\n"
    )
    print("| what | seconds | batch is 1 in |")
    print("|---|---|---|")
    print(f"| batch, before and after the runs | {batch:,.1f}, {again:,.1f} | |")
    print(
        f"| 300 runs of `bench retrieval`, store ingested: extrapolated from {len(times)} of {run:,.1f} s "
        f"({min(times):,.1f}-{max(times):,.1f}) | {300 * run:,.0f} | {300 * run / both:,.0f} |"
    )
    print(
        f"| 300 times one mode searched and scored, no ingest check, nothing timed: extrapolated from {len(leasts)} of "
        f"{leanest:,.1f} s | {300 * leanest:,.0f} | {300 * leanest / both:,.0f} |"
    )
    if ingest_seconds is not None:
        whole = 300 * (ingest_seconds + run) / (ingest_seconds + both)
        print(
            f"| with ingestion, once for the batch and for each run ({ingest_seconds:,.0f} s) | "
            f"{300 * (ingest_seconds + run):,.0f} | {whole:,.0f} |"
        )
    print(f"\nlargest difference of any metric or limit over {len(times)} designs: {worst:.1e}")
    await embedder.aclose()
    return worst < 1e-9


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
