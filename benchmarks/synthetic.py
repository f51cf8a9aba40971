"""Passages by the hundred thousand, and an embedder that costs nothing, for benchmarks of everything else."""

import hashlib
import random
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.documents.document import Document
from assay.models.embedder import Embedder, Kind
from assay.models.pinned import MINILM
from assay.models.weights import fetch, verified


def english_words() -> list[str]:
    """The whole words among the embedder's word pieces, about 20,000: one piece each, as most of a question's are."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(verified(fetch(MINILM), MINILM.members[1])))
    return sorted(word for word in tokenizer.get_vocab() if len(word) > 2 and word.isascii() and word.isalpha())


def documents(passages: int, *, per_document: int = 20, words: int = 120, seed: int = 7) -> Iterator[Document]:
    """Documents of Zipf-distributed words; each paragraph becomes about one passage."""
    generator = random.Random(seed)
    vocabulary = english_words()
    weights = [1 / (rank + 10) for rank in range(len(vocabulary))]
    for number in range(passages // per_document):
        drawn = generator.choices(vocabulary, weights, k=words * per_document)
        paragraphs = [" ".join(drawn[i * words : (i + 1) * words]) + "." for i in range(per_document)]
        text = "\n\n".join(f"# Section {i}\n\n{paragraph}" for i, paragraph in enumerate(paragraphs))
        yield Document(source=f"doc-{number:06d}.md", content_hash=str(number), text=text)


class FreePassages:
    """The given embedder for queries; random unit vectors, seeded by the text, for passages."""

    def __init__(self, real: Embedder) -> None:
        self._real = real
        self.name, self.digest = real.name, real.digest
        self.dimensions, self.max_tokens = real.dimensions, real.max_tokens

    async def embed(self, texts: Sequence[str], *, kind: Kind = "passage") -> NDArray[np.float32]:
        if kind == "query":
            return await self._real.embed(texts, kind=kind)
        seed = int.from_bytes(hashlib.sha1(texts[0].encode()).digest()[:8], "big") if texts else 0
        vectors = np.random.default_rng(seed).standard_normal((len(texts), self.dimensions), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def token_spans(self, text: str) -> list[tuple[int, int]]:
        return self._real.token_spans(text)

    async def aclose(self) -> None:
        await self._real.aclose()
