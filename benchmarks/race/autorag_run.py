"""AutoRAG tunes retrieval on the dev questions and names its pick; then every fusion it swept is scored on the others.

    python autorag_run.py WORK WEIGHTS      (needs AutoRAG==0.3.27, onnxruntime, tokenizers)

Its own `Evaluator`, node by node, as its documentation has it: the best lexical retrieval, the best semantic one, then
the best fusion of those two. WORK holds corpus.json, dev.json and untouched.json, written by `peers.py`; what is found
is written beside them. The pick is then evaluated by AutoRAG itself on the untouched questions, with nothing to choose.
"""

import argparse
import ast
import json
import math
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import autorag
import pandas as pd
import yaml
from autorag.embedding.base import embedding_models
from autorag.evaluator import Evaluator
from autorag.nodes.hybridretrieval import HybridCC, HybridRRF
from llama_index.core.base.embeddings.base import BaseEmbedding
from minilm_onnx import MiniLM

TOP_K = 10
DEPTHS = [10, 20, 50]
TOKENIZERS = ["porter_stemmer", "space"]
NORMS = ["mm", "tmm", "z", "dbsf"]
WEIGHTS = 11  # of each way to fuse; AutoRAG's defaults are 101 and 77, which take nine times as long
RRF = (4, 14)
STRATEGY = {"metrics": ["retrieval_ndcg"]}


