"""context-grid sweeps the dev questions and names its winner; then every configuration is scored on the others.

    python contextgrid_run.py WORK WEIGHTS [--cuts]      (needs context-grid==0.9.5, onnxruntime, tokenizers)

Its own `Lab`, metrics and rules throughout. WORK holds corpus.json, dev.json and untouched.json, written by `peers.py`;
what is found is written beside them. `--cuts` sweeps cutters too, with fewer fusions. The untouched questions are
opened only after the winner is named.
"""

import argparse
import json
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import contextgrid as cg
import numpy as np
from contextgrid.cache.store import MemoryCache
from contextgrid.core.evalset import EvalItem, EvalSet, GoldSpan
from contextgrid.core.span import Span
from contextgrid.corpus import Corpus
from contextgrid.embed import EMBEDDERS, EmbeddingResult
from contextgrid.pipeline import build, build_qrels
from contextgrid.score.metrics import per_query
from minilm_onnx import MiniLM

METRIC = "ndcg@10"
WHOLE = "recursive:5000"  # no paragraph is longer: every one is one passage
PARAMETERS = [(k1, b) for k1 in (0.9, 1.5) for b in (0.4, 0.75)]
FUSIONS = [f"hybrid:weighted,alpha={place / 20:g},k1={k1}" for k1 in (0.9, 1.5) for place in range(21)]
RRF = [f"hybrid:rrf,rrf_k={k}" for k in (4, 10, 20, 60, 100)]
SPACE = {"chunker": [WHOLE], "index": ["dense", *(f"bm25:{k1},b={b}" for k1, b in PARAMETERS), *FUSIONS, *RRF]}
CUTS = {
    "chunker": [WHOLE, "recursive:128", "fixed:64", "sentence:3"],
    "index": ["dense", "bm25", *(f"hybrid:weighted,alpha={alpha}" for alpha in (0.3, 0.5, 0.7)), "hybrid:rrf"],
}
VECTORS: dict[str, Any] = {}


@dataclass
class Weights:
    """The embedder as a plugin of context-grid; one model is loaded for all configurations."""

    name: ClassVar[str] = "minilm"
    version: ClassVar[str] = "1"
    normalised: ClassVar[bool] = True
    max_tokens: ClassVar[int | None] = None
    dimensions: ClassVar[int] = MiniLM.dimensions
    model: ClassVar[Any] = None
    remembers: ClassVar[bool] = False

    def prepare(self, documents: Any) -> None:
        return None

    def embed_documents(self, texts: Any) -> EmbeddingResult:
        return EmbeddingResult(vectors=self.model.embed(texts))

    def embed_queries(self, texts: Any) -> EmbeddingResult:
        if not self.remembers:  # in its sweep every configuration embeds every question, as with its own embedders
            return self.embed_documents(texts)
        for text in texts:
            if text not in VECTORS:
                VECTORS[text] = self.model.embed([text])[0]
        return EmbeddingResult(vectors=np.vstack([VECTORS[text] for text in texts]))


def lab_of(work: Path, space: dict[str, list[str]]) -> cg.Lab:
    documents = json.loads((work / "corpus.json").read_text("utf-8"))
    lab = cg.Lab(Corpus.from_texts(documents))
    lab.grid(parser="text", embedder="minilm", k=10, **space)
    return lab


def asked(work: Path, part: str) -> EvalSet:
    """Questions with the answer's characters in its paragraph as evidence."""
    items = [
        EvalItem(
            id=row["id"],
            question=row["question"],
            gold=(GoldSpan(Span(row["document"], row["start"], row["start"] + len(row["answer"]))),),
        )
        for row in json.loads((work / f"{part}.json").read_text("utf-8"))
    ]
    return EvalSet(id=part, items=tuple(items))


def scored(lab: cg.Lab, questions: EvalSet) -> dict[str, list[float]]:
    """Every configuration on these questions by the parts of context-grid, without what a sweep measures besides."""
    metric, _, k = METRIC.partition("@")
    cache, found = MemoryCache(), {}
    for config in lab.matrix.expand("factorial"):
        pipeline = build(config, lab.corpus, cache=cache)
        qrels, _ = build_qrels(questions, pipeline.chunks)
        found[config.label] = _column(per_query(qrels, pipeline.run_queries(questions), metric, int(k)), questions)
    return found


def _column(scores: dict[str, float], questions: EvalSet) -> list[float]:
    """A question it could not score counts as 0: no single passage holds half of its answer."""
    return [scores.get(item.id, 0.0) for item in questions]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--cuts", action="store_true")
    arguments = parser.parse_args()
    Weights.model = MiniLM(arguments.weights)
    EMBEDDERS.register("minilm", doc="all-MiniLM-L6-v2, int8")(Weights)

    lab = lab_of(arguments.work, CUTS if arguments.cuts else SPACE)
    dev = asked(arguments.work, "dev")
    wall, cpu = time.perf_counter(), time.process_time()
    results = lab.run(dev, mode="factorial", headline=METRIC)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    embedded = Weights.model.texts
    best, baseline = results.best(METRIC), results.runs[0].label
    found = {
        "tool": "context-grid",
        "version": version("context-grid"),
        "configurations": len(results),
        "calls": sum(len(run.run) for run in results),
        "texts_embedded": embedded,
        "seconds": wall,
        "cpu_seconds": cpu,
        "pick": best.label,
        "pick_on_dev": best.metric(METRIC),
        "says": {
            "baseline": baseline,
            "beats the baseline": results.significance(best.label, baseline).winner == best.label,
            "beats the runner-up": results.is_the_winner_real(METRIC).winner == best.label,
            "summary": results.summary(METRIC),
        },
        "levels": {run.label: {"chunker": run.config.chunker, "index": run.config.index} for run in results},
        "dev": {run.label: _column(run.per_query_for(METRIC) or {}, dev) for run in results},
    }
    Weights.remembers = True
    found["untouched"] = scored(lab, asked(arguments.work, "untouched"))
    name = "contextgrid_cuts" if arguments.cuts else "contextgrid"
    (arguments.work / f"{name}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
