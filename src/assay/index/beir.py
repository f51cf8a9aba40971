"""How good is retrieval: any folder in the BEIR layout, ingested and searched as a user's documents would be.

`corpus.jsonl` (`_id`, `title`, `text`), `queries.jsonl` (`_id`, `text`), `qrels/SPLIT.tsv` (query, document,
grade). Documents are cut like any other; a document's rank is that of its best passage. Metrics come from
`ir-measures`, which agrees with trec_eval; intervals are percentile bootstraps over queries.
"""

import asyncio
import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.documents.document import Document
from assay.documents.settings import DocumentSettings
from assay.errors import BadInput, NotFound
from assay.index.hit import Mode
from assay.index.ingest import IngestProgress, IngestReport, ingest_documents
from assay.index.retriever import HybridRetriever, SearchIndex
from assay.index.settings import IndexSettings
from assay.index.store import Store
from assay.ledger.database import open_database, sqlite_url
from assay.models.embedder import Embedder
from assay.stats.bootstrap import bootstrap_mean
from assay.stats.interval import Interval

MODES: tuple[Mode, ...] = ("lexical", "dense", "fused")
METRICS = ("ndcg@10", "recall@100", "map")
DEPTH = 100  # documents ranked per query; recall@100 and MAP look no deeper
_TIMED_QUERIES = 300
_SPLITS = ("test", "dev", "train")


@dataclass(frozen=True, slots=True)
class Beir:
    """A test collection: `queries` are those with judgements, `qrels` grades by query and document."""

    name: str
    corpus: Path
    queries: Mapping[str, str]
    qrels: Mapping[str, Mapping[str, int]]

    def documents(self) -> Iterator[Document]:
        """The corpus, a document at a time; those without text are left out, as no passage could hold them."""
        for line in _lines(self.corpus):
            title, body = str(line.get("title") or ""), str(line.get("text") or "")
            text = f"{title}\n\n{body}" if title and body else title or body
            if text.strip():
                digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
                yield Document(str(line["_id"]), f"sha256:{digest}", text, title=title)


@dataclass(frozen=True, slots=True)
class ModeResult:
    """One mode's metrics with their intervals, and its median and p95 time per query in milliseconds."""

    metrics: Mapping[str, Interval]
    ms_per_query: float
    p95_ms_per_query: float

    def as_json(self) -> dict[str, Any]:
        """Metrics as plain numbers, with the intervals beside them."""
        return {
            **{name: interval.value for name, interval in self.metrics.items()},
            "ms_per_query": self.ms_per_query,
            "p95_ms_per_query": self.p95_ms_per_query,
            "intervals": {name: {"low": i.low, "high": i.high} for name, i in self.metrics.items()},
        }


@dataclass(frozen=True, slots=True)
class RetrievalBench:
    """What `assay bench retrieval` found."""

    name: str
    documents: int
    passages: int
    queries: int
    passages_per_s: float
    open_ms: float
    modes: Mapping[str, ModeResult]

    def as_json(self) -> dict[str, Any]:
        """The object `assay bench retrieval --json` prints."""
        return {
            "dataset": self.name,
            "documents": self.documents,
            "passages": self.passages,
            "queries": self.queries,
            "passages_per_s": self.passages_per_s,
            "index_open_ms": self.open_ms,
            "modes": {name: result.as_json() for name, result in self.modes.items()},
        }


def load_beir(folder: Path, *, split: str | None = None) -> Beir:
    """The collection in a folder; without `split`, the first of test, dev and train there is.

    Raises NotFound for a missing file, BadInput for a line that is not what it should be.
    """
    folder = folder.resolve()
    splits = [split] if split else [name for name in _SPLITS if (folder / "qrels" / f"{name}.tsv").is_file()]
    if not splits:
        others = sorted((folder / "qrels").glob("*.tsv"))
        splits = [others[0].stem] if others else ["test"]
    qrels = _qrels(_existing(folder / "qrels" / f"{splits[0]}.tsv"))
    queries = {str(line["_id"]): str(line.get("text") or "") for line in _lines(_existing(folder / "queries.jsonl"))}
    missing = sorted(qrels.keys() - queries.keys())
    if missing:
        raise BadInput(
            f"{len(missing)} queries of qrels/{splits[0]}.tsv are not in queries.jsonl, such as {missing[0]}.",
            hint="Check that both files belong to the same collection.",
        )
    return Beir(folder.name, _existing(folder / "corpus.jsonl"), {query: queries[query] for query in qrels}, qrels)


