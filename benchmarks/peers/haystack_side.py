"""Haystack 3 as its documentation builds a hybrid pipeline: in-memory store, BM25 and embeddings, joined by RRF."""

import json
import sys
import time
from pathlib import Path

from beir import load, ndcg, peak_mb
from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import (
    SentenceTransformersDocumentEmbedder,
    SentenceTransformersTextEmbedder,
)


def main(folder: Path, limit: int, weights: str) -> None:
    texts, queries, qrels = load(folder, limit)
    store = InMemoryDocumentStore(embedding_similarity_function="cosine")
    ingest = Pipeline()
    ingest.add_component(
        "embed", SentenceTransformersDocumentEmbedder(model=weights, batch_size=32, progress_bar=False)
    )
    ingest.add_component("write", DocumentWriter(store))
    ingest.connect("embed", "write")
    ingest.warm_up()
    started = time.perf_counter()
    ingest.run({"embed": {"documents": [Document(id=key, content=text) for key, text in texts.items()]}})
    ingest_s = time.perf_counter() - started

    ask = Pipeline()
    ask.add_component("embed", SentenceTransformersTextEmbedder(model=weights, progress_bar=False))
    ask.add_component("dense", InMemoryEmbeddingRetriever(store, top_k=100))
    ask.add_component("lexical", InMemoryBM25Retriever(store, top_k=100))
    ask.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion", top_k=100))
    ask.connect("embed.embedding", "dense.query_embedding")
    ask.connect("dense", "join")
    ask.connect("lexical", "join")
    ask.warm_up()
    ask.run({"embed": {"text": "warm up"}, "lexical": {"query": "warm up"}})
    run, started = {}, time.perf_counter()
    for key, text in queries.items():
        found = ask.run({"embed": {"text": text}, "lexical": {"query": text}})["join"]["documents"]
        run[key] = {document.id: document.score for document in found}
    query_ms = (time.perf_counter() - started) * 1000 / len(queries)
    figures = {
        "documents_per_s": len(texts) / ingest_s,
        "ms_per_query": query_ms,
        "peak_mb": peak_mb(),
        "ndcg@10": ndcg(qrels, run),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
