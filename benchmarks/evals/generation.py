"""Do generated questions rank retrieval as people's do? XQuAD, the embedded models, nine configurations. Prints JSON.

    python benchmarks/evals/generation.py [--articles 24] [--n 120] [--model embedded|none] [--keep FILE | --use FILE]

Questions are generated from every second article and compared with people's questions on the same articles: which of
nine ways to retrieve (three sizes of passage, by words, by vectors, fused) does each set prefer? Everything is searched
in all 48 articles. The evidence of a person's question is the sentence that holds the answer, as it is of a generated
one. `--keep` writes the generated cases, `--use` takes them from there. Embedding is cached per question.
"""

import argparse
import asyncio
import dataclasses
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks" / "answers"))

import corpora  # noqa: E402

from assay.documents.sentences import sentence_spans  # noqa: E402
from assay.documents.settings import DocumentSettings  # noqa: E402
from assay.evals.audit import ScoreTable, audit  # noqa: E402
from assay.evals.case import Case, Evidence  # noqa: E402
from assay.evals.cases import read_cases, write_cases  # noqa: E402
from assay.evals.generation.generate import generate  # noqa: E402
from assay.evals.generation.generated import GenerationProgress  # noqa: E402
from assay.evals.gold import Texts, resolve  # noqa: E402
from assay.evals.output import Output, Retrieved  # noqa: E402
from assay.evals.retrieval_metrics import RetrievalScorer  # noqa: E402
from assay.evals.set_audit import audit_set  # noqa: E402
from assay.index.hit import Mode  # noqa: E402
from assay.index.ingest import ingest_documents  # noqa: E402
from assay.index.retriever import HybridRetriever, SearchIndex  # noqa: E402
from assay.index.store import Store  # noqa: E402
from assay.ledger.database import open_database, sqlite_url  # noqa: E402
from assay.models.embedder import Embedder  # noqa: E402
from assay.models.llama import EmbeddedChat  # noqa: E402
from assay.models.minilm import MiniLMEmbedder  # noqa: E402

SIZES = (32, 64, 200)
MODES: tuple[Mode, ...] = ("lexical", "dense", "fused")
METRICS = ("evidence_recall@1", "evidence_recall@5", "mrr")
SHARES = {"single": 0.8, "adversarial": 0.2}


def peoples_cases(titles: Sequence[str]) -> list[Case]:
    """XQuAD's questions on some articles; the evidence is the sentence in which the answer starts."""
    data = json.loads((corpora.DATA / "qa" / "xquad" / "xquad.en.json").read_text("utf-8"))["data"]
    cases = []
    for article in data:
        for number, paragraph in enumerate(article["paragraphs"] if article["title"] in titles else ()):
            text = paragraph["context"]
            spans = sentence_spans(text)
            for row in paragraph["qas"]:
                answer = row["answers"][0]
                at = answer["answer_start"]
                start, end = next(((a, b) for a, b in spans if a <= at < b), (at, at + len(answer["text"])))
                source = f"{article['title']}/{number:02d}.txt"
                piece = Evidence(source, text[start:end], start, end)
                cases.append(Case(row["id"], row["question"], (answer["text"],), (piece,), cluster=article["title"]))
    return cases


async def scores_of(
    cases: Sequence[Case], corpus: corpora.Corpus, embedder: Embedder
) -> dict[str, dict[str, dict[str, float]]]:
    """By metric, configuration and case."""
    texts = Texts({document.source: document.text for document in corpus.documents})
    scorer = RetrievalScorer(ks=(1, 5), token_budgets=())
    found: dict[str, dict[str, dict[str, float]]] = {metric: {} for metric in METRICS}
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            database = open_database(sqlite_url(Path(folder) / "assay.db"))
            store = Store(database)
            index = SearchIndex(store, Path(folder) / "index", digest=embedder.digest, dimensions=embedder.dimensions)
            await ingest_documents(
                corpus.documents, store=store, embedder=embedder, settings=DocumentSettings(size=size), index=index
            )
            retriever = HybridRetriever(index.open(), embedder)
            for mode in MODES:
                for case in cases:
                    hits = await retriever.search(case.question, k=20, mode=mode)
                    passages = tuple(
                        Retrieved(h.source, h.passage.text, h.passage.start, h.passage.end, h.score) for h in hits
                    )
                    scores = await scorer.score(case, Output(passages=passages), resolve(case, texts))
                    for metric in METRICS:
                        found[metric].setdefault(f"{mode}-{size}", {})[case.id] = scores[metric].value or 0.0
            database.close()
    return found


async def generated(corpus: corpora.Corpus, titles: Sequence[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Cases and the figures of their generation."""
    embedder = MiniLMEmbedder.load()
    model = EmbeddedChat.load(threads=arguments.threads, timeout_seconds=600) if arguments.model == "embedded" else None
    started = time.perf_counter()

    def show(progress: GenerationProgress) -> None:
        if progress.tried % 10 == 0:
            seconds = time.perf_counter() - started
            print(progress.kind, progress.kept_in_all, progress.tried, round(seconds), file=sys.stderr, flush=True)

    documents = [document for document in corpus.documents if document.source.split("/")[0] in titles]
    made = await generate(
        documents, n=arguments.n, model=model, embedder=embedder, shares=SHARES, seed=arguments.seed, progress=show
    )
    seconds = time.perf_counter() - started
    if model is not None:
        await model.aclose()
    await embedder.aclose()
    figures = made.as_json() | {"seconds": round(seconds, 1)}
    figures["by_rule"] = sum("written:rule" in case.tags for case in made.cases)
    return {"cases": list(made.cases), "figures": figures}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--articles", type=int, default=24)
    parser.add_argument("--n", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", choices=["embedded", "none"], default="embedded")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--use", type=Path)
    arguments = parser.parse_args()
    corpus = corpora.xquad()
    titles = sorted({document.source.split("/")[0] for document in corpus.documents})[1::2][: arguments.articles]
    report: dict[str, Any] = {"articles": len(titles)}
    if arguments.use:
        cases = read_cases(arguments.use)
    else:
        made = await generated(corpus, titles, arguments)
        report["generation"], cases = made["figures"], made["cases"]
        if arguments.keep:
            write_cases(arguments.keep, cases)
    # Paragraphs of one article are not independent of each other.
    cases = [dataclasses.replace(case, cluster=case.cluster.split("/")[0]) for case in cases if case.answerable]
    human = peoples_cases(titles)
    texts = Texts({document.source: document.text for document in corpus.documents})
    report["set"] = audit_set(cases, corpus=texts).sentences
    report["peoples_set"] = audit_set(human, corpus=texts).sentences
    embedder = MiniLMEmbedder.load()
    scores = await scores_of([*cases, *human], corpus, embedder)
    await embedder.aclose()
    for metric in METRICS:
        tables = [
            ScoreTable(
                {name: {case.id: row[case.id] for case in some} for name, row in scores[metric].items()},
                {case.id: case.cluster for case in some},
            )
            for some in (cases, human)
        ]
        report[metric] = audit(*tables, metric=metric).as_json()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    asyncio.run(main())
