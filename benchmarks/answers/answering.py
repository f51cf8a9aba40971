"""Ask every question of a corpus through the product's own path, with the settings in force, and keep what came out."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import corpora
import numpy as np

from assay.answers.ask import ask
from assay.answers.outcome import Outcome
from assay.answers.settings import AnswerSettings
from assay.index.hit import Hit
from assay.models.minilm import MiniLMEmbedder


@dataclass
class Result:
    asked: corpora.Asked
    outcome: Outcome
    seconds: float
    hits: Sequence[Hit]


async def answered(
    corpus: corpora.Corpus, asked: Sequence[corpora.Asked], *, settings: AnswerSettings | None = None
) -> list[Result]:
    """One result per question, in order. Embedded models only."""
    embedder = MiniLMEmbedder.load()
    settings = settings or AnswerSettings()
    results = []
    async with corpora.indexed(corpus, embedder) as retriever:
        for question in asked:
            started = time.perf_counter()
            outcome = await ask(
                question.question, retriever=retriever, embedder=embedder, model=None, settings=settings
            )
            results.append(Result(question, outcome, time.perf_counter() - started, outcome.hits))
    await embedder.aclose()
    return results


def p50_ms(results: Sequence[Result]) -> float:
    return round(float(np.median([result.seconds for result in results])) * 1000, 1)


def verbatim(corpus: corpora.Corpus, results: Sequence[Result]) -> bool:
    """Whether every citation is exactly the characters of its document."""
    texts = {document.source: document.text for document in corpus.documents}
    return all(
        texts[citation.document][citation.start : citation.end] == citation.quote
        for result in results
        for citation in result.outcome.citations
    )


def share(values: Sequence[bool]) -> float:
    return round(float(np.mean(values)), 4)


def interval(values: Sequence[float], clusters: Sequence[str], *, seed: int = 0, rounds: int = 2000) -> list[float]:
    """95% bootstrap interval of the mean, resampling whole clusters."""
    rng = np.random.default_rng(seed)
    names = sorted(set(clusters))
    of = {
        name: np.array([v for v, c in zip(values, clusters, strict=True) if c == name], dtype=float) for name in names
    }
    means = []
    for _ in range(rounds):
        drawn = [of[names[i]] for i in rng.integers(0, len(names), len(names))]
        means.append(np.concatenate(drawn).mean())
    low, high = np.percentile(means, [2.5, 97.5])
    return [round(float(low), 4), round(float(high), 4)]
