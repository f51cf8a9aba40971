"""Signals of every question of a corpus, collected through the real index, for training and for looking.

Every answerable question is also asked with its gold document out of sight: the honest answer is then to decline.
"""

import argparse
import asyncio
import pickle
import time
from collections.abc import Sequence
from pathlib import Path

import corpora

from assay.answers.candidates import READ, signals
from assay.answers.question import Question
from assay.models.embedder import Kind, TokenVectors, Vectors
from assay.models.minilm import MiniLMEmbedder

HITS = READ


class Remembering(MiniLMEmbedder):
    """Embeds each text once."""

    _known: dict[str, TokenVectors]

    async def embed_tokens(self, texts: Sequence[str], *, kind: Kind = "passage") -> list[TokenVectors]:
        self._known = getattr(self, "_known", {})
        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(missing, await super().embed_tokens(missing, kind=kind), strict=True))
        return [self._known[text] for text in texts]


class WholeSentences:
    """The same embedder as one that does not show its tokens: what a remote one offers."""

    def __init__(self, inner: Remembering) -> None:
        self.inner, self.known = inner, {}
        self.name, self.digest, self.dimensions, self.max_tokens = inner.name, inner.digest, inner.dimensions, 256

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> Vectors:
        import numpy as np

        missing = [text for text in dict.fromkeys(texts) if text not in self.known]
        if missing:
            self.known.update(zip(missing, await self.inner.embed(missing, kind=kind), strict=True))
        return np.stack([self.known[text] for text in texts])


async def collect(corpus: corpora.Corpus, *, tokens: bool, without: bool) -> list[corpora.Row]:
    inner = Remembering.load()
    embedder = inner if tokens else WholeSentences(inner)
    rows = []
    async with corpora.indexed(corpus, inner) as retriever:
        for asked in corpus.asked:
            question = Question.of(asked.question)
            found = await retriever.search(asked.question, k=3 * HITS)
            for hidden in (False, True) if asked.answerable and without else (False,):
                seen = [hit for hit in found if not (hidden and hit.source == asked.document)][:HITS]
                rows.append(corpora.Row(asked, tuple(seen), await signals(question, seen, embedder=embedder), hidden))
    await inner.aclose()
    return rows


def cached(name: str, folder: Path, *, tokens: bool = True) -> list[corpora.Row]:
    """Rows of a corpus, collected once into `folder`."""
    path = folder / f"{name}-{'tokens' if tokens else 'sentences'}.pickle"
    if not path.exists():
        corpus = {
            "xquad-en": corpora.xquad,
            "xquad-de": lambda: corpora.xquad("de"),
            "clapnq": corpora.clapnq,
            "clapnq-untitled": lambda: corpora.clapnq(titles=False),
            "handbook": corpora.handbook,
        }[name]()
        started = time.perf_counter()
        rows = asyncio.run(collect(corpus, tokens=tokens, without=name != "xquad-de"))
        path.write_bytes(pickle.dumps(rows))
        print(f"{name}: {len(rows)} rows in {time.perf_counter() - started:.0f} s")
    return pickle.loads(path.read_bytes())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for collected signals")
    parser.add_argument("names", nargs="+")
    arguments = parser.parse_args()
    arguments.cache.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        cached(name, arguments.cache)