async def bench_retrieval(
    collection: Beir,
    *,
    home: Path,
    embedder: Embedder,
    documents: DocumentSettings,
    settings: IndexSettings,
    threads: int = 0,
    progress: Callable[[IngestProgress], None] | None = None,
    note: Callable[[str], None] | None = None,
) -> RetrievalBench:
    """Ingest a collection into the workspace folder `home` and measure each mode on its judged queries.

    What is already there is not embedded again: then `passages_per_s` is that of checking, not of embedding.
    """
    database = await asyncio.to_thread(open_database, sqlite_url(home / "assay.db"))
    try:
        store = Store(database)

        def open_index() -> SearchIndex:
            digest, dimensions = embedder.digest, embedder.dimensions
            made = SearchIndex(
                store, home / "index", digest=digest, dimensions=dimensions, language=settings.language, threads=threads
            )
            return made.open()

        started = time.perf_counter()
        report = await ingest_documents(
            collection.documents(),
            store=store,
            embedder=embedder,
            settings=documents,
            collection=f"beir:{collection.name}",
            progress=progress,
        )
        passages_per_s = report.passages / (time.perf_counter() - started)
        await asyncio.to_thread(open_index)  # builds; the second opening is what a user waits for
        started = time.perf_counter()
        index = await asyncio.to_thread(open_index)
        open_ms = (time.perf_counter() - started) * 1000
        depth = search_depth(report)
        deep = settings.model_copy(update={"candidates": max(settings.candidates, depth)})
        modes: dict[str, ModeResult] = {}
        for mode in MODES:
            if note is not None:
                note(f"searching {len(collection.queries):,} queries, {mode}")
            searching = HybridRetriever(index, embedder, settings=deep)
            run = await _ranked(searching, collection.queries, mode=mode, depth=depth)
            times = await _timed(HybridRetriever(index, embedder, settings=settings), collection.queries, mode=mode)
            metrics = score(collection.qrels, run)
            p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
            modes[mode] = ModeResult(metrics, statistics.median(times), p95)
    finally:
        database.close()
    return RetrievalBench(
        collection.name, report.documents, report.passages, len(collection.queries), passages_per_s, open_ms, modes
    )


def search_depth(report: IngestReport) -> int:
    """Passages looked at per query: long documents hold several of the best, and 100 different ones are ranked."""
    return DEPTH * max(1, -(-report.passages // max(1, report.documents)))


def score(qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Sequence[str]]) -> dict[str, Interval]:
    """nDCG@10, recall@100 and MAP of documents ranked per query, each with a 95% bootstrap interval over queries."""
    import ir_measures
    from ir_measures import AP, R, nDCG

    judged = [
        ir_measures.Qrel(query, document, grade)
        for query, grades in qrels.items()
        for document, grade in grades.items()
    ]
    ranked = [
        ir_measures.ScoredDoc(query, document, -float(rank))
        for query, documents in run.items()
        for rank, document in enumerate(documents)
    ]
    measures = dict(zip((nDCG @ 10, R @ 100, AP), METRICS, strict=True))
    values: dict[str, dict[str, float]] = {name: dict.fromkeys(qrels, 0.0) for name in METRICS}
    for metric in ir_measures.iter_calc(list(measures), judged, ranked):
        values[measures[metric.measure]][metric.query_id] = float(metric.value)
    return {name: bootstrap_mean(list(by_query.values())) for name, by_query in values.items()}


async def _ranked(
    retriever: HybridRetriever, queries: Mapping[str, str], *, mode: Mode, depth: int
) -> dict[str, list[str]]:
    """The best documents of each query, by their best passage."""
    run = {}
    for query, text in queries.items():
        hits = await retriever.search(text, k=depth, mode=mode)
        run[query] = list(dict.fromkeys(hit.source for hit in hits))[:DEPTH]
    return run


async def _timed(retriever: HybridRetriever, queries: Mapping[str, str], *, mode: Mode) -> list[float]:
    """Milliseconds of each search as a user would make it, the query's embedding included."""
    times = []
    for text in list(queries.values())[:_TIMED_QUERIES]:
        started = time.perf_counter()
        await retriever.search(text, mode=mode)
        times.append((time.perf_counter() - started) * 1000)
    return times


def _qrels(path: Path) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            parts = line.rstrip("\r\n").split("\t")
            if number == 1 and len(parts) == 3 and not parts[2].lstrip("-").isdigit():
                continue  # the header
            if not line.strip():
                continue
            if len(parts) != 3 or not parts[2].lstrip("-").isdigit():
                raise BadInput(
                    f"{path} line {number} is not query, document and grade, separated by tabs.",
                    hint="Check the file against the BEIR layout.",
                )
            qrels.setdefault(parts[0], {})[parts[1]] = int(parts[2])
    if not qrels:
        raise BadInput(f"{path} holds no judgements.", hint="Check the file against the BEIR layout.")
    return qrels


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except ValueError:
                found = None
            if not isinstance(found, dict) or "_id" not in found:
                raise BadInput(
                    f"{path} line {number} is not a JSON object with an _id.",
                    hint="Check the file against the BEIR layout.",
                )
            yield found


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise NotFound(
            f"There is no {path}.",
            hint="Name a folder in the BEIR layout: corpus.jsonl, queries.jsonl and qrels/*.tsv.",
        )
    return path