class Weights(BaseEmbedding):
    """The embedder as llama-index, and so AutoRAG, takes one."""

    model: ClassVar[Any] = None

    def _get_text_embedding(self, text: str) -> list[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [[float(value) for value in row] for row in self.model.embed(texts)]

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


def configuration(lexical: dict[str, Any], semantic: dict[str, Any], fusions: list[dict[str, Any]]) -> dict[str, Any]:
    store = {
        "name": "minilm",
        "db_type": "chroma",
        "client_type": "persistent",
        "embedding_model": "minilm",
        "collection_name": "minilm",
        "similarity_metric": "cosine",
        "path": "${PROJECT_DIR}/resources/chroma",
    }
    nodes = [
        {"node_type": "lexical_retrieval", "strategy": STRATEGY, "modules": [{"module_type": "bm25", **lexical}]},
        {"node_type": "semantic_retrieval", "strategy": STRATEGY, "modules": [{"module_type": "vectordb", **semantic}]},
        {"node_type": "hybrid_retrieval", "strategy": STRATEGY, "top_k": TOP_K, "modules": fusions},
    ]
    return {"vectordb": [store], "node_lines": [{"node_line_name": "retrieval", "nodes": nodes}]}


def tried(work: Path, part: str, config: dict[str, Any]) -> tuple[Path, dict[str, float]]:
    """A trial of AutoRAG on some of the questions: the folder of its only node line, and what it took."""
    project = work / f"autorag-{part}"
    project.mkdir()
    documents = json.loads((work / "corpus.json").read_text("utf-8"))
    corpus = [{"doc_id": key, "contents": text, "metadata": {"path": key}} for key, text in documents.items()]
    questions = [
        {"qid": row["id"], "query": row["question"], "retrieval_gt": [[row["document"]]], "generation_gt": [""]}
        for row in json.loads((work / f"{part}.json").read_text("utf-8"))
    ]
    pd.DataFrame(corpus).to_parquet(project / "given-corpus.parquet", index=False)
    pd.DataFrame(questions).to_parquet(project / "given-qa.parquet", index=False)
    (project / "space.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    wall, cpu = time.perf_counter(), time.process_time()
    given = {"qa_data_path": project / "given-qa.parquet", "corpus_data_path": project / "given-corpus.parquet"}
    evaluator = Evaluator(**{key: str(path) for key, path in given.items()}, project_dir=str(project))
    evaluator.start_trial(str(project / "space.yaml"), skip_validation=True)
    took = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
    return project / "0" / "retrieval", took


def picked(folder: Path, node: str) -> tuple[str, dict[str, Any], float]:
    """Of a node: the module that won, its parameters, and its score."""
    summary = pd.read_csv(folder / node / "summary.csv")
    row = summary[summary["is_best"]].iloc[0]
    return row["module_name"], ast.literal_eval(row["module_params"]), float(row["retrieval_ndcg"])


def fused(folder: Path, golds: list[str]) -> dict[str, list[float]]:
    """Every fusion of the sweep by itself, through AutoRAG's own classes: nDCG@10 of each question."""
    best = next((folder / "hybrid_retrieval").glob("best_*.parquet"))
    before = pd.read_parquet(best).drop(columns=["retrieved_contents", "retrieved_ids", "retrieve_scores"])
    project = str(folder.parents[1])
    space = [(HybridCC, {"normalize_method": norm, "weight": place / (WEIGHTS - 1)}) for norm in NORMS
             for place in range(WEIGHTS)]  # fmt: skip
    space += [(HybridRRF, {"weight": weight}) for weight in range(RRF[0], RRF[1] + 1)]
    found = {}
    for module, params in space:
        ids = module(project).pure(before.copy(), top_k=TOP_K, **params)["retrieved_ids"]
        found[named(module.__name__, params)] = [
            ndcg(list(ranked), gold) for ranked, gold in zip(ids, golds, strict=True)
        ]
    return found


def ndcg(ranked: list[str], gold: str) -> float:
    """With one gold passage; AutoRAG's own figure of the pick must equal its mean."""
    return 1 / math.log2(ranked.index(gold) + 2) if gold in ranked else 0.0


def named(module: str, params: dict[str, Any]) -> str:
    how = params.get("normalize_method", "rrf") if module == "HybridCC" else "rrf"
    return f"fusion={how} weight={params['weight']:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("weights", type=Path)
    arguments = parser.parse_args()
    Weights.model = MiniLM(arguments.weights)
    embedding_models["minilm"] = autorag.LazyInit(Weights, model_name="minilm")

    cc = {"module_type": "hybrid_cc", "normalize_method": NORMS, "test_weight_size": WEIGHTS}
    rrf = {"module_type": "hybrid_rrf", "weight_range": str(RRF)}  # AutoRAG reads "(4, 24)" as a tuple
    lexical, semantic = {"bm25_tokenizer": TOKENIZERS, "top_k": DEPTHS}, {"vectordb": "minilm", "top_k": DEPTHS}
    space = configuration(lexical, semantic, [cc, rrf])
    dev, took = tried(arguments.work, "dev", space)
    embedded = Weights.model.texts
    _, lexical, _ = picked(dev, "lexical_retrieval")
    _, semantic, _ = picked(dev, "semantic_retrieval")
    module, fusion, on_dev = picked(dev, "hybrid_retrieval")
    if module == "HybridRRF":
        alone = {"module_type": "hybrid_rrf", "weight_range": f"({fusion['weight']:.0f}, {fusion['weight']:.0f})"}
    else:
        alone = {"module_type": "hybrid_cc", "normalize_method": fusion["normalize_method"], "test_weight_size": 1}
        alone["weight_range"] = f"({fusion['weight']}, {fusion['weight']})"
    untouched, _ = tried(arguments.work, "untouched", configuration(lexical, semantic, [alone]))
    _, _, on_untouched = picked(untouched, "hybrid_retrieval")

    questions = {
        part: json.loads((arguments.work / f"{part}.json").read_text("utf-8")) for part in ("dev", "untouched")
    }
    scores = {
        part: fused(folder, [row["document"] for row in questions[part]])
        for part, folder in (("dev", dev), ("untouched", untouched))
    }
    before = len(TOKENIZERS) * len(DEPTHS) + len(DEPTHS)
    fusions = len(NORMS) * WEIGHTS + RRF[1] - RRF[0] + 1
    found = {
        "tool": "AutoRAG",
        "version": version("AutoRAG"),
        "configurations": before + fusions,
        "calls": (before + fusions) * len(questions["dev"]),
        "texts_embedded": embedded,
        **took,
        "pick": named(module, fusion),
        "pick_on_dev": on_dev,
        "pick_on_untouched_by_the_tool": on_untouched,
        "says": {"lexical": lexical, "semantic": semantic},
        "levels": {},
        **scores,
    }
    (arguments.work / "autorag.json").write_text(json.dumps(found, default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
